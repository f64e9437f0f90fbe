use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// A WAV file by its parts; a test changes what it is about.
struct Wav {
    /// 1 integers, 3 floats.
    format: u16,
    channels: u16,
    rate: u32,
    bits: u16,
    data: Vec<u8>,
    /// What the header says that `data` has, if not the truth.
    promised: Option<u32>,
    /// Chunks between `fmt ` and `data`.
    extra: Vec<u8>,
}

impl Wav {
    fn mono(rate: u32, samples: &[i16]) -> Self {
        Self {
            format: 1,
            channels: 1,
            rate,
            bits: 16,
            data: samples.iter().flat_map(|s| s.to_le_bytes()).collect(),
            promised: None,
            extra: Vec::new(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let block = self.channels.wrapping_mul(self.bits / 8);
        let promised = self.promised.unwrap_or(self.data.len() as u32);
        let mut out = b"RIFF".to_vec();
        out.extend(promised.saturating_add(36 + self.extra.len() as u32).to_le_bytes());
        out.extend(b"WAVEfmt \x10\0\0\0");
        out.extend(self.format.to_le_bytes());
        out.extend(self.channels.to_le_bytes());
        out.extend(self.rate.to_le_bytes());
        out.extend((self.rate.wrapping_mul(u32::from(block))).to_le_bytes());
        out.extend(block.to_le_bytes());
        out.extend(self.bits.to_le_bytes());
        out.extend(&self.extra);
        out.extend(b"data");
        out.extend(promised.to_le_bytes());
        out.extend(&self.data);
        out
    }
}

fn ramp(count: usize) -> Vec<i16> {
    (0..20_000).cycle().take(count).collect()
}

fn open(bytes: Vec<u8>) -> Result<AudioDecoder, DecodeError> {
    AudioDecoder::open(bytes, Some("speech.wav"), DecodeLimits::default())
}

fn decode_all(mut decoder: AudioDecoder) -> Result<Vec<f32>, DecodeError> {
    let mut samples = Vec::new();
    while let Some(chunk) = decoder.next_chunk()? {
        assert_eq!(chunk.samples.len(), chunk.frames() * chunk.channels);
        samples.extend_from_slice(chunk.samples);
    }
    Ok(samples)
}

/// The fault of audio that must have one, wherever it shows.
fn fault(bytes: Vec<u8>) -> DecodeError {
    match open(bytes).and_then(decode_all) {
        Ok(samples) => panic!("decoded to {} samples", samples.len()),
        Err(error) => error,
    }
}

#[test]
fn wav_samples_come_out_exactly() {
    let samples = ramp(5000);
    let decoder = open(Wav::mono(16_000, &samples).bytes()).unwrap();
    assert_eq!(decoder.container(), Container::Wav);
    assert_eq!((decoder.rate(), decoder.channels()), (16_000, 1));
    assert_eq!(decoder.frames_hint(), Some(5000));
    let expected: Vec<f32> = samples.iter().map(|&s| f32::from(s) / 32_768.0).collect();
    assert_eq!(decode_all(decoder).unwrap(), expected);
}

#[test]
fn chunks_that_are_not_samples_are_passed_over() {
    let mut wav = Wav::mono(16_000, &ramp(100));
    wav.extra = b"LIST\x05\0\0\0abcde\0junk\x02\0\0\0zz".to_vec();
    assert_eq!(decode_all(open(wav.bytes()).unwrap()).unwrap().len(), 100);
}

#[test]
fn float_samples_that_are_no_numbers_become_silence() {
    let values = [0.25, f32::NAN, f32::INFINITY, -0.5];
    let wav = Wav {
        format: 3,
        bits: 32,
        data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        ..Wav::mono(44_100, &[])
    };
    assert_eq!(decode_all(open(wav.bytes()).unwrap()).unwrap(), [0.25, 0.0, 0.0, -0.5]);
}

#[test]
fn raw_samples_need_no_header() {
    let samples = ramp(5000);
    let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    let format = PcmFormat { rate: 24_000, channels: 2 };
    let decoder = AudioDecoder::open_raw(Bytes::from(bytes), format, DecodeLimits::default()).unwrap();
    assert_eq!((decoder.rate(), decoder.channels()), (24_000, 2));
    assert_eq!(decoder.frames_hint(), Some(2500));
    let expected: Vec<f32> = samples.iter().map(|&s| f32::from(s) / 32_768.0).collect();
    assert_eq!(decode_all(decoder).unwrap(), expected);
}

#[test]
fn raw_samples_out_of_range_are_refused() {
    let raw = |len: usize, rate, channels| {
        let format = PcmFormat { rate, channels };
        AudioDecoder::open_raw(vec![0; len], format, DecodeLimits { seconds_max: 1 }).err()
    };
    assert!(raw(8, 8_000, 1).is_none());
    assert!(matches!(raw(0, 8_000, 1), Some(DecodeError::Empty)));
    assert!(matches!(raw(7, 8_000, 2), Some(DecodeError::Truncated { expected: 8, found: 7, .. })));
    assert!(matches!(raw(8, 0, 1), Some(DecodeError::Rate { rate: 0, .. })));
    assert!(matches!(raw(8, 8_000, 0), Some(DecodeError::Channels { channels: 0, .. })));
    assert!(matches!(raw(900, 8_000, 9), Some(DecodeError::Channels { channels: 9, .. })));
    assert!(matches!(raw(8001 * 2, 8_000, 1), Some(DecodeError::TooLong { limit_s: 1 })));
}

#[test]
fn nothing_at_all_is_empty() {
    assert!(matches!(fault(Vec::new()), DecodeError::Empty));
    assert!(matches!(fault(Wav::mono(16_000, &[]).bytes()), DecodeError::Empty));
}

#[test]
fn a_wav_cut_short_is_told_with_what_is_missing() {
    let whole = Wav::mono(16_000, &ramp(1000)).bytes();
    let error = fault(whole[..44 + 500].to_vec());
    assert_eq!(error.to_string(), "the WAV is cut short: its header promises 2000 bytes of samples and 500 are there");
    for length in 12..43 {
        let error = fault(whole[..length].to_vec());
        assert!(matches!(error, DecodeError::Truncated { .. }), "{length} bytes: {error}");
    }
}

#[test]
fn a_wav_from_a_pipe_is_read_to_its_end() {
    for placeholder in [u32::MAX, 0x7fff_ffff, 0x7fff_0000, 0] {
        let wav = Wav { promised: Some(placeholder), ..Wav::mono(16_000, &ramp(3000)) };
        let decoder = open(wav.bytes()).unwrap();
        assert_eq!(decoder.frames_hint(), Some(3000));
        let samples = decode_all(decoder).unwrap();
        assert_eq!(samples.len(), 3000, "{placeholder:x}");
    }
}

#[test]
fn notes_behind_the_samples_are_not_played() {
    let mut wav = Wav::mono(16_000, &ramp(300));
    wav.data.extend(b"LIST\x0e\0\0\0INFOISFT\x02\0\0\0me");
    wav.promised = Some(600);
    assert_eq!(decode_all(open(wav.bytes()).unwrap()).unwrap().len(), 300);
    wav.data.drain(..600);
    wav.promised = Some(0);
    assert!(matches!(fault(wav.bytes()), DecodeError::Empty));
}

#[test]
fn audio_over_the_limit_is_refused_by_its_header_or_when_it_gets_there() {
    let limits = DecodeLimits { seconds_max: 2 };
    let wav = Wav::mono(8_000, &ramp(16_001));
    let refused = AudioDecoder::open(wav.bytes(), None, limits);
    assert!(matches!(refused, Err(DecodeError::TooLong { limit_s: 2 })));

    // An Ogg or MP3 may not tell its length beforehand.
    let mut decoder = AudioDecoder::open(wav.bytes(), None, DecodeLimits::default()).unwrap();
    (decoder.frames_max, decoder.limit_s) = (16_000, 2);
    let mut frames = 0;
    let error = loop {
        match decoder.next_chunk() {
            Ok(Some(chunk)) => frames += chunk.frames(),
            Ok(None) => panic!("ended after {frames} frames"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, DecodeError::TooLong { limit_s: 2 }));
    assert!(frames <= 16_000);
    assert!(matches!(decoder.next_chunk(), Ok(None)), "a fault is told once");
}

#[test]
fn what_is_no_audio_is_told_by_what_it_is() {
    let text = |bytes: &[u8]| fault(bytes.to_vec()).to_string();
    assert!(text(b"\0\0\0\x20ftypM4A ....").contains("MP4 or M4A is not supported"));
    assert!(text(b"FORM....AIFF").contains("AIFF is not supported"));
    assert!(text(b"\xff\xf1aaaaaaaaaaaaa").contains("AAC is not supported"));
    let error = text(b"<html><body>404");
    assert!(error.starts_with("\"speech.wav\" is not audio in a known format"), "{error}");
    assert!(error.contains("it begins with \"<html><b\""), "{error}");
    assert!(text(b"RIFF").contains("not audio"));
}

#[test]
fn headers_that_make_no_sense_are_refused() {
    let base = || Wav::mono(16_000, &ramp(100));
    let refused = |wav: Wav| fault(wav.bytes());
    assert!(matches!(refused(Wav { rate: 0, ..base() }), DecodeError::Rate { .. } | DecodeError::Malformed { .. }));
    assert!(matches!(
        refused(Wav { rate: 4_000_000_000, ..base() }),
        DecodeError::Rate { .. } | DecodeError::Malformed { .. }
    ));
    let strange = [
        Wav { channels: 0, ..base() },
        Wav { channels: 65_535, ..base() },
        Wav { bits: 0, ..base() },
        Wav { bits: 7, ..base() },
        Wav { bits: 65_535, ..base() },
        Wav { format: 0x55, ..base() },
        Wav { format: 0xfffe, ..base() },
    ];
    for wav in strange {
        let text = format!("{} channels, {} bits, format {}", wav.channels, wav.bits, wav.format);
        let error = refused(wav);
        assert!(!matches!(error, DecodeError::Io(_)), "{text}: {error}");
    }
}

#[test]
fn bytes_that_look_like_one_mp3_frame_are_not_taken_for_mp3() {
    let mut bytes = vec![0x55; 4000];
    bytes[100..104].copy_from_slice(&[0xff, 0xfb, 0x90, 0x00]);
    assert!(matches!(fault(bytes), DecodeError::Unrecognised { .. }));
}

/// Decodes whatever `bytes` are; only a panic or a chunk out of bounds fails.
fn survive(bytes: Vec<u8>) {
    let limits = DecodeLimits { seconds_max: 600 };
    let Ok(mut decoder) = AudioDecoder::open(bytes, None, limits) else {
        return;
    };
    while let Ok(Some(chunk)) = decoder.next_chunk() {
        assert!(chunk.frames() > 0 && chunk.samples.iter().all(|s| s.is_finite()));
    }
}

proptest! {
    #[test]
    fn random_bytes_are_refused_or_decoded(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        survive(bytes);
    }

    #[test]
    fn random_bytes_behind_a_signature_are_refused_or_decoded(
        signature in prop::sample::select(vec![
            &b"fLaC"[..],
            b"fLaC\x80\0\0\x22",
            b"OggS\0\x02\0\0\0\0\0\0\0\0",
            b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0",
            b"RIFF\0\x10\0\0WAVE",
            b"ID3\x04\0\0\0\0\0\x10",
            b"\xff\xfb\x90\x64",
        ]),
        bytes in prop::collection::vec(any::<u8>(), 0..2048),
    ) {
        survive([signature, &bytes].concat());
    }

    #[test]
    fn a_wav_with_any_header_is_refused_or_decoded(
        format in prop::sample::select(vec![0_u16, 1, 2, 3, 6, 7, 17, 0xfffe]),
        channels in prop_oneof![0_u16..10, any::<u16>()],
        rate in prop_oneof![Just(16_000_u32), any::<u32>()],
        bits in prop_oneof![prop::sample::select(vec![8_u16, 16, 24, 32, 64]), any::<u16>()],
        promised in prop::option::of(any::<u32>()),
        extra in prop::collection::vec(any::<u8>(), 0..40),
        data in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        survive(Wav { format, channels, rate, bits, data, promised, extra }.bytes());
    }
}

#[test]
fn decoders_and_encoders_may_move_between_threads() {
    fn may_move<T: Send>() {}
    may_move::<AudioDecoder>();
    may_move::<crate::H264Encoder>();
    may_move::<crate::OpusEncoder>();
    may_move::<crate::Mp4Writer>();
}
