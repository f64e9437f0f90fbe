//! Audio to send: the shipped speech, and files made to measure.

use std::path::PathBuf;

/// A file of `tests/speech`.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn shipped(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("speech").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A 16-bit mono WAV of `seconds` of something that is loud and never silent: a buzz with a slow beat.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "samples and seconds are small")]
pub fn buzz(seconds: f64, rate: u32) -> Vec<u8> {
    let count = (seconds * f64::from(rate)).round() as u32;
    let samples = (0..count).map(|n| {
        let t = f64::from(n) / f64::from(rate);
        let beat = 0.6 + 0.4 * (t * 4.0 * std::f64::consts::TAU).sin();
        ((t * 150.0).fract() - 0.5) * beat * 0.6
    });
    wav(rate, 1, &samples.map(|sample| (sample * 32_767.0) as i16).collect::<Vec<_>>())
}

/// A 16-bit WAV of interleaved samples.
#[must_use]
pub fn wav(rate: u32, channels: u16, samples: &[i16]) -> Vec<u8> {
    let bytes = u32::try_from(samples.len() * 2).expect("a test file is small");
    let mut file = Vec::with_capacity(44 + samples.len() * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    file.extend_from_slice(&1_u16.to_le_bytes());
    file.extend_from_slice(&channels.to_le_bytes());
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&(rate * u32::from(channels) * 2).to_le_bytes());
    file.extend_from_slice(&(channels * 2).to_le_bytes());
    file.extend_from_slice(&16_u16.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}
