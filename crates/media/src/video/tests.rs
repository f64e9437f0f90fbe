use super::*;
use crate::MediaError;

const SETTINGS: VideoSettings = VideoSettings { width: 320, height: 192, fps: 25, rate: RateControl::ConstantQp(26) };

/// A gradient with a bright square that moves with `step`.
fn picture(settings: VideoSettings, step: usize) -> Vec<u8> {
    let (width, height) = (settings.width as usize, settings.height as usize);
    let mut data = vec![128; width * height * 3 / 2];
    for (row, line) in data[..width * height].chunks_mut(width).enumerate() {
        for (column, luma) in line.iter_mut().enumerate() {
            let inside = row.abs_diff(height / 2) < 8 && column.abs_diff(20 + step * 3) < 8;
            *luma = if inside { 220 } else { (16 + row / 2 + column / 4) as u8 };
        }
    }
    data
}

fn encode(encoder: &mut H264Encoder, step: usize, force: ForceIdr) -> EncodedVideo {
    let settings = encoder.settings();
    let data = picture(settings, step);
    let view = I420View::packed(settings.width, settings.height, &data).unwrap();
    encoder.encode(view, force).unwrap()
}

fn unit_types(encoded: &EncodedVideo) -> Vec<u8> {
    nal::units(&encoded.data).map(nal::unit_type).collect()
}

fn parameter_sets(encoded: &EncodedVideo) -> Vec<Vec<u8>> {
    nal::units(&encoded.data)
        .filter(|unit| matches!(nal::unit_type(unit), nal::SPS | nal::PPS))
        .map(<[u8]>::to_vec)
        .collect()
}

#[test]
fn an_idr_comes_first_and_when_asked_for_and_never_else() {
    let mut encoder = H264Encoder::new(SETTINGS).unwrap();
    for step in 0..120 {
        // A jump of the whole picture must not make the encoder start over by itself.
        let jump = if step == 50 { 40 } else { 0 };
        let asked = step == 37 || step == 80;
        let force = if asked { ForceIdr::Yes } else { ForceIdr::No };
        let encoded = encode(&mut encoder, step + jump, force);
        assert_eq!(encoded.idr, step == 0 || asked, "frame {step}");
        let expected: &[u8] = if encoded.idr { &[7, 8, 5] } else { &[1] };
        assert_eq!(unit_types(&encoded), expected, "frame {step}");
    }
}

#[test]
fn equal_settings_give_equal_parameter_sets_whatever_is_shown() {
    for rate in [RateControl::ConstantQp(26), RateControl::Bitrate { kbps: 600 }] {
        let settings = VideoSettings { rate, ..SETTINGS };
        let mut one = H264Encoder::new(settings).unwrap();
        let mut other = H264Encoder::new(settings).unwrap();
        let first = parameter_sets(&encode(&mut one, 0, ForceIdr::No));
        encode(&mut other, 9, ForceIdr::No);
        for step in 10..40 {
            encode(&mut other, step, ForceIdr::No);
        }
        let late = parameter_sets(&encode(&mut other, 40, ForceIdr::Yes));
        assert_eq!(first.len(), 2);
        assert_eq!(first, late);
    }
}

#[test]
fn streams_are_constrained_baseline_at_a_level_that_fits() {
    let cases = [((64, 64, 25), 31), ((512, 512, 25), 31), ((1280, 720, 30), 31), ((1920, 1080, 30), 40)];
    for ((width, height, fps), level) in cases {
        let mut encoder = H264Encoder::new(VideoSettings { width, height, fps, ..SETTINGS }).unwrap();
        let sets = parameter_sets(&encode(&mut encoder, 0, ForceIdr::No));
        let [_, profile, constraints, found, ..] = sets[0][..] else {
            panic!("the sps is too short");
        };
        const BASELINE: u8 = 66;
        const CONSTRAINED: u8 = 0x40;
        assert_eq!(profile, BASELINE);
        assert_eq!(constraints & CONSTRAINED, CONSTRAINED);
        assert_eq!(found, level, "{width}x{height} at {fps}");
    }
}

