//! Whether a WAV holds what its header promises.
//!
//! The decoder would read a file that was cut short to its early end and say nothing; the person who sent it
//! would hear half a sentence and not know why.

use std::io::{Read, Seek, SeekFrom};

use super::{AudioSource, Container, DecodeError};

/// Data lengths at and above this are placeholders of tools that wrote to a pipe and could not come back.
const UNKNOWN_LENGTH: u32 = 0x7fff_0000;
/// Most chunks before the samples. Real files have a handful.
const CHUNKS_MAX: usize = 1000;

/// Checks that the samples that the header promises are there, and leaves `source` at its beginning.
pub(super) fn check_complete(source: &mut AudioSource) -> Result<(), DecodeError> {
    let file_len = source.len();
    let mut offset = 12;
    for _ in 0..CHUNKS_MAX {
        let mut header = [0; 8];
        if offset + 8 > file_len {
            return Err(DecodeError::Truncated {
                container: Container::Wav,
                expected: offset + 8,
                found: file_len,
                unit: "bytes of header",
            });
        }
        source
            .seek(SeekFrom::Start(offset))
            .and_then(|_| source.read_exact(&mut header))
            .map_err(DecodeError::Io)?;
        let [id @ .., l0, l1, l2, l3] = header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        let start = offset + 8;
        if id == *b"data" {
            source.rewind().map_err(DecodeError::Io)?;
            return check_samples(length, file_len - start);
        }
        // Chunks are padded to an even length.
        offset = start + u64::from(length) + u64::from(length & 1);
    }
    Err(DecodeError::Malformed {
        container: Container::Wav,
        reason: format!("there are no samples behind its first {CHUNKS_MAX} chunks"),
    })
}

fn check_samples(promised: u32, there: u64) -> Result<(), DecodeError> {
    if promised == 0 || there == 0 {
        return Err(DecodeError::Empty);
    }
    if promised < UNKNOWN_LENGTH && u64::from(promised) > there {
        return Err(DecodeError::Truncated {
            container: Container::Wav,
            expected: promised.into(),
            found: there,
            unit: "bytes of samples",
        });
    }
    Ok(())
}
