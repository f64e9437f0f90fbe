//! What is said to one session.

use std::sync::Arc;

use actix::Message;
use footlight_ledger::Units;
use footlight_session::{Inherited, Input, UtteranceId};
use footlight_stage::{Gesture, Interrupted, LiveFeed, SpeakMode, StageEvent};
use tokio::sync::oneshot;

use crate::NodeError;

/// Feed the machine, and answer once its effects are under way.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Do(pub(crate) Input);

/// Answered once the actor has started, and has come to what was sent to it before.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Ping;

/// Speak this. The answer says when it is durable, where it is kept for an heir.
#[derive(Message)]
#[rtype(result = "Result<Option<oneshot::Receiver<()>>, NodeError>")]
pub(crate) struct Speak {
    pub(crate) id: UtteranceId,
    pub(crate) audio: Arc<[i16]>,
    pub(crate) mode: SpeakMode,
}

/// Open an utterance that arrives while it is spoken.
#[derive(Message)]
#[rtype(result = "Result<LiveFeed, NodeError>")]
pub(crate) struct OpenLive(pub(crate) UtteranceId);

/// Drop what is said and queued; the answer comes from the stage.
#[derive(Message)]
#[rtype(result = "Result<oneshot::Receiver<Interrupted>, NodeError>")]
pub(crate) struct InterruptSpeech;

/// Play a gesture; the answer says what was begun.
#[derive(Message)]
#[rtype(result = "Result<Arc<Gesture>, NodeError>")]
pub(crate) struct PlayGesture(pub(crate) String);

/// Stand still for another node to go on; the answer says how many units were used, once they are settled. Nothing comes
/// when the session ends over it.
#[derive(Message)]
#[rtype(result = "Result<oneshot::Receiver<Units>, NodeError>")]
pub(crate) struct LetGo;

/// Go on here after all.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct TakeBack;

/// Another node has it: tell those who watch, and be gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Depart(pub(crate) Inherited);

/// Another node will have it, or has it: as [`Depart`], after a last report. Answered when that is answered, or has waited
/// for too long.
#[derive(Message)]
#[rtype(result = "oneshot::Receiver<()>")]
pub(crate) struct Disown;

/// End; the answer comes when the last settlement is in the store.
#[derive(Message)]
#[rtype(result = "oneshot::Receiver<()>")]
pub(crate) struct StopSession;

/// What the supervisor says to a wish for a speaking slot.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct SlotAnswered {
    /// Which wish: one that was given up meanwhile is ignored.
    pub(crate) wish: u64,
    /// Whether there is one.
    pub(crate) taken: bool,
}

/// What a performance tells its session.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Staged {
    /// Which performance: one that broke may still have something to say.
    pub(super) performance: u32,
    pub(super) event: StageEvent,
}

/// The machine's deadline may have come.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct DeadlineCame;
