//! The audit: told again from the journal alone, does the account come out the same?
//!
//! The fold of all entries is a [`Checkpoint`]: sums over everything and over each grant that is not used up. A
//! store that trims its journal folds what it drops into a checkpoint and keeps that, so the audit closes for ever.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::tab::{Part, Tab, Usage};
use crate::{Account, Entry, EntryKind, GrantId, JobHold, Microcredits, Totals};

/// What the journal says of one grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the amounts are the words of the sum rule")]
pub struct GrantSums {
    pub granted: Microcredits,
    pub spent: Microcredits,
    pub expired: Microcredits,
    pub voided: Microcredits,
}

/// What the journal says up to an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The number of the first entry that it does not cover.
    pub next_entry: u64,
    /// Sums over all grants; `available` and `held` are not the journal's to say and stay zero, but what jobs hold.
    pub totals: Totals,
    /// Sums of each grant of which something may be left.
    pub grants: BTreeMap<GrantId, GrantSums>,
}

/// The journal's numbers have a gap: entries were lost, or are folded out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "journal entry {found} follows where entry {expected} should be; fold the account's entries in order, none left out"
)]
pub struct Gap {
    /// The number that should have come.
    pub expected: u64,
    /// The number that came.
    pub found: u64,
}

impl Checkpoint {
    /// Folds the next entry in.
    ///
    /// # Errors
    /// When it is not the next one; nothing is folded then.
    pub fn fold(&mut self, entry: &Entry) -> Result<(), Gap> {
        if entry.number != self.next_entry {
            return Err(Gap { expected: self.next_entry, found: entry.number });
        }
        self.next_entry += 1;
        match &entry.kind {
            EntryKind::Granted { grant, amount, .. } => {
                self.totals.granted += *amount;
                self.grants.entry(*grant).or_default().granted += *amount;
            }
            EntryKind::Expired { grant, amount } => {
                self.totals.expired += *amount;
                self.on_grant(*grant, |sums| sums.expired += *amount);
            }
            EntryKind::Voided { grant, amount, .. } => {
                self.totals.voided += *amount;
                self.on_grant(*grant, |sums| sums.voided += *amount);
            }
            EntryKind::DebtRepaid { grant, amount } => {
                self.totals.debt -= *amount;
                self.on_grant(*grant, |sums| sums.spent += *amount);
            }
            EntryKind::Usage { usage, .. } => self.fold_usage(usage),
            EntryKind::JobHeld { parts, .. } => self.totals.held += sum(parts),
            EntryKind::JobSettled { parts, .. } => {
                self.totals.held -= sum(parts);
                self.fold_spent(parts);
            }
            EntryKind::JobReleased { parts, .. } => self.totals.held -= sum(parts),
            EntryKind::PlanSet { .. }
            | EntryKind::PlanToCome { .. }
            | EntryKind::PlanKept
            | EntryKind::SpendingLimitSet { .. }
            | EntryKind::StatusSet { .. }
            | EntryKind::LimitsSet { .. } => {}
        }
        Ok(())
    }

    fn fold_usage(&mut self, usage: &Usage) {
        self.fold_spent(&usage.by_grant);
        self.totals.spent += usage.debt;
        self.totals.debt += usage.debt;
        self.totals.overage_spent += usage.overage;
    }

    fn fold_spent(&mut self, parts: &[Part]) {
        for part in parts {
            self.totals.spent += part.amount;
            self.on_grant(part.grant, |sums| sums.spent += part.amount);
        }
    }

    /// Changes a grant's sums, and forgets the grant once all of it is used.
    fn on_grant(&mut self, id: GrantId, change: impl FnOnce(&mut GrantSums)) {
        let sums = self.grants.entry(id).or_default();
        change(sums);
        if sums.granted == sums.spent + sums.expired + sums.voided {
            self.grants.remove(&id);
        }
    }
}

/// One figure that comes out differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What it is: `spent`, `gra_….expired`, `next_entry`, …
    pub figure: String,
    /// What the account says; millionths of a credit, or a count.
    pub account: i128,
    /// What the journal, the tabs and the jobs say.
    pub journal: i128,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { figure, account, journal } = self;
        write!(f, "{figure}: the account says {account}, the journal says {journal}")
    }
}

/// The result of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Audit {
    /// Every figure that comes out differently; empty when the books balance.
    pub differences: Vec<Difference>,
}

