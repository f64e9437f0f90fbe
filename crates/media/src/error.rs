use std::io;
use std::path::PathBuf;

/// What can go wrong on the way out: an argument that no encoder takes, an encoder that fails, a file that
/// cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// Video settings that H.264 at constrained baseline cannot carry.
    #[error("video of {width}x{height} at {fps} fps cannot be encoded: {reason}")]
    VideoSettings {
        /// Width asked for, in pixels.
        width: u32,
        /// Height asked for, in pixels.
        height: u32,
        /// Frames a second asked for.
        fps: u32,
        /// Which rule it breaks.
        reason: &'static str,
    },

    /// A rate control value outside of its range.
    #[error("{name} {value} is outside of {min} to {max}")]
    OutOfRange {
        /// What the value is.
        name: &'static str,
        /// The value given.
        value: u32,
        /// Smallest value taken.
        min: u32,
        /// Largest value taken.
        max: u32,
    },

    /// A frame whose planes do not hold the picture that its size promises.
    #[error("the {plane} plane holds {found} bytes, and {width}x{height} needs {expected}")]
    Plane {
        /// `y`, `u` or `v`.
        plane: &'static str,
        /// Width of the picture in pixels.
        width: u32,
        /// Height of the picture in pixels.
        height: u32,
        /// Bytes needed.
        expected: usize,
        /// Bytes there.
        found: usize,
    },

    /// A frame of another size than the encoder was made for.
    #[error("the encoder is set to {expected:?} and was given a frame of {found:?}")]
    FrameSize {
        /// Width and height that the encoder was made for.
        expected: (u32, u32),
        /// Width and height of the frame.
        found: (u32, u32),
    },

    /// The H.264 encoder refused.
    #[error("the h.264 encoder failed")]
    H264(#[source] openh264::Error),

    /// The H.264 encoder took a frame and gave nothing for it.
    #[error("the h.264 encoder gave no data for frame {frame}")]
    NoPicture {
        /// Number of the frame since the encoder was made, from 0.
        frame: u64,
    },

    /// The Opus encoder refused.
    #[error("the opus encoder failed to {operation}: {reason}")]
    Opus {
        /// What was being done.
        operation: &'static str,
        /// The library's own words.
        reason: &'static str,
    },

    /// A unit of media that cannot go into this MP4 file, at this place.
    #[error("cannot add to the mp4 file: {reason}")]
    Mp4Order {
        /// Which rule it breaks.
        reason: &'static str,
    },

    /// A file could not be created, written or completed.
    #[error("cannot {operation} {}", path.display())]
    File {
        /// What was being done to it.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason, for example that the disk is full.
        #[source]
        source: io::Error,
    },

    /// A media message that is no media message.
    #[error("not a media message: {reason}")]
    Header {
        /// Which rule it breaks.
        reason: &'static str,
    },
}
