//! Gestures for an avatar: nod, shake, tilt, wink, listen.
