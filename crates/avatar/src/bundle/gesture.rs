//! Gestures: short movements of head and face that a session can ask for by name.
//!
//! A gesture is a few keys a channel; between keys it moves smoothly and never beyond them. It adds to whatever the face
//! does anyway, so it begins at nothing and comes back to it. One that holds stops at a time of its own, until it is
//! released.

use super::parts::Axis;
use crate::weights::{BLENDSHAPES, blendshape};

/// Gestures of one bundle.
pub const GESTURES_MAX: usize = 32;
/// The longest gesture in milliseconds, without the time that it is held for.
pub const GESTURE_MS_MAX: u32 = 10_000;
/// Keys of one channel.
pub const KEYS_MAX: usize = 64;
/// The farthest that a gesture turns, nods or tilts a head, in radians.
pub const GESTURE_RADIANS_MAX: f32 = 0.35;
/// The farthest that a gesture shifts a head, in pixels of a picture 512 pixels high.
pub const GESTURE_PIXELS_MAX: f32 = 40.0;

const NAME_CHARS_MAX: usize = 40;

/// Shapes that part the lips. No gesture has them: lips that part are speech, and speech is what is charged.
const PARTS_LIPS: [&str; 7] = [
    "jawOpen",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "mouthRollLower",
    "tongueOut",
];

/// A short movement of head and face.
#[derive(Debug, Clone, PartialEq)]
pub struct Gesture {
    /// Its name, as used in the API: 1 to 40 lower-case letters, digits and hyphens.
    pub name: String,
    /// How long it takes in milliseconds, without the time that it is held for; at most [`GESTURE_MS_MAX`].
    pub duration_ms: u32,
    /// Where it stops until it is released, in milliseconds from its start. All channels have a key there.
    pub hold_at_ms: Option<u32>,
    /// What moves; each axis at most once.
    pub channels: Vec<Channel>,
}

/// How one axis moves.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// What moves.
    pub axis: Axis,
    /// Where it is when; the first at 0 ms, ascending, 2 to [`KEYS_MAX`].
    pub keys: Vec<Key>,
}

/// Where a channel is at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// Milliseconds from the start of the gesture.
    pub at_ms: u32,
    /// Radians for turns of the head, pixels of a picture 512 pixels high for its shifts, 0 to 1 for blendshapes; added to
    /// what the head does anyway, the stronger of the two for blendshapes.
    pub value: f32,
}

/// What is wrong with a gesture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("gesture `{gesture}`: {what}")]
pub struct GestureFault {
    /// The gesture's name, with control characters replaced.
    pub gesture: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl Gesture {
    /// Checks everything that is said above.
    ///
    /// # Errors
    /// Names the gesture, and the first thing that is wrong with it.
    pub fn check(&self) -> Result<(), GestureFault> {
        self.fault().map_or(Ok(()), |what| Err(GestureFault { gesture: super::error::printable(&self.name), what }))
    }

    fn fault(&self) -> Option<String> {
        let says = |what: &str| Some(what.to_owned());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || self.name.len() > NAME_CHARS_MAX || !self.name.chars().all(plain) {
            return says("a name must be 1 to 40 lower-case letters, digits or hyphens");
        }
        if self.duration_ms == 0 || self.duration_ms > GESTURE_MS_MAX {
            return says("duration_ms must be from 1 to 10000");
        }
        if self.hold_at_ms.is_some_and(|at_ms| at_ms == 0 || at_ms > self.duration_ms) {
            return says("hold.at_ms must be after the start and not after the end");
        }
        if self.channels.is_empty() {
            return says("there must be at least one channel");
        }
        let mut seen: Vec<Axis> = Vec::with_capacity(self.channels.len());
        for channel in &self.channels {
            let name = channel.axis.name();
            if seen.contains(&channel.axis) {
                return Some(format!("channel `{name}` is there twice"));
            }
            seen.push(channel.axis);
            if let Some(what) = self.fault_of(channel) {
                return Some(format!("channel `{name}` {what}"));
            }
        }
        None
    }

    fn fault_of(&self, channel: &Channel) -> Option<&'static str> {
        let keys = &channel.keys;
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return Some("has no keys") };
        if keys.len() < 2 || keys.len() > KEYS_MAX {
            return Some("must have 2 to 64 keys");
        }
        let ascends = first.at_ms == 0 && keys.windows(2).all(|pair| pair[0].at_ms < pair[1].at_ms);
        if !ascends || last.at_ms > self.duration_ms {
            return Some("must have its first key at 0 and ascending times that end within duration_ms");
        }
        if Axis::named(channel.axis.name()).is_none() {
            return Some("is of a shape that there is not");
        }
        if PARTS_LIPS.contains(&channel.axis.name()) {
            return Some("parts the lips: only speech may");
        }
        let (least, most, limits) = match channel.axis {
            Axis::Blendshape(_) => (0.0, 1.0, "must have values from 0 to 1"),
            Axis::Yaw | Axis::Pitch | Axis::Roll => {
                (-GESTURE_RADIANS_MAX, GESTURE_RADIANS_MAX, "must have values from -0.35 to 0.35 radians")
            }
            Axis::X | Axis::Y => (-GESTURE_PIXELS_MAX, GESTURE_PIXELS_MAX, "must have values from -40 to 40 pixels"),
        };
        // What is not a number is in no range.
        if !keys.iter().all(|key| (least..=most).contains(&key.value)) {
            return Some(limits);
        }
        if first.value != 0.0 || (last.value != 0.0 && self.hold_at_ms.is_none()) {
            return Some("must begin and end at 0 (it may end elsewhere if the gesture holds)");
        }
        if self.hold_at_ms.is_some_and(|at_ms| keys.iter().all(|key| key.at_ms != at_ms)) {
            return Some("must have a key at hold.at_ms");
        }
        None
    }

    /// Where a channel of this gesture is at a time, in milliseconds from its start; held outside of its keys.
    ///
    /// Between two keys it moves smoothly and stays between them. It stands still at its first and last key, at turning
    /// points and where the gesture holds.
    #[must_use]
    pub fn value_at(&self, channel: &Channel, at_ms: f32) -> f32 {
        let keys = &channel.keys;
        let next = keys.partition_point(|key| key.at_ms as f32 <= at_ms);
        let (Some(from), Some(to)) = (next.checked_sub(1).and_then(|before| keys.get(before)), keys.get(next)) else {
            return if next == 0 { keys.first() } else { keys.last() }.map_or(0.0, |key| key.value);
        };
        let span = (to.at_ms - from.at_ms) as f32;
        let share = (at_ms - from.at_ms as f32) / span;
        let (square, cube) = (share * share, share * share * share);
        let from_slope = slope_at(keys, next - 1, self.hold_at_ms) * span;
        let to_slope = slope_at(keys, next, self.hold_at_ms) * span;
        (2.0 * cube - 3.0 * square + 1.0) * from.value
            + (cube - 2.0 * square + share) * from_slope
            + (3.0 * square - 2.0 * cube) * to.value
            + (cube - square) * to_slope
    }
}

