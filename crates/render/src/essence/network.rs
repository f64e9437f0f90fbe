//! A mouth that a network draws from sound, let into the face where the bank's mouth would be.

use std::sync::Arc;

use footlight_avatar::bundle::mel::MelWindow;
use footlight_avatar::bundle::parts::MouthNetwork;
use footlight_avatar::bundle::{FACE_INPUT_LEN, FACE_SIDE, MouthModel};

use super::bank::Target;
use super::layout::{Layout, Rect};
use super::mouth::let_in;
use super::planes::Planes;
use super::raster::{Beyond, Raster};

/// The part of the face's square that a network's picture replaces: an ellipse around mouth and chin, in shares of the
/// square's side. Beyond it networks repaint what they were shown, only softer.
const MIDDLE: [f32; 2] = [0.5, 0.73];
const RADII: [f32; 2] = [0.33, 0.24];
/// How much of the ellipse is its soft edge.
const SOFT: f32 = 0.35;

/// A mouth network at one frame size.
#[derive(Debug)]
pub(super) struct ScaledNetwork {
    model: Arc<MouthModel>,
    /// The face at rest as the network wants it.
    face: Vec<f32>,
    /// The way from the network's picture to the frame.
    layout: Layout,
    pub(super) window: Rect,
    mask: Planes,
    below: Planes,
}

impl ScaledNetwork {
    /// `whole` is the stage with the face at rest, `moving` what of it moves, without the hair in front.
    pub(super) fn new(network: &MouthNetwork, whole: &Raster, moving: &Raster, layout: &Layout) -> Self {
        let [x, y, side] = network.face;
        let to_face = FACE_SIDE as f32 / side as f32;
        let face_layout = Layout { scale: to_face, origin: [x as f32 * -to_face, y as f32 * -to_face] };
        let square = Rect { x: 0, y: 0, width: FACE_SIDE, height: FACE_SIDE };
        let seen = whole.scaled(&face_layout, square, Beyond::Edge);

        let scale = layout.scale / to_face;
        let corner = [x, y].map(|place| place as f32 * layout.scale);
        let back = Layout { scale, origin: [layout.origin[0] + corner[0], layout.origin[1] + corner[1]] };
        let window = back.rect([0, 0], [FACE_SIDE as u32; 2]).aligned(2, 2);
        Self {
            model: Arc::clone(&network.model),
            face: face_input(&seen),
            layout: back,
            window,
            mask: Planes::of_window(&mask(), &back, window, Beyond::Clear),
            below: Planes::of_window(moving, layout, window, Beyond::Clear),
        }
    }

    /// Draws the mouth for a sound into the three colour planes.
    pub(super) fn draw(&self, mel: &MelWindow, mut targets: [Target<'_>; 3]) -> Result<(), String> {
        let drawn = self.model.draw(mel, &self.face)?;
        let plane = FACE_SIDE * FACE_SIDE;
        let mut picture = Raster::clear([0, 0], FACE_SIDE, FACE_SIDE);
        for (index, pixel) in picture.pixels.iter_mut().enumerate() {
            // Networks of this kind speak blue, green, red.
            *pixel = [drawn[2 * plane + index], drawn[plane + index], drawn[index], 1.0];
        }
        let planes = Planes::of_window(&picture, &self.layout, self.window, Beyond::Edge);
        self.put(&planes, targets.each_mut());
        let width = self.window.width;
        let [y, u, v] = targets.each_mut();
        let_in(y, &self.below.y, &self.mask.a, width);
        let_in(u, &self.below.u, &self.mask.ac, width / 2);
        let_in(v, &self.below.v, &self.mask.ac, width / 2);
        Ok(())
    }

    /// Draws the face at rest: what an earlier frame's network left is gone.
    pub(super) fn rest(&self, mut targets: [Target<'_>; 3]) {
        self.put(&self.below, targets.each_mut());
    }

    fn put(&self, planes: &Planes, targets: [&mut Target<'_>; 3]) {
        let width = self.window.width;
        for ((plane, width), target) in
            [(&planes.y, width), (&planes.u, width / 2), (&planes.v, width / 2)].into_iter().zip(targets)
        {
            for (row, line) in plane.chunks_exact(width).enumerate() {
                target.plane[target.start + row * target.stride..][..width].copy_from_slice(line);
            }
        }
    }
}

/// The face with its lower half blank, then whole; blue, green, red each.
fn face_input(face: &Raster) -> Vec<f32> {
    let mut input = Vec::with_capacity(FACE_INPUT_LEN);
    for blank_from in [FACE_SIDE / 2, FACE_SIDE] {
        for channel in [2, 1, 0] {
            let pixels = face.pixels.iter().enumerate();
            input.extend(pixels.map(|(i, pixel)| if i / FACE_SIDE < blank_from { pixel[channel] } else { 0.0 }));
        }
    }
    input
}

fn mask() -> Raster {
    let mut mask = Raster::clear([0, 0], FACE_SIDE, FACE_SIDE);
    for (index, pixel) in mask.pixels.iter_mut().enumerate() {
        let place = [index % FACE_SIDE, index / FACE_SIDE].map(|p| (p as f32 + 0.5) / FACE_SIDE as f32);
        let [dx, dy] = [0, 1].map(|axis| (place[axis] - MIDDLE[axis]) / RADII[axis]);
        pixel[3] = ((1.0 - dx.hypot(dy)) / SOFT).clamp(0.0, 1.0);
    }
    mask
}
