//! A performance's frames in time.

use std::time::{Duration, Instant};

/// How late a frame may be before the clock skips: the interval that a viewer sees as a stall.
const LATE_MAX: Duration = Duration::from_millis(100);

/// Numbers frames and says when each is due. Media time is the frame number over the rate: it never goes back and is
/// continuous through idle, pause and generations, except where a node that stood still skips to the present.
#[derive(Debug)]
pub(crate) struct FrameClock {
    origin: Instant,
    fps: u32,
    /// The next frame.
    frame: u64,
    /// Frames after which frames and 20 ms packets begin together again.
    alignment: u64,
}

impl FrameClock {
    /// A clock whose frame 0 is due at `origin`, before the first frame that does not begin before `media_time_us`.
    pub(crate) fn new(origin: Instant, fps: u32, media_time_us: u64) -> Self {
        // A packet is 1/50 s, so frames and packets meet every fps / gcd(fps, 50) frames.
        let alignment = u64::from(fps / gcd(fps, 50));
        let frame = (media_time_us * u64::from(fps)).div_ceil(1_000_000).next_multiple_of(alignment);
        Self { origin, fps, frame, alignment }
    }

    pub(crate) fn frame(&self) -> u64 {
        self.frame
    }

    /// When the next frame is due.
    pub(crate) fn due(&self) -> Instant {
        self.origin + self.time_of(self.frame)
    }

    /// Whether the next frame begins with a packet: where speech may begin or go on.
    pub(crate) fn is_aligned(&self) -> bool {
        self.frame.is_multiple_of(self.alignment)
    }

    pub(crate) fn advance(&mut self) {
        self.frame += 1;
    }

    /// How late the next frame is handed out at `now`: behind its time plus the one frame that the pipeline takes.
    pub(crate) fn lateness(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.due() + self.period())
    }

    /// After a standstill, skips to the present instead of running after it. Returns how many frames were skipped.
    pub(crate) fn skip_to_present(&mut self, now: Instant) -> u64 {
        if now.saturating_duration_since(self.due()) <= LATE_MAX {
            return 0;
        }
        self.catch_up(now)
    }

    /// Moves to the first frame due at or after `now`, on the packets' grid as before, so that a packet that is half
    /// full can go on filling.
    pub(crate) fn catch_up(&mut self, now: Instant) -> u64 {
        let late = now.saturating_duration_since(self.due());
        let behind = late.as_nanos() * u128::from(self.fps) / 1_000_000_000;
        let skipped = u64::try_from(behind).unwrap_or(u64::MAX).next_multiple_of(self.alignment);
        self.frame += skipped;
        skipped
    }

    pub(crate) fn period(&self) -> Duration {
        Duration::from_secs(1) / self.fps
    }

    fn time_of(&self, frame: u64) -> Duration {
        let fps = u64::from(self.fps);
        Duration::from_secs(frame / fps) + Duration::from_nanos(frame % fps * 1_000_000_000 / fps)
    }
}

const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_frames_does_not_drift() {
        for fps in [20, 25, 30, 50] {
            let origin = Instant::now();
            let mut clock = FrameClock::new(origin, fps, 0);
            clock.frame = u64::from(fps) * 86_400;
            assert_eq!(clock.due(), origin + Duration::from_secs(86_400));
        }
    }

    #[test]
    fn a_clock_that_is_set_on_goes_on_at_the_next_frame_that_begins_with_a_packet() {
        let frame = |fps, media_time_us| FrameClock::new(Instant::now(), fps, media_time_us).frame();
        assert_eq!(frame(25, 3_600_040_000), 90_001);
        assert_eq!((frame(30, 99_999), frame(30, 100_000), frame(30, 100_001)), (3, 3, 6));
        assert_eq!(frame(20, 50_000), 2);
    }

    #[test]
    fn frames_and_packets_meet_within_three_frames() {
        let alignments = [20, 25, 30, 50].map(|fps| FrameClock::new(Instant::now(), fps, 0).alignment);
        assert_eq!(alignments, [2, 1, 3, 1]);
    }

    #[test]
    fn a_late_clock_waits_and_a_standing_one_skips_without_a_burst() {
        let origin = Instant::now();
        let mut clock = FrameClock::new(origin, 30, 0);
        assert_eq!(clock.skip_to_present(origin + Duration::from_millis(99)), 0);
        let now = origin + Duration::from_secs(2);
        assert_eq!(clock.skip_to_present(now), 60);
        assert!(clock.due() >= now && clock.is_aligned());
        assert_eq!(clock.lateness(now + Duration::from_millis(40)), Duration::from_millis(40) - clock.period());
    }
}
