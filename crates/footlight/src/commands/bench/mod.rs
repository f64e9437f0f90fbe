//! `footlight bench`: what this machine can do, measured through the real parts.

mod latency;
mod meter;
mod placement;
mod quantiles;
mod streams;

use std::time::Duration;

use crate::cli::{Bench, Global};

pub(crate) fn run(global: &Global, bench: &Bench) -> anyhow::Result<()> {
    match bench {
        Bench::Streams { seconds, workers } => streams::run(global, *seconds, *workers),
        Bench::Meter { sessions, accounts, nodes, seconds } => {
            let crowd = meter::Crowd { sessions: *sessions, accounts: *accounts, nodes: usize::from(*nodes) };
            meter::run(global, crowd, Duration::from_secs(*seconds))
        }
        Bench::Placement { nodes, creates, at_once } => {
            placement::run(global, usize::from(*nodes), *creates, usize::from(*at_once))
        }
        Bench::Latency { tries } => latency::run(global, *tries),
    }
}
