//! The tab: what the account remembers of one session.

use serde::{Deserialize, Serialize};

use crate::budget::Counted;
use crate::{
    BootId, EndReason, GrantId, Microcredits, Pricing, Product, SecretId, SessionId, SliceAnswer, Timestamp, Units,
};

/// Where a session stands with its account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TabState {
    /// Holds nothing and asks for nothing.
    Quiet,
    /// Holds a slice.
    Speaking,
    /// Asked for a slice and got none; counted when small balances are shared.
    Waiting,
    /// Over; remembered as a tombstone.
    Ended {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: EndReason,
        /// Until when a late report is charged; `at` once the last one has come.
        late_until: Timestamp,
        /// When the sweeper may forget it.
        forget_at: Timestamp,
    },
}

/// A part of a hold: how much of which grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "two words")]
pub struct Part {
    pub grant: GrantId,
    pub amount: Microcredits,
}

/// One session's line in the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tab {
    /// Whose it is.
    pub session: SessionId,
    /// What it is sold as.
    pub product: Product,
    /// The price it was opened at.
    pub pricing: Pricing,
    /// The secret it was opened with.
    pub secret: Option<SecretId>,
    /// When it began.
    pub begun_at: Timestamp,
    /// Counts its owners; fences a former one.
    pub epoch: u32,
    /// The run of the node that owns it.
    pub owner: BootId,
    /// The last request number of this epoch and the answer that it got.
    pub last_number: u64,
    /// See `last_number`; `None` before the first heartbeat of an epoch.
    pub last_answer: Option<SliceAnswer>,
    /// Where it stands.
    pub state: TabState,
    /// Cumulative units settled so far, over all epochs.
    pub settled_units: Units,
    /// What those cost: grants and debt and overage together.
    pub charged: Microcredits,
    /// Cumulative units paid for by the hold; at least `settled_units`.
    pub slice_end: Units,
    /// The credits set aside for `settled_units..slice_end`, in the order they will be spent.
    pub hold: Vec<Part>,
    /// The most cumulative units that this epoch was ever allowed, slice and grace together. Reports beyond it are
    /// not believed; within it they are charged even if a later answer, which may have been lost, allowed less.
    pub permitted: Units,
    /// What the cap on debt kept from being charged: `charged + forgiven` is the price of `settled_units`.
    pub forgiven: Microcredits,
    /// Cumulative units at which this epoch began.
    pub base: Units,
    /// The part of the hold that is overage.
    pub overage_held: Microcredits,
    /// What it needs to begin while it waits; nothing otherwise.
    pub(crate) need: Microcredits,
    /// Usage since the last sealed journal entry.
    pub open_usage: Usage,
    /// When the sweeper has something to do: it ends the session if nothing is heard until last heard +
    /// 2 x heartbeat + grace; after the end it forgets it at `forget_at`.
    pub sweep_at: Timestamp,
    /// What of the hold is counted in its secret's budget.
    #[serde(default)]
    pub(crate) counted: Option<Counted>,
}

/// Usage of one session within one clock hour: the body of a usage entry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// The clock hour, counted from the epoch.
    pub hour: i64,
    /// Units used.
    pub units: Units,
    /// What was spent from which grant.
    pub by_grant: Vec<Part>,
    /// What became debt.
    pub debt: Microcredits,
    /// What became overage.
    pub overage: Microcredits,
    /// What the cap on debt kept from being charged.
    pub forgiven: Microcredits,
}

impl Tab {
    /// Whether the session is over.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.state, TabState::Ended { .. })
    }

    /// Whether it counts among those that share what is left: free sessions compete for nothing.
    pub(crate) const fn is_counted(&self) -> bool {
        !self.pricing.is_free()
    }

    /// All that is held for it.
    #[must_use]
    pub fn held(&self) -> Microcredits {
        self.hold.iter().map(|part| part.amount).sum::<Microcredits>() + self.overage_held
    }
}