/// How steep a channel is at one of its keys, per millisecond: such that it stays between its keys (F. N. Fritsch and
/// J. Butland, "A method for constructing local monotone piecewise cubic interpolants", 1984).
fn slope_at(keys: &[Key], index: usize, hold_at_ms: Option<u32>) -> f32 {
    let is_held = hold_at_ms == Some(keys[index].at_ms);
    let (Some(before), Some(after)) = (index.checked_sub(1).map(|before| keys[before]), keys.get(index + 1)) else {
        return 0.0;
    };
    let here = keys[index];
    let (left, right) = ((here.at_ms - before.at_ms) as f32, (after.at_ms - here.at_ms) as f32);
    let (rise, next_rise) = ((here.value - before.value) / left, (after.value - here.value) / right);
    if is_held || rise * next_rise <= 0.0 {
        return 0.0;
    }
    let (weight, next_weight) = (2.0 * right + left, right + 2.0 * left);
    (weight + next_weight) / (weight / rise + next_weight / next_rise)
}

impl Axis {
    /// Its name in manifests: an ARKit name, or `head.` and the axis; `no blendshape` for an index that there is not.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Blendshape(index) => BLENDSHAPES.get(index).copied().unwrap_or("no blendshape"),
            Self::Yaw => "head.yaw",
            Self::Pitch => "head.pitch",
            Self::Roll => "head.roll",
            Self::X => "head.x",
            Self::Y => "head.y",
        }
    }

    /// The axis of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let head = [Self::Yaw, Self::Pitch, Self::Roll, Self::X, Self::Y];
        let of_head = head.into_iter().find(|axis| axis.name() == name);
        of_head.or_else(|| blendshape(name).map(Self::Blendshape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(keys: &[(u32, f32)]) -> Gesture {
        let keys = keys.iter().map(|&(at_ms, value)| Key { at_ms, value }).collect();
        let channel = Channel { axis: Axis::Pitch, keys };
        Gesture { name: "wave".to_owned(), duration_ms: 1_000, hold_at_ms: None, channels: vec![channel] }
    }

    #[test]
    fn a_channel_meets_its_keys_and_stays_between_them_without_a_jerk() {
        let gesture = wave(&[(0, 0.0), (200, 0.1), (500, -0.2), (600, -0.21), (1_000, 0.0)]);
        gesture.check().expect("a good gesture");
        let channel = &gesture.channels[0];
        let at = |ms: f32| gesture.value_at(channel, ms);
        for key in &channel.keys {
            assert!((at(key.at_ms as f32) - key.value).abs() < 1e-6, "{key:?}");
        }
        for pair in channel.keys.windows(2) {
            let (low, high) = (pair[0].value.min(pair[1].value), pair[0].value.max(pair[1].value));
            for step in 0..=100 {
                let ms = pair[0].at_ms as f32 + (pair[1].at_ms - pair[0].at_ms) as f32 * step as f32 / 100.0;
                assert!((low - 1e-6..=high + 1e-6).contains(&at(ms)), "{} at {ms}", at(ms));
            }
        }
        // Its speed changes little from one millisecond to the next, across keys too.
        let speed = |ms: f32| at(ms + 1.0) - at(ms);
        let jerk = (0..1_000).map(|ms| (speed(ms as f32 + 1.0) - speed(ms as f32)).abs()).fold(0.0, f32::max);
        assert!(jerk < 1.5e-4, "{jerk}");
        assert!(at(-5.0).abs() < 1e-9 && at(5_000.0).abs() < 1e-9);
    }

    #[test]
    fn a_gesture_stands_still_where_it_holds() {
        let mut gesture = wave(&[(0, 0.0), (300, 0.1), (600, 0.2), (1_000, 0.3)]);
        gesture.hold_at_ms = Some(300);
        gesture.check().expect("one that holds may end elsewhere");
        let at = |ms: f32| gesture.value_at(&gesture.channels[0], ms);
        assert!((at(299.0) - at(300.0)).abs() < 1e-5 && (at(301.0) - at(300.0)).abs() < 1e-5);
        assert!((at(599.0) - at(600.0)).abs() > 1e-4, "elsewhere it goes on");
    }
}
