//! The small motion that keeps a face alive: blinks, glances, breath, a head that is never quite still.
//!
//! Pure and periodic: the same seed and turn always give the same pose, and the end of a loop meets its start.

use std::f64::consts::TAU;

use footlight_avatar::Weights;
use footlight_avatar::face::shapes::{JAW_OPEN, index_of as shape};

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
///
/// The head stays within 2 degrees and 4 pixels of rest.
#[must_use]
pub fn life_at(seed: u64, turn: f64) -> Pose {
    let turn = turn.rem_euclid(1.0);
    let mut chance = Chance(seed ^ 0x9e37_79b9_7f4a_7c15);
    let head = HeadPose {
        yaw: sway(&mut chance, turn) * YAW_MAX,
        pitch: sway(&mut chance, turn) * PITCH_MAX,
        roll: sway(&mut chance, turn) * ROLL_MAX,
        x: sway(&mut chance, turn) * SHIFT_MAX,
        y: sway(&mut chance, turn) * SHIFT_MAX * 0.4 + breath(turn) * BREATH,
    };
    let mut weights = Weights::NEUTRAL;
    look(&mut weights, gaze(&mut chance, turn));
    let blink = blink(&mut chance, turn);
    for shape in BLINK {
        weights.0[shape] = blink;
    }
    Pose { weights, head }
}

/// Lays what is said over what the face does anyway.
///
/// Speech owns the mouth, and a shape that both move takes the stronger. With a wide open mouth the head gives a little
/// and the brows rise: a face that speaks with its lips alone looks like a mask.
#[must_use]
pub fn compose(life: &Pose, speech: &Weights) -> Pose {
    let mut pose = *life;
    for (weight, spoken) in pose.weights.0.iter_mut().zip(speech.0) {
        *weight = weight.max(spoken);
    }
    let open = speech.0[JAW_OPEN].clamp(0.0, 1.0);
    pose.head.pitch += GIVE_PITCH * open;
    pose.head.y -= GIVE_UP * open;
    let brows = &mut pose.weights.0[BROWS];
    *brows = brows.max(GIVE_BROWS * open);
    pose
}

/// Radians; together well inside of 2 degrees an axis.
const YAW_MAX: f32 = 0.028;
const PITCH_MAX: f32 = 0.014;
const ROLL_MAX: f32 = 0.016;
/// Pixels of a picture 512 pixels high.
const SHIFT_MAX: f32 = 2.6;
const BREATH: f32 = 1.1;

/// What a wide open mouth adds: radians up, pixels up, and a share of raised brows.
const GIVE_PITCH: f32 = 0.008;
const GIVE_UP: f32 = 1.2;
const GIVE_BROWS: f32 = 0.25;

/// Breaths in a loop.
const BREATHS: f64 = 2.0;
/// Blinks in a loop; people blink about once in three seconds.
const BLINKS: u32 = 3;
/// How long lids take to close and to open again, in seconds.
const CLOSING: f64 = 0.08;
const OPENING: f64 = 0.17;
/// Places that the eyes rest on in a loop.
const FIXATIONS: u32 = 6;
/// How long the eyes take from one place to the next, in seconds.
const SACCADE: f64 = 0.05;

const BROWS: usize = shape("browInnerUp");
const BLINK: [usize; 2] = [shape("eyeBlinkLeft"), shape("eyeBlinkRight")];
const LOOK_UP: [usize; 2] = [shape("eyeLookUpLeft"), shape("eyeLookUpRight")];
const LOOK_DOWN: [usize; 2] = [shape("eyeLookDownLeft"), shape("eyeLookDownRight")];
/// To the right of the picture: the left eye looks out, the right one in.
const LOOK_RIGHT: [usize; 2] = [shape("eyeLookOutLeft"), shape("eyeLookInRight")];
const LOOK_LEFT: [usize; 2] = [shape("eyeLookInLeft"), shape("eyeLookOutRight")];

/// Numbers that look random and depend on the seed alone (SplitMix64).
struct Chance(u64);

impl Chance {
    /// The next number, `0.0..1.0`.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A slow wander, `-1.0..=1.0`: three waves that fit the loop.
fn sway(chance: &mut Chance, turn: f64) -> f32 {
    [(1.0, 0.55), (2.0, 0.30), (3.0, 0.15)]
        .map(|(times, strength)| strength * (TAU * (turn * times + chance.next())).sin())
        .iter()
        .sum::<f64>() as f32
}

/// In faster than out.
fn breath(turn: f64) -> f32 {
    let wave = (TAU * turn * BREATHS).sin();
    (wave + 0.25 * (2.0 * TAU * turn * BREATHS).sin()) as f32 / 1.25
}

/// How far the lids are closed.
fn blink(chance: &mut Chance, turn: f64) -> f32 {
    let mut closed: f64 = 0.0;
    for k in 0..BLINKS {
        // One in each third of the loop, never across its ends.
        let start = (f64::from(k) + 0.15 + 0.6 * chance.next()) / f64::from(BLINKS);
        let since = (turn - start) * LOOP_SECONDS;
        let lids = if since < 0.0 {
            0.0
        } else if since < CLOSING {
            since / CLOSING
        } else {
            1.0 - (since - CLOSING) / OPENING
        };
        closed = closed.max(lids);
    }
    smooth(closed) as f32
}

/// Where the eyes look: right and down, `-1.0..=1.0`. Every other rest is on the camera.
fn gaze(chance: &mut Chance, turn: f64) -> [f64; 2] {
    let mut look = [0.0; 2];
    for k in 0..FIXATIONS {
        let place = [(chance.next() - 0.5) * 0.5, (chance.next() - 0.5) * 0.3];
        let start = (f64::from(k) + 0.2 + 0.6 * chance.next()) / f64::from(FIXATIONS);
        let arrived = smooth((turn - start) * LOOP_SECONDS / SACCADE);
        let place = if k % 2 == 0 { place } else { [0.0; 2] };
        look = [0, 1].map(|axis| look[axis] + (place[axis] - look[axis]) * arrived);
    }
    look
}

fn look(weights: &mut Weights, [right, down]: [f64; 2]) {
    for (shapes, amount) in [(LOOK_RIGHT, right), (LOOK_LEFT, -right), (LOOK_DOWN, down), (LOOK_UP, -down)] {
        for shape in shapes {
            weights.0[shape] = amount.max(0.0) as f32;
        }
    }
}

/// From 0 to 1 without a jerk; held outside.
fn smooth(share: f64) -> f64 {
    let share = share.clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}
