//! Eyes: a ball, an iris that moves, and lids that close over both.

use footlight_avatar::Weights;
use footlight_avatar::bundle::parts::{Eye, Side};
use footlight_avatar::weights::blendshape;

use super::bank::{Bench, Blend, Coverage, ScaledBank, Target};
use super::layout::Layout;
use super::planes::{Planes, over};
use super::raster::{Beyond, Raster};
use super::shapes::between;

/// How much of a closure a squint is, and how much of an opening a wide eye.
const SQUINT: f32 = 0.3;
const WIDE: f32 = 0.3;
/// The lids follow the gaze down, and a little up.
const FOLLOW_DOWN: f32 = 0.3;
const FOLLOW_UP: f32 = 0.12;

/// One eye at the frame's size.
#[derive(Debug)]
pub(super) struct ScaledEye {
    shapes: Shapes,
    travel: [f32; 2],
    closures: Vec<f32>,
    pub(super) lids: ScaledBank,
    /// Skin and ball over the lids' window.
    below: Planes,
    /// The iris over the lids' window with a margin for its travel, even on all sides.
    iris: Planes,
    iris_margin: usize,
}

/// The weights that one eye answers to.
#[derive(Debug)]
struct Shapes {
    blink: usize,
    squint: usize,
    wide: usize,
    up: usize,
    down: usize,
    /// Looks to the right of the picture.
    right: usize,
    /// Looks to the left of the picture.
    left: usize,
}

impl Shapes {
    fn of(side: Side) -> Self {
        // In and out are seen from the nose; the face's own left eye is at the right of the picture.
        let (hand, right, left) = match side {
            Side::Left => ("Left", "eyeLookOutLeft", "eyeLookInLeft"),
            Side::Right => ("Right", "eyeLookInRight", "eyeLookOutRight"),
        };
        let index = |name: &str| blendshape(name).expect("these are standard names");
        Self {
            blink: index(&format!("eyeBlink{hand}")),
            squint: index(&format!("eyeSquint{hand}")),
            wide: index(&format!("eyeWide{hand}")),
            up: index(&format!("eyeLookUp{hand}")),
            down: index(&format!("eyeLookDown{hand}")),
            right: index(right),
            left: index(left),
        }
    }
}

/// Room for one eye's work; kept between frames.
#[derive(Debug, Default, Clone)]
pub(super) struct EyeRoom {
    blend: Blend,
    /// Luma, its coverage, both chromas, their coverage.
    lids: [Vec<u8>; 5],
    below: [Vec<u8>; 3],
}

impl ScaledEye {
    pub(super) fn new(eye: &Eye, skin: &Raster, layout: &Layout) -> Self {
        let lids = ScaledBank::new(&eye.lids.bank, skin, layout, Coverage::Kept);
        let mut below = skin.clone();
        below.lay_over(&Raster::of_picture(&eye.ball));
        let travel = eye.travel.map(|t| t * layout.scale);
        let iris_margin = (travel[0].max(travel[1]).ceil() as usize + 2).next_multiple_of(2);
        let iris = Raster::of_picture(&eye.iris).scaled(layout, lids.window.grown(iris_margin as i32), Beyond::Clear);
        Self {
            shapes: Shapes::of(eye.side),
            travel,
            closures: eye.lids.closures.clone(),
            below: Planes::of(&below.scaled(layout, lids.window, Beyond::Clear)),
            iris: Planes::of(&iris),
            iris_margin,
            lids,
        }
    }

    /// Draws the eye into the three colour planes.
    pub(super) fn draw(&self, weights: &Weights, room: &mut EyeRoom, bench: &mut Bench, targets: [Target<'_>; 3]) {
        let weight = |index: usize| weights.0[index].clamp(0.0, 1.0);
        let shapes = &self.shapes;
        let (up, down) = (weight(shapes.up), weight(shapes.down));
        let closure = weight(shapes.blink).max(SQUINT * weight(shapes.squint)) + FOLLOW_DOWN * down
            - WIDE * weight(shapes.wide)
            - FOLLOW_UP * up;
        let gaze = [(weight(shapes.right) - weight(shapes.left)) * self.travel[0], (down - up) * self.travel[1]];

        let (width, height) = (self.lids.window.width, self.lids.window.height);
        for (room, plane) in room.below.iter_mut().zip([&self.below.y, &self.below.u, &self.below.v]) {
            room.clone_from(plane);
        }
        let iris = &self.iris;
        let [y, u, v] = &mut room.below;
        lay_shifted(y, (&iris.y, &iris.a), width, iris.width, self.iris_margin, gaze);
        let half_gaze = gaze.map(|g| g / 2.0);
        lay_shifted(u, (&iris.u, &iris.ac), width / 2, iris.width / 2, self.iris_margin / 2, half_gaze);
        lay_shifted(v, (&iris.v, &iris.ac), width / 2, iris.width / 2, self.iris_margin / 2, half_gaze);

        room.blend.from_weights(&between(&self.closures, closure.min(1.0)));
        for (index, plane) in room.lids.iter_mut().enumerate() {
            plane.resize(if index < 2 { width * height } else { width * height / 4 }, 0);
        }
        let [ly, la, lu, lv, lc] = &mut room.lids;
        let luma = &mut [ly, la].map(|plane| Target { plane, stride: width, start: 0 });
        let chroma = &mut [lu, lv, lc].map(|plane| Target { plane, stride: width / 2, start: 0 });
        self.lids.draw(&room.blend, bench, luma, chroma);

        let [ly, la, lu, lv, lc] = &room.lids;
        let [y, u, v] = &room.below;
        let [ty, tu, tv] = targets;
        compose(ty, (ly, la), y, width);
        compose(tu, (lu, lc), u, width / 2);
        compose(tv, (lv, lc), v, width / 2);
    }
}

/// Lays a sprite with a margin over a plane, shifted by less than the margin.
fn lay_shifted(plane: &mut [u8], sprite: (&[u8], &[u8]), width: usize, stride: usize, margin: usize, shift: [f32; 2]) {
    let fixed = |axis: usize| ((margin as f32 - shift[axis]) * 256.0).max(0.0) as usize;
    let (x, y) = (fixed(0), fixed(1));
    let (across, down) = (x & 255, y & 255);
    for (row, line) in plane.chunks_exact_mut(width).enumerate() {
        let start = (row + (y >> 8)) * stride + (x >> 8);
        for (column, pixel) in line.iter_mut().enumerate() {
            let at = start + column;
            let sample = |source: &[u8]| {
                let mix = |i: usize| usize::from(source[i]) * (256 - across) + usize::from(source[i + 1]) * across;
                ((mix(at) * (256 - down) + mix(at + stride) * down + 32768) >> 16) as u8
            };
            // Most of the window is beyond the iris.
            if sprite.1[at] | sprite.1[at + 1] | sprite.1[at + stride] | sprite.1[at + stride + 1] != 0 {
                *pixel = over(sample(sprite.0), sample(sprite.1), *pixel);
            }
        }
    }
}

fn compose(target: Target<'_>, top: (&[u8], &[u8]), below: &[u8], width: usize) {
    let rows = top.0.chunks_exact(width).zip(top.1.chunks_exact(width)).zip(below.chunks_exact(width));
    for (row, ((colour, alpha), below)) in rows.enumerate() {
        let line = &mut target.plane[target.start + row * target.stride..][..width];
        for (((pixel, &c), &a), &b) in line.iter_mut().zip(colour).zip(alpha).zip(below) {
            *pixel = over(c, a, b);
        }
    }
}
