//! How far an avatar's head may go: what its lattice bears.

use footlight_avatar::bundle::parts::{AXIS_PIXELS, AXIS_RADIANS, Axis, Lattice, Layer, Part};
use footlight_avatar::bundle::{AvatarBundle, Channel, Gesture};
use footlight_render::essence::REACH;

use super::sketch::is_of_head;

/// What breath, sway and speech move the head by at the same time, in stage pixels.
const LIFE_PIXELS: f32 = 10.0;
/// How far a gesture may move any place, across or down, in stage pixels: a renderer holds pixels at its reach.
pub(super) const PIXELS_MAX: f32 = REACH - LIFE_PIXELS;
/// How much a gesture may press neighbouring places together or pull them apart, as a share of their distance. At 1 the
/// picture folds; a jaw that drops at the same time takes up to 0.5 of it.
pub(super) const STRAIN_MAX: f32 = 0.42;

/// A gesture is looked at this often, in milliseconds.
const LOOK_EVERY_MS: u32 = 20;
/// Pixels this clear are not seen where they tear.
const ALPHA_MIN: u8 = 16;

/// An avatar's lattice, and where of it anything is drawn.
pub(super) struct Sheet<'a> {
    lattice: &'a Lattice,
    /// Whether a cell holds anything that moves, row after row; one fewer than points in a row.
    cells: Vec<bool>,
}

impl<'a> Sheet<'a> {
    pub(super) fn of(bundle: &AvatarBundle, lattice: &'a Lattice) -> Self {
        let (columns, rows) = (lattice.columns - 1, lattice.rows - 1);
        let mut cells = vec![false; columns * rows];
        let moves = |layer: &&Layer| matches!(layer.part, Part::HairBack | Part::Head | Part::HairFront);
        for layer in bundle.layers.iter().filter(moves) {
            let image = &layer.picture.image;
            let corner = [0, 1].map(|side| i64::from(layer.picture.at[side]) - i64::from(lattice.at[side]));
            let cell = |place: i64, count: usize| {
                usize::try_from(place).ok().map(|place| place / lattice.step as usize).filter(|&cell| cell < count)
            };
            for (y, line) in (corner[1]..).zip(image.pixels.chunks_exact(image.width.max(1) as usize)) {
                let Some(row) = cell(y, rows) else { continue };
                for (x, _) in (corner[0]..).zip(line).filter(|(_, pixel)| pixel[3] >= ALPHA_MIN) {
                    if let Some(column) = cell(x, columns) {
                        cells[row * columns + column] = true;
                    }
                }
            }
        }
        Self { lattice, cells }
    }

    /// What share of a gesture's head motion the avatar bears, up to 1: fields add up and grow with their weights, so
    /// what is too much by half at any moment is borne to two thirds.
    pub(super) fn share_borne(&self, gesture: &Gesture) -> f32 {
        let moments = (0..=gesture.duration_ms).step_by(LOOK_EVERY_MS as usize);
        let loads = moments.map(|at_ms| self.load(gesture, at_ms as f32));
        1.0 / loads.fold(1.0, f32::max)
    }

    /// How much of what is borne a gesture's head motion takes at a time; over 1 is too much.
    pub(super) fn load(&self, gesture: &Gesture, at_ms: f32) -> f32 {
        let moved = self.displacements(gesture, at_ms);
        let points = self.lattice.columns;
        let per_step = 1.0 / self.lattice.step as f32;
        let mut load: f32 = 0.0;
        for (cell, _) in self.cells.iter().enumerate().filter(|(_, is_drawn)| **is_drawn) {
            let upper = cell / (points - 1) * points + cell % (points - 1);
            let lower = upper + points;
            for corner in [upper, upper + 1, lower, lower + 1] {
                load = load.max(moved[corner][0].abs().max(moved[corner][1].abs()) / PIXELS_MAX);
            }
            for (from, to, side) in
                [(upper, upper + 1, 0), (lower, lower + 1, 0), (upper, lower, 1), (upper + 1, lower + 1, 1)]
            {
                load = load.max((moved[to][side] - moved[from][side]).abs() * per_step / STRAIN_MAX);
            }
        }
        load
    }

    /// How far the head's channels move each lattice point at a time, in stage pixels.
    fn displacements(&self, gesture: &Gesture, at_ms: f32) -> Vec<[f32; 2]> {
        let mut moved = vec![[0.0; 2]; self.lattice.columns * self.lattice.rows];
        for channel in gesture.channels.iter().filter(|channel| is_of_head(channel.axis)) {
            let weight = gesture.value_at(channel, at_ms) / unit_of(channel);
            let fields = self.lattice.fields.iter().filter(|field| field.axis == channel.axis);
            for field in fields {
                for (moved, offset) in moved.iter_mut().zip(&field.offsets) {
                    moved[0] += offset[0] * weight;
                    moved[1] += offset[1] * weight;
                }
            }
        }
        moved
    }
}

/// What a field of the head is given for.
const fn unit_of(channel: &Channel) -> f32 {
    match channel.axis {
        Axis::Yaw | Axis::Pitch | Axis::Roll => AXIS_RADIANS,
        Axis::X | Axis::Y => AXIS_PIXELS,
        Axis::Blendshape(_) => 1.0,
    }
}
