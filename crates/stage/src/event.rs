//! What a performance tells its session.

use std::sync::Arc;

use footlight_session::Units;

use crate::UtteranceId;

/// Where events go. Called on a worker thread in the middle of a tick: it must not block, and should only pass the event
/// on.
pub type EventSink = Arc<dyn Fn(StageEvent) + Send + Sync>;

/// How an utterance ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UtteranceOutcome {
    /// Spoken to its end.
    Completed,
    /// Cut off by an interrupt, a replacement or the performance's end.
    Interrupted,
    /// Something broke.
    Failed {
        /// What, for people.
        detail: String,
    },
}

/// What happened in a performance. In order, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StageEvent {
    /// It is set up and takes speech.
    Ready,
    /// Speech waits, somebody watches, nothing is paused, and the slice is empty. Once per wait: the gate is looked at
    /// again every frame.
    WantsToSpeak,
    /// The first active frame of a run was handed out.
    StartedSpeaking,
    /// The gate's ask mark was crossed: ask for the next slice.
    AskNow,
    /// The slice ran out in the middle of speech; the position is held to the sample.
    SliceSpent,
    /// An utterance's first frame was handed out (or, unwatched, its time began).
    UtteranceStarted {
        /// Which.
        utterance: UtteranceId,
        /// The generation it is spoken in.
        generation: u32,
        /// Units of the session before this frame.
        units: Units,
    },
    /// An utterance is over.
    UtteranceEnded {
        /// Which.
        utterance: UtteranceId,
        /// How far it came, in milliseconds of its audio.
        position_ms: u64,
        /// How it ended.
        outcome: UtteranceOutcome,
    },
    /// The first frame of a gesture was handed out.
    GestureStarted {
        /// Its name.
        gesture: String,
    },
    /// Active frames ceased for another reason than the slice: nothing more to say, paused, or nobody watches.
    FellSilent,
    /// The first outlet was attached (`true`), or the last one detached (`false`).
    Watched(bool),
    /// The performance broke and is gone; other sessions are not affected.
    Failed {
        /// What, for people and logs.
        detail: String,
    },
}
