//! Spending limits of API secrets: how much what is opened with a secret may cost, in a calendar month or in all.
//!
//! A budget counts from when it is set. What its sessions hold is taken from it like what they spent, so a slice ends where
//! the limit does, to the unit. Grace is bounded by it for each session, and not taken from it.

use serde::{Deserialize, Serialize};

use crate::tab::Tab;
use crate::{Account, Microcredits, SecretId, calendar};

/// What a spending limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitPer {
    /// Each calendar month, in UTC; a session's usage belongs to the month in which it is settled.
    Month,
    /// Everything.
    Total,
}

/// How much a secret may spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SpendingLimit {
    /// The most.
    pub credits: Microcredits,
    /// Of what.
    pub per: LimitPer,
}

/// One secret's limit, and how much of it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Whose it is.
    pub secret: SecretId,
    /// How much there may be.
    pub limit: SpendingLimit,
    /// The calendar month that `spent` belongs to, counted from the year 0.
    pub month: i64,
    /// What was spent since it was set, or since the month began.
    pub spent: Microcredits,
    /// What its sessions hold.
    pub held: Microcredits,
    /// Tells it from former limits of the same secret, which sessions may still hold something of.
    pub(crate) serial: u64,
}

/// What of a session's hold is counted in a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) budget: u64,
    pub(crate) held: Microcredits,
}

impl Budget {
    /// What may still be set aside.
    #[must_use]
    pub fn left(&self) -> Microcredits {
        self.limit.credits.above(self.spent + self.held)
    }
}

impl Account {
    /// The budget of a secret that has a limit.
    #[must_use]
    pub fn budget(&self, secret: SecretId) -> Option<&Budget> {
        self.budgets.iter().find(|budget| budget.secret == secret)
    }

    /// What a session may still set aside as far as its secret goes; `None` when nothing limits it.
    pub(crate) fn allowance(&self, tab: &Tab) -> Option<Microcredits> {
        self.budget(tab.secret?).map(Budget::left)
    }

    /// Counts what was spent, and what the session holds now, where its secret has a limit.
    pub(crate) fn count_in_budget(&mut self, tab: &mut Tab, spent: Microcredits) {
        if self.budgets.is_empty() {
            return;
        }
        let Some(budget) = self.budgets.iter_mut().find(|budget| tab.secret == Some(budget.secret)) else { return };
        let of_this = tab.counted.filter(|counted| counted.budget == budget.serial);
        let held = tab.held();
        budget.held += held;
        budget.held -= of_this.map_or(Microcredits::ZERO, |counted| counted.held);
        budget.spent += spent;
        tab.counted = Some(Counted { budget: budget.serial, held });
    }

    /// A new calendar month begins with nothing spent.
    pub(crate) fn renew_budgets(&mut self) {
        if self.budgets.is_empty() {
            return;
        }
        let month = calendar::month_of(self.now);
        for budget in self.budgets.iter_mut().filter(|budget| budget.month != month) {
            budget.month = month;
            if budget.limit.per == LimitPer::Month {
                budget.spent = Microcredits::ZERO;
            }
        }
    }
}
