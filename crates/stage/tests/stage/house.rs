//! What the tests stand on: a stage, a session on it, and ffmpeg to look at what comes out.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use footlight_session::slice::{MOST_ROOM, SliceGate};
use footlight_session::{AccountId, SessionId, UtteranceId, WhenUnwatched};
use footlight_stage::{
    Outlet, OutletKind, OutletOptions, Performance, PerformanceSpec, RendererKind, SpeakMode, Stage, StageEvent,
    StageOptions, Unit, Utterance, VideoUnit, ear,
};
use uuid::Uuid;

/// One stage for all tests: starting one measures nothing and shares no session.
pub(crate) fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| Stage::start(StageOptions::default()).expect("the shipped parts are whole"))
}

/// A stage that draws nothing.
pub(crate) fn null_stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| {
        Stage::start(StageOptions { renderer: RendererKind::Null, ..StageOptions::default() }).expect("nothing to load")
    })
}

/// Shipped speech, 48 kHz mono.
pub(crate) fn speech(name: &str) -> Arc<[i16]> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/speech").join(name);
    let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    ear::decode(file.into(), None, 60).expect("shipped speech is audio")
}

/// A small picture: what is tested is not its beauty.
pub(crate) fn spec(fps: u32) -> PerformanceSpec {
    PerformanceSpec {
        session: SessionId(Uuid::now_v7()),
        account: AccountId(Uuid::nil()),
        avatar: "ada".into(),
        fps,
        width: 96,
        height: 96,
        background: None,
        when_unwatched: WhenUnwatched::Wait,
    }
}

/// One performance with its gate and what it told.
pub(crate) struct Show {
    pub(crate) performance: Performance,
    pub(crate) gate: Arc<SliceGate>,
    pub(crate) events: Receiver<StageEvent>,
}

impl Show {
    /// Opens a performance whose gate has no room.
    pub(crate) fn open(stage: &Stage, spec: PerformanceSpec) -> Self {
        let gate = Arc::new(SliceGate::new(0));
        let (sender, events) = channel();
        let sink = move |event| {
            let _ = sender.send(event);
        };
        let performance = stage.open(spec, Arc::clone(&gate), Arc::new(sink)).expect("the spec is possible");
        Self { performance, gate, events }
    }

    /// Lets it speak without end.
    pub(crate) fn unlimited(self) -> Self {
        self.gate.set_limit(MOST_ROOM);
        self
    }

    /// Attaches an outlet that holds all of a test: a machine that is busy with other tests must lose nothing.
    pub(crate) fn attach(&self) -> Outlet {
        self.attach_as(OutletKind::Live)
    }

    pub(crate) fn attach_as(&self, kind: OutletKind) -> Outlet {
        self.performance.attach(OutletOptions { kind, max_queued: Some(4_000) }).expect("it is open")
    }

    pub(crate) fn speak(&self, audio: &Arc<[i16]>) -> UtteranceId {
        let id = UtteranceId(Uuid::now_v7());
        self.performance.speak(Utterance { id, audio: Arc::clone(audio) }, SpeakMode::Append).expect("there is room");
        id
    }

    /// Waits until it tells something that fits.
    pub(crate) fn wait_for(&self, what: &str, fits: impl Fn(&StageEvent) -> bool) -> StageEvent {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut before = Vec::new();
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) if fits(&event) => return event,
                Ok(event) => before.push(event),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no {what}; there were {before:?}")
                }
            }
        }
    }

    pub(crate) fn wait_for_end_of(&self, id: UtteranceId) -> StageEvent {
        self.wait_for(
            "end of the utterance",
            |event| matches!(event, StageEvent::UtteranceEnded { utterance, .. } if *utterance == id),
        )
    }

    /// What it told so far.
    pub(crate) fn told(&self) -> Vec<StageEvent> {
        self.events.try_iter().collect()
    }
}

/// Reads for so long.
pub(crate) fn read_for(outlet: &mut Outlet, time: Duration) -> Vec<Unit> {
    let end = Instant::now() + time;
    let mut units = Vec::new();
    while Instant::now() < end {
        match outlet.try_next() {
            Some(unit) => units.push(unit),
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    units
}

/// Reads until `done` says so, or twenty seconds have passed.
pub(crate) fn read_until(outlet: &mut Outlet, mut done: impl FnMut(&[Unit]) -> bool) -> Vec<Unit> {
    let end = Instant::now() + Duration::from_secs(20);
    let mut units = Vec::new();
    while !done(&units) {
        assert!(Instant::now() < end, "waited for twenty seconds; {} units came", units.len());
        match outlet.try_next() {
            Some(unit) => units.push(unit),
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    units
}

pub(crate) fn videos(units: &[Unit]) -> Vec<&VideoUnit> {
    units.iter().filter_map(|unit| if let Unit::Video(unit) = unit { Some(unit) } else { None }).collect()
}

/// Decodes access units with ffmpeg, strictly, and compares how many pictures come out. Returns their luma, 96 by 96 bytes
/// each; nothing where there is no ffmpeg.
pub(crate) fn assert_decodes(units: &[Unit]) -> Vec<Vec<u8>> {
    let videos = videos(units);
    assert!(videos.first().is_some_and(|unit| unit.idr), "a stream begins with an IDR");
    let mut file = tempfile::Builder::new().suffix(".h264").tempfile().expect("a place for a file");
    for unit in &videos {
        file.write_all(&unit.data).expect("room for a few pictures");
    }
    file.flush().expect("room for a few pictures");
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-xerror", "-err_detect", "explode", "-i"])
        .arg(file.path())
        .args(["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .output();
    let Ok(output) = output else {
        eprintln!("SKIPPED: there is no ffmpeg to decode with; install it to check streams");
        return Vec::new();
    };
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "ffmpeg says: {complaints}");
    let pictures: Vec<Vec<u8>> = output.stdout.chunks_exact(96 * 96).map(<[u8]>::to_vec).collect();
    assert_eq!(pictures.len(), videos.len(), "every access unit is one picture");
    pictures
}

/// How much each picture differs from the one before: the mean difference of luma.
pub(crate) fn changes(pictures: &[Vec<u8>]) -> Vec<f64> {
    let change = |pair: &[Vec<u8>]| {
        let sum: u64 = pair[0].iter().zip(&pair[1]).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / pair[0].len() as f64
    };
    pictures.windows(2).map(change).collect()
}
