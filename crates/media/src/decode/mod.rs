//! Submitted audio to `f32` samples, a chunk at a time, in constant memory however long it is.
//!
//! What a file is called is never believed: an MP3 called `speech.wav` is decoded as the MP3 it is. Every fault is
//! a [`DecodeError`] that says what to do about it; random bytes, damaged files and files that were cut short end
//! in one, never in a panic.
//!
//! What cannot be told: an MP3 or Ogg that was cut short at some packet's end looks like a shorter one and is
//! spoken as far as it goes.

mod container;
mod error;
mod ogg_opus;
mod raw;
mod sniff;
mod source;
#[cfg(test)]
mod tests;
mod wav;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use error::DecodeError;
pub use raw::PcmFormat;
pub use sniff::Container;
pub use source::AudioSource;

use container::ContainerDecoder;
use raw::RawDecoder;

/// Smallest sample rate taken, in Hz. Below it nothing is speech any more.
pub const RATE_MIN: u32 = 4_000;
/// Largest sample rate taken, in Hz.
pub const RATE_MAX: u32 = 384_000;
/// Most channels taken: 7.1.
pub const CHANNELS_MAX: usize = 8;

/// Bounds on what is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Longest audio, in seconds. Audio whose header promises more is refused at once, audio that turns out longer
    /// when it gets there.
    pub seconds_max: u32,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { seconds_max: 4 * 3600 }
    }
}

/// Some consecutive samples, borrowed from the decoder.
#[derive(Debug, Clone, Copy)]
pub struct PcmChunk<'a> {
    /// Interleaved samples, nominally -1 to 1, all finite. The length is a multiple of `channels`, and not 0.
    pub samples: &'a [f32],
    /// Channels in each frame.
    pub channels: usize,
}

impl PcmChunk<'_> {
    /// Returns how many samples each channel has.
    pub fn frames(&self) -> usize {
        self.samples.len() / self.channels
    }
}

/// Decodes one piece of submitted audio from its beginning to its end.
pub struct AudioDecoder {
    decoder: Inner,
    container: Container,
    rate: u32,
    channels: usize,
    frames_hint: Option<u64>,
    frames_max: u64,
    limit_s: u32,
    frames: u64,
    samples: Vec<f32>,
    state: State,
}

enum Inner {
    Container(Box<ContainerDecoder>),
    Raw(RawDecoder),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Decoding,
    /// The end was reached or a fault reported; the decoder below is not asked again.
    Ended,
}

/// What a decoder knows about its audio before the first sample.
struct Shape {
    rate: u32,
    channels: usize,
    /// Samples per channel, if the header tells.
    frames: Option<u64>,
}

impl AudioDecoder {
    /// Opens audio in a file format, which is recognised by its content. `name` is what the sender calls it and
    /// only appears in messages.
    ///
    /// # Errors
    ///
    /// Returns a [`DecodeError`] when it is empty, of no supported kind, cut short, damaged in its header, or by
    /// its header too long.
    pub fn open(source: impl Into<AudioSource>, name: Option<&str>, limits: DecodeLimits) -> Result<Self, DecodeError> {
        let mut source = source.into();
        if source.is_empty() {
            return Err(DecodeError::Empty);
        }
        let (container, start) = sniff::recognise(&mut source, name)?;
        source = match container {
            Container::Wav => wav::straighten(source)?,
            _ => source.with_front(Vec::new(), start, u64::MAX).map_err(DecodeError::Io)?,
        };
        let opened = guarded(container, || ContainerDecoder::open(source, container));
        let (decoder, shape) = opened?;
        Self::start(Inner::Container(Box::new(decoder)), container, shape, limits)
    }

    /// Opens raw samples: 16-bit little-endian, interleaved, without any header.
    ///
    /// # Errors
    ///
    /// Returns a [`DecodeError`] when it is empty, ends within a frame, is too long, or the format is out of range.
    pub fn open_raw(
        source: impl Into<AudioSource>,
        format: PcmFormat,
        limits: DecodeLimits,
    ) -> Result<Self, DecodeError> {
        let (decoder, shape) = RawDecoder::open(source.into(), format)?;
        Self::start(Inner::Raw(decoder), Container::RawPcm, shape, limits)
    }

    fn start(decoder: Inner, container: Container, shape: Shape, limits: DecodeLimits) -> Result<Self, DecodeError> {
        if shape.rate < RATE_MIN || shape.rate > RATE_MAX {
            return Err(DecodeError::Rate { rate: shape.rate, min: RATE_MIN, max: RATE_MAX });
        }
        if shape.channels == 0 || shape.channels > CHANNELS_MAX {
            return Err(DecodeError::Channels { channels: shape.channels, max: CHANNELS_MAX });
        }
        if shape.frames == Some(0) {
            return Err(DecodeError::Empty);
        }
        let frames_max = u64::from(limits.seconds_max) * u64::from(shape.rate);
        if shape.frames.is_some_and(|frames| frames > frames_max) {
            return Err(DecodeError::TooLong { limit_s: limits.seconds_max });
        }
        Ok(Self {
            decoder,
            container,
            rate: shape.rate,
            channels: shape.channels,
            frames_hint: shape.frames,
            frames_max,
            limit_s: limits.seconds_max,
            frames: 0,
            samples: Vec::new(),
            state: State::Decoding,
        })
    }

    /// Returns what the content turned out to be.
    pub fn container(&self) -> Container {
        self.container
    }

    /// Returns the sample rate in Hz.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Returns the number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Returns how many samples each channel should have, if the header tells. For MP3 and Ogg it is an estimate.
    pub fn frames_hint(&self) -> Option<u64> {
        self.frames_hint
    }

    /// Decodes the next few samples (tens of milliseconds), or returns `None` at the end. May read from the source
    /// and so block on a disk.
    ///
    /// # Errors
    ///
    /// Returns a [`DecodeError`] when the audio is damaged, cut short or too long. Every call after that, as after
    /// the end, returns `None`.
    pub fn next_chunk(&mut self) -> Result<Option<PcmChunk<'_>>, DecodeError> {
        if self.state == State::Ended {
            return Ok(None);
        }
        let decoded = self.decode_some();
        if !matches!(decoded, Ok(true)) {
            self.state = State::Ended;
        }
        Ok(decoded?.then_some(PcmChunk { samples: &self.samples, channels: self.channels }))
    }

    /// Fills `samples` with at least one frame, or returns false at the end.
    fn decode_some(&mut self) -> Result<bool, DecodeError> {
        self.samples.clear();
        match &mut self.decoder {
            Inner::Raw(raw) => raw.decode(&mut self.samples)?,
            Inner::Container(inner) => {
                let samples = &mut self.samples;
                guarded(self.container, || inner.decode(samples))?;
            }
        }
        let frames = (self.samples.len() / self.channels) as u64;
        if frames == 0 {
            return match self.frames {
                0 => Err(DecodeError::Empty),
                _ => Ok(false),
            };
        }
        self.frames += frames;
        if self.frames > self.frames_max {
            return Err(DecodeError::TooLong { limit_s: self.limit_s });
        }
        // Float files may hold anything; one NaN would silence a filter for ever.
        for sample in &mut self.samples {
            if !sample.is_finite() {
                *sample = 0.0;
            }
        }
        Ok(true)
    }
}

/// Runs a third-party decoder on bytes from anyone. A panic in it is that decoder's bug and this file's trouble
/// alone: it becomes an error, and the decoder is not used again.
fn guarded<T>(container: Container, decode: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        tracing::error!(%container, "a decoder panicked");
        Err(DecodeError::Malformed { container, reason: "it makes the decoder fail".to_owned() })
    })
}
