//! The 24-byte header before each unit of media on a WebSocket.
//!
//! A binary message is this header followed by one H.264 access unit in Annex-B form or one Opus packet, so that
//! a browser can hand it to WebCodecs as it is. All numbers are big endian. The layout is part of the public
//! protocol and is written down in `docs/websocket-media.md`; it can only grow behind the reserved bytes.

use crate::MediaError;

/// Length of an encoded [`MediaHeader`] in bytes.
pub const HEADER_LEN: usize = 24;

/// What follows the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// One H.264 access unit, Annex-B.
    Video,
    /// One Opus packet, 48 kHz mono.
    Audio,
}

impl MediaKind {
    const fn to_byte(self) -> u8 {
        match self {
            Self::Video => 1,
            Self::Audio => 2,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Video),
            2 => Some(Self::Audio),
            _ => None,
        }
    }
}

/// Bits that say more about a unit. Bits without a name are kept, so that a newer sender's mark survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MediaFlags(u8);

impl MediaFlags {
    /// No bit set.
    pub const NONE: Self = Self(0);
    /// Decoding can start here: an IDR with its parameter sets. Every Opus packet counts as one.
    pub const KEY_FRAME: Self = Self(1);
    /// Nobody speaks: the idle loop, or a closing frame. Free of charge.
    pub const IDLE: Self = Self(2);
    /// Something was left out before this unit: forget what is still queued for playing.
    pub const DISCONTINUITY: Self = Self(4);

    /// Returns the flags as they stand on the wire.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Returns the flags of a byte from the wire.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Returns these flags with `other` set as well.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The header of one unit of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaHeader {
    /// What follows.
    pub kind: MediaKind,
    /// More about it.
    pub flags: MediaFlags,
    /// Counts interrupts of the session. A client drops queued units of an older generation.
    pub generation: u32,
    /// Counts units of this kind on this connection, one by one, and wraps. What was left out for a slow reader has no
    /// number: the next picture says so by its `discontinuity` flag.
    pub sequence: u32,
    /// Presentation time on the session's media clock, in microseconds. Both kinds share the clock.
    pub pts_us: u64,
    /// How long the unit lasts, in microseconds.
    pub duration_us: u32,
}

impl MediaHeader {
    /// Returns the header as it stands on the wire.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = self.kind.to_byte();
        bytes[1] = self.flags.bits();
        // Bytes 2 and 3 are reserved: zero today, ignored by readers.
        bytes[4..8].copy_from_slice(&self.generation.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[12..20].copy_from_slice(&self.pts_us.to_be_bytes());
        bytes[20..24].copy_from_slice(&self.duration_us.to_be_bytes());
        bytes
    }

    /// Splits a binary message into its header and its unit of media.
    ///
    /// # Errors
    ///
    /// Returns [`MediaError::Header`] when the message is shorter than a header or of an unknown kind.
    pub fn decode(message: &[u8]) -> Result<(Self, &[u8]), MediaError> {
        let Some((bytes, unit)) = message.split_first_chunk::<HEADER_LEN>() else {
            return Err(MediaError::Header { reason: "it is shorter than its 24-byte header" });
        };
        let [kind, flags, _, _, g0, g1, g2, g3, s0, s1, s2, s3, pts @ .., d0, d1, d2, d3] = *bytes;
        let kind = MediaKind::from_byte(kind)
            .ok_or(MediaError::Header { reason: "its kind is neither video (1) nor audio (2)" })?;
        let header = Self {
            kind,
            flags: MediaFlags::from_bits(flags),
            generation: u32::from_be_bytes([g0, g1, g2, g3]),
            sequence: u32::from_be_bytes([s0, s1, s2, s3]),
            pts_us: u64::from_be_bytes(pts),
            duration_us: u32::from_be_bytes([d0, d1, d2, d3]),
        };
        Ok((header, unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_bytes_are_the_documented_ones() {
        let header = MediaHeader {
            kind: MediaKind::Video,
            flags: MediaFlags::KEY_FRAME.with(MediaFlags::DISCONTINUITY),
            generation: 0x0102_0304,
            sequence: 0x1112_1314,
            pts_us: 0x2122_2324_2526_2728,
            duration_us: 40_000,
        };
        let expected = [
            1, 5, 0, 0, // kind, flags, reserved
            0x01, 0x02, 0x03, 0x04, // generation
            0x11, 0x12, 0x13, 0x14, // sequence
            0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, // pts
            0x00, 0x00, 0x9c, 0x40, // duration
        ];
        assert_eq!(header.encode(), expected);

        let mut message = expected.to_vec();
        message.extend_from_slice(b"unit");
        assert_eq!(MediaHeader::decode(&message).unwrap(), (header, &b"unit"[..]));
    }

    #[test]
    fn short_messages_and_unknown_kinds_are_refused() {
        assert!(MediaHeader::decode(&[1; HEADER_LEN - 1]).is_err());
        assert!(MediaHeader::decode(&[0; HEADER_LEN]).is_err());
        assert!(MediaHeader::decode(&[3; HEADER_LEN]).is_err());
    }

    #[test]
    fn reserved_bytes_and_unknown_flags_do_not_trouble_a_reader() {
        let mut message = [0xff; HEADER_LEN];
        message[0] = 2;
        let (header, unit) = MediaHeader::decode(&message).unwrap();
        assert_eq!(header.kind, MediaKind::Audio);
        assert!(header.flags.contains(MediaFlags::IDLE));
        assert_eq!(header.flags.bits(), 0xff);
        assert!(unit.is_empty());
    }
}
