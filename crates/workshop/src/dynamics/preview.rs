//! Gestures at a glance: a contact sheet.

use footlight_avatar::bundle::{AvatarBundle, Gesture};
use footlight_render::gesture::{Mouth, lay_over, offset_at};
use footlight_render::{EssenceRenderer, Frame, LoadedAvatar, Pose, Renderer};

use super::DynamicsError;
use crate::sheet::Sheet;

/// The side of one picture in pixels.
const SIDE: u32 = 256;
/// Pictures of one gesture.
const COLUMNS: usize = 7;

/// Draws each gesture as a row of its extreme pictures, in the order of time, and returns the sheet as PNG. Takes some
/// milliseconds a picture.
///
/// # Errors
/// [`DynamicsError::Render`], [`DynamicsError::Picture`].
pub fn preview(bundle: &AvatarBundle, gestures: &[Gesture]) -> Result<Vec<u8>, DynamicsError> {
    let mut renderer = EssenceRenderer::new(LoadedAvatar::new(bundle.clone())?, SIDE, SIDE)?;
    let mut frame = Frame::black(SIDE, SIDE);
    let mut sheet = Sheet::new(SIDE, COLUMNS as u32, gestures.len().max(1) as u32);
    for (row, gesture) in gestures.iter().enumerate() {
        for (column, at_ms) in moments(gesture).into_iter().enumerate() {
            let pose = lay_over(&Pose::NEUTRAL, &offset_at(gesture, at_ms as f32), Mouth::Free);
            renderer.render(&pose, &mut frame)?;
            sheet.put(column as u32, row as u32, &frame);
        }
    }
    Ok(sheet.png()?)
}

/// When a gesture is at its farthest: the keys of what leads it.
fn moments(gesture: &Gesture) -> Vec<u32> {
    gesture.channels.iter().take(1).flat_map(|channel| &channel.keys).map(|key| key.at_ms).take(COLUMNS).collect()
}
