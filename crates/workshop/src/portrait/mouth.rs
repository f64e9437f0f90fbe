//! The mouth bank: the person's own lips warped to each state, with a painted cavity between them.
//!
//! A picture is drawn as the mouth looks with its jaw open, then the jaw's motion is taken out again, because the lattice
//! brings it back. So teeth keep their size and lips meet the skin around them.

use footlight_avatar::bundle::parts::{Axis, Bank, Image, Lattice, Mouth, Patch};
use footlight_avatar::weights::blendshape;

use super::canvas::{Canvas, Colour, luma, mix, pixel};
use super::cavity::Cavity;
use super::geometry::{Place, Profile, at_index, distance, fade, index_of, lerp, smooth};
use super::lips::{LIP_POINTS, LipShape, Lips, MouthState};
use super::measures::Measures;
use super::mesh::mesh_of;
use super::motion::field_at;
use super::tones::Tones;

const GAPS: [f32; 4] = [0.0, 0.14, 0.42, 1.0];
const WIDTHS: [f32; 3] = [-1.0, 0.0, 1.0];
const EXTRAS: [MouthState; 3] = [
    MouthState { gap: 0.0, wide: 0.0, press: 1.0, bite: 0.0, tongue: 0.0 },
    MouthState { gap: 0.0, wide: 0.0, press: 0.0, bite: 1.0, tongue: 0.0 },
    MouthState { gap: 0.12, wide: 0.0, press: 0.0, bite: 0.0, tongue: 1.0 },
];
/// How far beyond its corners the mouth's motion fades, in halves of its width.
const BESIDE: f32 = 0.8;
/// Over how many model units a mouth passes over into the face around it.
const FEATHER: f32 = 6.0;

/// Columns of a mesh beside the lips, from the outermost: how far from the corner, in what a corner's motion takes to fade.
const BESIDE_COLUMNS: [f32; 4] = [1.3, 0.9, 0.5, 0.2];
/// Rows of a mesh above the lips.
const ABOVE: usize = 2;

/// The part of the face that a mouth may change, in the face's frame.
#[derive(Debug, Clone)]
struct Reach {
    left: f32,
    right: f32,
    top: f32,
    bottom: f32,
    feather: f32,
    /// The edge of the face: what is beyond it never belongs to a mouth.
    jaw: Vec<Place>,
    edge: Profile,
    /// Its left and its right side: where across they are at a height.
    sides: [Profile; 2],
    size: f32,
}

impl Reach {
    fn of(m: &Measures, lips: &Lips) -> Self {
        let k = m.size;
        let beside = (1.17 + BESIDE) * lips.half + 8.0 * k;
        let lip_top = lips.photo.top.iter().copied().fold(f32::MAX, f32::min);
        let lip_bottom = lips.photo.bottom.iter().copied().fold(f32::MIN, f32::max);
        // From under the nose to above the chin, but never less than the lips need.
        let top = (m.nose[1] + 0.5 * k).clamp(lip_top - 26.0 * k, lip_top - 7.0 * k);
        let bottom = (m.chin[1] - 1.0 * k).clamp(lip_bottom + 20.0 * k, lip_bottom + 42.0 * k);
        let half = m.face.jaw.len() / 2 + 1;
        let side = |jaw: &mut dyn Iterator<Item = &Place>| {
            Profile::through(&jaw.take(half).map(|&[u, v]| [v, u]).collect::<Vec<_>>())
        };
        Self {
            left: lips.middle - beside,
            right: lips.middle + beside,
            top,
            bottom,
            feather: FEATHER * k,
            jaw: m.face.jaw.clone(),
            edge: Profile::through(&m.face.jaw),
            sides: [side(&mut m.face.jaw.iter()), side(&mut m.face.jaw.iter().rev())],
            size: k,
        }
    }

    /// How far inside of the face's edge a place is; 0 beyond it.
    fn inside_face(&self, place: Place) -> f32 {
        if place[1] > self.edge.at(place[0]) {
            return 0.0;
        }
        self.jaw.windows(2).map(|pair| to_segment(place, pair[0], pair[1])).fold(f32::MAX, f32::min)
    }

    /// How freely skin may follow the lips: not at the sides of the face.
    fn freedom(&self, [u, v]: Place) -> f32 {
        let off = (u - self.sides[0].at(v)).min(self.sides[1].at(v) - u);
        smooth(2.0 * self.size, 24.0 * self.size, off)
    }

    /// The smallest window of the stage around it, with even corner and sides.
    fn window(&self, m: &Measures, stage: u32) -> ([i32; 2], [u32; 2]) {
        let corners =
            [[self.left, self.top], [self.right, self.top], [self.left, self.bottom], [self.right, self.bottom]];
        super::mesh::window_around(&corners.map(|corner| m.axes.to_stage(corner)), stage)
    }

    /// How much of the face a mouth covers at a place.
    fn cover(&self, place: Place) -> f32 {
        let [u, v] = place;
        let inside = |from: f32, to: f32, at: f32| smooth(0.0, self.feather, (at - from).min(to - at));
        let face = smooth(0.5 * self.size, 4.5 * self.size, self.inside_face(place));
        inside(self.left, self.right, u) * inside(self.top, self.bottom, v) * face
    }
}

