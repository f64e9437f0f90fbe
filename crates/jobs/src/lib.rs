//! One-time jobs: credits are set aside when a job is asked for, spent when it is done, and given back when it fails, is
//! cancelled or takes too long.
//!
//! Workers pull: they claim a job for a while, say how far they are, and complete it or fail. A worker that is not heard of
//! loses its claim, and another gets the job. How a job ends is decided by one write of its record, before its credits are
//! touched; settling is idempotent by the job's id, so whoever finds a decided job, after whatever crash, finishes it.
//!
//! Suggested reading order: [`job`], [`options`], `desk` (what is asked of jobs), `closing` (how they end).

mod closing;
mod desk;
pub mod error;
pub mod job;
pub mod options;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use footlight_hooks::Hooks;
use footlight_ledger::{JobId, Timestamp};
use footlight_store::desk::Clock;
use footlight_store::{Due, Expected, LedgerDesk, RecordKey, RecordOp, RecordVersion, Store, codec};

pub use desk::{Claimed, JobPage, NewJob};
pub use error::JobError;
pub use job::{Claim, Job, JobEnd, JobKind, JobState};
pub use options::JobOptions;

/// The collection of jobs. Those that wait or run are due in the line of their kind, when they may be claimed.
const JOBS: &str = "jobs";
/// The line of jobs whose end is decided.
const CLOSING: &str = "closing";
/// The line of jobs that are over.
const REMOVAL: &str = "removal";

/// What the jobs are made of.
pub struct JobParts {
    /// Where jobs are kept.
    pub store: Arc<dyn Store>,
    /// The door to the accounts; over the same store.
    pub desk: LedgerDesk,
    /// The wall clock.
    pub clock: Clock,
    /// Who tells accounts that a job is over.
    pub hooks: Hooks,
    /// Prices and time limits.
    pub options: JobOptions,
}

/// A handle on the jobs. Clones share them.
#[derive(Clone)]
pub struct Jobs {
    inner: Arc<Inner>,
}

struct Inner {
    parts: JobParts,
}

impl Jobs {
    /// Starts looking after jobs, on the runtime that this is called in: what a former run has left half-way is finished.
    #[must_use]
    pub fn start(parts: JobParts) -> Self {
        let inner = Arc::new(Inner { parts });
        tokio::spawn(closing::run(Arc::downgrade(&inner)));
        Self { inner }
    }
}

impl Inner {
    fn now(&self) -> Timestamp {
        (self.parts.clock)()
    }

    fn store(&self) -> &dyn Store {
        &*self.parts.store
    }
}

fn key(job: JobId) -> RecordKey {
    RecordKey::new(JOBS, job.0.simple().to_string())
}

/// A job with the version of its record.
struct Found {
    job: Job,
    version: RecordVersion,
}

/// Writes a job if its record is as expected.
fn put(job: &Job, expected: Expected, due: Due) -> RecordOp {
    let next = RecordVersion(rand::random());
    RecordOp::Put { key: key(job.id), expected, next, due: Some(due), body: codec::encode_named(job) }
}
