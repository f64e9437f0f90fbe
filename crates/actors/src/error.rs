//! What a node refuses, and why.

use footlight_ledger::{EndReason, Microcredits, Refusal};
use footlight_stage::StageError;
use footlight_store::StoreError;

/// Why a node did not do what was asked. Variants differ by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// There is nothing by that id, or it belongs to another account: the two are not told apart.
    #[error("there is no such {what}")]
    NotFound {
        /// `session`, `account`, `grant`.
        what: &'static str,
    },
    /// The session's engine is elsewhere: this node neither hears nor shows it.
    #[error("the session's engine is elsewhere; it cannot be spoken to, interrupted or watched here")]
    MadeElsewhere,
    /// The session is made by a node: it reports nothing.
    #[error("the session is made by a node, which meters it itself; heartbeats are for engines elsewhere")]
    MadeHere,
    /// The session is over.
    #[error("the session is over: {}", word(reason))]
    Ended {
        /// Why it ended.
        reason: EndReason,
    },
    /// The node is full.
    #[error(
        "this node is full: {used} of {total} {what} are taken; try again in {retry_after_s} s, or on another node"
    )]
    Capacity {
        /// `sessions` or `speaking slots`.
        what: &'static str,
        /// How many are taken or reserved.
        used: u64,
        /// How many there are.
        total: u64,
        /// When to try again, in seconds.
        retry_after_s: u32,
    },
    /// The cap on sessions at once is reached: the plan's, or that of accounts without one.
    #[error("the account may have {limit} sessions at once; stop one first")]
    TooManySessions {
        /// The cap.
        limit: u32,
    },
    /// Not a second's worth of credit is left.
    #[error("the account has {available} credits available and this needs {needed}; add credits first")]
    CreditsExhausted {
        /// What is available.
        available: Microcredits,
        /// What is needed.
        needed: Microcredits,
    },
    /// The account owes credits.
    #[error("the account owes {debt} credits; the next credits given repay them")]
    InDebt {
        /// How much.
        debt: Microcredits,
    },
    /// The account is suspended.
    #[error("the account is suspended")]
    Suspended,
    /// The account is closed.
    #[error("the account is closed")]
    Closed,
    /// No avatar has this name.
    #[error("there is no avatar `{name}`; there are: {}", known.join(", "))]
    UnknownAvatar {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The session's avatar has no gesture of this name.
    #[error("{}", StageError::UnknownGesture { name: name.clone(), known: known.clone() })]
    UnknownGesture {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A field of the request cannot be used.
    #[error("`{field}` {detail}")]
    InvalidField {
        /// Its name in the request.
        field: &'static str,
        /// What is wrong with it and what would be right.
        detail: String,
    },
    /// The session's queue of audio is full.
    #[error("{queued_ms} ms of audio already wait to be spoken and at most {limit_ms} ms may; wait, or replace them")]
    AudioQueueFull {
        /// What waits, in milliseconds.
        queued_ms: u64,
        /// What may wait, in milliseconds.
        limit_ms: u64,
    },
    /// The session does not take this now; the state it is in says why.
    #[error("the session is {state} and cannot {what}")]
    WrongState {
        /// The state's public word.
        state: &'static str,
        /// What was asked.
        what: &'static str,
    },
    /// The name was used for another operation.
    #[error("this idempotency key was used for another operation")]
    NameTaken,
    /// The ledger refused for a reason that has no variant of its own.
    #[error("{0}")]
    Refused(Refusal),
    /// The store cannot be reached.
    #[error("the store cannot be reached; try again")]
    StoreUnreachable(#[source] StoreError),
    /// The store failed in another way.
    #[error(transparent)]
    Store(StoreError),
    /// The session is on its way to another node, or this node's lease is over and another may have it.
    #[error("the session is moving to another node; try again")]
    Moving,
    /// The node takes no new sessions.
    #[error("this node is draining; try another")]
    Draining,
    /// The stage failed in a way that has no variant of its own.
    #[error(transparent)]
    Stage(StageError),
    /// A bug, or the node is going down.
    #[error("internal error: {detail}")]
    Internal {
        /// What happened, for logs.
        detail: String,
    },
}

/// The public word of an end reason.
fn word(reason: &EndReason) -> String {
    serde_json::to_value(reason).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

impl From<StoreError> for NodeError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoAccount { .. } => Self::NotFound { what: "account" },
            error if error.is_transport() => Self::StoreUnreachable(error),
            error => Self::Store(error),
        }
    }
}

impl From<Refusal> for NodeError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::CreditsExhausted { available, needed } => Self::CreditsExhausted { available, needed },
            Refusal::InDebt { debt } => Self::InDebt { debt },
            Refusal::Suspended => Self::Suspended,
            Refusal::Closed => Self::Closed,
            Refusal::TooManySessions { limit } => Self::TooManySessions { limit },
            Refusal::UnknownSession => Self::NotFound { what: "session" },
            Refusal::UnknownGrant => Self::NotFound { what: "grant" },
            Refusal::SessionEnded { reason } => Self::Ended { reason },
            Refusal::NameTaken => Self::NameTaken,
            other => Self::Refused(other),
        }
    }
}

impl From<StageError> for NodeError {
    fn from(error: StageError) -> Self {
        match error {
            StageError::UnknownAvatar { name, known } => {
                Self::UnknownAvatar { name, known: known.split(", ").map(str::to_owned).collect() }
            }
            StageError::UnknownGesture { name, known } => Self::UnknownGesture { name, known },
            StageError::FrameRate { .. } => Self::InvalidField { field: "fps", detail: error.to_string() },
            StageError::QueueFull { queued_ms, limit_ms, .. } => Self::AudioQueueFull { queued_ms, limit_ms },
            other => Self::Stage(other),
        }
    }
}
