//! How often one connection may change the format of its samples.

use std::time::{Duration, Instant};

use crate::problem::{Code, Problem};

/// Changes that may come at once.
const BURST: u32 = 8;
/// How long one takes to be paid off: four a second. Whoever speaks begins an utterance every few seconds, and mostly in the format
/// of the one before, which changes nothing.
const EACH: Duration = Duration::from_millis(250);

/// Counts a connection's changes of format: each makes work before anything is heard.
#[derive(Debug, Default)]
pub(super) struct FormatChanges {
    /// When all that were made are paid off.
    paid_off: Option<Instant>,
}

impl FormatChanges {
    /// Counts one more.
    ///
    /// # Errors
    /// A problem when they come too fast.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Problem> {
        let paid_off = self.paid_off.map_or(now, |at| at.max(now)) + EACH;
        if paid_off - now > EACH * BURST {
            let detail = format!(
                "audio_begin changes the format too often; {BURST} changes may come at once, and then one every {} ms",
                EACH.as_millis()
            );
            return Err(Problem::new(Code::TooManyCommands, detail).retry_after(1));
        }
        self.paid_off = Some(paid_off);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_changes_may_come_at_once_and_then_as_they_are_paid_off() {
        let (mut changes, now) = (FormatChanges::default(), Instant::now());
        assert!((0..BURST).all(|_| changes.take(now).is_ok()));
        let refused = changes.take(now).expect_err("too many at once");
        assert_eq!((refused.code, refused.retry_after_s), (Code::TooManyCommands, Some(1)));
        assert!(changes.take(now + EACH / 2).is_err());
        assert!(changes.take(now + EACH).is_ok());
        assert!(changes.take(now + EACH).is_err(), "one for each");
        let later = now + Duration::from_secs(60);
        assert!(
            (0..BURST).all(|_| changes.take(later).is_ok()) && changes.take(later).is_err(),
            "no more are saved up"
        );
    }
}
