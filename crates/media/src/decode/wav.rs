//! The header of a WAV, read with a person's patience.
//!
//! WAV files lie about their lengths. Those that were cut short promise more than they hold: the decoder would read
//! to the early end, and whoever sent it would hear half a sentence and not know why. Those from a pipe promise
//! nothing or two gigabytes and hold a good recording. And the chunks in between hold anything. So the header is
//! read here, checked against what is there, and replaced by one that says only what is true.

use super::{AudioSource, Container, DecodeError};

/// Data lengths at and above this are placeholders of tools that wrote to a pipe and could not come back.
const PLACEHOLDER_MIN: u32 = 0x7fff_0000;
/// Most chunks before the samples. Real files have a handful.
const CHUNKS_MAX: usize = 1000;
/// Longest format chunk. Real ones have 16 to 40 bytes.
const FORMAT_BYTES_MAX: u32 = 256;

/// Returns the source with a plain, true header.
pub(super) fn straighten(mut source: AudioSource) -> Result<AudioSource, DecodeError> {
    let mut format = None;
    let mut offset = 12;
    for _ in 0..CHUNKS_MAX {
        let mut header = [0; 8];
        let found = read(&mut source, offset, &mut header)?;
        let &[i0, i1, i2, i3, l0, l1, l2, l3] = found else {
            return Err(DecodeError::Truncated {
                container: Container::Wav,
                expected: offset + 8,
                found: source.len(),
                unit: "bytes of header",
            });
        };
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        let start = offset + 8;
        match &[i0, i1, i2, i3] {
            b"fmt " => format = Some(read_format(&mut source, start, length)?),
            b"data" => {
                let format = format.ok_or_else(|| malformed("its samples come before their format"))?;
                let there = samples_there(&mut source, start, length)?;
                return source.with_front(header_of(&format, there), start, there).map_err(DecodeError::Io);
            }
            _ => {}
        }
        // Chunks are padded to an even length.
        offset = start + u64::from(length) + u64::from(length & 1);
    }
    Err(malformed("there are no samples behind its first 1000 chunks"))
}

fn read_format(source: &mut AudioSource, start: u64, length: u32) -> Result<Vec<u8>, DecodeError> {
    if length > FORMAT_BYTES_MAX {
        return Err(malformed("its format is longer than any format"));
    }
    let mut format = vec![0; length as usize];
    let found = read(source, start, &mut format)?.len();
    match found == format.len() {
        true => Ok(format),
        false => Err(DecodeError::Truncated {
            container: Container::Wav,
            expected: length.into(),
            found: found as u64,
            unit: "bytes of format",
        }),
    }
}

/// Returns how many bytes of samples to read.
fn samples_there(source: &mut AudioSource, start: u64, promised: u32) -> Result<u64, DecodeError> {
    let there = source.len() - start;
    if there == 0 {
        return Err(DecodeError::Empty);
    }
    if promised >= PLACEHOLDER_MIN {
        return Ok(there);
    }
    if promised == 0 {
        // Either no samples, and perhaps a chunk of notes behind them, or a tool that could not come back.
        let mut next = [0; 4];
        return match read(source, start, &mut next)? {
            b"LIST" | b"id3 " | b"ID3 " => Err(DecodeError::Empty),
            _ => Ok(there),
        };
    }
    if u64::from(promised) > there {
        return Err(DecodeError::Truncated {
            container: Container::Wav,
            expected: promised.into(),
            found: there,
            unit: "bytes of samples",
        });
    }
    Ok(promised.into())
}

fn header_of(format: &[u8], samples: u64) -> Vec<u8> {
    /// What a decoder takes for "to the end of the file".
    const UNKNOWN: u32 = u32::MAX;
    let mut header = b"RIFF".to_vec();
    header.extend(UNKNOWN.to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend((format.len() as u32).to_le_bytes());
    header.extend(format);
    if !format.len().is_multiple_of(2) {
        header.push(0);
    }
    header.extend(b"data");
    header.extend(u32::try_from(samples).unwrap_or(UNKNOWN).to_le_bytes());
    header
}

fn read<'a>(source: &mut AudioSource, offset: u64, buffer: &'a mut [u8]) -> Result<&'a [u8], DecodeError> {
    source.read_at(offset, buffer).map_err(DecodeError::Io)
}

fn malformed(reason: &str) -> DecodeError {
    DecodeError::Malformed { container: Container::Wav, reason: reason.to_owned() }
}
