//! Timings and limits that the ledger needs.

use serde::{Deserialize, Serialize};

/// Timings and limits that the ledger needs; from the configuration, the same for all accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// One heartbeat, in milliseconds: the longest slice.
    pub heartbeat_ms: i64,
    /// The shortest slice and what resuming needs, in milliseconds (1 s).
    pub min_slice_ms: i64,
    /// How long an engine goes on without the store, in milliseconds (5 min).
    pub grace_ms: i64,
    /// How long after its end a session's late report is taken, in milliseconds (24 h).
    pub late_ms: i64,
    /// How long an ended session is remembered, in milliseconds (7 days).
    pub tombstone_ms: i64,
    /// How long one-time work may take before its hold is given back, in milliseconds (24 h).
    pub job_ms: i64,
    /// The most sessions at once of an account without a plan; 0 is without limit.
    pub max_sessions_without_plan: u32,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            heartbeat_ms: 60_000,
            min_slice_ms: 1_000,
            grace_ms: 300_000,
            late_ms: 24 * 3_600_000,
            tombstone_ms: 7 * 24 * 3_600_000,
            job_ms: 24 * 3_600_000,
            max_sessions_without_plan: 0,
        }
    }
}
