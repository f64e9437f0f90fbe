//! A timing wheel: millions of deadlines, a few steps each.

use crate::Moment;

/// Deadlines by slot of `1 << SLOT_BITS` milliseconds. Entries are not cancelled: whoever pops one checks whether it
/// still means it, which is cheaper than finding it again.
#[derive(Debug)]
pub struct TimingWheel<K> {
    slots: Vec<Vec<(Moment, K)>>,
    /// The first slot that was not popped yet, counted from the clock's zero.
    next: u64,
    len: usize,
}

/// 16 ms a slot: finer than a meter's tick.
const SLOT_BITS: u32 = 4;
/// 65 s a turn: one heartbeat. A deadline farther off is looked at once a turn.
const SLOTS: usize = 4096;

impl<K: Copy> TimingWheel<K> {
    /// An empty wheel whose hand stands at `now`.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), next: now.0 >> SLOT_BITS, len: 0 }
    }

    /// Entries in it, outdated ones included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is due ever.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a deadline. One that has passed already comes out at the next [`TimingWheel::pop`].
    pub fn push(&mut self, at: Moment, key: K) {
        if at == Moment::NEVER {
            return;
        }
        let slot = (at.0 >> SLOT_BITS).max(self.next);
        self.slots[Self::index(slot)].push((at, key));
        self.len += 1;
    }

    /// Moves the hand to `now` and hands each deadline that has passed to `due`, together with the moment it was
    /// pushed for.
    pub fn pop(&mut self, now: Moment, mut due: impl FnMut(Moment, K)) {
        let end = now.0 >> SLOT_BITS;
        // After a long stall one turn visits every slot; more turns would find nothing else.
        let first = self.next.max(end.saturating_sub(SLOTS as u64 - 1));
        for slot in first..=end.max(self.next) {
            let entries = &mut self.slots[Self::index(slot)];
            let mut kept = 0;
            for index in 0..entries.len() {
                let (at, key) = entries[index];
                if at <= now {
                    due(at, key);
                } else {
                    entries[kept] = (at, key);
                    kept += 1;
                }
            }
            self.len -= entries.len() - kept;
            entries.truncate(kept);
            // A burst must not keep its memory for ever.
            if entries.capacity() > 64 && entries.len() * 4 < entries.capacity() {
                entries.shrink_to(entries.len() * 2);
            }
        }
        // The present slot stays open: it still has milliseconds to come.
        self.next = self.next.max(end);
    }

    const fn index(slot: u64) -> usize {
        (slot % SLOTS as u64) as usize
    }
}
