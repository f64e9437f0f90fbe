//! One performance's gestures: the newest plays, blended over the one before.

use std::sync::Arc;

use footlight_avatar::bundle::Gesture;
use footlight_render::{Pose, gesture};

use crate::blend::Blend;

/// From a gesture into the one that takes its place.
const INTO_ANOTHER_MS: u32 = 150;
/// From a gesture that does not end at nothing to nothing.
const AWAY_MS: u32 = 250;

/// The longest that a gesture is held: while it is, a node draws pictures that nobody pays for.
const HOLD_MAX_MS: u32 = 30_000;

/// What gestures add to a performance's poses.
pub(super) struct Gesturing {
    fps: u32,
    playing: Option<Playing>,
    blend: Blend,
    /// What was added last.
    added: Pose,
    /// The one that was asked for last, until its first frame was shown and told.
    begun: Option<Arc<Gesture>>,
}

struct Playing {
    gesture: Arc<Gesture>,
    /// Frames since it began, but for those that it was held for.
    frame: u32,
    held_frames: u32,
    /// It does not hold, or not any more.
    released: bool,
}

impl Gesturing {
    pub(super) fn new(fps: u32) -> Self {
        Self { fps, playing: None, blend: Blend::NONE, added: Pose::NEUTRAL, begun: None }
    }

    /// Begins with the next frame; what plays now makes way.
    pub(super) fn begin(&mut self, gesture: Arc<Gesture>) {
        self.blend = if self.is_over() { Blend::NONE } else { Blend::from(self.added, INTO_ANOTHER_MS, self.fps) };
        let released = gesture.hold_at_ms.is_none();
        self.playing = Some(Playing { gesture: Arc::clone(&gesture), frame: 0, held_frames: 0, released });
        self.begun = Some(gesture);
    }

    /// One that holds goes on to its end.
    pub(super) fn release(&mut self) {
        if let Some(playing) = &mut self.playing {
            playing.released = true;
        }
    }

    /// Nothing of it is left.
    pub(super) fn drop_all(&mut self) {
        *self = Self::new(self.fps);
    }

    /// What is added to the next frame; `None` when there is nothing.
    pub(super) fn next(&mut self) -> Option<Pose> {
        let played = self.playing.as_mut().and_then(|playing| playing.next(self.fps));
        if played.is_none() && self.playing.take().is_some() && self.added != Pose::NEUTRAL {
            self.blend = Blend::from(self.added, AWAY_MS, self.fps);
        }
        if self.is_over() {
            self.added = Pose::NEUTRAL;
            return None;
        }
        self.added = self.blend.apply(&played.unwrap_or(Pose::NEUTRAL));
        Some(self.added)
    }

    /// The gesture whose first frame was just made, once.
    pub(super) fn take_begun(&mut self) -> Option<Arc<Gesture>> {
        let has_begun = self.playing.as_ref().is_none_or(|playing| playing.frame > 0);
        if has_begun { self.begun.take() } else { None }
    }

    fn is_over(&self) -> bool {
        self.playing.is_none() && self.blend.is_over()
    }
}

impl Playing {
    /// What it adds to its next frame; `None` once it is over.
    fn next(&mut self, fps: u32) -> Option<Pose> {
        let ms = |frames: u32| frames as f32 * 1000.0 / fps as f32;
        let frame = self.frame + 1;
        if let Some(hold_at_ms) = self.gesture.hold_at_ms.filter(|_| !self.released)
            && ms(frame) >= hold_at_ms as f32
        {
            self.held_frames += 1;
            self.released = u64::from(self.held_frames) * 1000 >= u64::from(HOLD_MAX_MS) * u64::from(fps);
            self.frame = self.frame.max(1);
            return Some(gesture::offset_at(&self.gesture, hold_at_ms as f32));
        }
        // Its last frame is the one that reaches its end.
        if ms(self.frame) >= self.gesture.duration_ms as f32 {
            return None;
        }
        self.frame = frame;
        Some(gesture::offset_at(&self.gesture, ms(frame)))
    }
}

#[cfg(test)]
mod tests {
    use footlight_avatar::bundle::parts::Axis;
    use footlight_avatar::bundle::{Channel, Key};

    use super::*;

    const FPS: u32 = 50;

