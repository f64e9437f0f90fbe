//! From the photo to the stage: how large the face becomes, and what lies around it.

use super::PortraitError;
use super::canvas::{Canvas, mix, resampled};
use super::face::Face;
use super::geometry::{Place, mid, smooth};
use super::picture::Photo;

/// The side of the stage in pixels.
pub(super) const STAGE: u32 = 512;
/// How far apart the eyes are on the stage when the photo has room for it: as those of the drawn avatars.
const EYES_APART: f32 = 73.0;
/// The most that a photo is enlarged.
const ENLARGED_MAX: f32 = 2.5;
/// How high the eyes stand on the stage, as a share of its side from the top.
const EYES_HEIGHT: f32 = 0.461;
/// How far the background reaches beyond the stage to both sides and above it, for wide and tall frames.
const WING: i32 = 360;
const ABOVE: i32 = 200;

/// The least sides of the photo's square, in distances of the eyes: crown to below the chin.
const SQUARE_MIN: f32 = 3.2;
/// Below this the face may stand beside the middle of the stage, rather than be larger.
const SQUARE_CENTRED_MIN: f32 = 5.0;

/// A face on its stage.
pub(super) struct Staged {
    /// The photo on the stage and beyond.
    pub(super) canvas: Canvas,
    /// Features in stage pixels.
    pub(super) face: Face,
    /// Stage pixels a photo pixel: how soft the photo is there.
    pub(super) scale: f32,
}

/// Chooses the part of the photo and scales it.
pub(super) fn stage(photo: &Photo, face: &Face) -> Result<Staged, PortraitError> {
    let apart = face.eyes_apart();
    let [left, right] = face.eye_middles();
    let eyes = mid(left, right);
    let (width, height) = (photo.width as f32, photo.height as f32);
    let ideal = STAGE as f32 / EYES_APART * apart;
    let most = ideal.min(width).min(height);
    if most < SQUARE_MIN * apart || most < STAGE as f32 / ENLARGED_MAX {
        return Err(PortraitError::NoRoom);
    }
    let centred = 2.0 * eyes[0].min(width - eyes[0]);
    let side = most.min(centred.max(SQUARE_CENTRED_MIN * apart));
    let corner = |at: f32, length: f32| at.clamp(0.0, length - side);
    let mut origin = [corner(eyes[0] - side / 2.0, width), corner(eyes[1] - side * EYES_HEIGHT, height)];
    // The chin and some of the neck must be on the stage.
    let chin = face.chin()[1];
    if chin + 0.15 * apart > height {
        return Err(PortraitError::NoRoom);
    }
    origin[1] = origin[1].max((chin + 0.3 * apart).min(height) - side);
    if eyes[1] - origin[1] < 0.9 * apart {
        return Err(PortraitError::NoRoom);
    }
    let scale = STAGE as f32 / side;
    let canvas = background(photo, origin, scale);
    let face = face.mapped(|place| [0, 1].map(|axis| (place[axis] - origin[axis]) * scale), scale);
    Ok(Staged { canvas, face, scale })
}

/// The photo on the stage, and beyond the stage what a wide or tall frame shows.
///
/// Where the photo ends it goes on as its own mirror image, out of focus: streaks or a hard edge would catch the eye.
fn background(photo: &Photo, origin: Place, scale: f32) -> Canvas {
    let at = [-WING, -ABOVE];
    let size = [STAGE + 2 * WING.unsigned_abs(), STAGE + ABOVE.unsigned_abs()];
    // Where the photo ends, in whole stage pixels inside of it.
    let ends = |axis: usize, length: usize| {
        let low = (-origin[axis] * scale).ceil().max(at[axis] as f32) as i32;
        let high = ((length as f32 - origin[axis]) * scale).floor() as i32;
        (low.min(0), high.max(STAGE.cast_signed()).min(at[axis] + size[axis].cast_signed()))
    };
    let ((left, right), (top, bottom)) = (ends(0, photo.width), ends(1, photo.height));
    let inner = [(right - left).unsigned_abs(), (bottom - top).unsigned_abs()];
    let sharp = resampled(photo, origin, scale, [left, top], inner);
    if [left, top] == at && inner == size {
        return sharp;
    }
    let soft = sharp.blurred(14);
    Canvas::draw(at, size, |[x, y]| {
        let mirrored = |place: f32, low: i32, high: i32| {
            let (low, high) = (low as f32, high as f32);
            let inside = if place < low { 2.0 * low - place } else { place };
            let inside = if inside > high { 2.0 * high - inside } else { inside };
            inside.clamp(low, high)
        };
        let inside = [mirrored(x, left, right), mirrored(y, top, bottom)];
        let off = (x - inside[0]).abs().max((y - inside[1]).abs()) / 2.0;
        if off < 0.25 { sharp.at([x, y]) } else { mix(sharp.at(inside), soft.at(inside), smooth(0.0, 16.0, off)) }
    })
}
