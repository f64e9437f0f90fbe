//! How a portrait's skin moves: one displacement field for each blendshape and each axis of the head.
//!
//! There is one flat picture, so that what is around the head moves along with it a little: every field fades to nothing
//! far outside of the head and at the lattice's border, and nowhere stops at once.

use footlight_avatar::bundle::parts::{AXIS_PIXELS, AXIS_RADIANS, Axis, Field, Lattice};
use footlight_avatar::weights::blendshape;

use super::geometry::{Place, bump, lerp, smooth};
use super::measures::Measures;
use super::quantised;
use super::stage::STAGE;

/// Stage pixels between lattice points.
const STEP: u32 = 12;
/// How far the lattice stays away from the stage's border, in pixels.
const BORDER: f32 = 6.0;
/// Over how many pixels fields fade at the lattice's border.
const EDGE: f32 = 26.0;

/// How far the chin goes down with the jaw fully open, in model units.
const JAW_DROP: f32 = 17.0;
/// How far in front of the axis of the neck the face is, in model units.
const DEPTH: f32 = 92.0;

/// Downward motion of the skin at a place with the jaw fully open.
fn jaw(m: &Measures, [u, v]: Place) -> f32 {
    let (hinge, chin) = (m.mouth[1] - 18.0 * m.size, lerp(m.mouth[1], m.chin[1], 0.95));
    let beside = 1.0 - smooth(0.55 * m.face_half, 1.06 * m.face_half, (u - m.mouth[0]).abs());
    let below = 1.0 - smooth(m.chin[1] + 4.0 * m.size, m.collar, v);
    JAW_DROP * m.size * smooth(hinge, chin, v) * beside * below
}

/// How far a place is from the middle of the head: 1 at the outline of head and hair.
fn headness(m: &Measures, [u, v]: Place) -> f32 {
    let middle = (m.crown + m.chin[1]) / 2.0;
    let (half_width, half_height) = (1.16 * m.face_half.max(72.0 * m.size), (m.chin[1] - m.crown) / 2.0);
    ((u - m.mouth[0] / 2.0) / half_width).hypot((v - middle) / half_height)
}

/// How much of the head's motion a place takes part in.
fn hold(m: &Measures, place: Place) -> f32 {
    let neck = 1.0 - smooth(m.chin[1] - 4.0 * m.size, m.collar, place[1]);
    (1.0 - smooth(1.0, 1.75, headness(m, place))) * neck
}

/// How far in front of the axis of the neck the surface is.
fn depth(m: &Measures, place: Place) -> f32 {
    // A hill without an edge instead of a ball: a ball's edge would tear the flat picture.
    let far = (headness(m, place) / 1.5).min(1.0);
    let round = 0.5 + 0.5 * (std::f32::consts::PI * far).cos();
    let nose = 26.0 * bump(place, [m.face.nose_tip[0], m.nose[1] - 8.0 * m.size], [15.0 * m.size, 22.0 * m.size]);
    let chin = 8.0 * bump(place, [m.chin[0], m.chin[1] - 14.0 * m.size], [24.0 * m.size, 16.0 * m.size]);
    (DEPTH * round + nose + chin) * m.size
}

/// A push of the skin around a place, all in model units but the place.
struct Push {
    shape: String,
    by: Place,
    at: Place,
    reach: Place,
}

