//! When a unit may leave: at most a little ahead of real time.

use std::time::{Duration, Instant};

/// How far ahead of real time media may be sent. More would have to be taken back at an interrupt; less would let the
/// network's jitter through.
const AHEAD_MAX: Duration = Duration::from_millis(80);

/// Ties the media clock of one connection to real time.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// A unit with this presentation time is due at this instant.
    anchor: Option<(u64, Instant)>,
}

impl Pace {
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
        if due <= now {
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
        for frame in 0..100 {
            let earliest = pace.earliest(frame * FRAME_US, start);
            let due = start + Duration::from_micros(frame * FRAME_US);
            assert!(due - earliest <= AHEAD_MAX, "frame {frame}");
            assert!(earliest >= start);
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
}
