//! The audio front end: whatever was submitted becomes 48 kHz for the ear and 16 kHz for the face.
//!
//! Suggested reading order: [`front`] (both branches of one utterance), [`downmix`], [`resample`], [`logmel`] (what the
//! face model listens to).

pub mod downmix;
mod error;
pub mod front;
pub mod logmel;
pub mod resample;
#[cfg(test)]
mod tests;

pub use downmix::Downmix;
pub use error::AudioError;
pub use front::{AudioFormat, Branches, FrontEnd};
pub use logmel::LogMel;
pub use resample::Resampler;

/// The sampling rate of what is heard.
pub const EAR_RATE: u32 = 48_000;

/// The sampling rate of what the face model listens to.
pub const FACE_RATE: u32 = 16_000;