/// All pushes; those of one shape add up.
fn pushes(m: &Measures) -> Vec<Push> {
    let mut all = Vec::new();
    let k = m.size;
    let mut push = |shape: &str, by: Place, at: Place, reach: Place| {
        all.push(Push { shape: shape.to_owned(), by: by.map(|b| b * k), at, reach: reach.map(|r| r * k) });
    };
    let [mouth_u, mouth] = m.mouth;
    // The face's own left is at the right of the picture.
    for (hand, side, index) in [("Left", 1.0, 1), ("Right", -1.0, 0)] {
        let ([corner, corner_v], [eye, eye_v]) = (m.corners[index], m.eyes[index]);
        let [brow, brow_v] = m.brows[index];
        let beside = |units: f32| mouth_u + side * units * k;
        let below = |v: f32, units: f32| v + units * k;
        let mut name = |shape: &str, by: Place, at: Place, reach: Place| push(&format!("{shape}{hand}"), by, at, reach);
        name("mouthSmile", [side * 5.5, -6.5], [corner, below(corner_v, -2.0)], [22.0, 16.0]);
        name("mouthSmile", [side * 2.0, -3.5], [beside(48.0), below(m.nose[1], 4.0)], [22.0, 16.0]);
        name("mouthFrown", [side * 1.0, 5.0], [corner, corner_v], [20.0, 14.0]);
        name("mouthDimple", [side * 3.0, -0.5], [corner, corner_v], [18.0, 14.0]);
        name("mouthStretch", [side * 2.5, 1.0], [corner, corner_v], [22.0, 18.0]);
        name("mouthUpperUp", [0.0, -3.0], [beside(13.0), below(mouth, -12.0)], [16.0, 10.0]);
        name("mouthLowerDown", [0.0, 3.0], [beside(13.0), below(mouth, 12.0)], [16.0, 10.0]);
        name("cheekSquint", [0.0, -3.5], [side * 44.0 * k, below(eye_v, 30.0)], [24.0, 14.0]);
        name("noseSneer", [side * 1.0, -3.0], [m.nose[0] + side * m.nose_half, below(m.nose[1], -4.0)], [12.0, 12.0]);
        name("browDown", [-side * 2.5, 5.5], [brow - side * 4.0 * k, brow_v], [34.0, 13.0]);
        name("browOuterUp", [0.0, -6.0], [brow + side * 18.0 * k, below(brow_v, -2.0)], [26.0, 15.0]);
        name("eyeSquint", [0.0, -2.2], [eye, below(eye_v, 15.0)], [24.0, 8.0]);
        name("eyeWide", [0.0, -2.0], [brow, brow_v], [34.0, 14.0]);
        name("eyeBlink", [0.0, 1.0], [brow, brow_v], [34.0, 14.0]);
        name("mouth", [side * 6.0, 0.0], m.mouth, [44.0, 22.0]);
        name("jaw", [side * 6.0, 0.0], [m.chin[0], below(m.chin[1], -20.0)], [54.0, 34.0]);
        push("browInnerUp", [0.0, -7.0], [side * 22.0 * k, brow_v - 2.0 * k], [22.0, 16.0]);
        push("cheekPuff", [side * 5.0, 0.0], [mouth_u + side * 52.0 * k, mouth - 4.0 * k], [24.0, 26.0]);
        push("mouthPucker", [-side * 2.5, 0.0], [mouth_u + side * 44.0 * k, mouth], [18.0, 20.0]);
        push("mouthFunnel", [-side * 1.5, 0.0], [mouth_u + side * 44.0 * k, mouth], [18.0, 20.0]);
    }
    push("mouthShrugLower", [0.0, -3.0], [mouth_u, mouth + 20.0 * k], [26.0, 14.0]);
    push("mouthShrugUpper", [0.0, -2.5], [mouth_u, mouth - 10.0 * k], [26.0, 10.0]);
    all
}

