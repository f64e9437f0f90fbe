//! How long this node may hand anything out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// How long a node may hand out what its sessions make: for ever where it stands alone, and to the end of its lease where
/// another node may go on with them after that. Clones are the same one.
///
/// Measured on the monotonic clock, and looked at with a fresh time immediately before anything is counted or handed out: a
/// process may have been stopped since it last looked.
#[derive(Debug, Clone)]
pub struct Tenure(Arc<Term>);

#[derive(Debug)]
struct Term {
    /// What the other field counts from.
    origin: Instant,
    /// When it ends, in nanoseconds.
    until: AtomicU64,
}

const FOR_EVER: u64 = u64::MAX;

impl Tenure {
    /// One that does not end until somebody says so.
    #[must_use]
    pub fn forever() -> Self {
        Self(Arc::new(Term { origin: Instant::now(), until: AtomicU64::new(FOR_EVER) }))
    }

    /// Lets it end at `until`, whatever was said before. Something that is past ends it.
    pub fn extend_to(&self, until: Instant) {
        self.0.until.store(self.0.since_origin(until), Ordering::SeqCst);
    }

    /// Lets it hold until somebody says otherwise.
    pub fn extend_for_ever(&self) {
        self.0.until.store(FOR_EVER, Ordering::SeqCst);
    }

    /// Ends it now.
    pub fn end(&self) {
        self.0.until.store(0, Ordering::SeqCst);
    }

    /// Whether it holds at `now`.
    #[must_use]
    pub fn holds(&self, now: Instant) -> bool {
        self.0.since_origin(now) < self.0.until.load(Ordering::SeqCst)
    }

    /// Whether it holds at this moment.
    #[must_use]
    pub fn holds_now(&self) -> bool {
        // Most are for ever, and need no clock.
        self.0.until.load(Ordering::SeqCst) == FOR_EVER || self.holds(Instant::now())
    }
}

impl Default for Tenure {
    fn default() -> Self {
        Self::forever()
    }
}

impl Term {
    fn since_origin(&self, at: Instant) -> u64 {
        // 584 years fit.
        u64::try_from(at.saturating_duration_since(self.origin).as_nanos()).unwrap_or(FOR_EVER - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_holds_up_to_its_end_and_not_at_it() {
        let (tenure, now) = (Tenure::forever(), Instant::now());
        let shared = tenure.clone();
        assert!(tenure.holds(now + Duration::from_secs(1 << 30)) && tenure.holds_now());
        shared.extend_to(now + Duration::from_secs(10));
        assert!(tenure.holds(now + Duration::from_millis(9_999)));
        assert!(!tenure.holds(now + Duration::from_secs(10)));
        shared.end();
        assert!(!tenure.holds(now) && !tenure.holds_now());
        shared.extend_to(now + Duration::from_secs(20));
        assert!(tenure.holds(now + Duration::from_secs(19)));
        shared.extend_to(now - Duration::from_secs(1));
        assert!(!tenure.holds(now));
    }
}
