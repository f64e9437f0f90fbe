//! Gestures: what they show, what they cost, and what ends them.

use footlight_avatar::bundle::parts::Axis;
use footlight_avatar::bundle::{Channel, Gesture, Key};

use super::*;
use crate::VideoUnit;

fn nod() -> Arc<Gesture> {
    pitch("nod", &[(0, 0.0), (300, -0.1), (600, 0.05), (1_000, 0.0)], None)
}

fn listen() -> Arc<Gesture> {
    pitch("listen", &[(0, 0.0), (400, -0.05), (800, 0.0)], Some(400))
}

fn pitch(name: &str, keys: &[(u32, f32)], hold_at_ms: Option<u32>) -> Arc<Gesture> {
    let keys: Vec<Key> = keys.iter().map(|&(at_ms, value)| Key { at_ms, value }).collect();
    let duration_ms = keys[keys.len() - 1].at_ms;
    let channels = vec![Channel { axis: Axis::Pitch, keys }];
    Arc::new(Gesture { name: name.to_owned(), duration_ms, hold_at_ms, channels })
}

fn started(gesture: &str) -> StageEvent {
    StageEvent::GestureStarted { gesture: gesture.to_owned() }
}

impl Rehearsal {
    fn drawing(fps: u32) -> Self {
        Self::drawn_by(RendererKind::Essence, fps, |shared| shared)
    }

    /// Whether its camera runs.
    fn is_live(&self) -> bool {
        self.performer.scene.can_force_idr()
    }

    fn gesture(&mut self, gesture: Arc<Gesture>) {
        self.obey(Command::Gesture(gesture));
    }

    fn interrupt(&mut self) {
        let (reply, _answer) = tokio::sync::oneshot::channel();
        self.obey(Command::Interrupt { reply });
    }
}

fn pictures(outlet: &mut Outlet) -> Vec<VideoUnit> {
    std::iter::from_fn(|| outlet.try_next())
        .filter_map(|unit| if let Unit::Video(unit) = unit { Some(unit) } else { None })
        .collect()
}

#[test]
fn a_gesture_at_rest_is_seen_and_free_and_then_the_loop_goes_on_exactly() {
    let mut rehearsal = Rehearsal::drawing(25);
    let mut outlet = rehearsal.attach(OutletKind::Live, 10_000);
    rehearsal.run(ms(1_000));
    let before = pictures(&mut outlet).len();
    rehearsal.take_told();
    rehearsal.gesture(nod());
    rehearsal.run(ms(4_000));
    let after = pictures(&mut outlet);
    assert_eq!(rehearsal.take_told(), [started("nod")]);

    let stand = rehearsal.backstage.library.stand(&rehearsal.performer.spec).expect("it was made");
    let of_loop = |index: usize| after[index].data == stand.idle.unit((before + index) as u64).data;
    let live = (0..after.len()).take_while(|&index| !of_loop(index)).count();
    // The gesture's frames, and those until the next group of the loop.
    assert!((25..25 + 12).contains(&live), "{live} live frames");
    assert_eq!((before + live) % 12, 0, "the loop is entered where a group begins");
    assert!((live..after.len()).all(of_loop), "its own units, to the byte");
    assert!(after[0].idr && after[live].idr, "what is not predicted from what was shown begins with an IDR");
    assert_eq!((rehearsal.gate.used(), rehearsal.shared.frames.load(std::sync::atomic::Ordering::Relaxed)), (0, 0));
    assert!(after.iter().all(|unit| !unit.active));
}

#[test]
fn a_gesture_over_speech_counts_the_frames_that_speech_counts() {
    let said = |gestures: &[u64]| {
        let mut rehearsal = Rehearsal::drawing(25);
        rehearsal.gate.set_limit(MOST_ROOM);
        let mut outlet = rehearsal.attach(OutletKind::Live, 10_000);
        rehearsal.run(ms(200));
        rehearsal.speak_ms(2_000);
        let mut now = 0;
        for &at in gestures {
            rehearsal.run(ms(at - now));
            rehearsal.gesture(nod());
            now = at;
        }
        rehearsal.run(ms(6_000 - now));
        assert!(!rehearsal.is_live(), "it has come to rest");
        let told = rehearsal.take_told();
        let units = pictures(&mut outlet);
        (rehearsal.gate.used(), units, told.iter().filter(|event| **event == started("nod")).count())
    };
    let (plain, plain_units, _) = said(&[]);
    // Into speech, in the middle of it, and out of it.
    for gestures in [&[0][..], &[700], &[1_800], &[0, 400, 500, 1_900]] {
        let (frames, units, told) = said(gestures);
        assert_eq!((frames, told), (plain, gestures.len()), "{gestures:?}");
        assert_eq!(units.iter().filter(|unit| unit.active).count() as u64, frames);
        let differs = units.iter().zip(&plain_units).filter(|(a, b)| a.data != b.data).count();
        assert!(differs > 10, "{gestures:?} is seen: {differs}");
    }
    assert_eq!(plain, 50);
}

