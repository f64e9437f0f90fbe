//! From a pose to how far each place of the frame is from where its pixel comes.

use footlight_avatar::bundle::parts::{AXIS_PIXELS, AXIS_RADIANS, Axis, Lattice};

use super::layout::{Layout, Rect};
use crate::Pose;

/// Frame pixels between the points of the offset grid.
pub(super) const CELL_WIDTH: usize = 16;
/// Frame pixels between the rows of the offset grid: finer, because a jaw moves down.
pub(super) const CELL_HEIGHT: usize = 8;

/// The farthest any pixel moves, in stage pixels: what goes beyond is held there.
pub const REACH: f32 = 28.0;

/// Weights below this move nothing that could be seen.
const WEIGHT_MIN: f32 = 1e-3;

/// Where pixels come from, at the points of a grid over the moving rectangle, in 16.16 fixed-point frame pixels.
#[derive(Debug, Default, Clone)]
pub(super) struct Offsets {
    /// Points in a row: one more than cells.
    pub(super) columns: usize,
    pub(super) x: Vec<i32>,
    pub(super) y: Vec<i32>,
}

/// A bundle's displacement fields, prepared for one layout.
#[derive(Debug)]
pub(super) struct Motion {
    lattice: Option<Lattice>,
    layout: Layout,
    rect: Rect,
}

/// Room for the sum of the fields; kept between frames.
#[derive(Debug, Default, Clone)]
pub(super) struct Sum(Vec<[f32; 2]>);

impl Motion {
    /// `rect` is the moving rectangle; its sides are whole cells.
    pub(super) fn new(lattice: Option<Lattice>, layout: Layout, rect: Rect) -> Self {
        Self { lattice, layout, rect }
    }

    /// Fills `offsets` for a pose.
    pub(super) fn solve(&self, pose: &Pose, sum: &mut Sum, offsets: &mut Offsets) {
        let (columns, rows) = (self.rect.width / CELL_WIDTH + 1, self.rect.height / CELL_HEIGHT + 1);
        offsets.columns = columns;
        offsets.x.clear();
        offsets.y.clear();
        let Some(lattice) = &self.lattice else {
            offsets.x.resize(columns * rows, 0);
            offsets.y.resize(columns * rows, 0);
            return;
        };
        add_up(lattice, pose, &mut sum.0);
        let field = Sampler { lattice, offsets: &sum.0, per_step: 1.0 / lattice.step as f32 };
        let per_pixel = 1.0 / self.layout.scale;
        for row in 0..rows {
            let y = (self.rect.y + (row * CELL_HEIGHT) as i32) as f32;
            let stage_y = (y - self.layout.origin[1]) * per_pixel;
            for column in 0..columns {
                let x = (self.rect.x + (column * CELL_WIDTH) as i32) as f32;
                let stage_x = (x - self.layout.origin[0]) * per_pixel;
                let [dx, dy] = field.source_offset([stage_x, stage_y]);
                offsets.x.push(fixed(dx * self.layout.scale));
                offsets.y.push(fixed(dy * self.layout.scale));
            }
        }
    }
}

fn fixed(pixels: f32) -> i32 {
    (pixels * 65536.0) as i32
}

/// The weighted sum of all fields.
fn add_up(lattice: &Lattice, pose: &Pose, sum: &mut Vec<[f32; 2]>) {
    sum.clear();
    sum.resize(lattice.columns * lattice.rows, [0.0; 2]);
    for field in &lattice.fields {
        let weight = match field.axis {
            Axis::Blendshape(index) if index == super::shapes::JAW_OPEN => {
                super::shapes::jaw_drop(pose.weights.0[index])
            }
            Axis::Blendshape(index) => pose.weights.0[index].clamp(0.0, 1.0),
            Axis::Yaw => pose.head.yaw / AXIS_RADIANS,
            Axis::Pitch => pose.head.pitch / AXIS_RADIANS,
            Axis::Roll => pose.head.roll / AXIS_RADIANS,
            Axis::X => pose.head.x / AXIS_PIXELS,
            Axis::Y => pose.head.y / AXIS_PIXELS,
        };
        // A weight that is not a number moves nothing either.
        if weight.is_nan() || weight.abs() <= WEIGHT_MIN {
            continue;
        }
        for (total, offset) in sum.iter_mut().zip(&field.offsets) {
            total[0] += offset[0] * weight;
            total[1] += offset[1] * weight;
        }
    }
}

/// A displacement field between its lattice points.
struct Sampler<'a> {
    lattice: &'a Lattice,
    offsets: &'a [[f32; 2]],
    per_step: f32,
}

impl Sampler<'_> {
    /// How far from `place` the pixel lies at rest that the field brings there: finds `rest` with
    /// `rest + field(rest) = place`.
    fn source_offset(&self, place: [f32; 2]) -> [f32; 2] {
        const STEPS_MAX: usize = 5;
        const CLOSE_ENOUGH: f32 = 1.0 / 64.0;
        let mut rest = place;
        for _ in 0..STEPS_MAX {
            let (moved, slope) = self.at(rest);
            let miss = [rest[0] + moved[0] - place[0], rest[1] + moved[1] - place[1]];
            rest[0] -= miss[0];
            // Down is where fields are steep: a step by the slope there, held off from folding.
            rest[1] -= miss[1] / (1.0 + slope).max(0.35);
            if miss[0].abs() + miss[1].abs() < CLOSE_ENOUGH {
                break;
            }
        }
        [(rest[0] - place[0]).clamp(-REACH, REACH), (rest[1] - place[1]).clamp(-REACH, REACH)]
    }

    /// The displacement at a stage place, and how its y grows with y. Nothing moves outside of the lattice.
    fn at(&self, place: [f32; 2]) -> ([f32; 2], f32) {
        let (columns, rows) = (self.lattice.columns, self.lattice.rows);
        let x = ((place[0] - self.lattice.at[0] as f32) * self.per_step).clamp(0.0, (columns - 1) as f32);
        let y = ((place[1] - self.lattice.at[1] as f32) * self.per_step).clamp(0.0, (rows - 1) as f32);
        let (column, row) = ((x as usize).min(columns - 2), (y as usize).min(rows - 2));
        let (across, down) = (x - column as f32, y - row as f32);
        let upper = &self.offsets[row * columns + column..][..2];
        let lower = &self.offsets[(row + 1) * columns + column..][..2];
        let mix = |a: f32, b: f32| a + (b - a) * across;
        let above = [mix(upper[0][0], upper[1][0]), mix(upper[0][1], upper[1][1])];
        let below = [mix(lower[0][0], lower[1][0]), mix(lower[0][1], lower[1][1])];
        let slope = (below[1] - above[1]) * self.per_step;
        ([above[0] + (below[0] - above[0]) * down, above[1] + (below[1] - above[1]) * down], slope)
    }
}
