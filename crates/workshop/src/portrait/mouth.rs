//! The mouth bank: the person's own lips warped to each state, with a painted cavity between them.
//!
//! A picture is drawn as the mouth looks with its jaw open, then the jaw's motion is taken out again, because the lattice
//! brings it back. So teeth keep their size and lips meet the skin around them.

use footlight_avatar::bundle::parts::{Axis, Bank, Image, Lattice, Mouth, Patch};
use footlight_avatar::weights::blendshape;

use super::canvas::{Canvas, Colour, luma, mix, pixel};
use super::cavity::Cavity;
use super::geometry::{Place, distance, fade, smooth};
use super::lips::{LIP_POINTS, LipShape, Lips, MouthState};
use super::measures::Measures;
use super::mesh::mesh_of;
use super::motion::field_at;
use super::reach::{BESIDE, Reach};
use super::tones::Tones;
use super::warp::{ABOVE, Warp};

const GAPS: [f32; 4] = [0.0, 0.14, 0.42, 1.0];
const WIDTHS: [f32; 3] = [-1.0, 0.0, 1.0];
const EXTRAS: [MouthState; 3] = [
    MouthState { gap: 0.0, wide: 0.0, press: 1.0, bite: 0.0, tongue: 0.0 },
    MouthState { gap: 0.0, wide: 0.0, press: 0.0, bite: 1.0, tongue: 0.0 },
    MouthState { gap: 0.12, wide: 0.0, press: 0.0, bite: 0.0, tongue: 1.0 },
];

/// Columns of a mesh beside the lips, from the outermost: how far from the corner, in what a corner's motion takes to fade.
const BESIDE_COLUMNS: [f32; 4] = [1.3, 0.9, 0.5, 0.2];

/// What all pictures of the mouth are drawn from.
struct Painter<'a> {
    canvas: &'a Canvas,
    m: &'a Measures,
    lips: Lips,
    tones: &'a Tones,
    lattice: &'a Lattice,
    jaw: Option<usize>,
    reach: Reach,
    at: [i32; 2],
    size: [u32; 2],
    soft: f32,
}

impl Painter<'_> {
    /// How far down the face a jaw that is open by `weight` moves the skin that is at rest at a place.
    fn jaw_at(&self, place: Place, weight: f32) -> f32 {
        let Some(field) = self.jaw else { return 0.0 };
        let [dx, dy] = field_at(self.lattice, &self.lattice.fields[field], self.m.axes.to_stage(place));
        let [x, y] = self.m.axes.turned([0.0, 1.0]);
        (dx * x + dy * y) * weight
    }

    /// Heights of a line before the jaw took it where it is.
    fn without_jaw(&self, u: f32, v: f32, weight: f32) -> f32 {
        let mut rest = v;
        for _ in 0..30 {
            rest += 0.6 * (v - rest - self.jaw_at([u, rest], weight));
        }
        rest
    }

    fn patch(&self, state: MouthState) -> Patch {
        let open = self.lips.shape(&state);
        let at_rest =
            |line: &[f32; LIP_POINTS]| std::array::from_fn(|i| self.without_jaw(open.u[i], line[i], state.gap));
        let rest = LipShape {
            u: open.u,
            top: at_rest(&open.top),
            upper: at_rest(&open.upper),
            lower: at_rest(&open.lower),
            bottom: at_rest(&open.bottom),
        };
        let warp = Warp {
            photo: &self.lips.photo,
            rest,
            reach: &self.reach,
            beside: BESIDE * self.lips.half,
            round: (-state.wide).max(0.0),
        };
        let cavity = Cavity::new(&self.lips, &open, state, self.tones, self.m.size, self.soft);
        let picture = Canvas::draw(self.at, self.size, |place| self.colour(place, state, &warp, &cavity));
        let us = self.columns(&warp);
        let (columns, rows) = mesh_of(self.m, &us, |u| self.rows(u, &warp, &cavity, state.gap), self.at, self.size);
        Patch { image: picture.image(), columns, rows }
    }

    /// The warp's rows, and between the lips those of the teeth: they do not move with the lips.
    fn rows(&self, u: f32, warp: &Warp<'_>, cavity: &Cavity<'_>, jaw: f32) -> Vec<f32> {
        let mut rows = warp.rows(u);
        let [upper, lower] = [rows[ABOVE + 1], rows[ABOVE + 2]];
        let mut last = upper;
        let teeth = cavity.edges(u).map(|v| {
            last = self.without_jaw(u, v, jaw).clamp(last, lower.max(last));
            last
        });
        rows.splice(ABOVE + 2..ABOVE + 2, teeth);
        rows
    }

    /// Places across that all pictures of the bank share: those of the lips, and of skin beside them.
    fn columns(&self, warp: &Warp<'_>) -> Vec<f32> {
        let (u, last) = (&self.lips.photo.u, LIP_POINTS - 1);
        let mut all: Vec<f32> = BESIDE_COLUMNS.iter().map(|off| warp.place_of(u[0] - off * warp.beside)).collect();
        all.extend_from_slice(&warp.rest.u);
        all.extend(BESIDE_COLUMNS.iter().rev().map(|off| warp.place_of(u[last] + off * warp.beside)));
        all
    }

    fn colour(&self, stage: Place, state: MouthState, warp: &Warp<'_>, cavity: &Cavity<'_>) -> Colour {
        let [u, v] = self.m.axes.to_face(stage);
        let column = warp.column(u);
        let [_, upper, lower, _] = column.now;
        let is_upper = v < (upper + lower) / 2.0;
        let held = if is_upper { v.min(upper) } else { v.max(lower) };
        let from = warp.source(&column, u, held, is_upper);
        let mut lip = self.canvas.at(self.m.axes.to_stage(from));
        let round = (-state.wide).max(0.0);
        if round > 0.0 {
            lip = self.uncreased(lip, [u, v], from, warp, column.now[1], round);
        }
        let between_corners = (warp.rest.u[0]..warp.rest.u[LIP_POINTS - 1]).contains(&u);
        if self.lips.parted && !is_upper && between_corners {
            lip = self.uncornered(lip, from, (round + 4.0 * state.gap).min(1.0));
        }
        // How much of the cavity shows: edges as soft as the photo, nothing where the lips touch.
        let edge = |distance: f32| (distance / self.soft + 0.5).clamp(0.0, 1.0);
        let apart = lower - upper;
        let cover = edge(v - upper) * edge(lower - v) * smooth(0.15, 1.2, apart);
        if cover > 0.0 {
            let inside = cavity.colour([u, v + self.jaw_at([u, v], state.gap)]).map(|c| c + self.tones.grain_at(stage));
            return mix(lip, inside, cover);
        }
        if self.lips.parted && apart <= 0.15 {
            // These lips are apart in the photo: what it lacks is the dark line where they meet.
            let off = (v - (upper + lower) / 2.0) / (0.9 * self.m.size);
            let half = (warp.rest.u[LIP_POINTS - 1] - warp.rest.u[0]) / 2.0;
            let beside = (u - self.lips.middle).abs() / half;
            let line = 0.6 * (-off * off).exp() * (1.0 - smooth(0.9, 1.1, beside));
            return mix(lip, self.tones.lit([0.16, 0.05, 0.05]), line);
        }
        lip
    }
}

