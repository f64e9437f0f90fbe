//! Durations and what to say of them.

use std::time::Duration;

use serde::Serialize;

/// Durations that were measured one by one.
#[derive(Debug, Default)]
pub(super) struct Durations(Vec<Duration>);

/// p50, p99 and the longest, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Quantiles {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

impl Durations {
    pub(super) fn push(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// Nearest-rank quantiles; zeros when nothing was measured.
    pub(super) fn quantiles(mut self) -> Quantiles {
        self.0.sort_unstable();
        let at = |share: f64| {
            let rank = (self.0.len() as f64 * share).ceil() as usize;
            self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default().as_secs_f64() * 1e3
        };
        Quantiles { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1.0) }
    }
}
