//! One session on the stage, as its owner holds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use crossbeam_channel::Sender;
use footlight_avatar::bundle::Gesture;
use tokio::sync::oneshot;

use crate::bounds::AudioBounds;
use crate::live::LiveBuffer;
use crate::outlet::Port;
use crate::room::Claim;
use crate::worker::{Errand, PerformerKey};
use crate::{LiveFeed, Outlet, OutletOptions, StageError, Tenure, UtteranceId};

/// Commands that may wait for one performance. A session gives a few a second; whoever sends more is told to wait.
const COMMANDS_MAX: usize = 64;

/// Utterances that may wait for one performance: an hour of short sentences. Each costs memory and a look per frame,
/// however short it is.
pub(crate) const UTTERANCES_MAX: usize = 1_000;

/// The most characters of an unknown gesture's name that an answer repeats.
const NAME_SHOWN_CHARS: usize = 64;

/// One piece of audio to speak.
#[derive(Debug, Clone)]
pub struct Utterance {
    /// Its name, made by whoever submits it.
    pub id: UtteranceId,
    /// The whole of it: 48 kHz, mono, at least one sample.
    pub audio: Arc<[i16]>,
}

/// An utterance that was begun elsewhere, or not come to, and is said from `from` on.
#[derive(Debug, Clone)]
pub struct Remainder {
    /// The whole utterance: positions go on counting from its first sample.
    pub utterance: Utterance,
    /// The first sample that is to be said; at or beyond its end nothing is.
    pub from: usize,
}

/// What becomes of speech that is already queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpeakMode {
    /// It is spoken first.
    #[default]
    Append,
    /// It is interrupted and dropped.
    Replace,
}

/// The answer to an interrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted {
    /// The generation from now on. No frame of an older one is handed to a live outlet any more.
    pub generation: u32,
    /// How far the interrupted utterance came, in milliseconds of its audio; 0 when nothing was being said.
    pub position_ms: u64,
    /// What was being said.
    pub utterance: Option<UtteranceId>,
}

/// How a performance stands. Cheap: reads a few counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerformanceSnapshot {
    /// Grows by one with each interrupt.
    pub generation: u32,
    /// Active frames so far.
    pub frames: u64,
    /// Frames that came too late or had no audio in the middle of live speech, so far.
    pub stalls: u64,
    /// Where the media clock stands, in microseconds.
    pub media_time_us: u64,
    /// Audio that waits, in milliseconds.
    pub queued_ms: u64,
    /// Outlets attached.
    pub watchers: usize,
    /// Whether active frames flow.
    pub speaking: bool,
}

/// One session on the stage. Clones are the same performance; it closes when the last one is dropped.
///
/// No method blocks: commands go to the performance's worker and wake it.
#[derive(Debug, Clone)]
pub struct Performance {
    owner: Arc<Owner>,
}

/// Closes the performance with its last handle.
#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    gestures: Arc<[Arc<Gesture>]>,
    outlet_queue_units: usize,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.send_always(Command::Close);
    }
}

/// What the worker is told about one performance.
pub(crate) enum Command {
    Speak { utterance: Utterance, mode: SpeakMode, claim: Claim },
    GoOn(Vec<(Remainder, Claim)>),
    SpeakLive { id: UtteranceId, buffer: Arc<LiveBuffer> },
    Interrupt { reply: oneshot::Sender<Interrupted> },
    Gesture(Arc<Gesture>),
    Pause,
    Resume,
    Attach(Port),
    Detach(u64),
    Wake,
    Close,
}

