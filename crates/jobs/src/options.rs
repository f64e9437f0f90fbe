//! What jobs cost and how long they may take.

use std::collections::BTreeMap;
use std::time::Duration;

use footlight_ledger::Microcredits;

use crate::JobKind;

/// What jobs cost and how long they may take.
#[derive(Debug, Clone)]
pub struct JobOptions {
    /// The price of each kind; one without a price is not taken.
    pub prices: BTreeMap<JobKind, Microcredits>,
    /// How long a worker may be silent before another gets its job.
    pub lease: Duration,
    /// How long a job may take in all. Under a day: then the ledger gives its credits back.
    pub timeout: Duration,
    /// How often a job is claimed before it is given up.
    pub attempts_max: u32,
    /// How long a job that is over is shown.
    pub kept: Duration,
    /// The most jobs of one account that are over and shown; the oldest are forgotten first. One in sixteen more may be there
    /// for a while.
    pub kept_max: usize,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            prices: JobKind::ALL.into_iter().map(|kind| (kind, Microcredits::from_credits(250))).collect(),
            lease: Duration::from_secs(60),
            timeout: Duration::from_secs(6 * 3_600),
            attempts_max: 5,
            kept: Duration::from_secs(30 * 24 * 3_600),
            kept_max: 1_000,
        }
    }
}

/// In milliseconds, as instants are counted.
pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
