//! Performances under a clock that the tests turn.

mod gestures;
mod tenure;

use std::sync::Arc;
use std::time::{Duration, Instant};

use footlight_avatar::bundle::Catalogue;
use footlight_session::slice::{MOST_ROOM, SliceGate};
use footlight_session::{AccountId, SessionId, UtteranceId, WhenUnwatched};
use parking_lot::Mutex;
use uuid::Uuid;

use super::{Backstage, Pace, Performer};
use crate::bounds::AudioBounds;
use crate::event::StageEvent;
use crate::library::Library;
use crate::outlet::Port;
use crate::performance::{Command, Shared, UTTERANCES_MAX};
use crate::scene::CameraPool;
use crate::stats::WorkerStats;
use crate::worker::PerformerKey;
use crate::{
    Outlet, OutletKind, PerformanceSpec, RendererKind, SpeakMode, StageError, StageOptions, Tenure, Unit, Utterance,
};

/// One performer, mostly one that draws nothing, and its time.
struct Rehearsal {
    performer: Performer,
    backstage: Backstage,
    shared: Arc<Shared>,
    gate: Arc<SliceGate>,
    told: Arc<Mutex<Vec<StageEvent>>>,
    pace: Pace,
    now: Instant,
    outlets: u64,
}

impl Rehearsal {
    fn new(fps: u32) -> Self {
        Self::of(fps, |shared| shared)
    }

    fn of(fps: u32, change: impl FnOnce(Shared) -> Shared) -> Self {
        Self::drawn_by(RendererKind::Null, fps, change)
    }

    fn drawn_by(renderer: RendererKind, fps: u32, change: impl FnOnce(Shared) -> Shared) -> Self {
        let now = Instant::now();
        let errands = crossbeam_channel::unbounded().0;
        let shared =
            Arc::new(change(Shared::new(PerformerKey(0), errands, AudioBounds::of_tests(), now, Tenure::forever())));
        let options = StageOptions { renderer, ..StageOptions::default() };
        let library = Arc::new(Library::new(&options, Catalogue::default()).expect("what ships is whole"));
        let spec = PerformanceSpec {
            session: SessionId(Uuid::nil()),
            account: AccountId(Uuid::nil()),
            avatar: "ada".into(),
            fps,
            width: 64,
            height: 64,
            background: None,
            when_unwatched: WhenUnwatched::Wait,
        };
        let stand = library.stand(&spec).expect("what ships can be drawn");
        let gate = Arc::new(SliceGate::new(0));
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = {
            let told = Arc::clone(&told);
            Arc::new(move |event| told.lock().push(event))
        };
        let performer = Performer::new(Arc::clone(&shared), spec, Arc::clone(&gate), sink, stand, &library);
        let stats = Arc::new(WorkerStats::default());
        let backstage = Backstage { library, cameras: CameraPool::default(), stats };
        Self { performer, backstage, shared, gate, told, pace: Pace::Asleep, now, outlets: 0 }
    }

    fn obey(&mut self, command: Command) {
        self.pace = self.performer.obey(command, self.now, &mut self.backstage).expect("nothing breaks");
    }

    fn attach(&mut self, kind: OutletKind, max_queued: usize) -> Outlet {
        self.outlets += 1;
        let (port, outlet) = Port::open(self.outlets, kind, max_queued, Arc::clone(&self.shared));
        self.obey(Command::Attach(port));
        outlet
    }

    fn speak_ms(&mut self, ms: usize) -> UtteranceId {
        let id = UtteranceId(Uuid::now_v7());
        let audio: Arc<[i16]> = vec![1_000; ms * 48].into();
        self.shared.enter().expect("there is room");
        let mut claim = self.shared.bounds.claim();
        self.shared.reserve(audio.len() as u64, &mut claim).expect("there is room");
        self.obey(Command::Speak { utterance: Utterance { id, audio }, mode: SpeakMode::Append, claim });
        id
    }

