//! Footlight.
