//! Eyes: lids that are the photo's own skin, pulled over an eyeball behind them.

use footlight_avatar::bundle::parts::{Bank, Eye, Image, Lids, Patch, Side};

use super::canvas::{Canvas, Colour, luma, mix, pixel, scaled};
use super::eyeball::Eyeball;
use super::geometry::{Place, Profile, lerp, smooth};
use super::measures::Measures;
use super::mesh::{mesh_of, window_around};
use super::opening::{Opening, past};
use super::quantised;
use super::stage::STAGE;
use super::tones::{Tones, middle};

const CLOSURES: [f32; 4] = [-0.3, 0.0, 0.5, 1.0];
/// How far the iris goes at a full look aside, and up or down, as shares of the eye's width.
const TRAVEL: [f32; 2] = [0.13, 0.08];
/// Places across that all pictures of a bank share.
const COLUMNS: usize = 13;

/// The lids of one eye.
struct Painter<'a> {
    canvas: &'a Canvas,
    /// The same out of focus: the tone of skin without its lines.
    soft_skin: Canvas,
    m: &'a Measures,
    tones: &'a Tones,
    opening: Opening,
    brow: Profile,
    /// The colour of the lashes.
    lash: Colour,
    /// Over how many pixels an edge goes.
    soft: f32,
}

impl Painter<'_> {
    /// Where the upper lid's skin stays in place: below the brow, and below the rim of most glasses.
    fn anchor(&self, u: f32) -> f32 {
        let k = self.m.size;
        let upper = self.opening.edges(u, 0.0)[0];
        (self.brow.at(u) + 5.0 * k).clamp(upper - 13.0 * k, upper - 8.0 * k)
    }

    /// How far below the lower edge skin still moves.
    fn cheek(&self, u: f32) -> f32 {
        self.opening.edges(u, 0.0)[1] + 12.0 * self.m.size
    }

    /// The height in the photo that comes to a place at a closure.
    fn source(&self, [u, v]: Place, closure: f32, upper: bool) -> f32 {
        let (open, now) = (self.opening.edges(u, 0.0), self.opening.edges(u, closure));
        let (moved, room, off) = if upper {
            (now[0] - open[0], now[0] - self.anchor(u), now[0] - v)
        } else {
            (now[1] - open[1], self.cheek(u) - now[1], v - now[1])
        };
        let share = (off / room.max(1.0)).clamp(0.0, 1.0);
        // Without corners where the skin has room for that, but never folded.
        let ease = ((0.9 * room / moved.abs().max(0.1) - 1.0) * 2.0).clamp(0.0, 1.0);
        v - moved * (1.0 - lerp(share, smooth(0.0, 1.0, share), ease))
    }

    /// Colour and coverage at a place.
    fn lid(&self, place: Place, closure: f32) -> (Colour, f32) {
        let k = self.m.size;
        let [u, v] = place;
        let photo = |v: f32| self.canvas.at(self.m.axes.to_stage([u, v]));
        let [upper, lower] = self.opening.edges(u, closure);
        let within = smooth(-0.3, 0.7, (u - self.opening.left).min(self.opening.right - u));
        let free = past(v - upper, self.soft) * past(lower - v, self.soft) * smooth(0.3, 1.3, lower - upper) * within;
        if closure == 0.0 {
            return (photo(v), 1.0 - free);
        }
        // The edge itself is what is drawn out over the pixels that it shares with the eyeball; where the lids meet, they
        // share pixels with each other.
        let side = |above: bool| {
            let held = if above { v.min(upper) } else { v.max(lower) };
            photo(self.source([u, held], closure, above))
        };
        let share = smooth(-0.7, 0.7, v - (upper + lower) / 2.0);
        let mut colour = mix(side(true), side(false), share);
        let shut = closure.clamp(0.0, 1.0);
        let along = self.opening.along(u).clamp(-1.0, 1.0);
        if v < upper && shut > 0.0 {
            colour = self.smoothed(colour, [u, v], upper - v, shut, along);
        }
        // The lashes along the edge: what the photo shows there may be a strip of the eyeball.
        let off = (v - upper + 0.5 * k) / (1.15 * k);
        let line = 0.85 * smooth(0.0, 0.6, shut) * (-off * off).exp() * (1.0 - along.abs().powi(6)) * within;
        colour = mix(colour, self.lash, line);
        // A lid throws its shadow on the eyeball.
        let below = ((v - upper) / (3.4 * k)).max(0.0);
        let shade = 0.38 * smooth(0.0, 0.4, shut) * (-below * below).exp() * free;
        let cover = (1.0 - free) + shade * free;
        let dark = [0.10, 0.06, 0.05];
        (if cover > 0.0 { mix(dark, colour, ((1.0 - free) / cover).clamp(0.0, 1.0)) } else { colour }, cover)
    }

    /// The lid that comes out from under its crease is smooth skin: stretched lines would look like folds.
    fn smoothed(&self, stretched: Colour, [u, v]: Place, from_edge: f32, shut: f32, along: f32) -> Colour {
        let k = self.m.size;
        let (open, lower) = (self.opening.edges(u, 0.0)[0], self.opening.edges(u, 0.0)[1]);
        let soft = |v: f32| self.soft_skin.at(self.m.axes.to_stage([u, v]));
        let (above, below) = (soft(lerp(self.anchor(u), open, 0.22)), soft(lower + 9.0 * k));
        // Brows, rims and deep shadow above the lid are not its tone.
        let darker = 1.0 - luma(above) / luma(below).max(0.02);
        let skin = mix(above, below, 0.4 + 0.6 * smooth(0.05, 0.4, darker));
        // Round over the eyeball: lighter in the middle, darker at its ends and under the brow.
        let crease = (v - (open - 5.0 * k)) / (2.6 * k);
        let form = 1.0 - 0.08 * along * along - 0.07 * (-crease * crease).exp();
        let place = self.m.axes.to_stage([u, v]);
        let lid = scaled(skin, form).map(|c| c + self.tones.grain_at(place));
        let zone = smooth(open - 14.0 * k, open - 3.0 * k, v) * smooth(1.0 * k, 4.2 * k, from_edge);
        mix(stretched, lid, 0.95 * zone * smooth(0.0, 0.5, shut) * (1.0 - along.powi(8)))
    }

    fn patch(&self, closure: f32, at: [i32; 2], size: [u32; 2]) -> Patch {
        let mut pixels = Vec::with_capacity(size[0] as usize * size[1] as usize);
        for y in 0..size[1] {
            for x in 0..size[0] {
                let place = [at[0] as f32 + x as f32 + 0.5, at[1] as f32 + y as f32 + 0.5];
                let (colour, cover) = self.lid(self.m.axes.to_face(place), closure);
                pixels.push(pixel(colour, cover));
            }
        }
        let (left, right) = (self.opening.left, self.opening.right);
        let us: Vec<f32> = (0..COLUMNS).map(|k| lerp(left, right, k as f32 / (COLUMNS - 1) as f32)).collect();
        let (columns, rows) = mesh_of(self.m, &us, |u| self.rows(u, closure), at, size);
        Patch { image: Image { width: size[0], height: size[1], pixels }, columns, rows }
    }

    /// Heights of features that all pictures share: two lines of skin, both edges, a line of the cheek.
    fn rows(&self, u: f32, closure: f32) -> Vec<f32> {
        let (open, now) = (self.opening.edges(u, 0.0), self.opening.edges(u, closure));
        let find = |target: f32, from: f32, to: f32, upper: bool| {
            let (mut low, mut high) = (from, to);
            for _ in 0..18 {
                let middle = (low + high) / 2.0;
                if self.source([u, middle], closure, upper) < target { low = middle } else { high = middle }
            }
            (low + high) / 2.0
        };
        let (anchor, cheek) = (self.anchor(u), self.cheek(u));
        let lid = |share: f32| find(lerp(anchor, open[0], share), anchor, now[0], true);
        vec![anchor, lid(0.4), lid(0.75), now[0], now[1], find(lerp(open[1], cheek, 0.5), now[1], cheek, false), cheek]
    }
}

