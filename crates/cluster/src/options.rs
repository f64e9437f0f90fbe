//! How a node takes part in a cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use footlight_store::nodes::Strategy;

use crate::lease::LeaseTimes;

/// How a node takes part in a cluster.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The node's name.
    pub name: String,
    /// Where other nodes reach it, `host:port`.
    pub address: String,
    /// The version that it runs.
    pub version: String,
    /// What it runs on, and where.
    pub labels: BTreeMap<String, String>,
    /// How long its lease is. Shorter: lost nodes are noticed sooner; a slow store or a busy machine is taken for a loss
    /// sooner as well.
    pub lease: Duration,
    /// How nodes are chosen.
    pub strategy: Strategy,
    /// Creates that may wait for room at once.
    pub queue: usize,
    /// How long they may wait.
    pub queue_deadline: Duration,
}

impl ClusterOptions {
    /// The lease's times.
    #[must_use]
    pub const fn times(&self) -> LeaseTimes {
        LeaseTimes { lease: self.lease }
    }
}
