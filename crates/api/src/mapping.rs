//! The one place where what the inner layers refuse becomes what a client reads. Exhaustive on purpose: a new refusal
//! does not compile until somebody has decided how clients see it.

use footlight_actors::NodeError;
use footlight_ledger::Refusal;
use footlight_stage::StageError;
use footlight_store::StoreError;
use serde_json::json;

use crate::json::{Credits, Instant};
use crate::problem::{Code, Problem};

/// At once the store would be as it was, and sessions as many; ten seconds would keep people waiting for nothing.
const RETRY_S: u64 = 2;
/// What waits is spoken in real time: ten seconds are a megabyte for each session that speaks.
const ROOM_RETRY_S: u64 = 10;
/// A session that moves is at its next node within a second or two.
const MOVING_RETRY_S: u64 = 1;
/// Where another node is likely to take the call.
const DRAINING_RETRY_S: u64 = 5;

impl From<NodeError> for Problem {
    fn from(error: NodeError) -> Self {
        let detail = error.to_string();
        match error {
            NodeError::NotFound { what } => match what {
                "session" => Self::new(Code::UnknownSession, detail),
                "account" => Self::new(Code::UnknownAccount, detail),
                "secret" => Self::new(Code::UnknownSecret, detail),
                _ => Self::new(Code::UnknownThing, detail),
            },
            NodeError::MadeElsewhere => Self::new(Code::EngineElsewhere, detail),
            NodeError::MadeHere => Self::new(Code::EngineHere, detail),
            NodeError::Ended { reason } => Self::new(Code::SessionEnded, detail).with("end_reason", json!(reason)),
            NodeError::Capacity { what, used, total, retry_after_s } => Self::new(Code::Capacity, detail)
                .retry_after(u64::from(retry_after_s))
                .with("what", what)
                .with("used", used)
                .with("total", total)
                .with("available", total.saturating_sub(used)),
            NodeError::TooManySessions { limit } => {
                Self::new(Code::TooManySessions, detail).retry_after(RETRY_S).with("limit", limit)
            }
            NodeError::CreditsExhausted { available, needed } => Self::new(Code::CreditsExhausted, detail)
                .with("available", json!(Credits(available)))
                .with("needed", json!(Credits(needed))),
            NodeError::InDebt { debt } => Self::new(Code::Debt, detail).with("debt", json!(Credits(debt))),
            NodeError::Suspended => Self::new(Code::AccountSuspended, detail),
            NodeError::Closed => Self::new(Code::AccountClosed, detail),
            NodeError::UnknownAvatar { known, .. } => {
                Self::new(Code::UnknownAvatar, detail.clone()).at("/avatar", detail).with("known", known)
            }
            NodeError::UnknownGesture { known, .. } => {
                Self::new(Code::UnknownGesture, detail.clone()).at("/gesture", detail).with("known", known)
            }
            NodeError::InvalidField { field, detail } => Self::field(format!("/{field}"), detail),
            NodeError::AudioQueueFull { queued_ms, limit_ms } => Self::new(Code::AudioQueueFull, detail)
                .retry_after((queued_ms / 2_000).max(1))
                .with("queued_ms", queued_ms)
                .with("limit_ms", limit_ms),
            NodeError::WrongState { state, .. } => Self::new(Code::WrongState, detail).with("state", state),
            NodeError::NameTaken => Self::new(Code::IdempotencyKeyReused, detail),
            NodeError::Refused(refusal) => refusal.into(),
            NodeError::StoreUnreachable(error) | NodeError::Store(error) => error.into(),
            NodeError::Moving => Self::new(Code::SessionMoving, detail).retry_after(MOVING_RETRY_S),
            NodeError::Draining => Self::new(Code::NodeDraining, detail).retry_after(DRAINING_RETRY_S),
            NodeError::Stage(error) => error.into(),
            NodeError::Internal { detail } => Self::internal(detail),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::CreditsExhausted { available, needed } => NodeError::CreditsExhausted { available, needed }.into(),
            Refusal::InDebt { debt } => NodeError::InDebt { debt }.into(),
            Refusal::Suspended => NodeError::Suspended.into(),
            Refusal::Closed => NodeError::Closed.into(),
            Refusal::TooManySessions { limit } => NodeError::TooManySessions { limit }.into(),
            Refusal::OverSpendingLimit { limit, spent } => Self::new(Code::SpendingLimit, detail)
                .with("limit", json!(Credits(limit)))
                .with("spent", json!(Credits(spent))),
            Refusal::UnknownSession => Self::new(Code::UnknownSession, detail),
            Refusal::SessionEnded { reason } => NodeError::Ended { reason }.into(),
            Refusal::NameTaken => NodeError::NameTaken.into(),
            Refusal::UnknownGrant | Refusal::UnknownJob => Self::new(Code::UnknownThing, detail),
            Refusal::JobClosed { .. } => Self::new(Code::WrongState, detail),
            Refusal::TopUpExpires | Refusal::NoPeriod => {
                Self::new(Code::InvalidField, detail.clone()).at("/expires_at", detail)
            }
            Refusal::AlreadyExpired { expires_at } => {
                Self::field("/expires_at", format!("is {}, which is past: give a later one", Instant(expires_at)))
            }
            Refusal::OutOfRange { .. } => Self::new(Code::InvalidField, detail),
            Refusal::Stale { last, .. } => Self::new(Code::StaleRequest, detail).with("last", last),
            Refusal::Fenced { current, .. } => Self::new(Code::Fenced, detail).with("epoch", current),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unreachable { .. } => {
                tracing::warn!(%error, "a request failed because the store cannot be reached");
                Self::new(Code::StoreUnreachable, "the store cannot be reached; try again in a moment")
                    .retry_after(RETRY_S)
            }
            // What the store says names its paths and hosts: for the log, not for clients.
            StoreError::Refused { .. } | StoreError::ClockSkew { .. } => {
                tracing::error!(%error, "a request failed because the store refuses");
                Self::new(Code::StoreUnreachable, "the store takes nothing at the moment; the operator's log says why")
                    .retry_after(RETRY_S)
            }
            StoreError::NoAccount { .. } => Self::new(Code::UnknownAccount, error.to_string()),
            StoreError::Contended { .. } => {
                Self::new(Code::StoreUnreachable, "the account is too busy; nothing was changed, try again in a moment")
                    .retry_after(RETRY_S)
            }
            StoreError::Corrupt { .. } => Self::internal(error),
        }
    }
}