#[test]
fn a_pose_is_held_until_speech_begins() {
    let mut rehearsal = Rehearsal::new(25);
    rehearsal.gate.set_limit(MOST_ROOM);
    let _outlet = rehearsal.attach(OutletKind::Live, 10_000);
    rehearsal.gesture(listen());
    rehearsal.run(ms(10_000));
    assert!(rehearsal.is_live(), "it holds");
    rehearsal.speak_ms(200);
    rehearsal.run(ms(2_000));
    assert!(!rehearsal.is_live(), "it is over");
    assert_eq!(rehearsal.gate.used(), 5);
}

#[test]
fn a_pose_is_held_until_an_interrupt_or_another_gesture_and_thirty_seconds_at_most() {
    let mut rehearsal = Rehearsal::new(25);
    let _outlet = rehearsal.attach(OutletKind::Live, 10_000);
    rehearsal.gesture(listen());
    rehearsal.run(ms(5_000));
    rehearsal.interrupt();
    rehearsal.run(ms(2_000));
    assert!(!rehearsal.is_live(), "an interrupt releases it");

    rehearsal.gesture(listen());
    rehearsal.run(ms(5_000));
    rehearsal.gesture(nod());
    rehearsal.run(ms(2_000));
    assert!(!rehearsal.is_live(), "another one takes its place");

    rehearsal.gesture(listen());
    rehearsal.run(ms(29_500));
    assert!(rehearsal.is_live());
    rehearsal.run(ms(3_000));
    assert!(!rehearsal.is_live(), "it does not hold for ever");
}

#[test]
fn an_interrupt_leaves_a_gesture_that_does_not_hold() {
    let mut rehearsal = Rehearsal::new(25);
    let _outlet = rehearsal.attach(OutletKind::Live, 10_000);
    rehearsal.gesture(pitch("slow", &[(0, 0.0), (2_000, 0.1), (4_000, 0.0)], None));
    rehearsal.run(ms(500));
    rehearsal.interrupt();
    rehearsal.run(ms(2_500));
    assert!(rehearsal.is_live());
}

#[test]
fn what_nobody_would_see_is_not_played_and_not_made_up_for() {
    let mut rehearsal = Rehearsal::new(25);
    rehearsal.gesture(nod());
    assert_eq!(rehearsal.pace, Pace::Asleep, "nobody watches");
    let outlet = rehearsal.attach(OutletKind::Live, 10_000);
    rehearsal.run(ms(500));
    rehearsal.obey(Command::Pause);
    rehearsal.gesture(nod());
    rehearsal.run(ms(1_000));
    rehearsal.obey(Command::Resume);
    rehearsal.run(ms(3_000));
    let told = rehearsal.take_told();
    assert!(!told.contains(&started("nod")), "{told:?}");

    // Who leaves or pauses in the middle of one ends it.
    rehearsal.gesture(listen());
    rehearsal.run(ms(500));
    rehearsal.obey(Command::Pause);
    rehearsal.run(ms(100));
    rehearsal.obey(Command::Resume);
    rehearsal.run(ms(1_000));
    assert!(!rehearsal.is_live());
    rehearsal.gesture(listen());
    rehearsal.run(ms(500));
    drop(outlet);
    rehearsal.run(ms(100));
    assert_eq!(rehearsal.pace, Pace::Asleep);
    let _outlet = rehearsal.attach(OutletKind::Live, 10_000);
    rehearsal.run(ms(500));
    assert!(!rehearsal.is_live());
    assert_eq!(rehearsal.take_told().iter().filter(|event| **event == started("listen")).count(), 2);
}

#[test]
fn of_gestures_that_come_faster_than_frames_the_newest_is_played_and_told() {
    let mut rehearsal = Rehearsal::new(25);
    let _outlet = rehearsal.attach(OutletKind::Live, 10_000);
    rehearsal.run(ms(500));
    rehearsal.take_told();
    for _ in 0..50 {
        rehearsal.gesture(listen());
        rehearsal.gesture(nod());
    }
    rehearsal.run(ms(3_000));
    assert_eq!(rehearsal.take_told(), [started("nod")]);
}
