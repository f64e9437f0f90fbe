//! What can keep a frame from being rendered.

/// The smallest side of a picture, in pixels.
pub const SIDE_MIN: u32 = 64;
/// The largest side of a picture, in pixels.
pub const SIDE_MAX: u32 = 1920;

/// Why a renderer could not be made, or could not make a frame.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The size is not one that renderers accept.
    #[error("frame size {width}x{height} is not possible; both sides must be even and from {SIDE_MIN} to {SIDE_MAX}")]
    Size {
        /// The width that was asked for.
        width: u32,
        /// The height that was asked for.
        height: u32,
    },
    /// A frame of another size was handed in.
    #[error("frame is {found_width}x{found_height}, renderer makes {width}x{height}")]
    FrameSize {
        /// The width of the frame that was handed in.
        found_width: u32,
        /// The height of the frame that was handed in.
        found_height: u32,
        /// The width this renderer makes.
        width: u32,
        /// The height this renderer makes.
        height: u32,
    },
    /// The mouth network of the avatar failed.
    #[error("mouth network of avatar `{avatar}` failed: {message}")]
    MouthNetwork {
        /// The avatar's name.
        avatar: String,
        /// What the inference engine said.
        message: String,
    },
}

/// Checks a picture size.
///
/// # Errors
/// [`RenderError::Size`] unless both sides are even and from [`SIDE_MIN`] to [`SIDE_MAX`].
pub fn check_size(width: u32, height: u32) -> Result<(), RenderError> {
    let fits = |side: u32| side.is_multiple_of(2) && (SIDE_MIN..=SIDE_MAX).contains(&side);
    if fits(width) && fits(height) { Ok(()) } else { Err(RenderError::Size { width, height }) }
}
