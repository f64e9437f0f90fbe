use bytes::Bytes;
use opus_rs::Application;

use crate::MediaError;

/// The only rate that goes out, in samples a second.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples in a packet: 20 ms.
pub const PACKET_SAMPLES: usize = 960;

/// How many decoded samples come before the first pushed one, whatever the settings: what a file's header or edit list
/// tells a player to skip. It is the 2.5 ms that a frame looks ahead and the 4 ms that the two halves of the codec are
/// apart, at 48 kHz.
pub const PRE_SKIP: u16 = 312;

/// The most bytes that one Opus packet of 20 ms may have (RFC 6716, section 3.4).
const PACKET_BYTES_MAX: usize = 1275;

/// What an [`OpusEncoder`] is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpusSettings {
    /// Mean bit rate in bits a second, 6 000 to 256 000. 32 000 is where a voice stops getting better.
    pub bits_per_second: u32,
    /// Effort, 0 (quickest) to 10 (best).
    pub complexity: u8,
}

impl Default for OpusSettings {
    fn default() -> Self {
        Self { bits_per_second: 32_000, complexity: 5 }
    }
}

/// One Opus packet of 20 ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpusPacket {
    /// The packet.
    pub data: Bytes,
    /// Place of its first sample on the encoder's line, in samples at 48 kHz. What is heard there when decoding
    /// is the sound of [`PRE_SKIP`] samples earlier.
    pub pts_samples: u64,
    /// How many of its 960 samples were pushed; the rest is the padding of [`OpusEncoder::finish`].
    pub samples: u32,
}

impl OpusPacket {
    /// Returns the presentation time in microseconds since the line's beginning, rounded down.
    pub fn pts_us(&self) -> u64 {
        // 48 samples are a millisecond.
        self.pts_samples * 125 / 6
    }

    /// How long every packet lasts, in microseconds.
    pub const DURATION_US: u32 = 20_000;
}

/// Makes Opus packets from 48 kHz mono samples that come in pieces of any length.
pub struct OpusEncoder {
    encoder: opus_rs::OpusEncoder,
    pending: Vec<f32>,
    pts_samples: u64,
}

impl OpusEncoder {
    /// Creates an encoder whose line begins at sample 0.
    ///
    /// # Errors
    ///
    /// Returns [`MediaError::OutOfRange`] for settings outside of their range and [`MediaError::Opus`] when the
    /// library refuses.
    pub fn new(settings: OpusSettings) -> Result<Self, MediaError> {
        let checks = [
            ("the opus bit rate", settings.bits_per_second, 6_000, 256_000),
            ("the opus complexity", u32::from(settings.complexity), 0, 10),
        ];
        for (name, value, min, max) in checks {
            if value < min || value > max {
                return Err(MediaError::OutOfRange { name, value, min, max });
            }
        }
        let mut encoder = opus_rs::OpusEncoder::new(SAMPLE_RATE.cast_signed(), 1, Application::Audio)
            .map_err(|reason| MediaError::Opus { operation: "start", reason })?;
        encoder.bitrate_bps = settings.bits_per_second.cast_signed();
        encoder.complexity = i32::from(settings.complexity);
        Ok(Self { encoder, pending: Vec::with_capacity(PACKET_SAMPLES), pts_samples: 0 })
    }

    /// Returns the place on the line of the next sample to be pushed, in samples at 48 kHz.
    pub fn position(&self) -> u64 {
        self.pts_samples + self.pending.len() as u64
    }

    /// Takes `samples` (nominally -1 to 1; what is beyond or not a number is brought there) and appends the packets
    /// that became complete to `packets`.
    ///
    /// # Errors
    ///
    /// Returns [`MediaError::Opus`] when the library refuses.
    pub fn push(&mut self, mut samples: &[f32], packets: &mut Vec<OpusPacket>) -> Result<(), MediaError> {
        while !samples.is_empty() {
            let wanted = PACKET_SAMPLES - self.pending.len();
            let (now, later) = samples.split_at(wanted.min(samples.len()));
            self.pending.extend(now.iter().map(|&sample| limited(sample)));
            samples = later;
            if self.pending.len() == PACKET_SAMPLES {
                packets.push(self.encode(PACKET_SAMPLES)?);
            }
        }
        Ok(())
    }

    /// As [`OpusEncoder::push`] for 16-bit samples.
    ///
    /// # Errors
    ///
    /// Returns [`MediaError::Opus`] when the library refuses.
    pub fn push_i16(&mut self, samples: &[i16], packets: &mut Vec<OpusPacket>) -> Result<(), MediaError> {
        let mut piece = [0.0; PACKET_SAMPLES];
        for chunk in samples.chunks(PACKET_SAMPLES) {
            for (to, &from) in piece.iter_mut().zip(chunk) {
                *to = f32::from(from) / 32_768.0;
            }
            self.push(&piece[..chunk.len()], packets)?;
        }
        Ok(())
    }

    /// Ends the line: pads with silence until the last pushed sample has left the encoder, which is at most two
    /// more packets. The encoder may be pushed to again afterwards, from the padded end.
    ///
    /// # Errors
    ///
    /// Returns [`MediaError::Opus`] when the library refuses.
    pub fn finish(&mut self, packets: &mut Vec<OpusPacket>) -> Result<(), MediaError> {
        let mut real = self.pending.len();
        let mut owed = real + usize::from(PRE_SKIP);
        while owed > 0 {
            self.pending.resize(PACKET_SAMPLES, 0.0);
            packets.push(self.encode(real)?);
            real = 0;
            owed = owed.saturating_sub(PACKET_SAMPLES);
        }
        Ok(())
    }

    /// Drops what is not yet in a packet and continues the line at `position`, in samples at 48 kHz: the media
    /// clock after a gap. Returns how many samples were dropped.
    pub fn seek(&mut self, position: u64) -> usize {
        let dropped = self.pending.len();
        self.pending.clear();
        self.pts_samples = position;
        dropped
    }

    fn encode(&mut self, real: usize) -> Result<OpusPacket, MediaError> {
        let mut packet = vec![0; PACKET_BYTES_MAX];
        let length = self
            .encoder
            .encode(&self.pending, PACKET_SAMPLES, &mut packet)
            .map_err(|reason| MediaError::Opus { operation: "encode a packet", reason })?;
        packet.truncate(length);
        let pts_samples = self.pts_samples;
        self.pts_samples += PACKET_SAMPLES as u64;
        self.pending.clear();
        Ok(OpusPacket { data: Bytes::from(packet), pts_samples, samples: real as u32 })
    }
}

/// Opus promises nothing for samples that are not finite, and clips loud ones itself less well.
fn limited(sample: f32) -> f32 {
    if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) }
}
