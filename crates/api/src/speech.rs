//! From an upload to speech: 48 kHz mono, 16 bits.

use std::sync::Arc;

use actix_web::web;
use bytes::Bytes;
use footlight_avatar::audio::resample::{MAX_RATE, MIN_RATE};
use footlight_media::decode::{DecodeError, PcmFormat};
use footlight_stage::ear::{self, Ear, EarError};
use serde_json::json;

use crate::problem::{Code, Problem};

/// Decodes an upload and brings it to the rate of the ear, as long as `fits` takes it, as [`ear::decode_if`] does. Call it where
/// blocking is allowed.
///
/// # Errors
/// A problem that says what is wrong with the audio, or what `fits` says.
pub(crate) fn decode(
    upload: Bytes,
    raw: Option<PcmFormat>,
    max_s: u32,
    fits: impl Fn(u64) -> Result<(), Problem>,
) -> Result<Arc<[i16]>, Problem> {
    ear::decode_if(upload, raw, max_s, fits)
}

/// The rates that are in use, in Hz: what streamed samples may have beside the multiples of 100 up to 48 000.
const USUAL_RATES: [u32; 13] =
    [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

/// An ear for samples that arrive in pieces. It is made where blocking is allowed: a session's client may ask for one often, and
/// the first of a rate takes a millisecond or two.
///
/// # Errors
/// A problem that names the rate or the channels that are not taken, and the rates that are.
pub(crate) async fn ear(rate: u32, channels: u16) -> Result<Ear, Problem> {
    if (MIN_RATE..=MAX_RATE).contains(&rate) && !Ear::is_usual(rate) {
        let usual = USUAL_RATES.map(|rate| rate.to_string()).join(", ");
        return Err(Problem::new(
            Code::AudioUnsupported,
            format!("samples of {rate} Hz are not taken as they stream: send one of {usual} Hz, or any multiple of 100 Hz up to 48000"),
        )
        .with("rate", rate)
        .with("rates", json!(USUAL_RATES)));
    }
    let ear = web::block(move || Ear::new(rate, channels)).await.map_err(Problem::internal)?;
    Ok(ear.map_err(EarError::from)?)
}

/// Reads `audio/pcm;rate=16000;channels=1` (also `audio/x-pcm`, `audio/x-raw`, `audio/raw`). `None` if the type is none of these.
///
/// # Errors
/// A problem that says which parameter is wrong.
pub(crate) fn raw_format(content_type: Option<&str>) -> Result<Option<PcmFormat>, Problem> {
    let Some(content_type) = content_type else { return Ok(None) };
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    if !matches!(essence.as_str(), "audio/pcm" | "audio/x-pcm" | "audio/x-raw" | "audio/raw") {
        return Ok(None);
    }
    let mut format = PcmFormat { rate: 16_000, channels: 1 };
    for part in parts.filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let value = value.trim().trim_matches('"');
        let wrong = |detail: &str| Problem::field("content-type", format!("has `{part}`: {detail}"));
        match name.trim().to_ascii_lowercase().as_str() {
            "rate" => {
                format.rate = value.parse().map_err(|_| wrong("the rate is a whole number of samples a second"))?
            }
            "channels" => format.channels = value.parse().map_err(|_| wrong("channels is a whole number"))?,
            "format" if value.eq_ignore_ascii_case("s16le") => {}
            "bits" | "bit" if value == "16" => {}
            _ => return Err(wrong("raw audio takes `rate` and `channels`, and is 16-bit little-endian")),
        }
    }
    Ok(Some(format))
}