/// What the handle and the performer both see.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) key: PerformerKey,
    errands: Sender<Errand>,
    waiting: AtomicUsize,
    next_outlet: AtomicU64,
    /// Samples that wait, and how many may.
    pub(crate) queued: AtomicU64,
    pub(crate) bounds: AudioBounds,
    /// Utterances that wait or are being said.
    utterances: AtomicUsize,
    /// Media time 0.
    pub(crate) origin: Instant,
    /// It goes on where another one broke.
    pub(crate) is_sequel: bool,
    /// How long anything may be handed out.
    pub(crate) tenure: Tenure,
    pub(crate) generation: AtomicU32,
    pub(crate) frames: AtomicU64,
    pub(crate) stalls: AtomicU64,
    pub(crate) media_time_us: AtomicU64,
    pub(crate) watchers: AtomicUsize,
    pub(crate) speaking: AtomicBool,
    pub(crate) asleep: AtomicBool,
    pub(crate) closed: AtomicBool,
}

impl Shared {
    pub(crate) fn new(
        key: PerformerKey,
        errands: Sender<Errand>,
        bounds: AudioBounds,
        origin: Instant,
        tenure: Tenure,
    ) -> Self {
        Self {
            key,
            errands,
            waiting: AtomicUsize::new(0),
            next_outlet: AtomicU64::new(0),
            queued: AtomicU64::new(0),
            bounds,
            utterances: AtomicUsize::new(0),
            origin,
            is_sequel: false,
            tenure,
            generation: AtomicU32::new(0),
            frames: AtomicU64::new(0),
            stalls: AtomicU64::new(0),
            media_time_us: AtomicU64::new(0),
            watchers: AtomicUsize::new(0),
            speaking: AtomicBool::new(false),
            asleep: AtomicBool::new(true),
            closed: AtomicBool::new(false),
        }
    }

    /// Goes on where `former` broke: the same media clock, and a generation after all of its own.
    pub(crate) fn after(self, former: &Self) -> Self {
        Self {
            origin: former.origin,
            is_sequel: true,
            generation: AtomicU32::new(former.generation.load(Ordering::Acquire) + 1),
            media_time_us: AtomicU64::new(former.media_time_us.load(Ordering::Acquire)),
            ..self
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Takes a place among the utterances.
    pub(crate) fn enter(&self) -> Result<(), StageError> {
        let fits = |waiting: usize| (waiting < UTTERANCES_MAX).then_some(waiting + 1);
        match self.utterances.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) {
            Ok(_) => Ok(()),
            Err(_) => Err(StageError::TooManyUtterances { limit: UTTERANCES_MAX }),
        }
    }

    /// Takes a place even where there is none: for what replaces all that waits, bounded as commands are.
    fn enter_always(&self) {
        self.utterances.fetch_add(1, Ordering::AcqRel);
    }

    /// Gives the place back: the utterance is over.
    pub(crate) fn leave(&self) {
        self.utterances.fetch_sub(1, Ordering::AcqRel);
    }

    /// Sends a command unless too many wait.
    fn send(&self, command: Command) -> Result<(), StageError> {
        if self.is_closed() {
            return Err(StageError::Closed);
        }
        let waiting = self.waiting.load(Ordering::Acquire);
        if waiting >= COMMANDS_MAX {
            return Err(StageError::Busy { waiting });
        }
        self.send_always(command);
        Ok(())
    }

    /// Sends a command that must arrive: there are at most a few of these per handle and outlet.
    fn send_always(&self, command: Command) {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        // The worker is gone only when the whole stage is, and every performance with it.
        let _ = self.errands.send(Errand::Command(self.key, command));
    }

    /// The worker has fetched a command.
    pub(crate) fn fetched(&self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }

    /// Wakes a performer that sleeps.
    pub(crate) fn wake(&self) {
        // Exchanged, so that a burst of pushes sends one errand.
        if self.asleep.swap(false, Ordering::AcqRel) {
            self.send_always(Command::Wake);
        }
    }

    pub(crate) fn detached(&self, outlet: u64) {
        if !self.is_closed() {
            self.send_always(Command::Detach(outlet));
        }
    }
}

impl Performance {
    pub(crate) fn new(shared: Arc<Shared>, gestures: Arc<[Arc<Gesture>]>, outlet_queue_units: usize) -> Self {
        Self { owner: Arc::new(Owner { shared, gestures, outlet_queue_units }) }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.owner.shared
    }

