use std::f32::consts::TAU;

use ropus::{Channels, DecodeMode, Decoder};

use super::*;
use crate::MediaError;

fn tone(samples: usize) -> Vec<f32> {
    (0..samples).map(|index| 0.4 * (index as f32 * TAU * 440.0 / 48_000.0).sin()).collect()
}

fn packets_of(samples: &[f32], piece: usize) -> Vec<OpusPacket> {
    let mut encoder = OpusEncoder::new(OpusSettings::default()).unwrap();
    let mut packets = Vec::new();
    for piece in samples.chunks(piece) {
        encoder.push(piece, &mut packets).unwrap();
    }
    encoder.finish(&mut packets).unwrap();
    packets
}

fn decode(packets: &[OpusPacket]) -> Vec<f32> {
    let mut decoder = Decoder::new(SAMPLE_RATE, Channels::Mono).unwrap();
    let mut heard = Vec::new();
    for packet in packets {
        let mut samples = [0.0; PACKET_SAMPLES];
        let count = decoder.decode_float(&packet.data, &mut samples, DecodeMode::Normal).unwrap();
        heard.extend_from_slice(&samples[..count]);
    }
    heard
}

#[test]
fn the_size_of_the_pieces_does_not_change_the_packets() {
    let sound = tone(10_000);
    let whole = packets_of(&sound, sound.len());
    for piece in [1, 441, 960, 1600, 1920, 4000] {
        assert_eq!(packets_of(&sound, piece), whole, "pieces of {piece}");
    }
}

#[test]
fn packets_follow_each_other_and_count_the_real_samples() {
    let packets = packets_of(&tone(10_000), 1920);
    for (index, packet) in packets.iter().enumerate() {
        assert_eq!(packet.pts_samples, index as u64 * 960);
        assert_eq!(packet.pts_us(), index as u64 * 20_000);
        assert!(!packet.data.is_empty());
    }
    let real: u32 = packets.iter().map(|packet| packet.samples).sum();
    assert_eq!(real, 10_000);
}

#[test]
fn every_pushed_sample_can_be_heard_after_the_pre_skip() {
    // The last packet is filled to within the encoder's delay of its end, so that one more is needed.
    for length in [1, 648, 649, 960, 1920, 4000] {
        let packets = packets_of(&tone(length), 960);
        let pre_skip = usize::from(PRE_SKIP);
        assert!(packets.len() * PACKET_SAMPLES >= length + pre_skip);
        assert!((packets.len() - 1) * PACKET_SAMPLES < length + pre_skip);
    }
}

#[test]
fn what_is_decoded_is_what_was_pushed_a_pre_skip_later() {
    let sound = tone(48_000);
    let pre_skip = usize::from(PRE_SKIP);
    let heard = &decode(&packets_of(&sound, 960))[pre_skip..];
    // Past the codec's start.
    let span = 9_600..38_400;
    let product = |shift: isize| -> f32 {
        span.clone().map(|index| sound[index] * heard[index.wrapping_add_signed(shift)]).sum()
    };
    let energy: f32 = span.clone().map(|index| sound[index] * sound[index]).sum();
    assert!(product(0) > 0.97 * energy, "{} of {energy}", product(0));
    // 440 Hz turns by 40 degrees in 12 samples: a wrong delay would show.
    assert!(product(0) > product(12) && product(0) > product(-12));
}

#[test]
fn every_setting_has_the_pre_skip_that_files_are_given() {
    // Noise is like itself at one shift only.
    let mut state = 1_u32;
    let noise: Vec<f32> = (0..48_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 16_777_216.0 - 0.5
        })
        .collect();
    for settings in (0..=10)
        .map(|complexity| OpusSettings { complexity, ..OpusSettings::default() })
        .chain([12_000, 128_000].map(|bits_per_second| OpusSettings { bits_per_second, ..OpusSettings::default() }))
    {
        let mut encoder = OpusEncoder::new(settings).unwrap();
        let mut packets = Vec::new();
        encoder.push(&noise, &mut packets).unwrap();
        let heard = decode(&packets);
        let likeness = |shift: usize| (9_600..38_400).map(|at| noise[at] * heard[at + shift]).sum::<f32>();
        let shift = (0..960).max_by(|&a, &b| likeness(a).total_cmp(&likeness(b))).unwrap();
        // Below 10 kHz at the lowest rates, where the peak is wider than a sample.
        assert!(shift.abs_diff(usize::from(PRE_SKIP)) <= 2, "{shift} samples at {settings:?}");
    }
}

#[test]
fn sixteen_bit_samples_encode_as_their_values() {
    let sound = tone(2880);
    let words: Vec<i16> = sound.iter().map(|s| (s * 32_768.0) as i16).collect();
    let exact: Vec<f32> = words.iter().map(|&word| f32::from(word) / 32_768.0).collect();
    let mut encoder = OpusEncoder::new(OpusSettings::default()).unwrap();
    let mut packets = Vec::new();
    encoder.push_i16(&words, &mut packets).unwrap();
    assert_eq!(packets, packets_of(&exact, 960)[..3]);
}

#[test]
fn samples_that_are_no_numbers_do_not_spoil_what_follows() {
    let mut sound = vec![f32::NAN, f32::INFINITY, -f32::INFINITY, 1e30];
    sound.resize(960, 0.0);
    sound.extend(tone(9600));
    let heard = decode(&packets_of(&sound, 960));
    assert!(heard.iter().all(|sample| sample.is_finite()));
    let loudest = heard[4800..].iter().fold(0.0, |max: f32, s| max.max(s.abs()));
    assert!(loudest > 0.3 && loudest < 0.6, "{loudest}");
}

#[test]
fn a_seek_drops_the_unfinished_packet_and_continues_elsewhere() {
    let mut encoder = OpusEncoder::new(OpusSettings::default()).unwrap();
    let mut packets = Vec::new();
    encoder.push(&tone(1000), &mut packets).unwrap();
    assert_eq!(encoder.position(), 1000);
    assert_eq!(encoder.seek(96_000), 40);
    encoder.push(&tone(960), &mut packets).unwrap();
    assert_eq!(packets[1].pts_samples, 96_000);
    assert_eq!(packets[1].pts_us(), 2_000_000);
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |bits_per_second, complexity| {
        matches!(OpusEncoder::new(OpusSettings { bits_per_second, complexity }), Err(MediaError::OutOfRange { .. }))
    };
    assert!(refused(1_000, 5));
    assert!(refused(1_000_000, 5));
    assert!(refused(32_000, 11));
}

#[test]
fn fades_reach_silence_at_the_cut_and_touch_nothing_else() {
    let constant = vec![1.0_f32; 1000];

    let mut sound = constant.clone();
    fade_in(&mut sound, 48_000);
    assert!(sound[0].abs() < 1e-6 && sound[..240].is_sorted());
    assert_eq!(sound[240..], constant[240..]);

    let mut sound = constant.clone();
    fade_out(&mut sound, 48_000);
    assert_eq!(sound[..760], constant[..760]);
    assert!(sound[999].abs() < 1e-6 && sound[760..].is_sorted_by(|a, b| a >= b));

    let mut sound = constant;
    fade_to_silence(&mut sound, 48_000);
    assert!(sound[0] > 0.99 && sound[239].abs() < 1e-6);
    assert!(sound[240..].iter().all(|&sample| sample.to_bits() == 0));

    fade_in(&mut [], 48_000);
    fade_to_silence(&mut [1.0], 48_000);
}
