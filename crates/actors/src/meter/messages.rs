//! What is said to the meter, and by it.

use actix::Message;
use footlight_ledger::AccountId;
use footlight_session::EndReason;
use footlight_session::meter::{Answer, Notice};
use tokio::sync::oneshot;

use super::figures::MeterFigures;
use super::line::Line;

/// A line's name within one meter; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(pub(super) u64);

/// What the meter tells a session.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct MeterNotice(pub Notice);

/// A session begins to be metered.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Register {
    pub(super) key: Key,
    pub(super) line: Box<Line>,
}

/// What a session, or its renderer, says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// It has something to say and its gate is empty.
    Want,
    /// The ask mark was passed, or the slice is spent.
    Ask,
    /// Frames flow.
    Speak,
    /// It fell silent: keep the slice for a while.
    Silence,
    /// It fell silent: give the slice back.
    Release,
    /// It goes on at another node: settle, give all back, and say nothing more of it.
    LetGo,
    /// It goes on here after all.
    ComeBack,
    /// It is another node's: forget it.
    Forget,
    /// It is over.
    End(EndReason),
}

/// A session says something.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(super) struct Said {
    pub(super) key: Key,
    pub(super) word: Word,
}

/// More became available to an account, or may have.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(super) struct Rose(pub(super) AccountId);

/// More may have become available to any account: hints were lost.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(super) struct AnyMayHaveRisen;

/// The store answers again.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(super) struct StoreCameBack;

/// Answers to one account's batch.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Answered(pub(super) Vec<(Key, u64, Answer)>);

/// A round is due.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(super) struct Tick;

/// Write progress down.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(super) struct WriteProgress;

/// Answer when no settlement is due any more.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct TellWhenSettled(pub(super) oneshot::Sender<()>);

/// Answered at once: for how long it waited in the mailbox.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub(super) struct Ping;

/// How the meter stands.
#[derive(Message)]
#[rtype(result = "MeterFigures")]
pub(super) struct Figures;

/// Stop: what is unsettled stays in the progress record.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct StopMeter;