    /// Queues an utterance.
    ///
    /// # Errors
    /// [`StageError::EmptyAudio`], [`StageError::QueueFull`], [`StageError::NoRoom`], [`StageError::TooManyUtterances`],
    /// [`StageError::Busy`], [`StageError::Closed`]; nothing is queued then.
    pub fn speak(&self, utterance: Utterance, mode: SpeakMode) -> Result<(), StageError> {
        let samples = utterance.audio.len() as u64;
        if samples == 0 {
            return Err(StageError::EmptyAudio);
        }
        let shared = &self.owner.shared;
        let mut claim = shared.bounds.claim();
        match mode {
            SpeakMode::Append => {
                shared.enter()?;
                shared.reserve(samples, &mut claim).inspect_err(|_| shared.leave())?;
            }
            // What it replaces gives its room back, so only its own length counts.
            SpeakMode::Replace => {
                shared.check_alone(samples)?;
                claim.take_for(samples, shared.queued.load(Ordering::Acquire))?;
                shared.queued.fetch_add(samples, Ordering::AcqRel);
                shared.enter_always();
            }
        }
        shared.send(Command::Speak { utterance, mode, claim }).inspect_err(|_| {
            shared.release(samples);
            shared.leave();
        })
    }

    /// Whether an utterance of so many samples would be queued now.
    ///
    /// # Errors
    /// [`StageError::QueueFull`] or [`StageError::NoRoom`] when it would not.
    pub fn check_room(&self, samples: u64, mode: SpeakMode) -> Result<(), StageError> {
        let shared = &self.owner.shared;
        let claim = shared.bounds.claim();
        match mode {
            SpeakMode::Append => shared.check_room(samples, &claim),
            SpeakMode::Replace => {
                shared.check_alone(samples)?;
                Ok(claim.check(samples.saturating_sub(shared.queued.load(Ordering::Acquire)))?)
            }
        }
    }

    /// Queues utterances that were queued before, on a performance that broke or with a former owner of the session. They
    /// found room then, and find it now.
    ///
    /// # Errors
    /// [`StageError::Busy`], [`StageError::Closed`]; nothing is queued then.
    pub fn go_on(&self, remainders: Vec<Remainder>) -> Result<(), StageError> {
        let remainders: Vec<_> = remainders.into_iter().filter(|it| it.from < it.utterance.audio.len()).collect();
        let samples: u64 = remainders.iter().map(|it| (it.utterance.audio.len() - it.from) as u64).sum();
        let (shared, count) = (&self.owner.shared, remainders.len());
        let claimed = remainders.into_iter().map(|remainder| {
            let mut claim = shared.bounds.claim();
            claim.take_always(remainder.utterance.audio.len() as u64);
            (remainder, claim)
        });
        let claimed = claimed.collect();
        shared.queued.fetch_add(samples, Ordering::AcqRel);
        (0..count).for_each(|_| shared.enter_always());
        shared.send(Command::GoOn(claimed)).inspect_err(|_| {
            shared.release(samples);
            (0..count).for_each(|_| shared.leave());
        })
    }

    /// Opens an utterance whose audio arrives while it is spoken. It waits its turn behind what is queued.
    ///
    /// # Errors
    /// [`StageError::TooManyUtterances`], [`StageError::Busy`], [`StageError::Closed`].
    pub fn live(&self, id: UtteranceId) -> Result<LiveFeed, StageError> {
        let shared = &self.owner.shared;
        shared.enter()?;
        let (feed, buffer) = LiveFeed::new(id, Arc::clone(shared));
        shared.send(Command::SpeakLive { id, buffer }).inspect_err(|_| shared.leave())?;
        Ok(feed)
    }

