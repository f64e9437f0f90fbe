//! Why no avatar can be made of a portrait: one sentence each, naming the thing and what to do.

use footlight_avatar::bundle::BundleError;
use footlight_render::RenderError;

/// Why a portrait, its landmarks or what was made of them is no good.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortraitError {
    /// The file is longer than is read.
    #[error("the picture is a file of {found} bytes; send one of at most {limit} bytes")]
    FileTooLarge {
        /// Its length.
        found: u64,
        /// The most that is read.
        limit: u64,
    },
    /// The file is neither a PNG nor a JPEG.
    #[error("the picture is neither a PNG nor a JPEG; save it as one of these")]
    NotAPicture,
    /// The file begins as a picture but cannot be decoded.
    #[error("the picture is damaged or of an unusual kind ({0}); save it again as a plain PNG or JPEG")]
    Damaged(String),
    /// There are more pixels than are decoded.
    #[error("the picture has {width}x{height} pixels; make it smaller, at most {limit} pixels in all")]
    TooManyPixels {
        /// Its width.
        width: u64,
        /// Its height.
        height: u64,
        /// The most that are decoded.
        limit: u64,
    },
    /// A camera's note says to turn the picture.
    #[error(
        "the picture is stored turned (EXIF orientation {0}); save it upright and find its landmarks in the upright picture"
    )]
    StoredTurned(u16),
    /// A scheme's list has another length.
    #[error("the landmarks are {found} points; {expected}")]
    LandmarkCount {
        /// How many there are.
        found: usize,
        /// What the scheme has.
        expected: &'static str,
    },
    /// A landmark is not a number.
    #[error("landmark {0} is not a finite number; find the landmarks again")]
    LandmarkNotFinite(usize),
    /// A landmark lies off the picture.
    #[error("landmark {index} lies outside of the picture; leave room around the face, and give places in pixels")]
    LandmarkOutside {
        /// Its index in the list.
        index: usize,
    },
    /// Landmarks lie where no face has them.
    #[error("the landmarks are not those of an upright face: {0}; find them again")]
    Order(&'static str),
    /// The face has too few pixels.
    #[error("the eyes are {found:.0} pixels apart, at least {least:.0} are needed; send a larger picture of the face")]
    FaceTooSmall {
        /// The distance of the eyes in pixels.
        found: f32,
        /// The least that is accepted.
        least: f32,
    },
    /// The head leans to a side.
    #[error("the head is tilted by {found:.0} degrees, at most {most:.0} are accepted; turn the picture upright")]
    Tilted {
        /// The tilt.
        found: f32,
        /// The most that is accepted.
        most: f32,
    },
    /// The head looks to a side.
    #[error("the head is turned to the side; use a portrait that looks at the camera")]
    TurnedAside,
    /// The mouth is open.
    #[error("the mouth is open too far; use a portrait with lips closed or nearly so")]
    MouthOpen,
    /// An eye is closed.
    #[error("an eye is closed; use a portrait with both eyes open")]
    EyesClosed,
    /// The picture ends too close to the face.
    #[error("the face fills the picture; leave room around it, at least from above the hairline to below the chin")]
    NoRoom,
    /// What was made does not hold as a bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// What was made cannot be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// What was made does not look or move as it should.
    #[error("the avatar that came of this portrait is no good: {0}; try another portrait or better landmarks")]
    Check(String),
}
