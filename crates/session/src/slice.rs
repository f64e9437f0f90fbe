//! The slice gate: where frames are counted, and where they stop.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use footlight_ledger::Units;

/// The counter that a renderer and the meter share. The renderer takes each active unit here before it is handed
/// to an outlet; it stops by count, without asking anyone.
///
/// One writer takes units (the session's worker); the meter reads them and moves the limit. All values are
/// cumulative for the session's whole life.
///
/// Count, room and the shut flag live in one word, so that closing the gate and counting a unit can never both
/// believe to have been first: what [`SliceGate::close`] answers is exactly what was handed out. Two words would
/// need a rule for the unit taken between reading the one and writing the other, and that unit is money.
#[derive(Debug)]
pub struct SliceGate {
    /// From the top: 1 bit shut, 39 bits used, 24 bits room.
    word: AtomicU64,
    ask_at: AtomicU64,
}

/// Room is at most this many units: 4.6 hours of milliseconds, far over a heartbeat and its grace.
pub const MOST_ROOM: Units = (1 << ROOM_BITS) - 1;

const ROOM_BITS: u32 = 24;
const USED_BITS: u32 = 39;
const SHUT: u64 = 1 << (ROOM_BITS + USED_BITS);

/// The ask mark that is never crossed.
const NEVER: Units = Units::MAX;

const fn used(word: u64) -> Units {
    (word & !SHUT) >> ROOM_BITS
}

const fn room(word: u64) -> Units {
    word & MOST_ROOM
}

const fn pack(used: Units, room: Units, shut: u64) -> u64 {
    // 2^39 units are 17 years of milliseconds: a session that long is a bug.
    assert!(used < 1 << USED_BITS, "a session's units do not fit the gate");
    (used << ROOM_BITS) | if room < MOST_ROOM { room } else { MOST_ROOM } | shut
}

/// The gate's answer for one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Taken {
    /// The unit is counted: send it.
    Yes,
    /// The slice is used up: send nothing, and ask for another.
    SliceSpent,
    /// The session may not speak any more.
    Shut,
}

impl SliceGate {
    /// A gate at `base` units used, with nothing to spend.
    #[must_use]
    pub const fn new(base: Units) -> Self {
        Self { word: AtomicU64::new(pack(base, 0, 0)), ask_at: AtomicU64::new(NEVER) }
    }

    /// Counts `units` more if the slice has room for all of them.
    pub fn take(&self, units: Units) -> Taken {
        let taken = self.word.fetch_update(SeqCst, SeqCst, |word| {
            let fits = word & SHUT == 0 && units <= room(word);
            fits.then(|| pack(used(word) + units, room(word) - units, 0))
        });
        match taken {
            Ok(_) => Taken::Yes,
            Err(word) if word & SHUT != 0 => Taken::Shut,
            Err(_) => Taken::SliceSpent,
        }
    }

    /// Units used so far.
    pub fn used(&self) -> Units {
        used(self.word.load(SeqCst))
    }

    /// Units that may be used in all; what is used once the gate is shut.
    pub fn limit(&self) -> Units {
        let word = self.word.load(SeqCst);
        used(word) + room(word)
    }

    /// Units that may still be used; zero once the gate is shut.
    pub fn remaining(&self) -> Units {
        room(self.word.load(SeqCst))
    }

    /// Gives a new slice: its end, and the mark at which the renderer says once that it is time to ask for the
    /// next one (the meter alone does this).
    pub fn set_slice(&self, limit: Units, ask_at: Units) {
        // The mark first: a renderer that sees the new limit must not miss the mark that came with it.
        self.ask_at.store(ask_at, SeqCst);
        self.set_limit(limit);
    }

    /// Moves the ask mark and leaves the slice as it is (the meter alone does this).
    pub fn set_ask_mark(&self, ask_at: Units) {
        self.ask_at.store(ask_at, SeqCst);
    }

