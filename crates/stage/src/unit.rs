//! What leaves an outlet.

use bytes::Bytes;

/// One encoded piece of picture or sound. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// One access unit.
    Video(VideoUnit),
    /// One packet.
    Audio(AudioUnit),
}

/// One H.264 access unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoUnit {
    /// Annex-B; an IDR carries its parameter sets. Empty under the null renderer.
    pub data: Bytes,
    /// Whether decoding can start here.
    pub idr: bool,
    /// Media time of the frame, in microseconds since the performance opened.
    pub pts_us: u64,
    /// How long the frame is shown, in microseconds.
    pub duration_us: u32,
    /// Grows by one with each interrupt.
    pub generation: u32,
    /// Driven by submitted audio, and counted.
    pub active: bool,
    /// Something is missing before it: this reader was too slow, or the node stood still.
    pub discontinuity: bool,
}

/// One Opus packet of 20 ms, 48 kHz, mono.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioUnit {
    /// The packet.
    pub data: Bytes,
    /// Media time of the first sample that went into it, in microseconds since the performance opened. What a decoder
    /// gives for it is later by the encoder's pre-skip.
    pub pts_us: u64,
    /// 20 000.
    pub duration_us: u32,
    /// Grows by one with each interrupt.
    pub generation: u32,
    /// Whether any submitted audio is in it.
    pub active: bool,
}

impl Unit {
    /// Media time in microseconds.
    #[must_use]
    pub const fn pts_us(&self) -> u64 {
        match self {
            Self::Video(unit) => unit.pts_us,
            Self::Audio(unit) => unit.pts_us,
        }
    }

    /// Which generation it belongs to.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        match self {
            Self::Video(unit) => unit.generation,
            Self::Audio(unit) => unit.generation,
        }
    }

    /// Whether it was driven by submitted audio.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        match self {
            Self::Video(unit) => unit.active,
            Self::Audio(unit) => unit.active,
        }
    }
}
