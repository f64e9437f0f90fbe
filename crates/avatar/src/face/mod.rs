//! Audio to face.
