//! Both branches of one utterance.

use super::resample::{MAX_RATE, MIN_RATE};
use super::{AudioError, Downmix, EAR_RATE, FACE_RATE, Resampler};

/// A sampling rate and a channel count that the front end takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioFormat {
    rate: u32,
    channels: u16,
}

impl AudioFormat {
    /// Checks a format: `rate` in Hz.
    ///
    /// # Errors
    /// [`AudioError`] if the rate is outside 8 to 192 kHz or there are not 1 to 8 channels.
    pub fn new(rate: u32, channels: u16) -> Result<Self, AudioError> {
        if !(MIN_RATE..=MAX_RATE).contains(&rate) {
            return Err(AudioError::Rate { rate, min: MIN_RATE, max: MAX_RATE });
        }
        Downmix::new(channels)?;
        Ok(Self { rate, channels })
    }

    /// Sample frames a second.
    #[must_use]
    pub fn rate(self) -> u32 {
        self.rate
    }

    /// Interleaved channels.
    #[must_use]
    pub fn channels(self) -> u16 {
        self.channels
    }
}

/// What a piece of submitted audio became. Mono, full scale at 1. The owner drains what it has used.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Branches {
    /// For the ear, at [`EAR_RATE`].
    pub ear: Vec<f32>,
    /// For the face model, at [`FACE_RATE`].
    pub face: Vec<f32>,
}

/// Splits submitted audio of one format into both branches, in chunks of any size.
///
/// Both begin at the first submitted sample and, after a flush, end at the last: `s` sample frames give
/// `ceil(s * 48000 / rate)` and `ceil(s * 16000 / rate)`.
#[derive(Debug, Clone)]
pub struct FrontEnd {
    downmix: Downmix,
    ear: Resampler,
    face: Resampler,
    mono: Vec<f32>,
}

impl FrontEnd {
    /// Creates a front end for audio of this format.
    ///
    /// # Errors
    /// As [`AudioFormat::new`].
    pub fn new(format: AudioFormat) -> Result<Self, AudioError> {
        Ok(Self {
            downmix: Downmix::new(format.channels)?,
            ear: Resampler::new(format.rate, EAR_RATE)?,
            face: Resampler::new(format.rate, FACE_RATE)?,
            mono: Vec::new(),
        })
    }

    /// Takes interleaved 16-bit samples and appends to both branches what they complete.
    pub fn push_pcm16(&mut self, interleaved: &[i16], branches: &mut Branches) {
        self.push(interleaved.iter().map(|&sample| f32::from(sample) / 32768.0), branches);
    }

    /// Takes interleaved float samples, full scale at 1, and appends to both branches what they complete.
    pub fn push_f32(&mut self, interleaved: &[f32], branches: &mut Branches) {
        self.push(interleaved.iter().copied(), branches);
    }

    /// Ends the utterance and appends what the filters still held back. The next push begins a new one.
    pub fn flush(&mut self, branches: &mut Branches) {
        self.downmix.reset();
        self.ear.flush(&mut branches.ear);
        self.face.flush(&mut branches.face);
    }

    /// Forgets the utterance without an end.
    pub fn reset(&mut self) {
        self.downmix.reset();
        self.ear.reset();
        self.face.reset();
    }

    fn push(&mut self, interleaved: impl Iterator<Item = f32>, branches: &mut Branches) {
        self.mono.clear();
        self.downmix.push(interleaved, &mut self.mono);
        self.ear.push(&self.mono, &mut branches.ear);
        self.face.push(&self.mono, &mut branches.face);
    }
}