/// The lattice of a portrait, in 64ths of a pixel.
pub(super) fn lattice(m: &Measures) -> Lattice {
    let (at, columns, rows) = extent(m);
    let points: Vec<(Place, f32)> = (0..rows * columns)
        .map(|i| {
            let place = [i % columns, i / columns].map(|k| (k * STEP as usize) as f32);
            let far = [(columns - 1), (rows - 1)].map(|k| (k * STEP as usize) as f32);
            let edge = (0..2).map(|axis| place[axis].min(far[axis] - place[axis])).fold(f32::MAX, f32::min);
            let stage = [0, 1].map(|axis| place[axis] + at[axis] as f32);
            (m.axes.to_face(stage), smooth(0.0, EDGE, edge))
        })
        .collect();
    let field = |axis: Axis, by: &dyn Fn(Place) -> Place| {
        let offset = |&(place, inside): &(Place, f32)| m.axes.turned(by(place)).map(|d| quantised(d * inside));
        Field { axis, offsets: points.iter().map(offset).collect() }
    };
    let mut fields = Vec::new();
    if let Some(index) = blendshape("jawOpen") {
        fields.push(field(Axis::Blendshape(index), &|place| [0.0, jaw(m, place)]));
    }
    let pushes = pushes(m);
    let mut shapes: Vec<&str> = Vec::new();
    for push in &pushes {
        if !shapes.contains(&push.shape.as_str()) {
            shapes.push(&push.shape);
        }
    }
    for shape in shapes {
        let Some(index) = blendshape(shape) else { continue };
        let of_shape: Vec<&Push> = pushes.iter().filter(|push| push.shape == shape).collect();
        let sum = |place: Place| {
            of_shape.iter().fold([0.0; 2], |sum: Place, push| {
                let share = bump(place, push.at, push.reach);
                [sum[0] + push.by[0] * share, sum[1] + push.by[1] * share]
            })
        };
        fields.push(field(Axis::Blendshape(index), &sum));
    }
    let turn = |place: Place| AXIS_RADIANS * depth(m, place) * hold(m, place);
    let pivot = m.chin[1] + 50.0 * m.size;
    // The fields of the head are those of the picture, upright whatever the face's tilt.
    let upright = |by: Place| {
        let [x, y] = m.axes.turned([1.0, 0.0]);
        [by[0] * x + by[1] * y, by[1] * x - by[0] * y]
    };
    fields.push(field(Axis::Yaw, &|place| [turn(place), 0.0]));
    fields.push(field(Axis::Pitch, &|place| [0.0, -turn(place)]));
    fields.push(field(Axis::Roll, &|[u, v]| {
        let hold = AXIS_RADIANS * hold(m, [u, v]);
        [-(v - pivot) * hold, (u - m.chin[0]) * hold]
    }));
    fields.push(field(Axis::X, &|place| upright([AXIS_PIXELS * hold(m, place), 0.0])));
    fields.push(field(Axis::Y, &|place| upright([0.0, AXIS_PIXELS * hold(m, place)])));
    Lattice { at, step: STEP, columns, rows, fields }
}

/// Corner, columns and rows: what moves, as far as the stage goes.
fn extent(m: &Measures) -> ([i32; 2], usize, usize) {
    let reach = 1.75 * 1.16 * m.face_half.max(72.0 * m.size);
    let middle = m.mouth[0] / 2.0;
    let above = m.crown - 0.3 * (m.chin[1] - m.crown);
    let corners =
        [[middle - reach, above], [middle + reach, above], [middle - reach, m.collar], [middle + reach, m.collar]]
            .map(|corner| m.axes.to_stage(corner));
    let span = |axis: usize| {
        let ends = corners.iter().map(|corner| corner[axis]);
        let side = STAGE as f32 - BORDER;
        let low = ends.clone().fold(f32::MAX, f32::min).clamp(BORDER, side - 4.0 * STEP as f32);
        let high = ends.fold(f32::MIN, f32::max).clamp(low + 3.0 * STEP as f32, side);
        // Even corners: windows then start on whole chroma samples.
        let low = 2.0 * (low / 2.0).ceil();
        (low as i32, ((high - low) / STEP as f32) as usize + 1)
    };
    let ((x, columns), (y, rows)) = (span(0), span(1));
    ([x, y], columns, rows)
}

/// What a renderer makes of a lattice's field at a stage place.
pub(super) fn field_at(lattice: &Lattice, field: &Field, place: Place) -> Place {
    let (columns, rows) = (lattice.columns, lattice.rows);
    let at = |axis: usize, points: usize| {
        ((place[axis] - lattice.at[axis] as f32) / lattice.step as f32).clamp(0.0, (points - 1) as f32)
    };
    let (x, y) = (at(0, columns), at(1, rows));
    let (column, row) = ((x as usize).min(columns - 2), (y as usize).min(rows - 2));
    let (across, down) = (x - column as f32, y - row as f32);
    let offset = |row: usize, column: usize| field.offsets[row * columns + column];
    [0, 1].map(|axis| {
        let line = |row: usize| lerp(offset(row, column)[axis], offset(row, column + 1)[axis], across);
        lerp(line(row), line(row + 1), down)
    })
}
