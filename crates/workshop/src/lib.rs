//! Makes avatars from portraits and gestures for avatars.
//!
//! Suggested reading order: `portrait`, `dynamics`.

pub mod dynamics;
pub mod portrait;
