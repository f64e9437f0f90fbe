//! How far apart the lips are: one definition for the model's figures, the frame reducer and the renderers.
//!
//! In ARKit's terms `mouthClose` brings the lips together *whatever the jaw does*, so an opening is what the jaw and the
//! lip raisers ask for, damped by how closed the mouth is.

use super::shapes::{JAW_OPEN, MOUTH_CLOSE, MOUTH_LOWER_DOWN, MOUTH_UPPER_UP};
use crate::Weights;

/// Lips count as closed under this share of the open mouth.
pub const CLOSED_GAP: f32 = 0.03;

/// Below this `mouthClose` the lips are free: a predictor's small values must not flatten open vowels.
const CLOSE_FROM: f32 = 0.15;
/// From this `mouthClose` on the lips touch: a prediction need not reach 1 to shut the mouth.
const CLOSE_FULL: f32 = 0.75;
/// How much of the gap a fully raised upper or lowered lower lip makes without the jaw.
const LIP_SHARE: f32 = 0.12;

/// Returns the opening between the lips as a share of the open mouth: 0 when they touch, 1 with `jawOpen` at 1.
#[must_use]
pub fn lip_gap(weights: &Weights) -> f32 {
    let w = &weights.0;
    let jaw = w[JAW_OPEN];
    let lower = 0.5 * (w[MOUTH_LOWER_DOWN[0]] + w[MOUTH_LOWER_DOWN[1]]);
    let upper = 0.5 * (w[MOUTH_UPPER_UP[0]] + w[MOUTH_UPPER_UP[1]]);
    let asked = jaw + LIP_SHARE * (lower + upper);
    (asked * (1.0 - closeness(w[MOUTH_CLOSE]))).clamp(0.0, 1.0)
}

/// Returns how far a `mouthClose` of this size brings the lips together: 0 not at all, 1 until they touch.
#[must_use]
pub fn closeness(mouth_close: f32) -> f32 {
    let t = ((mouth_close - CLOSE_FROM) / (CLOSE_FULL - CLOSE_FROM)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
