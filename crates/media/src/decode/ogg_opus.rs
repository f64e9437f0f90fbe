use ropus::{Channels, DecodeMode, Decoder};

use super::{Container, DecodeError};

/// Opus always decodes at this rate, whatever was encoded.
pub(super) const RATE: u32 = 48_000;
/// The longest packet there is: 120 ms.
const PACKET_FRAMES_MAX: usize = 5760;

/// Decodes the Opus packets of an Ogg stream.
pub(super) struct OggOpusDecoder {
    decoder: Decoder,
    channels: usize,
    /// Decoded frames still to be thrown away at the beginning.
    skip_frames: usize,
    packet: Vec<f32>,
}

impl OggOpusDecoder {
    /// Reads an `OpusHead` packet (RFC 7845, section 5.1).
    pub(super) fn open(head: &[u8]) -> Result<(Self, usize), DecodeError> {
        let &[
            b'O',
            b'p',
            b'u',
            b's',
            b'H',
            b'e',
            b'a',
            b'd',
            _,
            channels,
            skip_low,
            skip_high,
            _,
            _,
            _,
            _,
            _,
            _,
            mapping,
            ..,
        ] = head
        else {
            return Err(malformed("its opus header is cut short"));
        };
        let layout = match (mapping, channels) {
            (0, 1) => Channels::Mono,
            (0, 2) => Channels::Stereo,
            _ => {
                return Err(DecodeError::Unsupported {
                    found: format!("Ogg Opus with {channels} channels in mapping {mapping}"),
                });
            }
        };
        let decoder = Decoder::new(RATE, layout).map_err(|error| malformed(&error.to_string()))?;
        let channels = usize::from(channels);
        let opus = Self {
            decoder,
            channels,
            skip_frames: usize::from(u16::from_le_bytes([skip_low, skip_high])),
            packet: vec![0.0; PACKET_FRAMES_MAX * channels],
        };
        Ok((opus, channels))
    }

    /// Returns how many decoded frames are still to be thrown away.
    pub(super) fn skip_frames(&self) -> usize {
        self.skip_frames
    }

    /// Decodes one packet and appends what is left of it after trimming.
    pub(super) fn decode(
        &mut self,
        packet: &[u8],
        trim_end_frames: usize,
        samples: &mut Vec<f32>,
    ) -> Result<(), DecodeError> {
        // To the library an empty packet means a lost one.
        if packet.is_empty() {
            return Ok(());
        }
        let frames = self
            .decoder
            .decode_float(packet, &mut self.packet, DecodeMode::Normal)
            .map_err(|error| malformed(&error.to_string()))?;
        let skipped = self.skip_frames.min(frames);
        self.skip_frames -= skipped;
        let end = frames.saturating_sub(trim_end_frames).max(skipped);
        samples.extend_from_slice(&self.packet[skipped * self.channels..end * self.channels]);
        Ok(())
    }
}

fn malformed(reason: &str) -> DecodeError {
    DecodeError::Malformed { container: Container::Ogg, reason: reason.to_owned() }
}
