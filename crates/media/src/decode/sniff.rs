//! What audio is, by its content.
//!
//! Guessing widely would take random bytes for MP3, whose frames begin with eleven set bits and little else. So
//! formats with a signature must begin with it, and MP3 must show three frames in a row that agree.

use std::fmt;

use super::{AudioSource, DecodeError};

/// How far into a file the first MP3 frame may be, after its tags: some tools leave padding there.
const MP3_SEARCH_BYTES: usize = 64 * 1024;
/// How many MP3 frames in a row must agree, unless the file ends before.
const MP3_FRAMES: usize = 3;

/// A kind of audio file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// RIFF WAVE: 8, 16, 24 or 32-bit integers, 32 or 64-bit floats, A-law, mu-law.
    Wav,
    /// FLAC.
    Flac,
    /// MPEG audio layer III.
    Mp3,
    /// Ogg with Vorbis, Opus or FLAC inside.
    Ogg,
    /// Samples without any header.
    RawPcm,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wav => "WAV",
            Self::Flac => "FLAC",
            Self::Mp3 => "MP3",
            Self::Ogg => "Ogg",
            Self::RawPcm => "raw PCM",
        })
    }
}

/// Tells what `source` holds, and at which byte it begins: behind tags and padding, whose pictures may look like sound.
pub(super) fn recognise(source: &mut AudioSource, name: Option<&str>) -> Result<(Container, u64), DecodeError> {
    let mut head = [0; 16];
    let head = source.read_at(0, &mut head).map_err(DecodeError::Io)?;
    if let Some(container) = by_signature(head) {
        return Ok((container, 0));
    }
    let skipped = id3_length(head);
    if skipped.is_none()
        && let Some(found) = known_but_unsupported(head)
    {
        return Err(DecodeError::Unsupported { found: found.to_owned() });
    }
    let mut window = vec![0; MP3_SEARCH_BYTES];
    let start = skipped.unwrap_or(0);
    let window = source.read_at(start, &mut window).map_err(DecodeError::Io)?;
    // FLAC files are sometimes tagged like MP3 files.
    if skipped.is_some() && window.starts_with(b"fLaC") {
        return Ok((Container::Flac, start));
    }
    if let Some(offset) = first_mp3_frame(window) {
        return Ok((Container::Mp3, start + offset as u64));
    }
    Err(DecodeError::Unrecognised {
        name: name.map_or_else(|| "the content".to_owned(), |name| format!("{name:?}")),
        begins_with: readable(head),
    })
}

fn by_signature(head: &[u8]) -> Option<Container> {
    match head {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some(Container::Wav),
        [b'f', b'L', b'a', b'C', ..] => Some(Container::Flac),
        [b'O', b'g', b'g', b'S', ..] => Some(Container::Ogg),
        _ => None,
    }
}

fn known_but_unsupported(head: &[u8]) -> Option<&'static str> {
    match head {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("MP4 or M4A"),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some("WebM or Matroska"),
        [b'F', b'O', b'R', b'M', ..] => Some("AIFF"),
        [b'R', b'F', b'6', b'4', ..] => Some("RF64 WAV"),
        [b'R', b'I', b'F', b'X', ..] => Some("big-endian WAV"),
        [b'#', b'!', b'A', b'M', b'R', ..] => Some("AMR"),
        [b'c', b'a', b'f', b'f', ..] => Some("CAF"),
        [b'.', b's', b'n', b'd', ..] => Some("AU"),
        // ADTS: the MPEG sync word with layer 0, which no MP3 frame has.
        [0xff, 0xf0 | 0xf1 | 0xf8 | 0xf9, ..] => Some("AAC"),
        _ => None,
    }
}

/// Returns where the content begins behind an ID3v2 tag, if there is one.
fn id3_length(head: &[u8]) -> Option<u64> {
    let [b'I', b'D', b'3', _, _, flags, size @ ..] = head else {
        return None;
    };
    // Four bytes of seven bits each, without the tag's own header and, if marked, footer.
    let size = size.first_chunk::<4>()?.iter().fold(0, |sum, &byte| sum << 7 | u64::from(byte & 0x7f));
    let footer = if flags & 0x10 == 0 { 0 } else { 10 };
    Some(10 + size + footer)
}

fn first_mp3_frame(window: &[u8]) -> Option<usize> {
    (0..window.len()).find(|&start| {
        let mut at = start;
        for count in 0..MP3_FRAMES {
            if count > 0 && at == window.len() {
                // A very short file: every frame that it has is good.
                return true;
            }
            match window.get(at..).and_then(mp3_frame_length) {
                Some(length) => at += length,
                None => return false,
            }
        }
        true
    })
}

/// Returns the length in bytes of the layer III frame that `data` begins with, by its header.
fn mp3_frame_length(data: &[u8]) -> Option<usize> {
    const MPEG1_KBPS: [usize; 16] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0];
    const MPEG2_KBPS: [usize; 16] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0];
    let &[0xff, second, third, _, ..] = data else {
        return None;
    };
    const LAYER_III: u8 = 0b01;
    if second & 0xe0 != 0xe0 || second >> 1 & 0b11 != LAYER_III {
        return None;
    }
    let (rates, kbps, samples) = match second >> 3 & 0b11 {
        0b00 => ([11_025, 12_000, 8_000], MPEG2_KBPS, 576),
        0b10 => ([22_050, 24_000, 16_000], MPEG2_KBPS, 576),
        0b11 => ([44_100, 48_000, 32_000], MPEG1_KBPS, 1152),
        _ => return None,
    };
    let rate = *rates.get(usize::from(third >> 2 & 0b11))?;
    let kbps = kbps[usize::from(third >> 4)];
    let padding = usize::from(third >> 1 & 1);
    (kbps > 0).then(|| samples / 8 * kbps * 1000 / rate + padding)
}

/// Shows bytes the way a person looks at a file: as text where it is text.
fn readable(head: &[u8]) -> String {
    let head = &head[..head.len().min(8)];
    format!("\"{}\"", head.escape_ascii())
}
