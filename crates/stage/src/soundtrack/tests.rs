use std::f32::consts::TAU;

use footlight_media::OpusSettings;
use ropus::{Channels, DecodeMode, Decoder};

use super::{PACKET_SAMPLES, RUN_OUT, Soundtrack, silence};
use crate::AudioUnit;

const FRAME: usize = 1_920;

fn soundtrack() -> Soundtrack {
    let settings = OpusSettings { bits_per_second: 64_000, ..OpusSettings::default() };
    Soundtrack::new(settings, silence(settings).expect("the settings are in range"))
}

/// A tone, from sample `from` on.
fn tone(from: usize, samples: usize) -> Vec<i16> {
    (from..from + samples).map(|n| (12_000.0 * (TAU * 440.0 * n as f32 / 48_000.0).cos()) as i16).collect()
}

/// Eight frames of a tone, then eight of silence; with or without the tail that a cut leaves.
fn cut_tone(fade: bool) -> Vec<AudioUnit> {
    let mut track = soundtrack();
    let mut units = Vec::new();
    for frame in 0..16 {
        let at = frame * FRAME;
        if frame < 8 {
            track.push_speech(&tone(at, FRAME), at as u64, false, &mut units).expect("opus works");
        } else {
            if frame == 8 && fade {
                track.cut(&tone(at, FRAME));
            }
            track.push_silence(FRAME, at as u64, &mut units).expect("opus works");
        }
    }
    units
}

fn decode(units: &[AudioUnit]) -> Vec<f32> {
    let mut decoder = Decoder::new(48_000, Channels::Mono).expect("a decoder");
    let mut samples = Vec::new();
    for unit in units {
        let mut packet = [0.0_f32; PACKET_SAMPLES];
        let count = decoder.decode_float(&unit.data, &mut packet, DecodeMode::Normal).expect("a whole packet");
        samples.extend_from_slice(&packet[..count]);
    }
    samples
}

/// The strongest change of slope around the cut, 6.5 ms later in what is decoded: what is heard as a click.
fn click(samples: &[f32]) -> f32 {
    let cut = 8 * FRAME + 312;
    samples[cut - 240..cut + 480].windows(3).map(|s| (s[2] - 2.0 * s[1] + s[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn a_cut_fades_instead_of_clicking() {
    let (faded, hard) = (decode(&cut_tone(true)), decode(&cut_tone(false)));
    assert!(click(&faded) * 4.0 < click(&hard), "{} against {}", click(&faded), click(&hard));
    let after = &faded[8 * FRAME + 312 + 960..];
    assert!(after.iter().all(|sample| sample.abs() < 0.01), "then there is silence");
}

#[test]
fn silence_is_shared_once_the_encoder_has_run_out() {
    let units = cut_tone(true);
    assert_eq!(units.len(), 32);
    let shared = units.iter().filter(|unit| unit.data == soundtrack().silence).count();
    // One packet more holds the tail.
    assert_eq!(shared, 16 - RUN_OUT as usize - 1);
    assert!(units.iter().enumerate().all(|(n, unit)| unit.pts_us == n as u64 * 20_000 && unit.active == (n < 16)));
}

#[test]
fn frames_that_end_within_a_packet_lose_nothing() {
    let mut track = soundtrack();
    let mut units = Vec::new();
    for frame in 0..9 {
        track.push_speech(&tone(frame * 1_600, 1_600), frame as u64 * 1_600, false, &mut units).expect("opus works");
    }
    let times: Vec<u64> = units.iter().map(|unit| unit.pts_us).collect();
    assert_eq!(times, (0..15).map(|n| n * 20_000).collect::<Vec<_>>());
}