    /// Performs every frame that comes due within `time`, each on time.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Pace::At(due) = self.pace
            && due < end
        {
            self.now = self.now.max(due);
            self.pace = self.performer.tick(self.now, &mut self.backstage).expect("nothing breaks");
        }
        self.now = end;
    }

    /// Time passes and the worker is not there.
    fn stand_still(&mut self, time: Duration) {
        self.now += time;
    }

    fn take_told(&self) -> Vec<StageEvent> {
        std::mem::take(&mut self.told.lock())
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn active_frames(outlet: &mut Outlet) -> usize {
    std::iter::from_fn(|| outlet.try_next()).filter(|unit| matches!(unit, Unit::Video(unit) if unit.active)).count()
}

#[test]
fn a_worker_that_stood_still_goes_on_in_the_present_and_loses_no_speech() {
    let mut rehearsal = Rehearsal::new(25);
    rehearsal.gate.set_limit(MOST_ROOM);
    let mut outlet = rehearsal.attach(OutletKind::Live, 1_000);
    rehearsal.speak_ms(1_000);
    rehearsal.run(ms(400));
    rehearsal.stand_still(ms(2_000));
    rehearsal.run(ms(1));
    let before = rehearsal.gate.used();
    assert!(before <= 12, "no burst: {before} frames");
    rehearsal.run(ms(1_000));
    assert_eq!(rehearsal.gate.used(), 25, "every frame of the second was spoken");
    assert_eq!(rehearsal.shared.stalls.load(std::sync::atomic::Ordering::Relaxed), 50);

    let units: Vec<Unit> = std::iter::from_fn(|| outlet.try_next()).collect();
    let jumps: Vec<_> = units
        .iter()
        .filter_map(|unit| if let Unit::Video(unit) = unit { Some(unit) } else { None })
        .filter(|unit| unit.discontinuity)
        .collect();
    assert_eq!(jumps.len(), 1, "the jump in time is marked");
    for (picture, sound) in pairs(&units) {
        assert_eq!(picture, sound, "picture and sound jump together");
    }
}

/// The media times of each picture and of the first packet that came with it, at 25 frames a second.
fn pairs(units: &[Unit]) -> Vec<(u64, u64)> {
    units
        .windows(2)
        .filter(|pair| matches!(pair, [Unit::Video(_), Unit::Audio(_)]))
        .map(|pair| (pair[0].pts_us(), pair[1].pts_us()))
        .collect()
}

#[test]
fn an_outlet_that_reads_nothing_is_nobody_until_it_reads_again() {
    let mut rehearsal = Rehearsal::new(25);
    rehearsal.gate.set_limit(MOST_ROOM);
    let mut outlet = rehearsal.attach(OutletKind::Live, 30);
    let id = rehearsal.speak_ms(10_000);
    rehearsal.run(ms(5_000));
    assert_eq!(rehearsal.gate.used(), 10, "three units a frame: the queue of thirty was full after ten");
    assert!(rehearsal.take_told().contains(&StageEvent::Watched(false)));
    assert_eq!(active_frames(&mut outlet), 10);

    rehearsal.run(ms(100));
    assert!(rehearsal.take_told().contains(&StageEvent::Watched(true)));
    let mut read = 10;
    for _ in 0..200 {
        rehearsal.run(ms(100));
        read += active_frames(&mut outlet);
    }
    assert_eq!(rehearsal.gate.used(), read as u64, "every frame that was charged was read");
    assert!(read > 180, "what was not spoken to nobody is spoken now: {read}");
    assert!(rehearsal.take_told().iter().any(
        |event| matches!(event, StageEvent::UtteranceEnded { utterance, position_ms: 10_000, .. } if *utterance == id)
    ));
}

#[test]
fn a_shut_gate_stops_speech_at_once() {
    let mut rehearsal = Rehearsal::new(25);
    rehearsal.gate.set_limit(MOST_ROOM);
    let mut outlet = rehearsal.attach(OutletKind::Live, 1_000);
    rehearsal.speak_ms(1_000);
    rehearsal.run(ms(400));
    let used = rehearsal.gate.shut();
    rehearsal.run(ms(2_000));
    assert_eq!((rehearsal.gate.used(), active_frames(&mut outlet) as u64), (used, used));
    assert!(!rehearsal.take_told().contains(&StageEvent::WantsToSpeak), "a session that is over asks for nothing");
}

#[test]
fn a_wish_to_speak_is_told_before_the_next_frame() {
    let mut rehearsal = Rehearsal::new(20);
    let _outlet = rehearsal.attach(OutletKind::Live, 1_000);
    rehearsal.take_told();
    rehearsal.speak_ms(100);
    assert_eq!(rehearsal.take_told(), [StageEvent::WantsToSpeak]);
    rehearsal.run(ms(500));
    assert_eq!(rehearsal.take_told(), []);
}

#[test]
fn events_of_an_utterance_come_in_order() {
    let mut rehearsal = Rehearsal::new(50);
    rehearsal.gate.set_slice(4, 3);
    let outlet = rehearsal.attach(OutletKind::Live, 1_000);
    let utterance = rehearsal.speak_ms(100);
    rehearsal.run(ms(300));
    rehearsal.gate.set_limit(9);
    rehearsal.run(ms(300));
    drop(outlet);
    rehearsal.run(ms(300));
    use StageEvent::{AskNow, FellSilent, SliceSpent, StartedSpeaking, UtteranceEnded, UtteranceStarted, Watched};
    let outcome = crate::UtteranceOutcome::Completed;
    assert_eq!(
        rehearsal.take_told(),
        [
            Watched(true),
            StartedSpeaking,
            UtteranceStarted { utterance, generation: 0, units: 0 },
            AskNow,
            SliceSpent,
            StartedSpeaking,
            UtteranceEnded { utterance, position_ms: 100, outcome },
            FellSilent,
            Watched(false)
        ]
    );
    assert_eq!(rehearsal.pace, Pace::Asleep, "nobody watches and nothing waits");
}

#[test]
fn at_every_rate_speech_begins_and_goes_on_where_a_packet_begins() {
    for fps in [20, 25, 30, 50] {
        let mut rehearsal = Rehearsal::new(fps);
        let mut outlet = rehearsal.attach(OutletKind::Live, 10_000);
        rehearsal.speak_ms(3_000);
        for slice in [1, 2, 4, 7, 11, 16] {
            rehearsal.run(ms(130));
            rehearsal.gate.set_limit(slice);
            rehearsal.run(ms(700));
        }
        let mut was_active = false;
        for unit in std::iter::from_fn(|| outlet.try_next()) {
            if let Unit::Video(unit) = unit {
                let begins = unit.active && !std::mem::replace(&mut was_active, unit.active);
                assert!(!begins || unit.pts_us % 20_000 == 0, "{} us at {fps} fps", unit.pts_us);
            }
        }
        assert_eq!(rehearsal.gate.used(), 16, "{fps} fps");
    }
}

#[test]
fn a_recording_that_joins_in_the_middle_of_speech_or_loses_a_unit_goes_on_within_a_second() {
    let mut rehearsal = Rehearsal::new(25);
    rehearsal.gate.set_limit(MOST_ROOM);
    let mut watching = rehearsal.attach(OutletKind::Live, 1_000);
    rehearsal.speak_ms(8_000);
    rehearsal.run(ms(1_500));
    let mut recording = rehearsal.attach(OutletKind::ActiveOnly, 30);
    rehearsal.run(ms(1_100));
    let joined = active_frames(&mut recording);
    assert!(joined > 0, "it joined in the middle of the utterance");
    // Its queue holds ten frames: it loses some of these.
    rehearsal.run(ms(1_500));
    assert_eq!(active_frames(&mut recording), 10);
    rehearsal.run(ms(1_100));
    assert!(active_frames(&mut recording) > 0, "it goes on before the utterance is over");
    assert!(active_frames(&mut watching) > 100);
}

#[test]
fn a_recording_that_reads_nothing_holds_speech_as_any_other_outlet_does() {
    let mut rehearsal = Rehearsal::new(25);
    rehearsal.gate.set_limit(MOST_ROOM);
    let mut recording = rehearsal.attach(OutletKind::ActiveOnly, 30);
    let id = rehearsal.speak_ms(10_000);
    rehearsal.run(ms(20_000));
    assert_eq!(rehearsal.gate.used(), 10);
    let told = rehearsal.take_told();
    assert!(told.contains(&StageEvent::Watched(false)), "{told:?}");
    let over = |event: &StageEvent| matches!(event, StageEvent::UtteranceEnded { utterance, .. } if *utterance == id);
    assert!(!told.iter().any(over), "what nobody takes is not said");
    let mut read = active_frames(&mut recording);
    for _ in 0..200 {
        rehearsal.run(ms(100));
        read += active_frames(&mut recording);
    }
    assert_eq!(rehearsal.gate.used(), read as u64, "every frame that was charged was recorded");
    assert!(read > 180, "{read}");
}

#[test]
fn what_follows_a_performance_that_broke_goes_on_in_its_time_and_after_its_generations() {
    let mut former = Rehearsal::new(25);
    let mut outlet = former.attach(OutletKind::Live, 1_000);
    former.run(ms(2_000));
    let (reply, _answer) = tokio::sync::oneshot::channel();
    former.obey(Command::Interrupt { reply });
    // What waited is purged; the loop goes on at its next key frame.
    former.run(ms(3_000));
    let last = std::iter::from_fn(|| outlet.try_next()).last().expect("it was watched");

    let mut sequel = Rehearsal::of(25, |shared| shared.after(&former.shared));
    sequel.now = former.now + ms(300);
    let mut outlet = sequel.attach(OutletKind::Live, 1_000);
    sequel.run(ms(500));
    let units: Vec<Unit> = std::iter::from_fn(|| outlet.try_next()).collect();
    let Some(Unit::Video(first)) = units.first() else { panic!("a picture comes first: {units:?}") };
    assert!(first.idr && first.discontinuity);
    assert_eq!((last.generation(), first.generation), (1, 2));
    let gap = first.pts_us - last.pts_us();
    assert!((300_000..=400_000).contains(&gap), "media time kept pace with time: {gap} us");
}

#[test]
fn only_so_many_utterances_wait_and_their_places_are_given_back() {
    let mut rehearsal = Rehearsal::new(25);
    for _ in 0..UTTERANCES_MAX {
        rehearsal.speak_ms(1);
    }
    assert!(matches!(rehearsal.shared.enter(), Err(StageError::TooManyUtterances { limit: UTTERANCES_MAX })));
    let (reply, _answer) = tokio::sync::oneshot::channel();
    rehearsal.obey(Command::Interrupt { reply });
    for _ in 0..UTTERANCES_MAX {
        rehearsal.speak_ms(1);
    }
}
