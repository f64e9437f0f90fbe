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
    /// The anchor as it was first, before any stall moved it.
    first: Option<(u64, Instant)>,
    /// Units that are late are sent at once and move nothing.
    catches_up: bool,
}

impl Pace {
    /// What comes next does not continue what was sent: the time that was lost to stalls is made good here, where the
    /// picture jumps anyway, or each stall would leave the client further behind.
    pub(crate) fn restart(&mut self) {
        self.anchor = self.first;
        self.catches_up = true;
    }

    /// The first instant at which a unit of presentation time `pts_us` may be sent.
    ///
    /// A unit that comes later than its time moves the anchor: media time that was lost to a stall is not caught up by
    /// sending the rest faster.
    pub(crate) fn earliest(&mut self, pts_us: u64, now: Instant) -> Instant {
        let Some(due) = self.due(pts_us).filter(|due| due.saturating_duration_since(now) <= JUMP) else {
            // Another clock, or time that nobody spent.
            *self = Self { anchor: Some((pts_us, now)), first: Some((pts_us, now)), catches_up: false };
            return now;
        };
        if due > now {
            self.catches_up = false;
            return due - AHEAD_MAX.min(due - now);
        }
        if !self.catches_up || now - due > JUMP {
            self.anchor = Some((pts_us, now));
        }
        now
    }

    /// When a unit is due by the anchor; `None` without one, and for a time long before it.
    fn due(&self, pts_us: u64) -> Option<Instant> {
        let (anchor_us, at) = self.anchor?;
        // Packets of sound may begin a little before the picture that they come with.
        let before = Duration::from_micros(anchor_us.saturating_sub(pts_us));
        let due = if before <= JUMP { at.checked_sub(before) } else { None };
        due.map(|due| due + Duration::from_micros(pts_us.saturating_sub(anchor_us)))
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
    fn after_a_stall_the_picture_jumps_to_the_present() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let made = |frame: u64| start + Duration::from_micros(frame * FRAME_US);
        let _ = pace.earliest(0, start);
        let mut now = start + Duration::from_secs(2);
        for frame in 1..20 {
            now = now.max(pace.earliest(frame * FRAME_US, now));
        }
        // What was made since the queue had room again waits behind that.
        pace.restart();
        let first = (now - start).as_micros() as u64 / FRAME_US - 10;
        for frame in first..first + 100 {
            now = now.max(made(frame));
            let earliest = pace.earliest(frame * FRAME_US, now);
            assert!(earliest <= made(frame) + AHEAD_MAX || earliest == now, "frame {frame} is held");
            now = now.max(earliest);
        }
        assert_eq!(now, made(first + 99), "the client is not behind any more");
    }

    #[test]
    fn a_jump_that_nobody_announced_is_not_waited_for() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let _ = pace.earliest(0, start);
        let _ = pace.earliest(FRAME_US, start + Duration::from_secs(2));
        assert_eq!(longest_hold(&mut pace, 50, start), Duration::ZERO);
    }
}
