//! The small motion that keeps a face alive: blinks, glances, breath, a head that is never quite still.
//!
//! Pure and periodic: the same seed and turn always give the same pose, and the end of a loop meets its start.

use std::f64::consts::TAU;

use footlight_avatar::Weights;
use footlight_avatar::weights::blendshape;

use crate::{HeadPose, Pose};

/// How long one loop is meant to last, in seconds. The real one is a whole number of [`GROUP_FRAMES`].
pub const LOOP_SECONDS: f64 = 8.0;

/// Loops are cut into closed groups of this many frames.
pub const GROUP_FRAMES: u32 = 12;

/// How many frames the loop has at this rate: the whole groups nearest to [`LOOP_SECONDS`].
#[must_use]
pub fn loop_frames(fps: u32) -> u32 {
    let groups = (LOOP_SECONDS * f64::from(fps) / f64::from(GROUP_FRAMES)).round() as u32;
    groups.max(1) * GROUP_FRAMES
}

/// The idle pose of a frame, counted from the session's media start, at this rate.
#[must_use]
pub fn life_at_frame(seed: u64, frame: u64, fps: u32) -> Pose {
    let frames = u64::from(loop_frames(fps));
    life_at(seed, (frame % frames) as f64 / frames as f64)
}

/// The idle pose at a place in the loop; `turn` goes from 0 to 1 over the loop and wraps.
#[must_use]
pub fn life_at(seed: u64, turn: f64) -> Pose {
    let turn = turn.rem_euclid(1.0);
    let phase = (seed % 16) as f64 / 16.0;
    let wave = |times: f64, shift: f64| (TAU * (turn * times + shift + phase)).sin() as f32;
    let head = HeadPose {
        yaw: 0.02 * wave(1.0, 0.0),
        pitch: 0.01 * wave(2.0, 0.3),
        roll: 0.01 * wave(1.0, 0.6),
        x: 1.5 * wave(1.0, 0.1),
        y: 1.0 * wave(2.0, 0.2),
    };
    let mut weights = Weights::NEUTRAL;
    for name in ["eyeBlinkLeft", "eyeBlinkRight"] {
        let blink = (1.0 - (turn - 0.4).abs() / 0.015).max(0.0) as f32;
        if let Some(index) = blendshape(name) {
            weights.0[index] = blink;
        }
    }
    Pose { weights, head }
}

/// Adds what is said to what the face does anyway.
#[must_use]
pub fn compose(life: &Pose, speech: &Weights) -> Pose {
    let mut pose = *life;
    for (weight, spoken) in pose.weights.0.iter_mut().zip(speech.0) {
        *weight = weight.max(spoken);
    }
    pose
}
