//! How the meter stands, for benches and the operator.

use std::time::Duration;

/// How long after the moment they were due heartbeats were settled.
#[derive(Debug, Clone)]
pub struct LagFigures {
    /// Counts by millisecond; the last one counts all that were later.
    by_ms: Vec<u64>,
    count: u64,
    max: Duration,
}

/// Later than this is told apart no more.
const LAG_KEPT_MS: usize = 4_096;

impl Default for LagFigures {
    fn default() -> Self {
        Self { by_ms: vec![0; LAG_KEPT_MS + 1], count: 0, max: Duration::ZERO }
    }
}

impl LagFigures {
    pub(super) fn note(&mut self, lag: Duration) {
        let ms = usize::try_from(lag.as_millis()).unwrap_or(usize::MAX).min(LAG_KEPT_MS);
        self.by_ms[ms] += 1;
        self.count += 1;
        self.max = self.max.max(lag);
    }

    /// Counts another meter's heartbeats as well.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.by_ms.iter_mut().zip(&other.by_ms) {
            *count += more;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// Heartbeats counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The longest lag.
    #[must_use]
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// The lag that the share `quantile` (0 to 1) of heartbeats did not pass, to the millisecond, upwards.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Duration {
        let wanted = self.count as f64 * quantile.clamp(0.0, 1.0);
        let mut counted = 0;
        for (ms, count) in self.by_ms.iter().enumerate() {
            counted += count;
            if counted as f64 >= wanted {
                return if ms == LAG_KEPT_MS { self.max } else { Duration::from_millis(ms as u64 + 1).min(self.max) };
            }
        }
        self.max
    }
}

/// How the meter stands.
#[derive(Debug, Clone, Default)]
pub struct MeterFigures {
    /// Sessions registered and not settled for the last time.
    pub lines: u64,
    /// Sessions that hold a slice.
    pub holding: u64,
    /// Sessions that wait for credit.
    pub waiting: u64,
    /// Sessions that go on without the store.
    pub in_grace: u64,
    /// Sessions whose last settlement is due.
    pub ending: u64,
    /// Requests sent since the start, retries included.
    pub sent: u64,
    /// Requests settled since the start.
    pub settled: u64,
    /// Requests that the store did not answer.
    pub unreachable: u64,
    /// Batches sent since the start: each is one account's share of a round.
    pub batches: u64,
    /// How late regular heartbeats were sent since the start.
    pub lag: LagFigures,
}
