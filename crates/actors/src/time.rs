//! The node's own clock.

use std::time::Duration;

use footlight_session::Moment;
use tokio::time::Instant;

/// Monotonic time since the node's start. All timers of a node go by one of these; wall time only labels records.
#[derive(Debug, Clone, Copy)]
pub struct NodeClock {
    origin: Instant,
}

impl NodeClock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Moment {
        Moment::default().plus(self.origin.elapsed())
    }

    /// How long from now until `moment`; zero when it has passed.
    #[must_use]
    pub fn until(&self, moment: Moment) -> Duration {
        // A millisecond late rather than early: a timer that fires before its deadline finds nothing due.
        (self.origin + Duration::from_millis(moment.0.min(u64::MAX >> 12) + 1))
            .saturating_duration_since(Instant::now())
    }
}
