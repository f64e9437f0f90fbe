//! Eyes: a ball, an iris that moves, and lids that close over both.

use std::ops::Range;

use footlight_avatar::Weights;
use footlight_avatar::bundle::parts::{Eye, Side};
use footlight_avatar::weights::blendshape;

use super::bank::{Bench, Blend, ScaledBank, Target, Use};
use super::layout::{Layout, Rect};
use super::planes::{Planes, over};
use super::raster::{Beyond, Raster};
use super::sample::mix;
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
    iris: Sprite,
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
        let lids = ScaledBank::new(&eye.lids.bank, skin, layout, &Use::WithCoverage);
        let mut below = skin.clone();
        below.lay_over(&Raster::of_picture(&eye.ball));
        let travel = eye.travel.map(|t| t * layout.scale);
        let margin = (travel[0].max(travel[1]).ceil() as usize + 2).next_multiple_of(2);
        Self {
            shapes: Shapes::of(eye.side),
            travel,
            closures: eye.lids.closures.clone(),
            below: Planes::of_window(&below, layout, lids.window, Beyond::Clear),
            iris: Sprite::new(&Raster::of_picture(&eye.iris), layout, lids.window, margin),
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
        let [y, u, v] = &mut room.below;
        self.iris.lay(Sample::Luma, y, width, gaze);
        self.iris.lay(Sample::Red, v, width / 2, gaze);
        self.iris.lay(Sample::Blue, u, width / 2, gaze);

        room.blend.set(&between(&self.closures, closure.min(1.0)));
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

/// A small picture that is laid over a window with a shift in parts of pixels.
#[derive(Debug)]
struct Sprite {
    /// The picture over the window with a margin on all sides.
    planes: Planes,
    /// The margin in luma pixels, even; shifts stay below it.
    margin: usize,
    /// The luma rows and columns that are not clear, grown to whole chroma samples.
    rows: Range<usize>,
    columns: Range<usize>,
}

/// Which plane.
#[derive(Debug, Clone, Copy)]
enum Sample {
    Luma,
    Blue,
    Red,
}

impl Sprite {
    fn new(picture: &Raster, layout: &Layout, window: Rect, margin: usize) -> Self {
        let planes = Planes::of_window(picture, layout, window.grown(margin as i32), Beyond::Clear);
        let solid = |i: &usize| planes.a[*i] > 0;
        let used: Vec<usize> = (0..planes.a.len()).filter(solid).collect();
        let reach = |place: &dyn Fn(usize) -> usize| {
            let (least, most) = used.iter().map(|&i| place(i)).fold((usize::MAX, 0), |(a, b), p| (a.min(p), b.max(p)));
            if used.is_empty() { 0..0 } else { (least & !1).saturating_sub(2)..(most + 2).next_multiple_of(2) }
        };
        let width = planes.width;
        Self { rows: reach(&|i| i / width), columns: reach(&|i| i % width), planes, margin }
    }

    /// Lays one plane over that of the window, `shift` luma pixels to the right and down.
    fn lay(&self, sample: Sample, target: &mut [u8], width: usize, shift: [f32; 2]) {
        let (colour, alpha, shrink) = match sample {
            Sample::Luma => (&self.planes.y, &self.planes.a, 1),
            Sample::Blue => (&self.planes.u, &self.planes.ac, 2),
            Sample::Red => (&self.planes.v, &self.planes.ac, 2),
        };
        let stride = self.planes.width / shrink;
        // Where the window's first pixel comes from, 24.8 fixed point.
        let from = shift.map(|s| ((self.margin as f32 - s).max(0.0) / shrink as f32 * 256.0) as usize);
        let (across, down) = (from[0] & 255, from[1] & 255);
        let [x, y] = from.map(|place| place >> 8);
        let within = |used: &Range<usize>, start: usize, end: usize| {
            (used.start / shrink).saturating_sub(start + 1)..(used.end / shrink).saturating_sub(start).min(end)
        };
        let columns = within(&self.columns, x, width);
        for row in within(&self.rows, y, target.len() / width) {
            for column in columns.clone() {
                let at = (row + y) * stride + column + x;
                let blend = |plane: &[u8]| {
                    let line = |i: usize| mix(plane[i], plane[i + 1], across as u16);
                    mix(line(at), line(at + stride), down as u16)
                };
                let pixel = &mut target[row * width + column];
                *pixel = over(blend(colour), blend(alpha), *pixel);
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
