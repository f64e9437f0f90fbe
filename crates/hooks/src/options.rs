//! How webhooks are delivered.

use std::time::Duration;

/// How webhooks are delivered.
#[derive(Debug, Clone)]
pub struct HookOptions {
    /// The most endpoints of one account.
    pub max_endpoints: usize,
    /// Deliveries under way to one endpoint at once, each of another session. More is faster and harder on receivers.
    pub concurrency: usize,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// The wait after the first failed attempt; doubles from attempt to attempt, a fifth of it random.
    pub first_retry: Duration,
    /// The longest wait between attempts.
    pub last_retry: Duration,
    /// How long an event is tried.
    pub give_up_after: Duration,
    /// An endpoint that has failed for this long without one success is disabled.
    pub disable_after: Duration,
    /// How long the log of finished deliveries is kept.
    pub kept: Duration,
    /// Takes `http://` addresses too.
    pub allow_http: bool,
    /// Takes addresses of private networks and of this machine too.
    pub allow_private: bool,
    /// Divides all waits between attempts and the times after which something is given up: for tests of long outages.
    pub pace: f64,
    /// Events that wait for one endpoint. Beyond it the oldest are dropped, passing ones (paused, resumed) first.
    pub max_pending: usize,
    /// Events that wait for the store before passing ones (paused, resumed) are left out.
    pub max_waiting: usize,
}

impl Default for HookOptions {
    fn default() -> Self {
        Self {
            max_endpoints: 5,
            concurrency: 8,
            timeout: Duration::from_secs(10),
            first_retry: Duration::from_secs(5),
            last_retry: Duration::from_secs(3_600),
            give_up_after: Duration::from_secs(3 * 24 * 3_600),
            disable_after: Duration::from_secs(5 * 24 * 3_600),
            kept: Duration::from_secs(7 * 24 * 3_600),
            allow_http: false,
            allow_private: false,
            pace: 1.0,
            max_pending: 50_000,
            max_waiting: 65_536,
        }
    }
}

impl HookOptions {
    /// A wait as it passes: divided by the pace.
    pub(crate) fn paced(&self, wait: Duration) -> Duration {
        wait.div_f64(self.pace.clamp(1.0, 1e6))
    }

    /// How long a worker owns a line of deliveries without saying so again: longer than an attempt takes.
    pub(crate) fn lease(&self) -> Duration {
        self.timeout * 2 + Duration::from_secs(10)
    }

    /// The wait before the next attempt, `random` being within 0 and 1.
    pub(crate) fn retry_after(&self, attempts: u32, random: f64) -> Duration {
        let doublings = attempts.saturating_sub(1).min(20);
        let full = self.first_retry.saturating_mul(1 << doublings).min(self.last_retry);
        self.paced(full.mul_f64(0.9 + 0.2 * random))
    }
}

/// In milliseconds, as instants are counted.
pub(crate) fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_pass_at_the_pace() {
        let options = HookOptions::default();
        let wait = |attempts| options.retry_after(attempts, 0.5).as_millis();
        assert_eq!([wait(1), wait(2), wait(3), wait(8), wait(30)], [5_000, 10_000, 20_000, 640_000, 3_600_000]);
        let fast = HookOptions { pace: 600.0, ..options };
        assert_eq!(fast.retry_after(30, 0.5).as_millis(), 6_000);
    }

    #[test]
    fn three_days_of_waits_are_some_eighty_attempts() {
        let options = HookOptions::default();
        let mut passed = Duration::ZERO;
        let mut attempts = 0;
        while passed < options.give_up_after {
            attempts += 1;
            passed += options.retry_after(attempts, 0.5);
        }
        assert!((70..100).contains(&attempts), "{attempts}");
    }
}
