//! Audio to face: speech at 16 kHz in, ARKit weights at 100 Hz out, then one set a video frame.
//!
//! Suggested reading order: [`stream`] (what a session holds), [`model`] (what all sessions share), [`reduce`] (100 Hz to
//! the frame rate), [`lips`] (how far apart the lips are), [`shapes`] (which weights speech moves).

mod error;
pub mod lips;
pub mod model;
pub mod reduce;
pub mod shapes;
pub mod stream;
#[cfg(test)]
mod tests;

pub use error::FaceError;
pub use model::FaceModel;
pub use reduce::FrameReducer;
pub use stream::FaceStream;

/// Weights predicted in one second of speech.
pub const WEIGHTS_PER_SECOND: u32 = 100;

/// How much speech after a moment the model hears before it says what the face does at that moment.
pub const LOOK_AHEAD_MS: u32 = 80;