    fn pitch(name: &str, keys: &[(u32, f32)], hold_at_ms: Option<u32>) -> Arc<Gesture> {
        let keys: Vec<Key> = keys.iter().map(|&(at_ms, value)| Key { at_ms, value }).collect();
        let gesture = Gesture {
            name: name.to_owned(),
            duration_ms: keys[keys.len() - 1].at_ms,
            hold_at_ms,
            channels: vec![Channel { axis: Axis::Pitch, keys }],
        };
        gesture.check().expect("a good gesture");
        Arc::new(gesture)
    }

    /// The pitch of each frame until it is over, at most `frames` of them.
    fn play(gesturing: &mut Gesturing, frames: usize) -> Vec<f32> {
        std::iter::from_fn(|| gesturing.next()).take(frames).map(|offset| offset.head.pitch).collect()
    }

    /// The farthest that two frames, one after the other, are apart.
    fn leap(pitches: &[f32]) -> f32 {
        pitches.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn a_gesture_takes_its_time_and_is_over() {
        let mut gesturing = Gesturing::new(FPS);
        gesturing.begin(pitch("nod", &[(0, 0.0), (400, 0.2), (1_000, 0.0)], None));
        assert!(gesturing.take_begun().is_none(), "it is told when it is seen");
        let pitches = play(&mut gesturing, 1_000);
        assert_eq!(pitches.len(), 50);
        assert!((pitches[19] - 0.2).abs() < 1e-6 && pitches[49].abs() < 1e-6, "{pitches:?}");
        assert!(leap(&pitches) < 0.02, "{pitches:?}");
        assert_eq!(gesturing.take_begun().map(|gesture| gesture.name.clone()).as_deref(), Some("nod"));
        assert!(gesturing.take_begun().is_none(), "once");
    }

    #[test]
    fn the_newest_wins_and_nothing_jumps() {
        let mut gesturing = Gesturing::new(FPS);
        gesturing.begin(pitch("up", &[(0, 0.0), (400, 0.2), (1_000, 0.0)], None));
        let mut pitches = play(&mut gesturing, 20);
        gesturing.begin(pitch("down", &[(0, 0.0), (400, -0.2), (1_000, 0.0)], None));
        pitches.extend(play(&mut gesturing, 1_000));
        assert_eq!(pitches.len(), 20 + 50);
        assert!((pitches[20 + 19] + 0.2).abs() < 1e-6, "after the blend it is where it would be: {pitches:?}");
        assert!(leap(&pitches) < 0.06, "{pitches:?}");
        gesturing.begin(pitch("up", &[(0, 0.0), (400, 0.2), (1_000, 0.0)], None));
        play(&mut gesturing, 20);
        gesturing.drop_all();
        assert!(gesturing.next().is_none() && gesturing.take_begun().is_none());
    }

    #[test]
    fn a_pose_is_held_until_it_is_released_or_thirty_seconds_have_passed() {
        let listen = || pitch("listen", &[(0, 0.0), (500, 0.1), (1_000, 0.0)], Some(500));
        let mut gesturing = Gesturing::new(FPS);
        gesturing.begin(listen());
        let pitches = play(&mut gesturing, 200);
        assert!(pitches[24..].iter().all(|pitch| (pitch - 0.1).abs() < 1e-6), "it holds: {pitches:?}");
        gesturing.release();
        let rest = play(&mut gesturing, 1_000);
        assert!((25..=27).contains(&rest.len()) && leap(&rest) < 0.01 && rest[rest.len() - 1].abs() < 1e-6, "{rest:?}");

        gesturing.begin(listen());
        let frames = play(&mut gesturing, 10_000).len();
        assert!(frames.abs_diff(1_550) <= 2, "thirty seconds and its own: {frames}");
        // Released before it came there it does not hold at all.
        gesturing.begin(listen());
        gesturing.release();
        assert_eq!(play(&mut gesturing, 1_000).len(), 50);
    }

    #[test]
    fn one_that_ends_elsewhere_goes_back_gently() {
        let mut gesturing = Gesturing::new(FPS);
        gesturing.begin(pitch("bow", &[(0, 0.0), (500, -0.2)], Some(500)));
        let mut pitches = play(&mut gesturing, 60);
        gesturing.release();
        pitches.extend(play(&mut gesturing, 1_000));
        assert!(leap(&pitches) < 0.03, "{pitches:?}");
        assert!(pitches[pitches.len() - 1].abs() < 0.02, "{pitches:?}");
    }
}