/// Both eyes.
pub(super) fn eyes(canvas: &Canvas, m: &Measures, tones: &Tones, scale: f32) -> Vec<Eye> {
    // The face's own left eye is at the right of the picture.
    [(1, Side::Left), (0, Side::Right)]
        .map(|(index, side)| {
            let opening = Opening::of(canvas, m, &m.face.eyes[index]);
            eye(canvas, m, tones, opening, side, Profile::through(&m.face.brows[index]), scale)
        })
        .into()
}

fn eye(canvas: &Canvas, m: &Measures, tones: &Tones, opening: Opening, side: Side, brow: Profile, scale: f32) -> Eye {
    let width = opening.width();
    let ball = Eyeball { canvas, m, opening: &opening, tones };
    let (white, iris) = (ball.ball(STAGE), ball.iris(STAGE));
    let k = m.size;
    let [[left, top], [right, bottom]] = opening.bounds(0.0);
    let (left, right) = (left - 0.25 * width, right + 0.25 * width);
    let (top, bottom) = (top - 28.0 * k, bottom + 14.0 * k);
    let corners = [[left, top], [right, top], [left, bottom], [right, bottom]].map(|corner| m.axes.to_stage(corner));
    let (at, size) = window_around(&corners, STAGE);
    let near = Canvas::draw(at, size, |place| canvas.at(place));
    let edge = (4..=12).flat_map(|step| {
        let u = lerp(opening.left, opening.right, step as f32 / 16.0);
        let upper = opening.edges(u, 0.0)[0];
        [-2.0, -1.0, 0.0].map(|off| canvas.at(m.axes.to_stage([u, upper + off * k])))
    });
    let lash = middle(edge.collect(), 0.15).unwrap_or([0.15, 0.1, 0.08]);
    let painter = Painter {
        lash,
        canvas,
        soft_skin: near.blurred((2.5 * k).round().clamp(1.0, 8.0) as usize),
        m,
        tones,
        opening,
        brow,
        soft: scale.clamp(1.0, 2.0),
    };
    let patches = CLOSURES.map(|closure| painter.patch(closure, at, size)).into();
    Eye {
        side,
        ball: white,
        iris,
        travel: TRAVEL.map(|share| quantised(share * width).clamp(0.0, 60.0)),
        lids: Lids { bank: Bank { at, size, patches }, closures: CLOSURES.to_vec() },
    }
}
