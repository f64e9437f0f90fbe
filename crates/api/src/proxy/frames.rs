//! Where WebSocket frames end (RFC 6455, 5.2), in bytes that are passed on unread.

/// The longest header of a frame: two bytes, eight of length, four of mask.
const HEADER_LEN_MAX: usize = 14;
const OPCODE: u8 = 0x0f;
const OPCODE_CLOSE: u8 = 0x8;
const MASKED: u8 = 0x80;

/// Follows one direction of a WebSocket.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The header of the frame that has begun, as far as it came.
    header: [u8; HEADER_LEN_MAX],
    header_len: usize,
    /// What is still to come of the frame's payload.
    left: u64,
    is_closed: bool,
}

impl Frames {
    /// Takes in what is passed on.
    pub(crate) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= here as u64;
                bytes = &bytes[here..];
                continue;
            }
            self.header[self.header_len] = bytes[0];
            self.header_len += 1;
            bytes = &bytes[1..];
            if let Some(payload) = self.begun() {
                self.left = payload;
                self.is_closed |= self.header[0] & OPCODE == OPCODE_CLOSE;
                self.header_len = 0;
            }
        }
    }

    /// The length of the payload, once the header is whole.
    fn begun(&self) -> Option<u64> {
        if self.header_len < 2 {
            return None;
        }
        let length_len = match self.header[1] & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask_len = if self.header[1] & MASKED == 0 { 0 } else { 4 };
        if self.header_len < 2 + length_len + mask_len {
            return None;
        }
        Some(match length_len {
            0 => u64::from(self.header[1] & !MASKED),
            _ => self.header[2..2 + length_len].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        })
    }

    /// Whether the last frame that was begun has ended: here another may stand.
    pub(crate) const fn is_between(&self) -> bool {
        self.left == 0 && self.header_len == 0
    }

    /// Whether a close frame was passed: nothing may follow it.
    pub(crate) const fn is_closed(&self) -> bool {
        self.is_closed
    }
}

/// A close frame as servers send it.
pub(crate) fn close_frame(code: u16, reason: &'static str) -> Vec<u8> {
    debug_assert!(reason.len() <= 123, "control frames hold 125 bytes");
    let mut frame = vec![0x80 | OPCODE_CLOSE, u8::try_from(2 + reason.len()).unwrap_or(2)];
    frame.extend_from_slice(&code.to_be_bytes());
    frame.extend_from_slice(reason.as_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame and whether a mask was written.
    fn frame(opcode: u8, length: usize, is_masked: bool) -> Vec<u8> {
        let mask = if is_masked { MASKED } else { 0 };
        let mut frame = vec![0x80 | opcode];
        match length {
            0..126 => frame.push(mask | length as u8),
            126..65_536 => {
                frame.push(mask | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        if is_masked {
            frame.extend_from_slice(&[1, 2, 3, 4]);
        }
        frame.resize(frame.len() + length, 0x88);
        frame
    }

    #[test]
    fn frames_of_every_length_end_where_they_end_however_they_are_cut() {
        let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 70_001];
        let mut all = Vec::new();
        let mut ends = vec![0];
        for (at, length) in lengths.into_iter().enumerate() {
            all.extend(frame(0x2, length, at % 2 == 1));
            ends.push(all.len());
        }
        for piece in [1, 2, 3, 7, 1_000, 4_096, all.len()] {
            let mut frames = Frames::default();
            let mut passed = 0;
            for chunk in all.chunks(piece) {
                frames.pass(chunk);
                passed += chunk.len();
                assert_eq!(frames.is_between(), ends.contains(&passed), "after {passed} in pieces of {piece}");
            }
            assert!(!frames.is_closed());
        }
    }

    #[test]
    fn a_close_frame_is_seen() {
        let mut frames = Frames::default();
        frames.pass(&frame(0x1, 5, false));
        assert!(!frames.is_closed());
        let close = close_frame(1012, "moved");
        assert_eq!(close, [0x88, 7, 0x03, 0xf4, b'm', b'o', b'v', b'e', b'd']);
        frames.pass(&close);
        assert!(frames.is_closed() && frames.is_between());
    }
}
