//! The packed form: blocks of 1 024 slots, each proving by a checksum that it was written whole.
//!
//! A slot has two halves in two kinds of block. Its *name* (whose it is; 64 bytes) is written when it is assigned or
//! released. Its *count* (units and position; 24 bytes) is written every second while it changes. Both carry the number of
//! the assignment, so that the count of a former session is never taken for the next one's, whichever half a crash kept.

use footlight_ledger::{AccountId, SessionId};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::ProgressEntry;

/// Slots in a block.
pub(super) const SLOTS: usize = 1_024;

const HEADER: usize = 40;
const NAME: usize = 64;
const COUNT: usize = 24;

/// The start of every block; the last digit is the layout's version.
const MAGIC: [u8; 8] = *b"flprog1\n";

/// Which half of its slots a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Names,
    Counts,
}

impl Half {
    const fn slot_bytes(self) -> usize {
        match self {
            Self::Names => NAME,
            Self::Counts => COUNT,
        }
    }

    /// Bytes of a whole block, header included.
    pub(super) const fn block_bytes(self) -> usize {
        HEADER + SLOTS * self.slot_bytes()
    }
}

/// One block, ready to be written.
///
/// Layout, integers little-endian: magic (8), half (4), number (4), sequence (8), checksum of all that follows and of the
/// fields before it (16), then the slots.
#[derive(Debug, Clone)]
pub(super) struct Block {
    half: Half,
    bytes: Vec<u8>,
}

impl Block {
    pub(super) fn empty(half: Half) -> Self {
        Self { half, bytes: vec![0; half.block_bytes()] }
    }

    /// Writes a slot's name; `assignment` is never 0, which marks a free slot.
    pub(super) fn set_name(&mut self, slot: usize, assignment: u64, entry: &ProgressEntry) {
        let slot = self.slot_mut(slot);
        slot[..8].copy_from_slice(&assignment.to_le_bytes());
        slot[8..24].copy_from_slice(entry.session.0.as_bytes());
        slot[24..40].copy_from_slice(entry.account.0.as_bytes());
        slot[40..44].copy_from_slice(&entry.epoch.to_le_bytes());
        slot[48..56].copy_from_slice(&entry.units.to_le_bytes());
        slot[56..64].copy_from_slice(&entry.position_ms.to_le_bytes());
    }

    /// Marks a slot as free.
    pub(super) fn clear(&mut self, slot: usize) {
        self.slot_mut(slot).fill(0);
    }

    /// Writes a slot's count, and says whether it is another than before.
    pub(super) fn set_count(&mut self, slot: usize, assignment: u64, units: u64, position_ms: u64) -> bool {
        let mut count = [0; COUNT];
        count[..8].copy_from_slice(&assignment.to_le_bytes());
        count[8..16].copy_from_slice(&units.to_le_bytes());
        count[16..].copy_from_slice(&position_ms.to_le_bytes());
        let slot = self.slot_mut(slot);
        let changed = *slot != count;
        slot.copy_from_slice(&count);
        changed
    }

    /// The assignment of a slot; 0 when it is free.
    pub(super) fn assignment(&self, slot: usize) -> u64 {
        number(&self.slot(slot)[..8])
    }

    /// Gives the block its place and sequence number, and seals it with its checksum.
    pub(super) fn seal(&mut self, block: u32, sequence: u64) {
        self.bytes[..8].copy_from_slice(&MAGIC);
        self.bytes[8..12].copy_from_slice(&(self.half as u32).to_le_bytes());
        self.bytes[12..16].copy_from_slice(&block.to_le_bytes());
        self.bytes[16..24].copy_from_slice(&sequence.to_le_bytes());
        let checksum = checksum(&self.bytes);
        self.bytes[24..HEADER].copy_from_slice(&checksum);
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Reads a block with its sequence number, if these bytes are one that was written whole for this place.
    pub(super) fn open(half: Half, block: u32, bytes: Vec<u8>) -> Option<(u64, Self)> {
        let whole = bytes.len() == half.block_bytes()
            && bytes[..8] == MAGIC
            && bytes[8..12] == (half as u32).to_le_bytes()
            && bytes[12..16] == block.to_le_bytes()
            && bytes[24..HEADER] == checksum(&bytes);
        whole.then(|| (number(&bytes[16..24]), Self { half, bytes }))
    }

    fn slot(&self, slot: usize) -> &[u8] {
        let size = self.half.slot_bytes();
        &self.bytes[HEADER + slot * size..][..size]
    }

    fn slot_mut(&mut self, slot: usize) -> &mut [u8] {
        let size = self.half.slot_bytes();
        &mut self.bytes[HEADER + slot * size..][..size]
    }
}

/// The sessions that a pair of blocks knows of. Without a count of the same assignment a session stands where it was
/// assigned.
pub(super) fn entries(names: &Block, counts: Option<&Block>) -> Vec<ProgressEntry> {
    let mut entries = Vec::new();
    for slot in (0..SLOTS).filter(|slot| names.assignment(*slot) != 0) {
        let name = names.slot(slot);
        let id = |at: usize| Uuid::from_slice(&name[at..at + 16]).expect("16 bytes");
        let mut entry = ProgressEntry {
            session: SessionId(id(8)),
            account: AccountId(id(24)),
            epoch: u32::from_le_bytes(name[40..44].try_into().expect("4 bytes")),
            units: number(&name[48..56]),
            position_ms: number(&name[56..64]),
        };
        if let Some(counts) = counts.filter(|counts| counts.assignment(slot) == names.assignment(slot)) {
            let count = counts.slot(slot);
            entry.units = number(&count[8..16]);
            entry.position_ms = number(&count[16..24]);
        }
        entries.push(entry);
    }
    entries
}

fn checksum(bytes: &[u8]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(&bytes[..24]);
    hash.update(&bytes[HEADER..]);
    hash.finalize()[..16].try_into().expect("a hash has 32 bytes")
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("8 bytes"))
}
