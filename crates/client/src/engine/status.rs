//! How an engine stands, and what becomes of it.

use std::collections::BTreeSet;

use footlight_ledger::{EndReason, Microcredits, PauseReason, Units};

use crate::error::ApiError;

/// May the next unit be made?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Yes: it is counted.
    Yes,
    /// Not for now, for these reasons.
    Paused(BTreeSet<PauseReason>),
    /// Never again.
    Ended(EndReason),
}

/// How an engine stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EngineStatus {
    /// Why it may not go on; it may when this is empty.
    pub pause_reasons: BTreeSet<PauseReason>,
    /// Why the session is over, if it is.
    pub ended: Option<EndReason>,
    /// Whether it goes on without the node at the moment, within its grace.
    pub in_grace: bool,
    /// Units of the slice that is the last one the balance pays for, once it is known to be.
    pub last_slice: Option<Units>,
    /// What the session has cost, as far as it is settled.
    pub credits: Microcredits,
    /// The last settlement, once it is there.
    pub bill: Option<Bill>,
}

impl EngineStatus {
    /// Whether something holds it back.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.ended.is_none() && !self.pause_reasons.is_empty()
    }

    /// Why the session is over; `stopped` where nobody said otherwise.
    pub(super) fn end_reason(&self) -> EndReason {
        self.ended.unwrap_or(EndReason::Stopped)
    }

    /// What stops it, if something does.
    pub(super) fn stop(&self) -> Option<Allowed> {
        match self.ended {
            Some(reason) => Some(Allowed::Ended(reason)),
            None if self.pause_reasons.is_empty() => None,
            None => Some(Allowed::Paused(self.pause_reasons.clone())),
        }
    }
}

/// What a session came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bill {
    /// Units that were settled.
    pub units: Units,
    /// What they cost.
    pub credits: Microcredits,
}

/// Why an engine cannot start, or could not be settled.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The secret is unknown or was revoked. Trying again changes nothing.
    #[error("the API secret is not valid: {detail}")]
    Secret {
        /// In the node's words.
        detail: String,
    },
    /// The node will not.
    #[error(transparent)]
    Refused(ApiError),
    /// The node cannot be reached.
    #[error(transparent)]
    Unreachable(ApiError),
    /// The session went on elsewhere, or its driver failed: its last settlement is not known here.
    #[error("what the session came to is not known: ask the node for it")]
    Unsettled,
    /// Usage cannot be kept on disk.
    #[error("the state directory {path} cannot be used")]
    State {
        /// Where.
        path: String,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
}

impl From<ApiError> for EngineError {
    fn from(error: ApiError) -> Self {
        match &error {
            ApiError::Problem { code, detail, .. }
                if matches!(code.as_str(), "api_secret_invalid" | "api_secret_missing") =>
            {
                Self::Secret { detail: detail.clone() }
            }
            error if error.is_passing() => Self::Unreachable(error.clone()),
            _ => Self::Refused(error),
        }
    }
}
