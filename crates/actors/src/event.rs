//! What a session tells those who follow it.

use std::collections::{BTreeSet, VecDeque};

use footlight_ledger::{EndReason, PauseReason, Timestamp};
use footlight_session::{Inherited, SessionState, UtteranceId};
use serde::Serialize;
use tokio::sync::broadcast;

/// Events that may wait for one follower. Beyond, the oldest are dropped and the follower is told how many.
pub const EVENTS_KEPT: usize = 64;

/// Something happened to a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionEvent {
    /// Grows by one per event of the session, from 1; a gap means that events were missed.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub kind: SessionEventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum SessionEventKind {
    /// It is in this state now. Also the first item of every stream.
    StateChanged {
        /// The state.
        state: SessionState,
        /// Why it is held back, while paused.
        pause_reasons: BTreeSet<PauseReason>,
    },
    /// The first frame of an utterance was handed out.
    UtteranceStarted {
        /// Which.
        utterance: UtteranceId,
    },
    /// An utterance is over.
    UtteranceEnded {
        /// Which.
        utterance: UtteranceId,
        /// How far it came, in milliseconds of its audio.
        position_ms: u64,
        /// Whether it was cut off by an interrupt, a replacement or the session's end.
        interrupted: bool,
        /// Why it failed (`capacity`, or a sentence), if it did.
        #[serde(skip_serializing_if = "Option::is_none")]
        failed: Option<String>,
    },
    /// The first frame of a gesture was handed out.
    GestureStarted {
        /// Its name.
        gesture: String,
    },
    /// The balance pays for this much more and no further slice.
    CreditsLow {
        /// What is left to speak, in milliseconds.
        remaining_ms: u64,
    },
    /// The renderer failed and is being started again; outlets must be attached anew.
    RendererRestarted {
        /// How many times within the restart window.
        attempt: u32,
    },
    /// The session came here from another node, which took with it what was not spoken of a live utterance: whoever sent
    /// it has it still, and sends it again from here. Told to each follower until somebody speaks or interrupts.
    SpeechResend {
        /// Which.
        utterance: UtteranceId,
        /// What was heard of it, in milliseconds of its audio.
        resend_from_ms: u64,
    },
    /// The session goes on at another node. The last event here: follow it anew.
    Moved {
        /// Why.
        why: Inherited,
    },
    /// The session is over. The last event.
    Ended {
        /// Why.
        reason: EndReason,
    },
    /// This follower was too slow.
    Lagged {
        /// How many events it missed.
        missed: u64,
    },
}

/// The events of one session from now on, beginning with its present state.
#[derive(Debug)]
pub struct EventStream {
    /// What is told first.
    first: VecDeque<SessionEvent>,
    receiver: Option<broadcast::Receiver<SessionEvent>>,
    last_sequence: u64,
}

impl EventStream {
    pub(crate) fn new(first: Vec<SessionEvent>, receiver: broadcast::Receiver<SessionEvent>) -> Self {
        let last_sequence = first.last().map_or(0, |event| event.sequence);
        Self { last_sequence, first: first.into(), receiver: Some(receiver) }
    }

    /// A stream of one event: the session is over already.
    pub(crate) fn over(last: SessionEvent) -> Self {
        Self { last_sequence: last.sequence, first: VecDeque::from([last]), receiver: None }
    }

    /// The next event; `None` once the session is over and everything was told. Cancel safe.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        if let Some(first) = self.first.pop_front() {
            return Some(first);
        }
        loop {
            let event = match self.receiver.as_mut()?.recv().await {
                Ok(event) => event,
                Err(broadcast::error::RecvError::Closed) => {
                    self.receiver = None;
                    return None;
                }
                Err(broadcast::error::RecvError::Lagged(missed)) => SessionEvent {
                    sequence: self.last_sequence,
                    at: Timestamp::default(),
                    kind: SessionEventKind::Lagged { missed },
                },
            };
            // What happened between taking the present state and subscribing is in the first item already.
            let is_lag = matches!(event.kind, SessionEventKind::Lagged { .. });
            if !is_lag && event.sequence <= self.last_sequence {
                continue;
            }
            self.last_sequence = event.sequence;
            if matches!(event.kind, SessionEventKind::Ended { .. } | SessionEventKind::Moved { .. }) {
                self.receiver = None;
            }
            return Some(event);
        }
    }
}
