//! Files as ffmpeg makes them, in every format that is taken, whole and damaged.

use std::f64::consts::TAU;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use footlight_media::decode::Container;
use footlight_media::{AudioDecoder, AudioSource, DecodeError, DecodeLimits};
use proptest::prelude::*;

use crate::tools::{ffmpeg, tools_missing};

/// One way to write audio.
struct Format {
    /// What comes after the input on ffmpeg's command line.
    options: &'static str,
    extension: &'static str,
    container: Container,
    /// Largest difference between a sample and the sound that was written; lossy formats are measured by
    /// correlation instead.
    error_max: Option<f32>,
    rates: &'static [u32],
    channels: &'static [usize],
}

const ANY_RATE: &[u32] = &[8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000];
const MP3_RATES: &[u32] = &[8_000, 11_025, 16_000, 22_050, 44_100, 48_000];

const FORMATS: &[Format] = &[
    Format { rates: ANY_RATE, channels: &[1, 2, 6], ..wav("-c:a pcm_s16le", 1e-4) },
    wav("-c:a pcm_u8", 0.02),
    wav("-c:a pcm_s24le", 1e-6),
    wav("-c:a pcm_s32le", 1e-6),
    wav("-c:a pcm_f32le", 1e-6),
    wav("-c:a pcm_f64le", 1e-6),
    wav("-c:a pcm_alaw", 0.03),
    wav("-c:a pcm_mulaw", 0.03),
    Format {
        options: "-c:a flac -sample_fmt s16",
        extension: "flac",
        container: Container::Flac,
        error_max: Some(1e-4),
        rates: &[11_025, 48_000, 96_000],
        channels: &[1, 2, 6],
    },
    Format {
        options: "-c:a flac -f ogg",
        extension: "oga",
        container: Container::Ogg,
        error_max: Some(1e-4),
        rates: &[44_100],
        channels: &[2],
    },
    Format {
        options: "-c:a libmp3lame -b:a 64k",
        extension: "mp3",
        container: Container::Mp3,
        error_max: None,
        rates: MP3_RATES,
        channels: &[1, 2],
    },
    Format {
        options: "-c:a libmp3lame -q:a 4 -id3v2_version 3 -metadata title=Footlight",
        extension: "mp3",
        container: Container::Mp3,
        error_max: None,
        rates: &[24_000, 44_100],
        channels: &[1, 2],
    },
    Format {
        options: "-c:a libvorbis -q:a 5",
        extension: "ogg",
        container: Container::Ogg,
        error_max: None,
        rates: &[8_000, 22_050, 44_100, 48_000],
        channels: &[1, 2],
    },
    Format {
        options: "-c:a libopus -b:a 64k",
        extension: "opus",
        container: Container::Ogg,
        error_max: None,
        rates: &[8_000, 16_000, 24_000, 48_000],
        channels: &[1, 2],
    },
];

const fn wav(options: &'static str, error_max: f32) -> Format {
    Format {
        options,
        extension: "wav",
        container: Container::Wav,
        error_max: Some(error_max),
        rates: &[8_000, 44_100],
        channels: &[1, 2],
    }
}

/// Seconds of sound in each file: no whole number of any codec's frames.
const SECONDS: f32 = 1.37;

/// Every channel has its own tone, low enough for the lowest rate.
fn tone(channel: usize, frame: usize, rate: u32) -> f32 {
    let hertz = (200 + 110 * channel) as f64;
    (0.5 * (TAU * hertz * frame as f64 / f64::from(rate)).sin()) as f32
}

fn write_file(folder: &Path, format: &Format, rate: u32, channels: usize, seconds: f32) -> PathBuf {
    let path = folder.join(format!("speech.{}", format.extension));
    let tones: Vec<_> = (0..channels).map(|channel| format!("0.5*sin(2*PI*{}*t)", 200 + 110 * channel)).collect();
    let layout = ["mono", "stereo", "5.1"][channels.ilog2() as usize];
    let source = format!("aevalsrc={}:s={rate}:c={layout}:d={seconds}", tones.join("|"));
    ffmpeg(&format!("-f lavfi -i {source} {} {{}}", format.options), &[&path]);
    path
}

fn open_file(path: &Path) -> Result<AudioDecoder, DecodeError> {
    let source = AudioSource::from_file(File::open(path).unwrap()).unwrap();
    AudioDecoder::open(source, path.to_str(), DecodeLimits::default())
}