    /// Whether the ask mark has been crossed since it was set; true once per mark, whoever looks first.
    pub fn crossed_ask_mark(&self) -> bool {
        let ask_at = self.ask_at.load(SeqCst);
        // Exchanged rather than stored: the meter may set the next mark between the two steps.
        ask_at != NEVER && self.used() >= ask_at && self.ask_at.compare_exchange(ask_at, NEVER, SeqCst, SeqCst).is_ok()
    }

    /// Moves the limit and leaves the ask mark where it is (the meter alone does this). A limit below what is used
    /// leaves no room; a shut gate stays shut. Room is held at [`MOST_ROOM`].
    pub fn set_limit(&self, limit: Units) {
        self.update(|word| {
            let room = if word & SHUT == 0 { limit.saturating_sub(used(word)) } else { 0 };
            pack(used(word), room, word & SHUT)
        });
    }

    /// Takes back all room and answers the exact count used; a later slice opens the gate again.
    pub fn close(&self) -> Units {
        self.ask_at.store(NEVER, SeqCst);
        used(self.update(|word| pack(used(word), 0, word & SHUT)))
    }

    /// Whether the gate was shut.
    pub fn is_shut(&self) -> bool {
        self.word.load(SeqCst) & SHUT != 0
    }

    /// Shuts the gate for good and answers the final count: the renderer takes nothing more.
    pub fn shut(&self) -> Units {
        used(self.update(|word| pack(used(word), 0, SHUT)))
    }

    fn update(&self, next: impl Fn(u64) -> u64) -> u64 {
        self.word.fetch_update(SeqCst, SeqCst, |word| Some(next(word))).unwrap_or_else(|word| word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_ends_by_count_and_goes_on_where_it_ended() {
        let gate = SliceGate::new(10);
        assert_eq!(gate.take(1), Taken::SliceSpent);
        gate.set_slice(13, 12);
        assert!((0..3).all(|_| gate.take(1) == Taken::Yes));
        assert_eq!(gate.take(1), Taken::SliceSpent);
        gate.set_limit(14);
        assert_eq!((gate.take(1), gate.used(), gate.remaining()), (Taken::Yes, 14, 0));
    }

    #[test]
    fn the_ask_mark_is_told_once_per_mark() {
        let gate = SliceGate::new(0);
        gate.set_slice(4, 2);
        let told: Vec<bool> = (0..4)
            .map(|_| {
                assert_eq!(gate.take(1), Taken::Yes);
                gate.crossed_ask_mark()
            })
            .collect();
        assert_eq!(told, [false, true, false, false]);
        gate.set_slice(8, 4);
        assert!(gate.crossed_ask_mark(), "a mark that is already passed is told at once");
        assert!(!gate.crossed_ask_mark());
    }

    #[test]
    fn a_shut_gate_gives_nothing_more() {
        let gate = SliceGate::new(0);
        gate.set_slice(4, 2);
        gate.shut();
        assert_eq!((gate.take(1), gate.remaining()), (Taken::Shut, 0));
    }

    #[test]
    fn closing_answers_exactly_what_was_handed_out() {
        for _ in 0..200 {
            let gate = SliceGate::new(0);
            gate.set_slice(1_000_000, NEVER);
            let (closed, handed_out) = std::thread::scope(|scope| {
                let renderer = scope.spawn(|| (0..2_000).filter(|_| gate.take(1) == Taken::Yes).count());
                while gate.used() < 3 {
                    std::hint::spin_loop();
                }
                let closed = gate.close();
                (closed, renderer.join().expect("the renderer only counts"))
            });
            assert_eq!(closed, u64::try_from(handed_out).expect("a small count"));
        }
    }

    #[test]
    fn a_closed_gate_opens_again_and_a_shut_one_does_not() {
        let gate = SliceGate::new(7);
        gate.set_slice(20, NEVER);
        assert_eq!((gate.close(), gate.take(1)), (7, Taken::SliceSpent));
        gate.set_limit(9);
        assert_eq!((gate.take(2), gate.shut()), (Taken::Yes, 9));
        gate.set_slice(50, NEVER);
        assert_eq!((gate.take(1), gate.limit()), (Taken::Shut, 9));
    }
}
