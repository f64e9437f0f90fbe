//! Behaviour of the face path.
