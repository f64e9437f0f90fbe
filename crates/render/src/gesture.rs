//! Gestures over a pose: what a head and face do beside living and speaking.

use std::ops::RangeInclusive;

use footlight_avatar::Weights;
use footlight_avatar::bundle::parts::Axis;
use footlight_avatar::bundle::{GESTURE_PIXELS_MAX, GESTURE_RADIANS_MAX, Gesture};
use footlight_avatar::face::shapes::index_of;

use crate::Pose;

/// The shapes of jaw, lips and tongue, but for the last of them.
const MOUTH: RangeInclusive<usize> = index_of("jawForward")..=index_of("mouthUpperUpRight");
const TONGUE_OUT: usize = index_of("tongueOut");

/// Whose the mouth is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mouth {
    /// Nothing is said: a gesture may smile.
    Free,
    /// Speech moves it, and nothing else does.
    Speaking,
}

/// What a gesture adds at a time in milliseconds from its start; nothing outside of it.
#[must_use]
pub fn offset_at(gesture: &Gesture, at_ms: f32) -> Pose {
    let mut offset = Pose::NEUTRAL;
    for channel in &gesture.channels {
        let value = gesture.value_at(channel, at_ms);
        match channel.axis {
            Axis::Blendshape(index) => offset.weights.0[index] = value,
            Axis::Yaw => offset.head.yaw = value,
            Axis::Pitch => offset.head.pitch = value,
            Axis::Roll => offset.head.roll = value,
            Axis::X => offset.head.x = value,
            Axis::Y => offset.head.y = value,
        }
    }
    offset
}

/// Lays what a gesture adds over what the face does anyway: the head goes from where it is, and a shape that both move
/// takes the stronger. No sum goes farther than a gesture alone may.
#[must_use]
pub fn lay_over(pose: &Pose, offset: &Pose, mouth: Mouth) -> Pose {
    let turn = |is: f32, more: f32| (is + more).clamp(-GESTURE_RADIANS_MAX, GESTURE_RADIANS_MAX);
    let shift = |is: f32, more: f32| (is + more).clamp(-GESTURE_PIXELS_MAX, GESTURE_PIXELS_MAX);
    let mut pose = *pose;
    let (head, more) = (&mut pose.head, offset.head);
    head.yaw = turn(head.yaw, more.yaw);
    head.pitch = turn(head.pitch, more.pitch);
    head.roll = turn(head.roll, more.roll);
    head.x = shift(head.x, more.x);
    head.y = shift(head.y, more.y);
    let Weights(weights) = &mut pose.weights;
    for (index, (weight, more)) in weights.iter_mut().zip(offset.weights.0).enumerate() {
        let is_mouth = MOUTH.contains(&index) || index == TONGUE_OUT;
        if mouth == Mouth::Free || !is_mouth {
            *weight = weight.max(more.clamp(0.0, 1.0));
        }
    }
    pose
}

#[cfg(test)]
mod tests {
    use footlight_avatar::bundle::{Channel, Key};
    use footlight_avatar::face::shapes::{JAW_OPEN, MOUTH_CLOSE, MOUTH_SMILE};

    use super::*;

    const BLINK: usize = index_of("eyeBlinkLeft");

    fn wink() -> Gesture {
        let channel = |axis, peak| Channel {
            axis,
            keys: [(0, 0.0), (100, peak), (200, 0.0)].map(|(at_ms, value)| Key { at_ms, value }).to_vec(),
        };
        Gesture {
            name: "wink".to_owned(),
            duration_ms: 200,
            hold_at_ms: None,
            channels: vec![
                channel(Axis::Blendshape(BLINK), 1.0),
                channel(Axis::Blendshape(MOUTH_SMILE[0]), 0.5),
                channel(Axis::Blendshape(MOUTH_CLOSE), 1.0),
                channel(Axis::Roll, 0.1),
            ],
        }
    }

    #[test]
    fn a_gesture_adds_to_the_head_and_the_stronger_shape_counts() {
        let mut pose = Pose::NEUTRAL;
        pose.head.roll = 0.02;
        pose.weights.0[BLINK] = 0.3;
        pose.weights.0[MOUTH_SMILE[0]] = 0.8;
        let offset = offset_at(&wink(), 100.0);
        let laid = lay_over(&pose, &offset, Mouth::Free);
        assert!((laid.head.roll - 0.12).abs() < 1e-6);
        assert!((laid.weights.0[BLINK] - 1.0).abs() < 1e-6 && (laid.weights.0[MOUTH_SMILE[0]] - 0.8).abs() < 1e-6);
        assert_eq!(lay_over(&pose, &offset_at(&wink(), 200.0), Mouth::Free), pose, "in the end nothing is left of it");
        assert_eq!(offset_at(&wink(), 0.0), Pose::NEUTRAL);
    }

    #[test]
    fn speech_keeps_the_mouth_whatever_a_gesture_wants() {
        let mut pose = Pose::NEUTRAL;
        pose.weights.0[JAW_OPEN] = 0.6;
        let laid = lay_over(&pose, &offset_at(&wink(), 100.0), Mouth::Speaking);
        let mut expected = pose;
        expected.weights.0[BLINK] = 1.0;
        expected.head.roll = 0.1;
        assert_eq!(laid, expected, "lids and head move, lips do not");
    }

    #[test]
    fn no_sum_goes_farther_than_a_gesture_may() {
        let mut pose = Pose::NEUTRAL;
        pose.head.yaw = 0.3;
        pose.head.x = -30.0;
        let mut offset = pose;
        offset.weights.0[BLINK] = 7.0;
        let laid = lay_over(&pose, &offset, Mouth::Free);
        assert!((laid.head.yaw - GESTURE_RADIANS_MAX).abs() < 1e-6);
        assert!((laid.head.x + GESTURE_PIXELS_MAX).abs() < 1e-6);
        assert!((laid.weights.0[BLINK] - 1.0).abs() < 1e-6);
    }
}