/// The distance of a place from a line between two others.
fn to_segment(place: Place, from: Place, to: Place) -> f32 {
    let along = [to[0] - from[0], to[1] - from[1]];
    let length = (along[0] * along[0] + along[1] * along[1]).max(1e-6);
    let share = ((place[0] - from[0]) * along[0] + (place[1] - from[1]) * along[1]) / length;
    let share = share.clamp(0.0, 1.0);
    distance(place, [from[0] + along[0] * share, from[1] + along[1] * share])
}

/// One state of the mouth, in rest coordinates: the jaw's motion taken out.
pub(super) struct Warp<'a> {
    photo: &'a LipShape,
    rest: LipShape,
    reach: &'a Reach,
    /// Over how many pixels beyond the corners the lips' motion fades.
    beside: f32,
}

/// The lips at one column of the picture: heights in the picture, heights in the photo.
struct Column {
    /// Where it comes from across, at the height of the lips.
    from_u: f32,
    /// Top, upper, lower, bottom: in the picture and in the photo.
    now: [f32; 4],
    photo: [f32; 4],
}

impl Warp<'_> {
    fn column(&self, u: f32) -> Column {
        let (now, photo) = (&self.rest, self.photo);
        let last = LIP_POINTS - 1;
        let index = index_of(&now.u, u);
        let at = |shape: &LipShape| [&shape.top, &shape.upper, &shape.lower, &shape.bottom].map(|l| at_index(l, index));
        let (mut heights, from) = (at(now), at(photo));
        // Beyond a corner its motion fades.
        let (corner, off) = if u < now.u[0] { (0, now.u[0] - u) } else { (last, u - now.u[last]) };
        if off <= 0.0 {
            return Column { from_u: at_index(&photo.u, index), now: heights, photo: from };
        }
        let left = fade(off / self.beside);
        for (height, from) in heights.iter_mut().zip(from) {
            *height = from + (*height - from) * left;
        }
        Column { from_u: u - (now.u[corner] - photo.u[corner]) * left, now: heights, photo: from }
    }

    /// Where in the photo the skin or lip at a place comes from. `upper` asks for the upper lip's side.
    fn source(&self, column: &Column, u: f32, v: f32, upper: bool) -> Place {
        let (now, photo) = (&column.now, &column.photo);
        let inset = self.reach.feather * 0.5;
        let within = |from: usize, to: usize| {
            let thick = now[to] - now[from];
            let share = if thick > 1e-3 { ((v - now[from]) / thick).clamp(0.0, 1.0) } else { 0.0 };
            [column.from_u, lerp(photo[from], photo[to], share)]
        };
        // Skin: the lip's motion fades towards the border of what may change.
        let skin = |lip: usize, left: f32| {
            let left = left * self.reach.freedom([u, v]);
            [u + (column.from_u - u) * left, v - (now[lip] - photo[lip]) * left]
        };
        if upper {
            if v >= now[0] {
                return within(0, 1);
            }
            let room = (now[0] - self.reach.top - inset).max(1.0);
            skin(0, fade((now[0] - v) / room))
        } else {
            if v <= now[3] {
                return within(2, 3);
            }
            let room = (self.reach.bottom - inset - now[3]).max(1.0);
            skin(3, fade((v - now[3]) / room))
        }
    }

    /// Where across the picture skin is that is beside the lips in the photo.
    fn place_of(&self, photo: f32) -> f32 {
        // The photo's places grow with the picture's: halve.
        let (mut low, mut high) = (photo - self.beside, photo + self.beside);
        for _ in 0..20 {
            let middle = (low + high) / 2.0;
            let column = self.column(middle);
            if self.source(&column, middle, column.now[0] - 0.01, true)[0] < photo {
                low = middle
            } else {
                high = middle
            }
        }
        (low + high) / 2.0
    }

    /// Heights, at a place across, of features that all pictures of the bank share, from top to bottom.
    fn rows(&self, u: f32) -> Vec<f32> {
        let column = self.column(u);
        let height_of = |target: f32, from: f32, to: f32, upper: bool| {
            // The photo's height grows with the picture's: halve.
            let (mut low, mut high) = (from, to);
            for _ in 0..18 {
                let middle = (low + high) / 2.0;
                if self.source(&column, u, middle, upper)[1] < target { low = middle } else { high = middle }
            }
            (low + high) / 2.0
        };
        let (now, photo) = (&column.now, &column.photo);
        let (top, bottom) = (self.reach.top, self.reach.bottom);
        let above: [f32; ABOVE] = [0.35, 0.7].map(|share| height_of(lerp(top, photo[0], share), top, now[0], true));
        let below = [0.25, 0.5, 0.75].map(|share| height_of(lerp(photo[3], bottom, share), now[3], bottom, false));
        above.into_iter().chain(*now).chain(below).collect()
    }
}

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
        let warp = Warp { photo: &self.lips.photo, rest, reach: &self.reach, beside: BESIDE * self.lips.half };
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