impl Audit {
    /// Audits an account that was read together with its journal from `checkpoint` on, all its tabs and all its jobs.
    ///
    /// # Errors
    /// When an entry is missing from `entries` or out of order.
    pub fn of<'a>(
        account: &Account,
        checkpoint: &Checkpoint,
        entries: impl IntoIterator<Item = &'a Entry>,
        tabs: impl IntoIterator<Item = &'a Tab>,
        jobs: impl IntoIterator<Item = &'a JobHold>,
    ) -> Result<Self, Gap> {
        let mut told = checkpoint.clone();
        for entry in entries {
            told.fold(entry)?;
        }
        let mut audit = Self::default();
        audit.compare("next_entry", account.next_entry, told.next_entry);
        audit.compare_jobs(&told, jobs);
        audit.compare_tabs(account, &mut told, tabs);
        audit.compare_totals(account, &told);
        audit.compare_grants(account, &told);
        Ok(audit)
    }

    /// Whether everything comes out the same.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.differences.is_empty()
    }

    fn compare_jobs<'a>(&mut self, told: &Checkpoint, jobs: impl IntoIterator<Item = &'a JobHold>) {
        let held: Microcredits = jobs
            .into_iter()
            .map(|job| match job {
                JobHold::Held { parts, .. } => sum(parts),
                JobHold::Settled { .. } | JobHold::Released { .. } => Microcredits::ZERO,
            })
            .sum();
        self.compare("held by jobs", held.0, told.totals.held.0);
    }

    /// Adds to `told` what tabs know and the journal does not yet: usage of the present hour, and holds.
    fn compare_tabs<'a>(&mut self, account: &Account, told: &mut Checkpoint, tabs: impl IntoIterator<Item = &'a Tab>) {
        let mut open = 0_u32;
        let mut budgeted: BTreeMap<u64, Microcredits> = BTreeMap::new();
        for tab in tabs {
            if let Some(counted) = tab.counted {
                *budgeted.entry(counted.budget).or_default() += counted.held;
            }
            open += u32::from(!tab.is_ended());
            told.fold_usage(&tab.open_usage);
            told.totals.held += sum(&tab.hold);
            told.totals.overage_held += tab.overage_held;
            let price = tab.pricing.cost(tab.settled_units);
            self.compare(format!("{}.charged", tab.session), tab.charged.0, (price - tab.forgiven).0);
            let slice = tab.pricing.cost(tab.slice_end) - price;
            self.compare(format!("{}.held", tab.session), tab.held().0, slice.0);
        }
        self.compare("open_sessions", account.open_sessions, open);
        for budget in &account.budgets {
            let held = budgeted.get(&budget.serial).copied().unwrap_or_default();
            self.compare(format!("{}.held", budget.secret), budget.held.0, held.0);
        }
    }

    fn compare_totals(&mut self, account: &Account, told: &Checkpoint) {
        let mut told = told.totals;
        told.available = Microcredits::ZERO;
        told.available = told.imbalance();
        let says = |totals: &Totals| {
            [
                ("granted", totals.granted),
                ("debt", totals.debt),
                ("available", totals.available),
                ("held", totals.held),
                ("spent", totals.spent),
                ("expired", totals.expired),
                ("voided", totals.voided),
                ("overage_held", totals.overage_held),
                ("overage_spent", totals.overage_spent),
            ]
        };
        for ((figure, account), (_, journal)) in says(&account.totals).into_iter().zip(says(&told)) {
            self.compare(figure, account.0, journal.0);
        }
        self.compare("imbalance", account.totals.imbalance().0, 0);
    }

    fn compare_grants(&mut self, account: &Account, told: &Checkpoint) {
        for grant in &account.grants {
            let sums = told.grants.get(&grant.id).copied().unwrap_or_default();
            self.compare(format!("{}.granted", grant.id), grant.granted.0, sums.granted.0);
            self.compare(format!("{}.spent", grant.id), grant.spent.0, sums.spent.0);
            self.compare(format!("{}.expired", grant.id), grant.expired.0, sums.expired.0);
            self.compare(format!("{}.voided", grant.id), grant.voided.0, sums.voided.0);
        }
        for (id, sums) in &told.grants {
            if !account.grants.iter().any(|grant| grant.id == *id) {
                let left = sums.granted - sums.spent - sums.expired - sums.voided;
                self.compare(format!("{id}.left"), 0, left.0);
            }
        }
    }

    fn compare(&mut self, figure: impl Into<String>, account: impl Into<i128>, journal: impl Into<i128>) {
        let (account, journal) = (account.into(), journal.into());
        if account != journal {
            self.differences.push(Difference { figure: figure.into(), account, journal });
        }
    }
}

fn sum(parts: &[Part]) -> Microcredits {
    parts.iter().map(|part| part.amount).sum()
}

#[cfg(test)]
mod tests;