impl Painter<'_> {
    /// A lower lip that is apart from the upper one in the photo has its dark corners on it: an open mouth has its own.
    fn uncornered(&self, lip: Colour, from: Place, share: f32) -> Colour {
        let (k, photo) = (self.m.size, &self.lips.photo);
        let near = |i: usize| distance(from, [photo.u[i], photo.upper[i]]);
        let share = share * fade(near(0).min(near(LIP_POINTS - 1)) / (11.0 * k));
        if share <= 0.0 {
            return lip;
        }
        let at = |dv: f32| self.canvas.at(self.m.axes.to_stage([from[0], from[1] + dv]));
        let below = mix(at(8.0 * k), at(10.0 * k), 0.5);
        let dark = smooth(0.03, 0.15, luma(below) - luma(lip));
        mix(lip, below, (2.0 * share).min(1.0) * dark)
    }

    /// Skin beside the corners of a round mouth: the crease that is there in the photo would be drawn out to a line.
    fn uncreased(&self, skin: Colour, [u, v]: Place, from: Place, warp: &Warp<'_>, line: f32, round: f32) -> Colour {
        let (k, last) = (self.m.size, LIP_POINTS - 1);
        let us = &warp.rest.u;
        let off = (us[0] - u).max(u - us[last]);
        if off <= 0.0 {
            return skin;
        }
        let near = (v - line) / (4.0 * k);
        let share = round.sqrt() * smooth(0.0, 1.5 * k, off) * fade(off / warp.beside) * (-near * near).exp();
        let at = |dv: f32| self.canvas.at(self.m.axes.to_stage([from[0], from[1] + dv]));
        let around = mix(mix(at(-7.0 * k), at(-5.0 * k), 0.5), mix(at(7.0 * k), at(5.0 * k), 0.5), 0.5);
        // Only what is darker than around it is a crease.
        let crease = smooth(0.01, 0.06, luma(around) - luma(skin));
        mix(skin, around, share * crease)
    }
}

/// Draws the mouth bank.
pub(super) fn mouth(canvas: &Canvas, m: &Measures, tones: &Tones, lattice: &Lattice, scale: f32, stage: u32) -> Mouth {
    let lips = Lips::of(canvas, m);
    let reach = Reach::of(m, &lips);
    let (at, size) = reach.window(m, stage);
    let jaw = blendshape("jawOpen").map(Axis::Blendshape);
    let painter = Painter {
        canvas,
        m,
        lips,
        tones,
        lattice,
        jaw: lattice.fields.iter().position(|field| Some(field.axis) == jaw),
        reach,
        at,
        size,
        soft: scale.clamp(1.0, 2.2),
    };
    let mut patches = Vec::new();
    for gap in GAPS {
        for wide in WIDTHS {
            patches.push(painter.patch(MouthState { gap, wide, ..MouthState::default() }));
        }
    }
    let grid = patches.len();
    patches.extend(EXTRAS.map(|state| painter.patch(state)));
    let mask = (0..size[1]).flat_map(|y| (0..size[0]).map(move |x| [x, y])).map(|[x, y]| {
        let place = [at[0] as f32 + x as f32 + 0.5, at[1] as f32 + y as f32 + 0.5];
        let share = painter.reach.cover(m.axes.to_face(place));
        pixel([share; 3], 1.0)
    });
    let mask = Image { width: size[0], height: size[1], pixels: mask.collect() };
    Mouth {
        bank: Bank { at, size, patches },
        mask: Some(mask),
        gaps: GAPS.to_vec(),
        widths: WIDTHS.to_vec(),
        pressed: Some(grid),
        bite: Some(grid + 1),
        tongue: Some(grid + 2),
    }
}
