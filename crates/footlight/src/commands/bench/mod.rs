//! `footlight bench`: what this machine can do, measured through the real parts.

mod latency;
mod meter;
mod quantiles;
mod streams;

use crate::cli::{Bench, Global};

pub(crate) fn run(global: &Global, bench: &Bench) -> anyhow::Result<()> {
    match bench {
        Bench::Streams { seconds, workers } => streams::run(global, *seconds, *workers),
        Bench::Meter { sessions, accounts, seconds } => meter::run(global, *sessions, *accounts, *seconds),
        Bench::Latency { tries } => latency::run(global, *tries),
    }
}
