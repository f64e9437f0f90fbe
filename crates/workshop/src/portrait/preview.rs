//! A sheet of what an avatar looks like, for people.

use footlight_avatar::bundle::AvatarBundle;
use footlight_avatar::weights::blendshape;
use footlight_render::{EssenceRenderer, Frame, HeadPose, LoadedAvatar, Pose, Renderer};

use super::PortraitError;
use crate::sheet::Sheet;

/// The side of one picture of the sheet, in pixels.
const SIDE: u32 = 320;
/// Pictures in a row.
const COLUMNS: usize = 4;

/// Draws a sheet of two rows of four: at rest, "aa", "ee", "oo", a blink, a look aside, a turned head, a smile.
///
/// Returns a PNG of 1280x640 pixels. Blocks for some hundred milliseconds.
///
/// # Errors
/// When the bundle cannot be rendered.
pub fn preview(bundle: &AvatarBundle) -> Result<Vec<u8>, PortraitError> {
    let mut renderer = EssenceRenderer::new(LoadedAvatar::new(bundle.clone())?, SIDE, SIDE)?;
    let mut frame = Frame::black(SIDE, SIDE);
    let poses = poses();
    let mut sheet = Sheet::new(SIDE, COLUMNS as u32, poses.len().div_ceil(COLUMNS) as u32);
    for (index, pose) in poses.iter().enumerate() {
        renderer.render(pose, &mut frame)?;
        sheet.put((index % COLUMNS) as u32, (index / COLUMNS) as u32, &frame);
    }
    sheet.png().map_err(|error| PortraitError::Check(error.to_string()))
}

/// A pose of these blendshapes; names that are not known move nothing.
pub(super) fn pose(shapes: &[(&str, f32)]) -> Pose {
    let mut pose = Pose::NEUTRAL;
    for (name, weight) in shapes {
        if let Some(index) = blendshape(name) {
            pose.weights.0[index] = *weight;
        }
    }
    pose
}

fn poses() -> [Pose; 8] {
    let turned = HeadPose { yaw: 0.05, pitch: 0.01, roll: 0.02, x: 3.0, y: 0.0 };
    [
        Pose::NEUTRAL,
        pose(&[("jawOpen", 0.7), ("mouthLowerDownLeft", 0.25), ("mouthLowerDownRight", 0.25)]),
        pose(&[
            ("jawOpen", 0.15),
            ("mouthStretchLeft", 0.4),
            ("mouthStretchRight", 0.4),
            ("mouthSmileLeft", 0.5),
            ("mouthSmileRight", 0.5),
        ]),
        pose(&[("jawOpen", 0.3), ("mouthFunnel", 0.5), ("mouthPucker", 0.8)]),
        pose(&[("eyeBlinkLeft", 1.0), ("eyeBlinkRight", 1.0)]),
        pose(&[("eyeLookOutLeft", 0.8), ("eyeLookInRight", 0.8), ("eyeLookUpLeft", 0.2), ("eyeLookUpRight", 0.2)]),
        Pose { head: turned, ..pose(&[("jawOpen", 0.1)]) },
        pose(&[("mouthSmileLeft", 0.8), ("mouthSmileRight", 0.8), ("cheekSquintLeft", 0.4), ("cheekSquintRight", 0.4)]),
    ]
}
