//! How often something that failed is started again.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Moment;

/// The pause before the first restart of a window; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A bounded number of restarts within a window of time: what fails for ever must end, and what fails once must not
/// end at its second failure a day later.
#[derive(Debug, Clone)]
pub struct RestartBudget {
    most: u32,
    window: Duration,
    restarts: VecDeque<Moment>,
}

impl RestartBudget {
    /// At most `most` restarts within `window`.
    #[must_use]
    pub const fn new(most: u32, window: Duration) -> Self {
        Self { most, window, restarts: VecDeque::new() }
    }

    /// Takes one restart and says how long to wait before it; `None` when the budget is used up.
    pub fn take(&mut self, now: Moment) -> Option<Duration> {
        while self.restarts.front().is_some_and(|at| now.since(*at) >= self.window) {
            self.restarts.pop_front();
        }
        if self.restarts.len() >= self.most as usize {
            return None;
        }
        let doublings = u32::try_from(self.restarts.len()).unwrap_or(u32::MAX).min(16);
        self.restarts.push_back(now);
        Some((FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE))
    }

    /// Restarts taken within the window that ends now or ended with the last one.
    #[must_use]
    pub fn taken(&self) -> u32 {
        u32::try_from(self.restarts.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_pauses_longer_each_time_ends_and_comes_back_with_time() {
        let mut budget = RestartBudget::new(3, Duration::from_secs(60));
        let pauses: Vec<_> = (0..4).map(|second| budget.take(Moment(second * 1_000))).collect();
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(pauses, [ms(250), ms(500), ms(1000), None]);
        assert_eq!(budget.take(Moment(60_000)), ms(1000), "the first one is a window ago");
        assert_eq!(budget.take(Moment(60_500)), None);
        assert_eq!(budget.take(Moment(500_000)), ms(250));
    }
}
