//! From an audio file to what the stage takes: 48 kHz, mono, 16 bits.

use std::sync::Arc;

use bytes::Bytes;
use footlight_avatar::audio::{AudioError, Downmix, Resampler, resample};
use footlight_media::decode::{AudioDecoder, DecodeError, DecodeLimits, PcmFormat};

use crate::SAMPLE_RATE;

/// Why audio cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum EarError {
    /// It cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Its rate or channels are not taken.
    #[error(transparent)]
    Audio(#[from] AudioError),
    /// It lasts longer than one utterance may.
    #[error(
        "the audio lasts {seconds} s and one utterance may last {seconds_max} s; cut it and send the pieces one after the other"
    )]
    TooLong {
        /// How long it is, or how far it was read.
        seconds: u64,
        /// How long it may be.
        seconds_max: u32,
    },
}

/// Decodes a whole upload. Takes about a hundredth of the speech's own time: call it where blocking is allowed.
///
/// `raw` says what the samples are when there is no header; without it the content is recognised by itself, whatever
/// its name or type says.
///
/// # Errors
/// With what is wrong with the audio.
pub fn decode(upload: Bytes, raw: Option<PcmFormat>, seconds_max: u32) -> Result<Arc<[i16]>, EarError> {
    decode_if(upload, raw, seconds_max, |_| Ok::<_, EarError>(()))
}

/// As [`decode`], as long as `fits` takes what it will make: it is asked for the length that the header promises, if it does, and
/// as the audio turns out longer, in samples and a second below it. Some headers only estimate.
///
/// # Errors
/// With what is wrong with the audio, or what `fits` says.
pub fn decode_if<E: From<EarError>>(
    upload: Bytes,
    raw: Option<PcmFormat>,
    seconds_max: u32,
    fits: impl Fn(u64) -> Result<(), E>,
) -> Result<Arc<[i16]>, E> {
    let fits = |samples: u64| match samples.checked_sub(u64::from(SAMPLE_RATE)) {
        Some(samples) => fits(samples),
        None => Ok(()),
    };
    // The decoder's own limit stays open, so that a refusal can name the length that was sent and not only the limit.
    let limits = DecodeLimits { seconds_max: u32::MAX };
    let opened = match raw {
        Some(format) => AudioDecoder::open_raw(upload, format, limits),
        None => AudioDecoder::open(upload, None, limits),
    };
    let mut decoder = opened.map_err(EarError::from)?;
    let too_long = |seconds: u64| EarError::TooLong { seconds, seconds_max };
    let rate = u64::from(decoder.rate());
    if let Some(frames) = decoder.frames_hint() {
        if frames > u64::from(seconds_max) * rate {
            return Err(too_long(frames / rate).into());
        }
        fits(frames * u64::from(SAMPLE_RATE) / rate)?;
    }
    let ear = Ear::new(decoder.rate(), u16::try_from(decoder.channels()).unwrap_or(u16::MAX));
    let mut ear = ear.map_err(EarError::from)?;
    let mut speech: Vec<i16> = Vec::new();
    let most = seconds_max as usize * SAMPLE_RATE as usize;
    while let Some(chunk) = decoder.next_chunk().map_err(EarError::from)? {
        ear.push(chunk.samples.iter().copied(), &mut speech);
        if speech.len() > most {
            return Err(too_long((speech.len() / SAMPLE_RATE as usize) as u64).into());
        }
        fits(speech.len() as u64)?;
    }
    ear.flush(&mut speech);
    if speech.is_empty() {
        return Err(EarError::from(DecodeError::Empty).into());
    }
    Ok(speech.into())
}

/// Any rate and channels to 48 kHz mono 16-bit samples, chunk by chunk.
pub struct Ear {
    downmix: Downmix,
    resampler: Resampler,
    mono: Vec<f32>,
    heard: Vec<f32>,
    rate: u32,
    channels: u16,
}

impl Ear {
    /// An ear for audio of `rate` Hz and `channels`.
    ///
    /// # Errors
    /// Names the rate or the channels that are not taken.
    pub fn new(rate: u32, channels: u16) -> Result<Self, AudioError> {
        Ok(Self {
            downmix: Downmix::new(channels)?,
            resampler: Resampler::new(rate, SAMPLE_RATE)?,
            mono: Vec::new(),
            heard: Vec::new(),
            rate,
            channels,
        })
    }

    /// Whether an ear for audio of `rate` Hz takes a millisecond or two at most to make; others take ten. Those of sound cards
    /// and telephones do, and all multiples of 100 Hz up to 48 kHz.
    #[must_use]
    pub fn is_usual(rate: u32) -> bool {
        resample::is_usual(rate, SAMPLE_RATE)
    }

    /// Takes interleaved samples at full scale 1 and appends what they complete.
    pub fn push(&mut self, interleaved: impl IntoIterator<Item = f32>, speech: &mut Vec<i16>) {
        self.mono.clear();
        self.heard.clear();
        self.downmix.push(interleaved, &mut self.mono);
        self.resampler.push(&self.mono, &mut self.heard);
        append(&self.heard, speech);
    }

    /// How many samples so many interleaved ones make, to the rounding.
    #[must_use]
    pub fn length_of(&self, interleaved: usize) -> u64 {
        interleaved as u64 / u64::from(self.channels) * u64::from(SAMPLE_RATE) / u64::from(self.rate)
    }

    /// Passes over samples that will not be heard, so that the channels of the next ones are told apart as before.
    pub fn skip(&mut self, interleaved: impl IntoIterator<Item = f32>) {
        self.mono.clear();
        self.downmix.push(interleaved, &mut self.mono);
    }

    /// Ends the input and appends what was held back. The next push begins anew.
    pub fn flush(&mut self, speech: &mut Vec<i16>) {
        self.heard.clear();
        self.downmix.reset();
        self.resampler.flush(&mut self.heard);
        append(&self.heard, speech);
    }
}

fn append(heard: &[f32], speech: &mut Vec<i16>) {
    // `as` saturates: what is over full scale is clipped, as a converter would.
    speech.extend(heard.iter().map(|sample| (sample * 32_768.0).round() as i16));
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const HELLO: &[u8] = include_bytes!("../../../tests/speech/hello.wav");

    #[test]
    fn what_would_not_be_taken_is_not_decoded() {
        let whole = decode(HELLO.into(), None, 60).expect("shipped speech is audio").len() as u64;
        let asked = RefCell::new(Vec::new());
        let fits = |samples| {
            asked.borrow_mut().push(samples);
            Err(EarError::TooLong { seconds: 7, seconds_max: 0 })
        };
        assert!(matches!(decode_if(HELLO.into(), None, 60, fits), Err(EarError::TooLong { seconds: 7, .. })));
        assert_eq!(asked.take(), [whole - 48_000], "by its header, a second less, and once");

        // Raw samples have their length, and the last second is left to whoever queues them.
        let raw = Some(PcmFormat { rate: 48_000, channels: 1 });
        let two_seconds = |samples| {
            if samples > 96_000 { Err(EarError::TooLong { seconds: 7, seconds_max: 0 }) } else { Ok(()) }
        };
        assert!(decode_if(vec![0; 2 * 48_000 * 3].into(), raw, 60, two_seconds).is_ok());
        assert!(decode_if(vec![0; 2 * 48_000 * 4].into(), raw, 60, two_seconds).is_err());
    }
}