impl From<EarError> for Problem {
    fn from(error: EarError) -> Self {
        let said = |code| Self::new(code, error.to_string());
        match &error {
            EarError::TooLong { seconds, seconds_max } => {
                said(Code::AudioTooLong).with("seconds", *seconds).with("max_seconds", *seconds_max)
            }
            EarError::Audio(_) => said(Code::AudioUnsupported),
            EarError::Decode(error) => said(match error {
                DecodeError::Empty => Code::AudioEmpty,
                DecodeError::Unrecognised { .. }
                | DecodeError::Unsupported { .. }
                | DecodeError::Rate { .. }
                | DecodeError::Channels { .. } => Code::AudioUnsupported,
                DecodeError::TooLong { .. } => Code::AudioTooLong,
                DecodeError::Truncated { .. }
                | DecodeError::Malformed { .. }
                | DecodeError::FormatChanged { .. }
                | DecodeError::Io(_) => Code::AudioDamaged,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever its length.
    fn decode(upload: Bytes, raw: Option<PcmFormat>, max_s: u32) -> Result<Arc<[i16]>, Problem> {
        super::decode(upload, raw, max_s, |_| Ok(()))
    }

    fn wav(rate: u32, channels: u16, samples: &[i16]) -> Bytes {
        let data_len = u32::try_from(samples.len() * 2).unwrap();
        let mut file = Vec::new();
        file.extend_from_slice(b"RIFF");
        file.extend_from_slice(&(36 + data_len).to_le_bytes());
        file.extend_from_slice(b"WAVEfmt ");
        file.extend_from_slice(&16_u32.to_le_bytes());
        file.extend_from_slice(&1_u16.to_le_bytes());
        file.extend_from_slice(&channels.to_le_bytes());
        file.extend_from_slice(&rate.to_le_bytes());
        file.extend_from_slice(&(rate * u32::from(channels) * 2).to_le_bytes());
        file.extend_from_slice(&(channels * 2).to_le_bytes());
        file.extend_from_slice(&16_u16.to_le_bytes());
        file.extend_from_slice(b"data");
        file.extend_from_slice(&data_len.to_le_bytes());
        file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        file.into()
    }

    #[test]
    fn one_second_of_any_rate_and_channels_becomes_one_second_for_the_ear() {
        for (rate, channels) in [(8_000, 1), (11_025, 2), (16_000, 1), (44_100, 2), (48_000, 1), (96_000, 6)] {
            let samples = vec![1_000_i16; rate as usize * usize::from(channels)];
            let speech = decode(wav(rate, channels, &samples), None, 600).unwrap();
            assert_eq!(speech.len(), 48_000, "{rate} Hz, {channels} channels");
        }
    }

    #[test]
    fn samples_at_the_ears_own_rate_pass_unchanged() {
        let saw = (0..960_i16).map(|n| n % 200 * 100 - 10_000);
        let samples: Vec<i16> = saw.chain([i16::MIN, i16::MAX]).collect();
        let speech = decode(wav(48_000, 1, &samples), None, 600).unwrap();
        assert_eq!(&speech[..], &samples[..]);
    }

    #[actix_web::test]
    async fn rates_in_use_may_be_streamed_and_one_that_takes_long_to_prepare_is_refused_by_name() {
        for rate in USUAL_RATES.into_iter().chain([8_100, 47_900]) {
            assert!(ear(rate, 1).await.is_ok(), "{rate}");
        }
        for rate in [12_347, 47_999, 191_999] {
            let refused = ear(rate, 1).await.err().expect("it takes long");
            assert_eq!(refused.code, Code::AudioUnsupported);
            assert!(
                refused.detail.contains(&rate.to_string()) && refused.detail.contains("11025"),
                "{}",
                refused.detail
            );
            // A whole file of it is as good as any.
            let speech = decode(wav(rate, 1, &vec![0; rate as usize]), None, 600).unwrap();
            assert_eq!(speech.len(), 48_000);
        }
        for (rate, channels) in [(7_999, 1), (192_001, 1), (16_000, 9)] {
            assert_eq!(ear(rate, channels).await.err().map(|problem| problem.code), Some(Code::AudioUnsupported));
        }
    }

    #[test]
    fn a_refusal_for_length_names_what_was_sent_and_what_is_taken() {
        let refused = decode(wav(8_000, 1, &vec![0; 8_000 * 12]), None, 10).unwrap_err();
        assert_eq!(refused.code, Code::AudioTooLong);
        assert!(refused.detail.contains("12 s") && refused.detail.contains("10 s"), "{}", refused.detail);
    }

    #[test]
    fn a_wav_cut_short_is_named_so() {
        let whole = wav(16_000, 1, &[5; 16_000]);
        let refused = decode(whole.slice(..whole.len() / 2), None, 600).unwrap_err();
        assert_eq!(refused.code, Code::AudioDamaged);
        assert_eq!(decode(Bytes::new(), None, 600).unwrap_err().code, Code::AudioEmpty);
        assert_eq!(decode(wav(16_000, 1, &[]), None, 600).unwrap_err().code, Code::AudioEmpty);
        assert_eq!(decode(Bytes::from_static(b"hello there"), None, 600).unwrap_err().code, Code::AudioUnsupported);
    }

    #[test]
    fn raw_samples_are_described_by_their_content_type() {
        let format = |text| raw_format(Some(text)).map(|format| format.map(|f| (f.rate, f.channels)));
        assert_eq!(format("audio/pcm;rate=24000;channels=2").unwrap(), Some((24_000, 2)));
        assert_eq!(format("Audio/PCM").unwrap(), Some((16_000, 1)));
        assert_eq!(format("audio/wav").unwrap(), None);
        assert!(format("audio/pcm;rate=fast").unwrap_err().detail.contains("rate"));
        assert!(format("audio/pcm;endian=big").unwrap_err().detail.contains("little-endian"));
    }
}
