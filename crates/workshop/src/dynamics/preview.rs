//! Gestures at a glance: a contact sheet.

use footlight_avatar::bundle::{AvatarBundle, Gesture};
use footlight_render::gesture::{Mouth, lay_over, offset_at};
use footlight_render::{EssenceRenderer, Frame, LoadedAvatar, Pose, Renderer};

use super::DynamicsError;

/// The side of one picture in pixels.
const SIDE: u32 = 256;
/// Pictures of one gesture.
const COLUMNS: usize = 7;
/// What is behind pictures that are not there.
const EMPTY: u8 = 40;

/// Draws each gesture as a row of its extreme pictures, in the order of time, and returns the sheet as PNG. Takes some
/// milliseconds a picture.
///
/// # Errors
/// [`DynamicsError::Render`], [`DynamicsError::Picture`].
pub fn preview(bundle: &AvatarBundle, gestures: &[Gesture]) -> Result<Vec<u8>, DynamicsError> {
    let mut renderer = EssenceRenderer::new(LoadedAvatar::new(bundle.clone())?, SIDE, SIDE)?;
    let mut frame = Frame::black(SIDE, SIDE);
    let (width, height) = (COLUMNS * SIDE as usize, gestures.len().max(1) * SIDE as usize);
    let mut sheet = vec![EMPTY; width * height * 3];
    for (row, gesture) in gestures.iter().enumerate() {
        for (column, at_ms) in moments(gesture).into_iter().enumerate() {
            let pose = lay_over(&Pose::NEUTRAL, &offset_at(gesture, at_ms as f32), Mouth::Free);
            renderer.render(&pose, &mut frame)?;
            for y in 0..SIDE as usize {
                let start = ((row * SIDE as usize + y) * width + column * SIDE as usize) * 3;
                for (x, pixel) in sheet[start..start + SIDE as usize * 3].chunks_exact_mut(3).enumerate() {
                    pixel.copy_from_slice(&rgb(&frame, x, y));
                }
            }
        }
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&sheet)?;
    writer.finish()?;
    Ok(file)
}

/// When a gesture is at its farthest: the keys of what leads it.
fn moments(gesture: &Gesture) -> Vec<u32> {
    gesture.channels.iter().take(1).flat_map(|channel| &channel.keys).map(|key| key.at_ms).take(COLUMNS).collect()
}

/// A pixel in sRGB, from BT.709 limited range.
fn rgb(frame: &Frame, x: usize, y: usize) -> [u8; 3] {
    let width = frame.width() as usize;
    let chroma = y / 2 * (width / 2) + x / 2;
    let light = (f32::from(frame.y()[y * width + x]) - 16.0) / 219.0;
    let blue = (f32::from(frame.u()[chroma]) - 128.0) / 224.0;
    let red = (f32::from(frame.v()[chroma]) - 128.0) / 224.0;
    let channels = [light + 1.5748 * red, light - 0.1873 * blue - 0.4681 * red, light + 1.8556 * blue];
    channels.map(|c| (c * 255.0 + 0.5).clamp(0.0, 255.0) as u8)
}
