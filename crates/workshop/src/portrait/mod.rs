//! Avatar bundles from one portrait photograph and its landmarks.
//!
//! The photo is brought to the stage and stays what is seen at rest. The head is a copy of it that a lattice bends; the
//! mouth is the person's own lips, warped to each state over a painted cavity; the eyes are the photo's, with the iris cut
//! out of the white so that it can look about, and lids that are the photo's own skin pulled down. What is painted takes
//! its light from the photo.
//!
//! [`avatar_from`] makes a bundle, [`check()`] looks at it through the renderer, [`preview()`] shows it to people. All are
//! pure and take their time (about a second): call them on a thread that may block.
//!
//! Suggested reading order: [`PortraitOrder`], [`FaceLandmarks`], then in the code `face` (what is accepted), `stage`,
//! `motion`, `lips` and `mouth`, `opening` and `eyes`.

mod canvas;
mod cavity;
mod check;
mod error;
mod exif;
mod eyeball;
mod eyes;
mod face;
mod geometry;
mod landmarks;
mod lips;
mod measures;
mod mesh;
mod motion;
mod mouth;
mod opening;
mod picture;
mod preview;
mod reach;
mod stage;
#[cfg(test)]
mod tests;
mod tones;
mod warp;

pub use check::check;
pub use error::PortraitError;
pub use landmarks::FaceLandmarks;
pub use picture::{FILE_BYTES_MAX, PIXELS_MAX};
pub use preview::preview;

use footlight_avatar::bundle::parts::{Landmarks, Layer, Part, Picture, Point};
use footlight_avatar::bundle::{AvatarBundle, Manifest};

use canvas::Canvas;
use measures::Measures;
use stage::{STAGE, Staged};

/// Over how many pixels the head's layer thins out at its border.
const HEAD_FEATHER: f32 = 8.0;

/// What an avatar is to be made of.
#[derive(Clone, PartialEq)]
pub struct PortraitOrder<'a> {
    /// A PNG or JPEG, at most [`FILE_BYTES_MAX`] and [`PIXELS_MAX`].
    pub picture: &'a [u8],
    /// Where the face is in it.
    pub landmarks: FaceLandmarks,
    /// The avatar's short name: 1 to 40 lower-case letters, digits or hyphens. Its idle motion is derived from it.
    pub name: String,
    /// The name for people, at most 80 characters.
    pub title: String,
    /// The licence of the picture, as an SPDX expression, at most 80 characters.
    pub licence: String,
}

impl std::fmt::Debug for PortraitOrder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A picture is megabytes, and it is somebody's face: neither belongs in a log.
        f.debug_struct("PortraitOrder")
            .field("picture_bytes", &self.picture.len())
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What is being done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Decoding the picture.
    Reading,
    /// Judging the face and bringing it to the stage.
    Staging,
    /// Working out how skin and head move.
    Moving,
    /// Drawing the mouth in all its states.
    Mouth,
    /// Drawing the eyes in all their states.
    Eyes,
}

impl Step {
    /// How much of the work is behind it, in percent, from experience.
    #[must_use]
    pub const fn percent(self) -> u8 {
        match self {
            Self::Reading => 0,
            Self::Staging => 20,
            Self::Moving => 45,
            Self::Mouth => 55,
            Self::Eyes => 85,
        }
    }
}

/// Makes an avatar from a portrait. `told` hears of each step as it begins.
///
/// The same order gives the same bundle. The name, title and licence are not looked at here: [`check()`] does, as every
/// reader of the bundle does. Blocks for about a second, and holds up to a few hundred megabytes for the largest pictures.
///
/// # Errors
/// [`PortraitError`], saying what about the picture, the landmarks or the face is no good and what to do.
pub fn avatar_from(order: &PortraitOrder<'_>, told: &mut dyn FnMut(Step)) -> Result<AvatarBundle, PortraitError> {
    told(Step::Reading);
    let photo = picture::decode(order.picture)?;
    told(Step::Staging);
    let face = order.landmarks.face(photo.width, photo.height)?;
    face.check()?;
    let Staged { canvas, face, scale } = stage::stage(&photo, &face)?;
    drop(photo);
    let measures = Measures::of(&face);
    let tones = tones::Tones::of(&canvas, &measures);
    told(Step::Moving);
    let lattice = motion::lattice(&measures);
    let size = [(lattice.columns - 1) as u32, (lattice.rows - 1) as u32].map(|cells| cells * lattice.step);
    let head = head(&canvas, lattice.at, size);
    told(Step::Mouth);
    let mouth = mouth::mouth(&canvas, &measures, &tones, &lattice, scale, STAGE);
    told(Step::Eyes);
    let eyes = eyes::eyes(&canvas, &measures, &tones, scale);
    Ok(AvatarBundle {
        manifest: Manifest {
            name: order.name.clone(),
            title: order.title.clone(),
            licence: order.licence.clone(),
            width: STAGE,
            height: STAGE,
            seed: seed(&order.name),
            landmarks: landmarks_of(&measures),
        },
        layers: vec![
            Layer { part: Part::Background, picture: Picture { at: canvas.at, image: canvas.image() }, depth: None },
            Layer { part: Part::Head, picture: head, depth: None },
        ],
        lattice: Some(lattice),
        eyes,
        mouth: Some(mouth),
        mouth_network: None,
        gestures: Vec::new(),
    })
}

/// What moves: a copy of the photo, as large as what can move.
///
/// It thins out at its border, where nothing moves yet: a hard border would show as a line in scaled frames.
fn head(canvas: &Canvas, at: [i32; 2], size: [u32; 2]) -> Picture {
    let copy = Canvas::draw(at, size, |place| canvas.at(place));
    let mut image = copy.image();
    let (width, height) = (copy.width, copy.height);
    for (index, pixel) in image.pixels.iter_mut().enumerate() {
        let (x, y) = (index % width, index / width);
        let border = x.min(width - 1 - x).min(y).min(height - 1 - y);
        let share = (border as f32 + 0.5) / HEAD_FEATHER;
        pixel[3] = (255.0 * share.min(1.0)) as u8;
    }
    Picture { at, image }
}

fn landmarks_of(m: &Measures) -> Landmarks {
    let place = |place: Point| Some(m.axes.to_stage(place).map(quantised));
    Landmarks {
        left_eye: place(m.eyes[1]),
        right_eye: place(m.eyes[0]),
        nose: place(m.nose),
        mouth: place(m.mouth),
        chin: place(m.chin),
        crown: place([m.chin[0] / 2.0, m.crown]),
    }
}

/// A number that differs from name to name; short enough for every reader of JSON.
fn seed(name: &str) -> u64 {
    name.bytes().fold(0x811c_9dc5_u64, |hash, byte| ((hash ^ u64::from(byte)) * 0x0100_0193) & 0xffff_ffff)
}

/// A length as a bundle stores it: in 64ths of a pixel.
fn quantised(length: f32) -> f32 {
    (length * 64.0).round() / 64.0
}
