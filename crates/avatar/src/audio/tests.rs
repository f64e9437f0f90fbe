//! Behaviour of the audio front end.
