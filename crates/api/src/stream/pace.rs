//! When a unit may leave: at most a little ahead of real time.

use std::time::{Duration, Instant};

/// How far ahead of real time media may be sent. More would have to be taken back at an interrupt; less would let the
/// network's jitter through.
const AHEAD_MAX: Duration = Duration::from_millis(80);
/// Units follow each other by a frame: one that seems due later than this belongs to another time, and waiting for it
/// would only fill the queue behind it.
const JUMP: Duration = Duration::from_secs(1);

/// Ties the media clock of one connection to real time.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// A unit with this presentation time is due at this instant.
    anchor: Option<(u64, Instant)>,
}

impl Pace {
    /// Begins anew: what comes next does not continue what was sent, so its time says nothing about when it is due.
    pub(crate) fn restart(&mut self) {
        self.anchor = None;
    }

    /// The first instant at which a unit of presentation time `pts_us` may be sent.
    ///
    /// A unit that comes later than its time moves the anchor: media time that was lost to a stall is not caught up by
    /// sending the rest faster.
    pub(crate) fn earliest(&mut self, pts_us: u64, now: Instant) -> Instant {
        let due = match self.anchor {
            Some((anchor_us, at)) if pts_us >= anchor_us => at + Duration::from_micros(pts_us - anchor_us),
            // A clock that steps back is a new one.
            _ => now,
        };
        if due <= now || due - now > JUMP {
            self.anchor = Some((pts_us, now));
            return now;
        }
        due - AHEAD_MAX.min(due - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_US: u64 = 40_000;

    #[test]
    fn a_burst_is_spread_to_at_most_eighty_milliseconds_ahead() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let mut now = start;
        for frame in 0..100 {
            // Each is looked at when the one before was sent.
            let earliest = pace.earliest(frame * FRAME_US, now);
            let due = start + Duration::from_micros(frame * FRAME_US);
            assert!(due - earliest <= AHEAD_MAX, "frame {frame}");
            assert!(earliest >= now);
            now = earliest;
        }
    }

    #[test]
    fn what_comes_in_time_is_never_held() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for frame in 0..100 {
            let now = start + Duration::from_micros(frame * FRAME_US);
            assert_eq!(pace.earliest(frame * FRAME_US, now), now);
        }
    }

    #[test]
    fn a_stall_is_not_caught_up() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let _ = pace.earliest(0, start);
        let late = start + Duration::from_secs(2);
        assert_eq!(pace.earliest(FRAME_US, late), late);
        let next = pace.earliest(11 * FRAME_US, late);
        assert_eq!(next, late + Duration::from_micros(10 * FRAME_US) - AHEAD_MAX);
    }

    /// Sends frames that were made in time, from `first` on, and returns the longest that one was held.
    fn longest_hold(pace: &mut Pace, first: u64, start: Instant) -> Duration {
        let holds = (first..first + 100).map(|frame| {
            let made = start + Duration::from_micros(frame * FRAME_US);
            pace.earliest(frame * FRAME_US, made) - made
        });
        holds.max().unwrap_or_default()
    }

    #[test]
    fn after_a_stall_that_cost_two_seconds_nothing_is_held() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let _ = pace.earliest(0, start);
        let _ = pace.earliest(FRAME_US, start + Duration::from_secs(2));
        pace.restart();
        assert!(longest_hold(&mut pace, 50, start) <= AHEAD_MAX);
    }

    #[test]
    fn a_jump_that_nobody_announced_is_not_waited_for() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let _ = pace.earliest(0, start);
        let _ = pace.earliest(FRAME_US, start + Duration::from_secs(2));
        assert_eq!(longest_hold(&mut pace, 50, start), Duration::ZERO);
    }
}
