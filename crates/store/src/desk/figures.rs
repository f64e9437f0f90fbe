//! What the desk counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use footlight_ledger::{Entry, EntryKind, Microcredits, Totals};
use parking_lot::Mutex;

/// Upper bounds of [`DeskFigures::commit_seconds`], in seconds; one more bucket counts what took longer.
pub const COMMIT_SECONDS_BOUNDS: [f64; 10] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0];

/// Counts since the desk was opened.
#[derive(Debug, Clone, Default)]
pub struct DeskFigures {
    /// Commands answered.
    pub commands: u64,
    /// Commits written: one per account and batch.
    pub commits: u64,
    /// Commits that met another node's change and were applied again.
    pub conflicts: u64,
    /// Commits whose outcome was unknown and read back.
    pub unknown: u64,
    /// Commits that were found written when they were read back.
    pub recovered: u64,
    /// Batches whose callers got an error of the store.
    pub failures: u64,
    /// Batches that were not written because the sum rule did not hold after them.
    pub sum_rule_failures: u64,
    /// Commands of a session's former owner that were refused.
    pub fenced: u64,
    /// Credits that the commits moved.
    pub moved: Moved,
    /// Accounts read because they, or a tab, were not known.
    pub loads: u64,
    /// Calls of the store by how long they took; not cumulative.
    pub commit_seconds: [u64; COMMIT_SECONDS_BOUNDS.len() + 1],
    /// The time of those calls together, in microseconds.
    pub commit_micros: u64,
}

/// Credits that commits moved, in microcredits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// Given, by [`GrantKind`](footlight_ledger::GrantKind) in its order: plan, promo, top-up.
    pub granted: [u64; 3],
    /// Set aside for slices and jobs; what is given back is not taken off.
    pub held: u64,
    /// Spent from grants, or owed.
    pub spent: u64,
    /// Spent as overage.
    pub overage: u64,
    /// Expired.
    pub expired: u64,
    /// Taken back.
    pub voided: u64,
}

impl Moved {
    /// Takes in what one command changed.
    pub(super) fn add(&mut self, before: &Totals, after: &Totals) {
        let rise = |before: Microcredits, after: Microcredits| u64::try_from((after - before).0).unwrap_or(0);
        self.held += rise(before.held + before.overage_held, after.held + after.overage_held);
        self.spent += rise(before.spent, after.spent);
        self.overage += rise(before.overage_spent, after.overage_spent);
        self.expired += rise(before.expired, after.expired);
        self.voided += rise(before.voided, after.voided);
    }

    /// Takes in what the entries of a commit gave.
    pub(super) fn add_grants(&mut self, entries: &[Entry]) {
        for entry in entries {
            if let EntryKind::Granted { grant_kind, amount, .. } = &entry.kind {
                self.granted[*grant_kind as usize] += u64::try_from(amount.0).unwrap_or(0);
            }
        }
    }

    fn merge(&mut self, more: &Self) {
        for (sum, more) in self.granted.iter_mut().zip(more.granted) {
            *sum += more;
        }
        self.held += more.held;
        self.spent += more.spent;
        self.overage += more.overage;
        self.expired += more.expired;
        self.voided += more.voided;
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) commands: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) conflicts: AtomicU64,
    pub(super) unknown: AtomicU64,
    pub(super) recovered: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) loads: AtomicU64,
    pub(super) sum_rule_failures: AtomicU64,
    pub(super) fenced: AtomicU64,
    moved: Mutex<Moved>,
    commit_seconds: [AtomicU64; COMMIT_SECONDS_BOUNDS.len() + 1],
    commit_micros: AtomicU64,
}

impl Counters {
    pub(super) fn observe_commit(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = COMMIT_SECONDS_BOUNDS.iter().position(|bound| seconds <= *bound);
        self.commit_seconds[bucket.unwrap_or(COMMIT_SECONDS_BOUNDS.len())].fetch_add(1, Relaxed);
        self.commit_micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(super) fn moved(&self, more: &Moved) {
        self.moved.lock().merge(more);
    }

    pub(super) fn snapshot(&self) -> DeskFigures {
        DeskFigures {
            commands: self.commands.load(Relaxed),
            commits: self.commits.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
            unknown: self.unknown.load(Relaxed),
            recovered: self.recovered.load(Relaxed),
            failures: self.failures.load(Relaxed),
            loads: self.loads.load(Relaxed),
            sum_rule_failures: self.sum_rule_failures.load(Relaxed),
            fenced: self.fenced.load(Relaxed),
            moved: *self.moved.lock(),
            commit_seconds: std::array::from_fn(|bucket| self.commit_seconds[bucket].load(Relaxed)),
            commit_micros: self.commit_micros.load(Relaxed),
        }
    }
}
