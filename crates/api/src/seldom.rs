//! Warnings that thousands of callers cause at once.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// One in this time is let through.
const EVERY: Duration = Duration::from_secs(1);

/// Lets one warning through a second, and tells how many it held back before.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// When one was let through last.
    last: Option<Instant>,
    count: u64,
}

impl Seldom {
    /// How many were held back since the last, if this one may be heard.
    pub(crate) fn may(&self, now: Instant) -> Option<u64> {
        let mut held = self.0.lock();
        if held.last.is_some_and(|last| now.saturating_duration_since(last) < EVERY) {
            held.count += 1;
            return None;
        }
        held.last = Some(now);
        Some(std::mem::take(&mut held.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_is_heard_and_the_others_are_counted() {
        let (seldom, begin) = (Seldom::default(), Instant::now());
        let heard: Vec<Option<u64>> =
            [0, 400, 999, 1_000, 1_500, 2_600].map(|ms| seldom.may(begin + Duration::from_millis(ms))).into();
        assert_eq!(heard, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
