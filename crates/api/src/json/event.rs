//! What a session tells its clients, on the event stream and the WebSocket alike.

use std::collections::BTreeSet;

use footlight_actors::{SessionEvent, SessionEventKind};
use footlight_ledger::{EndReason, PauseReason};
use footlight_session::{Inherited, SessionState, UtteranceId};
use serde::Serialize;
use utoipa::ToSchema;

use super::Instant;

/// Something happened to a session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionEvent)]
pub struct EventJson {
    /// What happened; the other members depend on it.
    #[serde(flatten)]
    pub kind: EventKindJson,
    /// Grows by one per event of the session; a gap means that events were missed.
    pub sequence: u64,
    /// When; null where it is about the listener and not the session.
    pub at: Option<Instant>,
}

/// What happened. Ignore types you do not know.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
#[schema(as = SessionEventKind)]
pub enum EventKindJson {
    /// It is in this state now. The first event of every stream tells the present state.
    State {
        /// `starting`, `running`, `idle`, `paused` or `ended`.
        #[schema(value_type = String, example = "running")]
        state: SessionState,
        /// Why it is held back.
        #[schema(value_type = Vec<String>)]
        pause_reasons: BTreeSet<PauseReason>,
    },
    /// The first frame of an utterance was handed out.
    UtteranceStarted {
        /// Which.
        #[schema(value_type = String, example = "utt_0193b5f2a7c87d1e8f3a9b2c4d5e6f70")]
        utterance_id: UtteranceId,
    },
    /// An utterance is over.
    UtteranceEnded {
        /// Which.
        #[schema(value_type = String, example = "utt_0193b5f2a7c87d1e8f3a9b2c4d5e6f70")]
        utterance_id: UtteranceId,
        /// How far it came, in milliseconds of its audio.
        position_ms: u64,
        /// Whether something cut it off.
        interrupted: bool,
        /// Why it failed (`capacity`, or a sentence); null if it did not.
        failed: Option<String>,
    },
    /// The first frame of a gesture was handed out.
    GestureStarted {
        /// Its name.
        #[schema(example = "nod")]
        gesture: String,
    },
    /// The balance pays for this much more speech, and then the session pauses.
    CreditsLow {
        /// What is left to speak, in milliseconds.
        remaining_ms: u64,
    },
    /// The renderer failed and was started again: the stream goes on at a key frame.
    RendererRestarted {
        /// How many times this happened lately.
        attempt: u32,
    },
    /// The session came from another node, which was lost or gave it away in the middle of live speech: whoever sent it sends it
    /// again from here, as a new utterance. Told to every listener until somebody speaks or interrupts.
    SpeechResend {
        /// Which.
        #[schema(value_type = String, example = "utt_0193b5f2a7c87d1e8f3a9b2c4d5e6f70")]
        utterance_id: UtteranceId,
        /// What was heard of it, in milliseconds of its audio.
        resend_from_ms: u64,
    },
    /// The session goes on at another node. The last event of this stream: open it again.
    Moved {
        /// `moved` as planned, or `node_lost`.
        #[schema(value_type = String, example = "moved")]
        why: Inherited,
    },
    /// It is over. The last event.
    Ended {
        /// Why.
        #[schema(value_type = String, example = "stopped")]
        end_reason: EndReason,
    },
    /// This listener was too slow and missed events. Read the session's state again.
    Missed {
        /// How many.
        count: u64,
    },
}

impl EventKindJson {
    /// The type's name: the `event` field of server-sent events.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::State { .. } => "state",
            Self::UtteranceStarted { .. } => "utterance_started",
            Self::UtteranceEnded { .. } => "utterance_ended",
            Self::GestureStarted { .. } => "gesture_started",
            Self::CreditsLow { .. } => "credits_low",
            Self::RendererRestarted { .. } => "renderer_restarted",
            Self::SpeechResend { .. } => "speech_resend",
            Self::Moved { .. } => "moved",
            Self::Ended { .. } => "ended",
            Self::Missed { .. } => "missed",
        }
    }
}

impl From<SessionEvent> for EventJson {
    fn from(event: SessionEvent) -> Self {
        let at = match event.kind {
            SessionEventKind::Lagged { .. } => None,
            _ => Some(Instant(event.at)),
        };
        let kind = match event.kind {
            SessionEventKind::StateChanged { state, pause_reasons } => EventKindJson::State { state, pause_reasons },
            SessionEventKind::UtteranceStarted { utterance } => {
                EventKindJson::UtteranceStarted { utterance_id: utterance }
            }
            SessionEventKind::UtteranceEnded { utterance, position_ms, interrupted, failed } => {
                EventKindJson::UtteranceEnded { utterance_id: utterance, position_ms, interrupted, failed }
            }
            SessionEventKind::GestureStarted { gesture } => EventKindJson::GestureStarted { gesture },
            SessionEventKind::CreditsLow { remaining_ms } => EventKindJson::CreditsLow { remaining_ms },
            SessionEventKind::RendererRestarted { attempt } => EventKindJson::RendererRestarted { attempt },
            SessionEventKind::SpeechResend { utterance, resend_from_ms } => {
                EventKindJson::SpeechResend { utterance_id: utterance, resend_from_ms }
            }
            SessionEventKind::Moved { why } => EventKindJson::Moved { why },
            SessionEventKind::Ended { reason } => EventKindJson::Ended { end_reason: reason },
            SessionEventKind::Lagged { missed } => EventKindJson::Missed { count: missed },
        };
        Self { kind, sequence: event.sequence, at }
    }
}
