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

/// The most that the mirror image beyond the photo's border reaches into the photo, in stage pixels.
const MIRROR_MAX: f32 = 60.0;
/// How far head and hair are taken to reach from the middle of the eyes, in distances of the eyes.
const HEAD_BESIDE: f32 = 1.8;
const HEAD_ABOVE: f32 = 2.4;

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
    let face = face.mapped(|place| [0, 1].map(|axis| (place[axis] - origin[axis]) * scale), scale);
    Ok(Staged { canvas: background(photo, origin, scale, &face), face, scale })
}

/// The photo on the stage, and beyond the stage what a wide or tall frame shows.
///
/// Where the photo ends it goes on as its own mirror image, out of focus: streaks or a hard edge would catch the eye.
/// The mirror ends before the head: nobody should stand beside themselves.
fn background(photo: &Photo, origin: Place, scale: f32, face: &Face) -> Canvas {
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
    let (soft, softer) = (sharp.blurred(10), sharp.blurred(28));
    let [from, to] = face.eye_middles();
    let (eyes, apart) = (mid(from, to), face.eyes_apart());
    // How deep the mirror goes on each side.
    let deep = |room: f32| (0.7 * room).clamp(1.0, MIRROR_MAX);
    let (left_deep, right_deep) =
        (deep(eyes[0] - HEAD_BESIDE * apart - left as f32), deep(right as f32 - HEAD_BESIDE * apart - eyes[0]));
    let (top_deep, bottom_deep) = (deep(eyes[1] - HEAD_ABOVE * apart - top as f32), MIRROR_MAX);
    Canvas::draw(at, size, |[x, y]| {
        let mirrored = |place: f32, low: i32, high: i32, deep: [f32; 2]| {
            let (low, high) = (low as f32, high as f32);
            let into = |off: f32, deep: f32| deep * (1.0 - (-off / deep).exp());
            if place < low {
                low + into(low - place, deep[0])
            } else if place > high {
                high - into(place - high, deep[1])
            } else {
                place
            }
        };
        let inside =
            [mirrored(x, left, right, [left_deep, right_deep]), mirrored(y, top, bottom, [top_deep, bottom_deep])];
        let off = |place: f32, low: i32, high: i32| (low as f32 - place).max(place - high as f32).max(0.0);
        let off = off(x, left, right).max(off(y, top, bottom));
        if off <= 0.0 {
            return sharp.at([x, y]);
        }
        let near = mix(sharp.at(inside), soft.at(inside), smooth(0.0, 14.0, off));
        mix(near, softer.at(inside), smooth(8.0, 70.0, off))
    })
}
