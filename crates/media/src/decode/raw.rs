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
    offset: u64,
    buffer: Vec<u8>,
}

impl RawDecoder {
    pub(super) fn open(source: AudioSource, format: PcmFormat) -> Result<(Self, Shape), DecodeError> {
        if source.is_empty() {
            return Err(DecodeError::Empty);
        }
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
        let shape = Shape { rate: format.rate, channels: usize::from(format.channels), frames: Some(frames) };
        Ok((Self { source, offset: 0, buffer }, shape))
    }

    pub(super) fn decode(&mut self, samples: &mut Vec<f32>) -> Result<(), DecodeError> {
        let bytes = self.source.read_at(self.offset, &mut self.buffer).map_err(DecodeError::Io)?;
        self.offset += bytes.len() as u64;
        let words = bytes.as_chunks().0.iter().map(|&word| i16::from_le_bytes(word));
        samples.extend(words.map(|word| f32::from(word) / 32_768.0));
        Ok(())
    }
}