#[test]
fn a_still_picture_costs_next_to_nothing() {
    let mut encoder = H264Encoder::new(SETTINGS).unwrap();
    encode(&mut encoder, 0, ForceIdr::No);
    encode(&mut encoder, 0, ForceIdr::No);
    let still = encode(&mut encoder, 0, ForceIdr::No);
    assert!(still.data.len() < 40, "{} bytes", still.data.len());
}

#[test]
fn rows_with_padding_encode_like_rows_without() {
    let (width, height) = (SETTINGS.width as usize, SETTINGS.height as usize);
    let packed = picture(SETTINGS, 3);
    let (luma, chroma) = packed.split_at(width * height);
    let pad = |plane: &[u8], row: usize| -> Vec<u8> {
        plane.chunks(row).flat_map(|line| line.iter().copied().chain([0xee; 24])).collect()
    };
    let y = pad(luma, width);
    let u = pad(&chroma[..width * height / 4], width / 2);
    let v = pad(&chroma[width * height / 4..], width / 2);
    let padded = I420View::new(320, 192, [&y, &u, &v], width + 24, width / 2 + 24).unwrap();

    let from_padded = H264Encoder::new(SETTINGS).unwrap().encode(padded, ForceIdr::No).unwrap();
    let from_packed = encode(&mut H264Encoder::new(SETTINGS).unwrap(), 3, ForceIdr::No);
    assert_eq!(from_padded, from_packed);
}

#[test]
fn settings_out_of_range_are_refused_with_their_reason() {
    let refused = |change: fn(&mut VideoSettings)| {
        let mut settings = SETTINGS;
        change(&mut settings);
        match H264Encoder::new(settings) {
            Ok(_) => panic!("{settings:?} was taken"),
            Err(error) => error.to_string(),
        }
    };
    assert!(refused(|s| s.width = 511).contains("even"));
    assert!(refused(|s| s.height = 0).contains("at least 16"));
    assert!(refused(|s| s.width = 4000).contains("3840x2160"));
    assert!(refused(|s| (s.width, s.height) = (2400, 2400)).contains("3840x2160"));
    assert!(refused(|s| s.fps = 0).contains("1 to 60"));
    assert!(refused(|s| s.rate = RateControl::ConstantQp(3)).contains("12 to 51"));
    assert!(refused(|s| s.rate = RateControl::Bitrate { kbps: 1 }).contains("32 to 50000"));
}

#[test]
fn pictures_of_another_size_or_without_their_bytes_are_refused() {
    let short = vec![0; 320 * 192];
    assert!(matches!(I420View::packed(320, 192, &short), Err(MediaError::Plane { plane: "u", found: 0, .. })));
    assert!(I420View::packed(321, 192, &short).is_err());
    assert!(I420View::new(64, 2, [&short, &short, &short], 63, 32).is_err());

    let small = vec![0; 64 * 64 * 3 / 2];
    let view = I420View::packed(64, 64, &small).unwrap();
    assert!(matches!(
        H264Encoder::new(SETTINGS).unwrap().encode(view, ForceIdr::No),
        Err(MediaError::FrameSize { found: (64, 64), .. })
    ));
}

#[test]
fn units_are_found_behind_either_start_code_and_without_trailing_zeros() {
    let stream = [
        0, 0, 0, 1, 0x67, 1, 0, 0, 2, // four-byte start code; two zeros within a unit
        0, 0, 1, 0x68, 3, // three-byte start code
        0, 0, 0, 1, // nothing behind it
        0, 0, 1, 0x65, 0, 0, 3, 1, 0, 0, // emulation prevention; trailing zeros
    ];
    let units: Vec<&[u8]> = nal::units(&stream).collect();
    assert_eq!(units, [&[0x67, 1, 0, 0, 2][..], &[0x68, 3][..], &[0x65, 0, 0, 3, 1][..]]);
    assert_eq!(nal::units(&[]).count(), 0);
    assert_eq!(nal::units(&[0, 0]).count(), 0);
    assert_eq!(nal::units(&[9, 9, 9]).count(), 0);
}

#[test]
fn the_assembly_is_named() {
    assert!(["nasm", "neon", "none"].contains(&encoder_assembly()));
}
