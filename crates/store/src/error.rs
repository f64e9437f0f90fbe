//! How a store fails, sorted by what the caller can do about it.

use footlight_ledger::AccountId;

/// A store could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or did not answer in time.
    #[error("the store cannot be reached: {detail}")]
    Unreachable {
        /// What the connection said.
        detail: String,
        /// Whether the write may have happened all the same: then read it back by commit id.
        outcome_unknown: bool,
    },
    /// It is there and refuses to work in this state (full, read-only, evicting, not persistent, in use, …).
    #[error("the store refuses: {detail}")]
    Refused {
        /// Why, and what to do about it.
        detail: String,
    },
    /// What it holds cannot be read.
    #[error("the store holds something unreadable at {place}: {detail}")]
    Corrupt {
        /// The key or row.
        place: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The commit's time is over a second away from the store's clock.
    #[error("this node's clock is {skew_ms} ms away from the store's")]
    ClockSkew {
        /// Node minus store.
        skew_ms: i64,
    },
    /// There is no such account.
    #[error("there is no account {account}")]
    NoAccount {
        /// The account that was asked for.
        account: AccountId,
    },
    /// Others changed the account so often that the batch was given up; nothing was written.
    #[error("account {account} is too busy: {tries} tries met another node's change")]
    Contended {
        /// The account.
        account: AccountId,
        /// How often the batch was applied.
        tries: u32,
    },
}

impl StoreError {
    /// A transport failure that certainly wrote nothing.
    pub fn unreachable(detail: impl Into<String>) -> Self {
        Self::Unreachable { detail: detail.into(), outcome_unknown: false }
    }

    /// A transport failure after which the write may have happened.
    pub fn unknown(detail: impl Into<String>) -> Self {
        Self::Unreachable { detail: detail.into(), outcome_unknown: true }
    }

    /// Whether a write that failed like this may have happened.
    #[must_use]
    pub const fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Unreachable { outcome_unknown: true, .. })
    }

    /// Whether this is a transport failure (grace applies) rather than a refusal (it never does).
    #[must_use]
    pub const fn is_transport(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}