impl From<StageError> for Problem {
    fn from(error: StageError) -> Self {
        let detail = error.to_string();
        match error {
            StageError::UnknownAvatar { .. } => Self::new(Code::UnknownAvatar, detail.clone()).at("/avatar", detail),
            StageError::UnknownGesture { name, known } => NodeError::UnknownGesture { name, known }.into(),
            StageError::FrameRate { .. } => Self::new(Code::InvalidField, detail.clone()).at("/fps", detail),
            StageError::QueueFull { queued_ms, limit_ms, .. } => {
                NodeError::AudioQueueFull { queued_ms, limit_ms }.into()
            }
            StageError::NoRoom { of_account, bytes, limit_bytes } => Self::new(Code::Capacity, detail)
                .retry_after(ROOM_RETRY_S)
                .with(
                    "what",
                    if of_account { "bytes of waiting audio of the account" } else { "bytes of waiting audio" },
                )
                .with("used", bytes)
                .with("total", limit_bytes)
                .with("available", limit_bytes.saturating_sub(bytes)),
            StageError::TooManyUtterances { .. } => Self::new(Code::AudioQueueFull, detail).retry_after(RETRY_S),
            StageError::Busy { .. } => Self::new(Code::TooManyCommands, detail).retry_after(1),
            StageError::EmptyAudio => Self::new(Code::AudioEmpty, detail),
            StageError::UtteranceOver | StageError::Closed => Self::new(Code::WrongState, detail),
            error => Self::internal(with_causes(&error)),
        }
    }
}

/// An error with everything below it, for the log.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
