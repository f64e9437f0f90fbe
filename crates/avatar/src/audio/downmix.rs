//! Any number of interleaved channels to one.

use super::AudioError;

/// The most channels an input may have: 7.1.
pub const MAX_CHANNELS: u16 = 8;

/// Averages interleaved channels into one, across chunks that may end in the middle of a sample frame.
#[derive(Debug, Clone)]
pub struct Downmix {
    channels: u16,
    /// How many channels of the current sample frame have arrived, and their sum.
    seen: u16,
    sum: f32,
}

impl Downmix {
    /// Creates a downmix from `channels` channels.
    ///
    /// # Errors
    /// [`AudioError::Channels`] outside 1 to [`MAX_CHANNELS`].
    pub fn new(channels: u16) -> Result<Self, AudioError> {
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(AudioError::Channels { channels, max: MAX_CHANNELS });
        }
        Ok(Self { channels, seen: 0, sum: 0.0 })
    }

    /// Takes interleaved samples, full scale at 1, and appends the mono ones that they complete. What is not a number
    /// counts as silence, so that one bad sample of a float file cannot spoil the filters behind.
    pub fn push(&mut self, interleaved: impl IntoIterator<Item = f32>, mono: &mut Vec<f32>) {
        let scale = 1.0 / f32::from(self.channels);
        for sample in interleaved {
            self.sum += if sample.is_finite() { sample } else { 0.0 };
            self.seen += 1;
            if self.seen == self.channels {
                mono.push(self.sum * scale);
                self.seen = 0;
                self.sum = 0.0;
            }
        }
    }

    /// Drops a sample frame that never became complete.
    pub fn reset(&mut self) {
        self.seen = 0;
        self.sum = 0.0;
    }
}