    /// Drops everything that is being said or queued: what is queued after this returns is not dropped. The answer comes
    /// once no frame of an older generation will be handed to a live outlet any more, and never if it closes before.
    ///
    /// # Errors
    /// [`StageError::Busy`], [`StageError::Closed`]; nothing is dropped then.
    pub fn interrupt(&self) -> Result<oneshot::Receiver<Interrupted>, StageError> {
        let (reply, answer) = oneshot::channel();
        self.owner.shared.send(Command::Interrupt { reply })?;
        Ok(answer)
    }

    /// Plays a gesture of the avatar, over rest and over speech, free of charge. A gesture that plays makes way for it. While
    /// nobody watches, or while it is paused, nothing is played; nor is what is over then made up for. A gesture that
    /// holds its pose does so until speech begins, an interrupt, another gesture, or for 30 s.
    ///
    /// Returns what was begun.
    ///
    /// # Errors
    /// [`StageError::UnknownGesture`] lists those there are; [`StageError::Busy`], [`StageError::Closed`].
    pub fn gesture(&self, name: &str) -> Result<Arc<Gesture>, StageError> {
        let Some(gesture) = self.owner.gestures.iter().find(|gesture| gesture.name == name) else {
            let known = self.gestures().map(str::to_owned).collect();
            // Names come from outside and are repeated in an answer: not at any length.
            return Err(StageError::UnknownGesture { name: name.chars().take(NAME_SHOWN_CHARS).collect(), known });
        };
        self.owner.shared.send(Command::Gesture(Arc::clone(gesture)))?;
        Ok(Arc::clone(gesture))
    }

    /// The names of the avatar's gestures.
    pub fn gestures(&self) -> impl Iterator<Item = &str> {
        self.owner.gestures.iter().map(|gesture| gesture.name.as_str())
    }

    /// Holds speech where it is and shows a closed mouth, free of charge, until [`resume`](Self::resume).
    ///
    /// # Errors
    /// [`StageError::Busy`], [`StageError::Closed`].
    pub fn pause(&self) -> Result<(), StageError> {
        self.owner.shared.send(Command::Pause)
    }

    /// Goes on after [`pause`](Self::pause).
    ///
    /// # Errors
    /// [`StageError::Busy`], [`StageError::Closed`].
    pub fn resume(&self) -> Result<(), StageError> {
        self.owner.shared.send(Command::Resume)
    }

    /// Ends the performance: outlets end after what they hold.
    pub fn close(&self) {
        if !self.owner.shared.is_closed() {
            self.owner.shared.send_always(Command::Close);
        }
    }

    /// Attaches an outlet. Its first unit is an IDR. It must be read: what finds every outlet's queue full is neither handed
    /// out nor counted, and after two seconds of that an outlet counts as gone until it is read again.
    ///
    /// # Errors
    /// [`StageError::Busy`], [`StageError::Closed`].
    pub fn attach(&self, options: OutletOptions) -> Result<Outlet, StageError> {
        let shared = &self.owner.shared;
        let id = shared.next_outlet.fetch_add(1, Ordering::Relaxed);
        let max_queued = options.max_queued.unwrap_or(self.owner.outlet_queue_units);
        let (port, outlet) = Port::open(id, options.kind, max_queued, Arc::clone(shared));
        shared.send(Command::Attach(port))?;
        Ok(outlet)
    }

    /// How it stands now.
    #[must_use]
    pub fn snapshot(&self) -> PerformanceSnapshot {
        let shared = &self.owner.shared;
        PerformanceSnapshot {
            generation: shared.generation.load(Ordering::Acquire),
            frames: shared.frames.load(Ordering::Acquire),
            stalls: shared.stalls.load(Ordering::Acquire),
            media_time_us: shared.media_time_us.load(Ordering::Acquire),
            queued_ms: shared.queued.load(Ordering::Acquire) / 48,
            watchers: shared.watchers.load(Ordering::Acquire),
            speaking: shared.speaking.load(Ordering::Acquire),
        }
    }
}
