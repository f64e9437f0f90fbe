//! Behaviour of the audio front end.

use super::logmel::{HOP, MEL_BANDS};
use super::resample::{MAX_RATE, MIN_RATE};
use super::*;

const HELLO: &[u8] = include_bytes!("../../../../tests/speech/hello.wav");
/// Written by the training's own front end (`models/`): the first frames of `hello.wav`, little-endian floats.
const HELLO_MEL: &[u8] = include_bytes!("fixtures/hello.mel");

/// The samples of a plain WAV file with the usual 44 bytes in front.
fn samples(wav: &[u8]) -> Vec<f32> {
    wav[44..].as_chunks::<2>().0.iter().map(|&pair| f32::from(i16::from_le_bytes(pair)) / 32768.0).collect()
}

fn sine(rate: u32, hz: f64, count: usize) -> Vec<f32> {
    (0..count).map(|n| (std::f64::consts::TAU * hz * n as f64 / f64::from(rate)).sin() as f32 * 0.5).collect()
}

fn resampled(from: u32, to: u32, input: &[f32]) -> Vec<f32> {
    let mut resampler = Resampler::new(from, to).unwrap();
    let mut out = Vec::new();
    resampler.push(input, &mut out);
    resampler.flush(&mut out);
    out
}

#[test]
fn any_rate_keeps_a_tone_its_time_and_its_length() {
    for from in [8_000, 11_025, 12_347, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 191_999, 192_000] {
        for to in [FACE_RATE, EAR_RATE] {
            let count = from as usize / 4 + 17;
            let out = resampled(from, to, &sine(from, 1_000.0, count));
            assert_eq!(out.len(), (count * to as usize).div_ceil(from as usize), "{from} to {to}");
            let wanted = sine(to, 1_000.0, out.len());
            // Away from the ends, where the tone meets silence.
            let edge = to as usize / 100;
            for n in edge..out.len() - edge {
                assert!(
                    (out[n] - wanted[n]).abs() < 1e-3,
                    "{from} to {to}: sample {n} is {} not {}",
                    out[n],
                    wanted[n]
                );
            }
        }
    }
}

#[test]
fn what_the_lower_rate_cannot_hold_is_gone_and_not_folded_back() {
    for (from, to, hz) in [(48_000, FACE_RATE, 9_000.0), (44_100, FACE_RATE, 12_000.0), (192_000, EAR_RATE, 30_000.0)] {
        let out = resampled(from, to, &sine(from, hz, from as usize / 2));
        let loudest = out[to as usize / 50..out.len() - to as usize / 50].iter().fold(0.0_f32, |a, b| a.max(b.abs()));
        assert!(loudest < 0.5e-3, "{hz} hz at {from} left {loudest} at {to}");
    }
}

#[test]
fn the_way_audio_is_cut_into_chunks_changes_nothing() {
    let speech = samples(HELLO);
    let whole = {
        let (mut front, mut branches) =
            (FrontEnd::new(AudioFormat::new(44_100, 1).unwrap()).unwrap(), Branches::default());
        front.push_f32(&speech, &mut branches);
        front.flush(&mut branches);
        branches
    };
    for chunk in [1, 7, 160, 441, 4_096] {
        let (mut front, mut branches) =
            (FrontEnd::new(AudioFormat::new(44_100, 1).unwrap()).unwrap(), Branches::default());
        speech.chunks(chunk).for_each(|piece| front.push_f32(piece, &mut branches));
        front.flush(&mut branches);
        assert_eq!(branches, whole, "in chunks of {chunk}");
    }
}

#[test]
fn stereo_cut_inside_a_sample_frame_is_averaged() {
    let mut front = FrontEnd::new(AudioFormat::new(EAR_RATE, 2).unwrap()).unwrap();
    let mut branches = Branches::default();
    front.push_pcm16(&[16_384, 0, -16_384], &mut branches);
    front.push_pcm16(&[0, 8_192], &mut branches);
    assert_eq!(branches.ear, [0.25, -0.25], "the last frame lacks its right channel");
}

#[test]
fn an_hour_neither_drifts_nor_loses_a_sample() {
    let mut resampler = Resampler::new(44_100, FACE_RATE).unwrap();
    let second = vec![0.0; 44_100];
    let mut made = 0;
    for _ in 0..3_600 {
        let mut out = Vec::new();
        resampler.push(&second, &mut out);
        made += out.len();
    }
    let mut out = Vec::new();
    resampler.flush(&mut out);
    assert_eq!(made + out.len(), 3_600 * FACE_RATE as usize);
}

#[test]
fn bad_formats_are_refused_by_name() {
    assert_eq!(AudioFormat::new(7_999, 1), Err(AudioError::Rate { rate: 7_999, min: MIN_RATE, max: MAX_RATE }));
    assert!(AudioFormat::new(192_001, 1).is_err());
    assert!(AudioFormat::new(48_000, 0).is_err());
    assert_eq!(AudioFormat::new(48_000, 9).unwrap_err().to_string(), "9 audio channels are outside 1 to 8");
}

#[test]
fn a_sample_that_is_no_number_is_silence() {
    let mut front = FrontEnd::new(AudioFormat::new(16_000, 1).unwrap()).unwrap();
    let mut branches = Branches::default();
    front.push_f32(&[f32::NAN, f32::INFINITY, 0.5], &mut branches);
    front.flush(&mut branches);
    assert!(branches.ear.iter().chain(&branches.face).all(|sample| sample.is_finite()));
}

#[test]
fn the_log_mel_is_the_one_the_model_was_trained_on() {
    let wanted: Vec<f32> = HELLO_MEL.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    let mut frames = Vec::new();
    LogMel::new().push(&samples(HELLO), &mut frames);
    assert!(wanted.len() >= 100 * MEL_BANDS);
    for (n, (wanted, frame)) in wanted.chunks(MEL_BANDS).zip(&frames).enumerate() {
        for (band, (a, b)) in wanted.iter().zip(frame).enumerate() {
            assert!((a - b).abs() < 1e-4, "frame {n}, band {band}: {b}, trained on {a}");
        }
    }
}

#[test]
fn log_mel_frames_do_not_depend_on_chunks_and_are_all_there() {
    let speech = &samples(HELLO)[..10_007];
    let frames = |chunk: usize| {
        let (mut mel, mut frames) = (LogMel::new(), Vec::new());
        speech.chunks(chunk).for_each(|piece| mel.push(piece, &mut frames));
        mel.flush(&mut frames);
        frames
    };
    let whole = frames(speech.len());
    assert_eq!(whole.len(), speech.len().div_ceil(HOP));
    assert_eq!(frames(1), whole);
    assert_eq!(frames(333), whole);
}
