//! Where a session is in its life, with what belongs to each place.

use std::collections::BTreeSet;

use footlight_ledger::{EndReason, PauseReason};

use crate::{Moment, SessionState};

/// Where a session is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The renderer is being set up, for the first time or again.
    Starting {
        /// What holds the session back once it is there.
        held: BTreeSet<PauseReason>,
        /// When a failed renderer is to be opened again; `None` while it is being opened.
        open_at: Option<Moment>,
        /// When to give up on it.
        give_up_at: Moment,
    },
    /// Ready, silent, free.
    Idle,
    /// It has a slice and something to say.
    Running,
    /// Held back.
    Paused {
        /// By these; never empty.
        reasons: BTreeSet<PauseReason>,
        /// Since when.
        since: Moment,
    },
    /// Over.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

impl State {
    /// Its public word.
    #[must_use]
    pub const fn public(&self) -> SessionState {
        match self {
            Self::Starting { .. } => SessionState::Starting,
            Self::Idle => SessionState::Idle,
            Self::Running => SessionState::Running,
            Self::Paused { .. } => SessionState::Paused,
            Self::Ended { .. } => SessionState::Ended,
        }
    }

    /// What holds it back; empty unless it is paused.
    #[must_use]
    pub fn pause_reasons(&self) -> BTreeSet<PauseReason> {
        match self {
            Self::Paused { reasons, .. } => reasons.clone(),
            Self::Starting { .. } | Self::Idle | Self::Running | Self::Ended { .. } => BTreeSet::new(),
        }
    }
}

/// Reasons that the meter gives and a slice lifts. All others are lifted by whoever gave them.
pub(super) const fn is_lifted_by_a_slice(reason: PauseReason) -> bool {
    match reason {
        PauseReason::CreditsExhausted
        | PauseReason::StoreUnreachable
        | PauseReason::AccountSuspended
        | PauseReason::SpendingLimit
        | PauseReason::Debt => true,
        PauseReason::ByRequest | PauseReason::NodeDraining | PauseReason::KeyRevoked => false,
    }
}
