use std::io::{ErrorKind, Read, Seek};

use super::{AudioSource, Container, DecodeError, Shape};

/// How many frames are read at a time.
const CHUNK_FRAMES: usize = 1024;

/// What raw samples are, since no header says it: 16-bit little-endian, interleaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PcmFormat {
    /// Samples a second.
    pub rate: u32,
    /// Interleaved channels.
    pub channels: u16,
}

/// Reads raw 16-bit samples.
pub(super) struct RawDecoder {
    source: AudioSource,
    buffer: Vec<u8>,
}

impl RawDecoder {
    pub(super) fn open(
        mut source: AudioSource,
        format: PcmFormat,
    ) -> Result<(Self, Shape), DecodeError> {
        if source.is_empty() {
            return Err(DecodeError::Empty);
        }
        source.rewind().map_err(DecodeError::Io)?;
        let frame_bytes = u64::from(format.channels.max(1)) * 2;
        let frames = source.len() / frame_bytes;
        if !source.len().is_multiple_of(frame_bytes) {
            return Err(DecodeError::Truncated {
                container: Container::RawPcm,
                expected: (frames + 1) * frame_bytes,
                found: source.len(),
                unit: "bytes for whole frames",
            });
        }
        let buffer = vec![0; CHUNK_FRAMES * frame_bytes as usize];
        let shape = Shape {
            rate: format.rate,
            channels: usize::from(format.channels),
            frames: Some(frames),
        };
        Ok((Self { source, buffer }, shape))
    }

    pub(super) fn decode(&mut self, samples: &mut Vec<f32>) -> Result<(), DecodeError> {
        let mut filled = 0;
        while filled < self.buffer.len() {
            match self.source.read(&mut self.buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(DecodeError::Io(error)),
            }
        }
        samples.extend(
            self.buffer[..filled]
                .as_chunks()
                .0
                .iter()
                .map(|&bytes| f32::from(i16::from_le_bytes(bytes)) / 32_768.0),
        );
        Ok(())
    }
}