fn decode_all(decoder: &mut AudioDecoder) -> Result<Vec<f32>, DecodeError> {
    let mut samples = Vec::new();
    while let Some(chunk) = decoder.next_chunk()? {
        samples.extend_from_slice(chunk.samples);
    }
    Ok(samples)
}

/// How alike two sounds are, from -1 to 1, leaving out the ends where lossy codecs ring.
fn likeness(samples: &[f32], channel: usize, channels: usize, rate: u32) -> f32 {
    let margin = rate as usize / 20;
    let frames = samples.len() / channels;
    let (mut both, mut one, mut other) = (0.0, 0.0, 0.0);
    for frame in margin..frames - margin {
        let (heard, expected) = (samples[frame * channels + channel], tone(channel, frame, rate));
        both += heard * expected;
        one += heard * heard;
        other += expected * expected;
    }
    both / (one * other).sqrt()
}

#[test]
fn every_format_rate_and_channel_count_is_heard_as_it_was_written() {
    if tools_missing("every format") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for format in FORMATS {
        for (&rate, &channels) in format.rates.iter().flat_map(|rate| format.channels.iter().map(move |c| (rate, c))) {
            let what = format!("{} at {rate} Hz, {channels} channels", format.options);
            let path = write_file(folder.path(), format, rate, channels, SECONDS);
            let mut decoder = open_file(&path).unwrap_or_else(|error| panic!("{what}: {error}"));
            // Opus knows one rate.
            let rate = if format.extension == "opus" { 48_000 } else { rate };
            assert_eq!(decoder.container(), format.container, "{what}");
            assert_eq!((decoder.rate(), decoder.channels()), (rate, channels), "{what}");
            let samples = decode_all(&mut decoder).unwrap_or_else(|error| panic!("{what}: {error}"));

            let frames = samples.len() / channels;
            let expected_frames = (SECONDS * rate as f32).round() as usize;
            match format.error_max {
                Some(error_max) => {
                    assert_eq!(frames, expected_frames, "{what}");
                    let worst = samples.iter().enumerate().fold(0.0, |worst: f32, (index, sample)| {
                        worst.max((sample - tone(index % channels, index / channels, rate)).abs())
                    });
                    assert!(worst <= error_max, "{what}: off by {worst}");
                }
                None => {
                    // Delay and padding of the codec are cut off; a container may round to its packets.
                    assert!(frames.abs_diff(expected_frames) <= rate as usize / 100, "{what}: {frames} frames");
                    for channel in 0..channels {
                        let likeness = likeness(&samples, channel, channels, rate);
                        assert!(likeness > 0.97, "{what}, channel {channel}: {likeness}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_wrong_name_is_not_believed() {
    if tools_missing("a wrong name") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mp3 = FORMATS.iter().find(|format| format.container == Container::Mp3).unwrap();
    let path = write_file(folder.path(), mp3, 44_100, 1, SECONDS);
    let called_wav = path.with_extension("wav");
    fs::rename(&path, &called_wav).unwrap();
    let mut decoder = open_file(&called_wav).unwrap();
    assert_eq!(decoder.container(), Container::Mp3);
    assert!(likeness(&decode_all(&mut decoder).unwrap(), 0, 1, 44_100) > 0.97);
}

#[test]
fn pictures_in_a_tag_are_not_taken_for_sound() {
    if tools_missing("pictures in a tag") {
        return;
    }
    let sound =
        ffmpeg("-f lavfi -i sine=r=44100:d=1 -c:a libmp3lame -b:a 64k -id3v2_version 0 -write_xing 0 -f mp3 -", &[]);
    let decode = |bytes: Vec<u8>| {
        let mut decoder = AudioDecoder::open(bytes, None, DecodeLimits::default()).unwrap();
        decode_all(&mut decoder).unwrap()
    };
    let plain = decode(sound.clone());
    // A tag of 200 000 bytes, full of whole frames of another sound.
    let other = ffmpeg("-f lavfi -i anoisesrc=r=48000:d=9 -c:a libmp3lame -b:a 192k -id3v2_version 0 -f mp3 -", &[]);
    let size = 200_000_u32;
    let mut tagged = b"ID3\x04\0\0".to_vec();
    tagged.extend([21, 14, 7, 0].map(|shift| (size >> shift) as u8 & 0x7f));
    tagged.extend(&other[..size as usize]);
    tagged.extend(&sound);
    assert_eq!(decode(tagged), plain);
}

#[test]
fn a_wav_written_to_a_pipe_is_heard_whole() {
    if tools_missing("a wav written to a pipe") {
        return;
    }
    let bytes = ffmpeg("-f lavfi -i sine=r=16000:d=1 -c:a pcm_s16le -f wav -", &[]);
    let mut decoder = AudioDecoder::open(bytes, None, DecodeLimits::default()).unwrap();
    assert_eq!(decode_all(&mut decoder).unwrap().len(), 16_000);
}

#[test]
fn a_flac_cut_short_is_told_and_an_mp3_is_spoken_as_far_as_it_goes() {
    if tools_missing("a flac cut short") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (index, format) in FORMATS.iter().enumerate().skip(8) {
        let path = write_file(folder.path(), format, *format.rates.last().unwrap(), 1, 6.0);
        let bytes = fs::read(&path).unwrap();
        let cut = bytes[..bytes.len() * 2 / 3].to_vec();
        let decoded =
            AudioDecoder::open(cut, None, DecodeLimits::default()).and_then(|mut decoder| decode_all(&mut decoder));
        match (format.container, decoded) {
            (Container::Flac, Err(DecodeError::Truncated { expected, found, .. })) => assert!(found < expected),
            (Container::Mp3 | Container::Ogg, Ok(samples)) => {
                // An Ogg goes as far as its last whole page, of a second or so.
                let rate = *format.rates.last().unwrap() as usize;
                assert!(samples.len() > rate * 2 && samples.len() < rate * 5, "{} samples", samples.len());
            }
            // Sound that packs well has its first page still open there.
            (Container::Ogg, Err(error)) => assert!(error.to_string().contains("as if it was cut short"), "{error}"),
            (container, other) => panic!("format {index}, {container}: {:?}", other.map(|samples| samples.len())),
        }
    }
}

#[test]
fn surround_opus_is_refused_by_name() {
    if tools_missing("surround opus") {
        return;
    }
    let bytes = ffmpeg("-f lavfi -i anullsrc=r=48000:cl=5.1:d=0.5 -c:a libopus -f ogg -", &[]);
    let error = AudioDecoder::open(bytes, None, DecodeLimits::default()).err().unwrap();
    assert!(error.to_string().starts_with("Ogg Opus with 6 channels"), "{error}");
}

#[test]
fn three_hours_are_refused_at_once_or_decoded_in_small_pieces() {
    const SECONDS: u32 = 3 * 3600;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.wav");
    // Sparse: three hours of silence take a block of disk.
    let data = u64::from(SECONDS) * 8_000;
    let mut header =
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data".to_vec();
    header.extend((data as u32).to_le_bytes());
    fs::write(&path, &header).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(header.len() as u64 + data).unwrap();

    let source = || AudioSource::from_file(File::open(&path).unwrap()).unwrap();
    let refused = AudioDecoder::open(source(), None, DecodeLimits { seconds_max: 3600 });
    assert!(matches!(refused, Err(DecodeError::TooLong { limit_s: 3600 })));

    let mut decoder = AudioDecoder::open(source(), None, DecodeLimits { seconds_max: SECONDS }).unwrap();
    let mut frames = 0;
    while let Some(chunk) = decoder.next_chunk().unwrap() {
        assert!(chunk.frames() <= 65_536, "a chunk of {} frames", chunk.frames());
        frames += chunk.frames() as u64;
    }
    assert_eq!(frames, data);
}

/// Small files of every format, made once.
fn small_files() -> &'static [Vec<u8>] {
    static FILES: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    FILES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let read = |format: &Format| {
            let path = write_file(folder.path(), format, *format.rates.last().unwrap(), 2, SECONDS);
            let mut bytes = fs::read(path).unwrap();
            bytes.truncate(40_000);
            bytes
        };
        FORMATS.iter().map(read).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(300)))]

    #[test]
    fn damaged_files_are_refused_or_decoded_and_never_panic(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        in_front in any::<bool>(),
        keep in any::<prop::sample::Index>(),
    ) {
        if tools_missing("damaged files") {
            return Ok(());
        }
        let mut bytes = which.get(small_files()).clone();
        // Most of a file is samples; half of the cases hit its headers.
        let reach = if in_front { 400.min(bytes.len()) } else { bytes.len() };
        for (place, value) in damage {
            let place = place.index(reach);
            bytes[place] = value;
        }
        bytes.truncate(keep.index(bytes.len()) + 1);
        let limits = DecodeLimits { seconds_max: 600 };
        if let Ok(mut decoder) = AudioDecoder::open(bytes, None, limits) {
            while let Ok(Some(chunk)) = decoder.next_chunk() {
                prop_assert!(chunk.frames() > 0 && chunk.frames() <= 1 << 20);
            }
        }
    }
}
