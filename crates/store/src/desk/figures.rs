//! What the desk counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

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
    /// Accounts read because they, or a tab, were not known.
    pub loads: u64,
    /// Calls of the store by how long they took; not cumulative.
    pub commit_seconds: [u64; COMMIT_SECONDS_BOUNDS.len() + 1],
    /// The time of those calls together, in microseconds.
    pub commit_micros: u64,
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

    pub(super) fn snapshot(&self) -> DeskFigures {
        DeskFigures {
            commands: self.commands.load(Relaxed),
            commits: self.commits.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
            unknown: self.unknown.load(Relaxed),
            recovered: self.recovered.load(Relaxed),
            failures: self.failures.load(Relaxed),
            loads: self.loads.load(Relaxed),
            commit_seconds: std::array::from_fn(|bucket| self.commit_seconds[bucket].load(Relaxed)),
            commit_micros: self.commit_micros.load(Relaxed),
        }
    }
}
