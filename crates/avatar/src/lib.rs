//! Faces and what moves them: avatar bundles, the audio front end, and the audio-to-face model.
//!
//! Suggested reading order: [`weights`], [`audio`], [`face`], [`bundle`].

pub mod audio;
pub mod bundle;
pub mod face;
pub mod weights;

pub use weights::{BLENDSHAPE_COUNT, BLENDSHAPES, Weights};
