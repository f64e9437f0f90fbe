//! The index of tabs whose time comes: the sweeper's reading list.
//!
//! Every heartbeat moves a tab's deadline. Moving an index entry as often would double the writes, so the index knows only
//! which four minutes a deadline lies in, and a commit moves an entry when that changes: about every fourth heartbeat.
//! A reader takes the entries that may be due and looks at the tabs themselves.

use footlight_ledger::{JobHold, SessionId, Tab, Timestamp};

/// Width of an index entry. Under the shortest usual distance between a heartbeat and its deadline (7 minutes), so that a
/// healthy session is never on the list.
const GRAIN_MS: i64 = 240_000;

/// When somebody should look at a tab: an open one is swept, an ended one is forgotten.
#[must_use]
pub const fn due_at(tab: &Tab) -> Timestamp {
    tab.sweep_at
}

/// When a job's hold is given back, if it is still held. Jobs are few: their index is exact.
#[must_use]
pub const fn job_due_at(job: &JobHold) -> Option<Timestamp> {
    match job {
        JobHold::Held { sweep_at, .. } => Some(*sweep_at),
        JobHold::Settled { .. } | JobHold::Released { .. } => None,
    }
}

/// The index's value for a tab that is due at `due`: at most `due`, in milliseconds.
#[must_use]
pub const fn due_bucket(due: Timestamp) -> i64 {
    due.0.div_euclid(GRAIN_MS) * GRAIN_MS
}

/// One move in the index, written in the same atomic step as the tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueMove {
    /// Whose tab.
    pub session: SessionId,
    /// Its new value; `None` when the tab is forgotten.
    pub bucket: Option<i64>,
}

impl DueMove {
    /// The move that a tab's change makes necessary, if any.
    #[must_use]
    pub fn between(session: SessionId, before: Option<i64>, after: Option<&Tab>) -> Option<Self> {
        let bucket = after.map(|tab| due_bucket(due_at(tab)));
        (before != bucket).then_some(Self { session, bucket })
    }
}
