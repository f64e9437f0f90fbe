//! The slots in memory: which session has which, what it counts, and which blocks are to be written.

use super::ProgressEntry;
use super::block::{Block, Half, SLOTS};

/// A session's place in the record. It is not to be used after its release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(pub(super) u32);

/// Where a block goes besides memory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    File,
    Mirror,
}

/// One block with what is known of its copies.
pub(super) struct Kept {
    block: Block,
    /// Whether the file and the mirror are behind.
    dirty: [bool; 2],
}

/// All slots. Memory: 88 bytes a session.
#[derive(Default)]
pub(super) struct Slots {
    names: Vec<Kept>,
    counts: Vec<Kept>,
    free: Vec<u32>,
    /// Slots that were ever given out.
    used: u32,
    assignments: u64,
}

impl Slots {
    pub(super) fn assign(&mut self, entry: &ProgressEntry) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.used += 1;
            self.used - 1
        });
        let (block, place) = split(slot);
        if block == self.names.len() {
            self.names.push(Kept { block: Block::empty(Half::Names), dirty: [true; 2] });
            self.counts.push(Kept { block: Block::empty(Half::Counts), dirty: [true; 2] });
        }
        self.assignments += 1;
        self.names[block].block.set_name(place, self.assignments, entry);
        self.names[block].dirty = [true; 2];
        Slot(slot)
    }

    pub(super) fn release(&mut self, slot: Slot) {
        let (block, place) = split(slot.0);
        self.names[block].block.clear(place);
        self.names[block].dirty = [true; 2];
        self.free.push(slot.0);
    }

    pub(super) fn record(&mut self, slot: Slot, units: u64, position_ms: u64) {
        let (block, place) = split(slot.0);
        let assignment = self.names[block].block.assignment(place);
        // A late word about a session whose slot is free again.
        if assignment == 0 {
            return;
        }
        if self.counts[block].block.set_count(place, assignment, units, position_ms) {
            self.counts[block].dirty = [true; 2];
        }
    }

    pub(super) fn blocks(&self) -> u32 {
        u32::try_from(self.names.len()).expect("slots are numbered in 32 bits")
    }

    /// A copy of a block that `target` is behind on; it counts as written from then on.
    pub(super) fn take_dirty(&mut self, half: Half, block: u32, target: Target) -> Option<Block> {
        let kept = self.kept(half, block);
        std::mem::take(&mut kept.dirty[target as usize]).then(|| kept.block.clone())
    }

    /// It could not be written after all.
    pub(super) fn mark_dirty(&mut self, half: Half, block: u32, target: Target) {
        self.kept(half, block).dirty[target as usize] = true;
    }

    fn kept(&mut self, half: Half, block: u32) -> &mut Kept {
        match half {
            Half::Names => &mut self.names[block as usize],
            Half::Counts => &mut self.counts[block as usize],
        }
    }
}

fn split(slot: u32) -> (usize, usize) {
    (slot as usize / SLOTS, slot as usize % SLOTS)
}
