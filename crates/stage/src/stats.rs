//! What the workers count: atomics that a worker alone writes and anybody reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of a histogram's buckets in microseconds: four to an octave from 10 us to 655 ms. A bucket is 19 % wide,
/// which is how exact quantiles are.
const BUCKETS: usize = 65;

fn bound_us(bucket: usize) -> f64 {
    10.0 * 2.0_f64.powf(bucket as f64 / 4.0)
}

/// A histogram that one worker writes.
#[derive(Debug)]
pub(crate) struct Recorder {
    /// One more than there are bounds: the last counts what is beyond all.
    counts: [AtomicU64; BUCKETS + 1],
    sum_ns: AtomicU64,
    max_ns: AtomicU64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            sum_ns: AtomicU64::new(0),
            max_ns: AtomicU64::new(0),
        }
    }
}

impl Recorder {
    pub(crate) fn record(&self, taken: Duration) {
        let ns = u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX);
        let octaves = (taken.as_secs_f64() * 1e5).log2();
        let bucket = if octaves > 0.0 { (octaves * 4.0).ceil() as usize } else { 0 };
        self.counts[bucket.min(BUCKETS)].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
        self.max_ns.fetch_max(ns, Ordering::Relaxed);
    }

    fn read(&self) -> Histogram {
        Histogram {
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)),
            max: Duration::from_nanos(self.max_ns.load(Ordering::Relaxed)),
        }
    }
}

/// Durations as they were at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    sum: Duration,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS + 1], sum: Duration::ZERO, max: Duration::ZERO }
    }
}

impl Histogram {
    /// How many durations were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        self.sum
    }

    /// The longest one.
    #[must_use]
    pub const fn max(&self) -> Duration {
        self.max
    }

    /// Their mean; zero when there are none.
    #[must_use]
    pub fn mean(&self) -> Duration {
        self.sum.div_f64((self.count() as f64).max(1.0))
    }

    /// The duration that `share` (0 to 1) of them do not exceed, rounded up to the end of its bucket (19 % wide, 10 us the
    /// first) and at most the longest; zero when there are none.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (self.count() as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                let bound = Duration::from_secs_f64(bound_us(bucket) / 1e6);
                return if bucket == BUCKETS { self.max } else { bound.min(self.max) };
            }
        }
        Duration::ZERO
    }

    /// Upper bounds in seconds with how many durations do not exceed them, growing; one bound an octave, as a metrics page
    /// wants it. Those beyond the last bound are in [`count`](Self::count) alone.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let mut seen = 0;
        self.counts.iter().take(BUCKETS).enumerate().filter_map(move |(bucket, count)| {
            seen += count;
            (bucket % 4 == 0).then_some((bound_us(bucket) / 1e6, seen))
        })
    }

    /// What was recorded since `earlier`, a reading of the same histogram. The longest is that of all time.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            counts: self.counts.iter().zip(&earlier.counts).map(|(now, then)| now.saturating_sub(*then)).collect(),
            sum: self.sum.saturating_sub(earlier.sum),
            max: self.max,
        }
    }

    fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }
}

macro_rules! stats {
    (counters { $($(#[$counter_doc:meta])* $counter:ident,)* } durations { $($(#[$duration_doc:meta])* $duration:ident,)* }) => {
        /// What all workers of a stage did since its start.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct StageStats {
            $($(#[$counter_doc])* pub $counter: u64,)*
            $($(#[$duration_doc])* pub $duration: Histogram,)*
        }

        /// What one worker did.
        #[derive(Debug, Default)]
        pub(crate) struct WorkerStats {
            $(pub(crate) $counter: AtomicU64,)*
            $(pub(crate) $duration: Recorder,)*
        }

        impl StageStats {
            pub(crate) fn add(&mut self, worker: &WorkerStats) {
                $(self.$counter += worker.$counter.load(Ordering::Relaxed);)*
                $(self.$duration.add(&worker.$duration.read());)*
            }

            /// What happened since `earlier`, a reading of the same stage.
            #[must_use]
            pub fn since(&self, earlier: &Self) -> Self {
                Self {
                    $($counter: self.$counter.saturating_sub(earlier.$counter),)*
                    $($duration: self.$duration.since(&earlier.$duration),)*
                }
            }
        }
    };
}

stats! {
    counters {
        /// Active frames handed out.
        active_frames,
        /// Frames of any kind handed out.
        frames,
        /// Frames that a late worker skipped, and frames of live speech whose audio had not arrived.
        stalls,
        /// IDRs made for a reader who joined or lost units, beyond those every scene begins with.
        forced_idrs,
        /// Performances that broke.
        failures,
    }
    durations {
        /// How late frames were handed out: behind their time plus one frame.
        lateness,
        /// All of one active frame.
        frame_time,
        /// Audio to weights, per active frame.
        face,
        /// Weights to picture, per live frame.
        render,
        /// Picture to H.264, per live frame.
        h264,
        /// Sound to Opus, per frame with speech.
        opus,
        /// Units to outlets, per frame.
        hand_out,
    }
}

impl WorkerStats {
    pub(crate) fn count(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_exact_to_a_bucket() {
        let recorder = Recorder::default();
        for ms in 1..=100 {
            recorder.record(Duration::from_millis(ms));
        }
        let histogram = recorder.read();
        for (share, ms) in [(0.5, 50.0), (0.9, 90.0), (0.99, 99.0)] {
            let found = histogram.quantile(share).as_secs_f64() * 1e3;
            assert!((ms..ms * 1.2).contains(&found), "p{share}: {found} ms");
        }
        assert_eq!(histogram.quantile(1.0), Duration::from_millis(100));
        assert_eq!(histogram.mean(), Duration::from_micros(50_500));
        assert_eq!(Histogram::default().quantile(0.99), Duration::ZERO);
    }

    #[test]
    fn cumulative_bounds_grow_and_the_rest_is_in_the_count() {
        let recorder = Recorder::default();
        for taken in [Duration::ZERO, Duration::from_millis(3), Duration::from_secs(5)] {
            recorder.record(taken);
        }
        let histogram = recorder.read();
        let bounds: Vec<(f64, u64)> = histogram.cumulative().collect();
        assert!(bounds.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        assert_eq!((bounds[0].1, bounds[bounds.len() - 1].1, histogram.count()), (1, 2, 3));
    }

    #[test]
    fn what_happened_since_a_reading_is_the_difference() {
        let recorder = Recorder::default();
        recorder.record(Duration::from_millis(1));
        let earlier = recorder.read();
        recorder.record(Duration::from_millis(80));
        let since = recorder.read().since(&earlier);
        assert_eq!((since.count(), since.sum()), (1, Duration::from_millis(80)));
        assert!(since.quantile(0.5) >= Duration::from_millis(80));
    }
}
