//! Counting room, without an actor around it.

use std::collections::VecDeque;

use footlight_store::nodes::NodeRoom;

use crate::health::{Capacity, Room};

/// How much room there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoomLimits {
    /// Sessions at once.
    pub(crate) sessions: u64,
    /// Speaking slots, in thousandths.
    pub(crate) slots_milli: u64,
    /// Sessions admitted per speaking slot, in thousandths; 1000 reserves a slot for each.
    pub(crate) overcommit_milli: u64,
}

/// Who is in and who speaks. Everything that is promised counts, so that two who come at once cannot share a place.
#[derive(Debug)]
pub(super) struct Rooms<W> {
    limits: RoomLimits,
    reserved_sessions: u64,
    used_sessions: u64,
    /// Weight of all sessions that were let in.
    admitted_milli: u64,
    /// Weight of those of them that have begun.
    begun_milli: u64,
    /// Weight of slots taken on demand.
    taken_milli: u64,
    /// Weight of sessions that speak.
    speaking_milli: u64,
    waiting: VecDeque<(u64, W)>,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    Sessions,
    SpeakingSlots,
}

impl<W> Rooms<W> {
    pub(super) const fn new(limits: RoomLimits) -> Self {
        Self {
            limits,
            reserved_sessions: 0,
            used_sessions: 0,
            admitted_milli: 0,
            begun_milli: 0,
            taken_milli: 0,
            speaking_milli: 0,
            waiting: VecDeque::new(),
        }
    }

    const fn reserves_slots(&self) -> bool {
        self.limits.overcommit_milli <= 1000
    }

    /// The weight of all that may be let in.
    fn admits_milli(&self) -> u64 {
        self.limits.slots_milli.saturating_mul(self.limits.overcommit_milli.max(1000)) / 1000
    }

    /// Reserves a place for a session of this weight.
    pub(super) fn admit(&mut self, weight_milli: u64) -> Result<(), Full> {
        if self.reserved_sessions + self.used_sessions >= self.limits.sessions {
            return Err(Full::Sessions);
        }
        if self.admitted_milli + weight_milli > self.admits_milli() {
            return Err(Full::SpeakingSlots);
        }
        self.reserved_sessions += 1;
        self.admitted_milli += weight_milli;
        Ok(())
    }

    /// A reserved session has begun.
    pub(super) const fn begin(&mut self, weight_milli: u64) {
        self.reserved_sessions -= 1;
        self.used_sessions += 1;
        self.begun_milli += weight_milli;
    }

    /// A session is gone.
    pub(super) const fn leave(&mut self, weight_milli: u64, had_begun: bool) {
        if had_begun {
            self.used_sessions -= 1;
            self.begun_milli -= weight_milli;
        } else {
            self.reserved_sessions -= 1;
        }
        self.admitted_milli -= weight_milli;
    }

    /// Takes a slot, or lines up for one.
    pub(super) fn take_slot(&mut self, weight_milli: u64, who: W) -> Option<W> {
        if self.waiting.is_empty() && self.fits(weight_milli) {
            self.taken_milli += weight_milli;
            return Some(who);
        }
        self.waiting.push_back((weight_milli, who));
        None
    }

    /// Gives a slot back.
    pub(super) const fn free_slot(&mut self, weight_milli: u64) {
        self.taken_milli = self.taken_milli.saturating_sub(weight_milli);
    }

    /// The next of those who wait, if there is room for it now. It has its slot.
    pub(super) fn next_served(&mut self) -> Option<W> {
        let weight_milli = self.waiting.front()?.0;
        if !self.fits(weight_milli) {
            return None;
        }
        self.taken_milli += weight_milli;
        self.waiting.pop_front().map(|(_, who)| who)
    }

    /// Takes those out of the line who have waited long enough.
    pub(super) fn give_up(&mut self, mut has_waited: impl FnMut(&W) -> bool) -> Vec<W> {
        let mut given_up = Vec::new();
        while self.waiting.front().is_some_and(|(_, who)| has_waited(who)) {
            given_up.extend(self.waiting.pop_front().map(|(_, who)| who));
        }
        given_up
    }

    const fn fits(&self, weight_milli: u64) -> bool {
        self.taken_milli + weight_milli <= self.limits.slots_milli
    }

    /// Somebody began or ceased to speak.
    pub(super) const fn speak(&mut self, weight_milli: u64, speaks: bool) {
        if speaks {
            self.speaking_milli += weight_milli;
        } else {
            self.speaking_milli = self.speaking_milli.saturating_sub(weight_milli);
        }
    }

    pub(super) fn capacity(&self) -> Capacity {
        let promised = if self.reserves_slots() { self.admitted_milli } else { self.taken_milli };
        let used = self.speaking_milli.min(promised);
        Capacity {
            sessions: Room { total: self.limits.sessions, used: self.used_sessions, reserved: self.reserved_sessions },
            speaking_slots_milli: Room { total: self.limits.slots_milli, used, reserved: promised - used },
        }
    }

    /// Whether a session of ordinary weight would be refused.
    pub(super) fn is_full(&self) -> bool {
        self.reserved_sessions + self.used_sessions >= self.limits.sessions
            || self.admitted_milli + 1000 > self.admits_milli()
    }

    /// What other nodes may count on. Only what has begun is in use there: places of those that are being created are
    /// reserved where their node was chosen, and must not count twice.
    pub(super) fn for_others(&self) -> NodeRoom {
        NodeRoom {
            sessions_total: self.limits.sessions,
            sessions_used: self.used_sessions,
            slots_milli_total: self.admits_milli(),
            slots_milli_used: self.begun_milli,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(sessions: u64, slots_milli: u64, overcommit_milli: u64) -> Rooms<u32> {
        Rooms::new(RoomLimits { sessions, slots_milli, overcommit_milli })
    }

    #[test]
    fn a_place_that_is_being_reserved_counts() {
        let mut rooms = rooms(10, 2_000, 1_000);
        assert_eq!((rooms.admit(1_000), rooms.admit(1_000)), (Ok(()), Ok(())));
        assert_eq!(rooms.admit(1), Err(Full::SpeakingSlots));
        assert!(rooms.is_full());
        rooms.begin(1_000);
        assert_eq!((rooms.for_others().sessions_used, rooms.for_others().slots_milli_used), (1, 1_000));
        rooms.leave(1_000, false);
        assert_eq!(rooms.admit(1_000), Ok(()));
        rooms.speak(1_000, true);
        let slots = rooms.capacity().speaking_slots_milli;
        assert_eq!((slots.total, slots.used, slots.reserved), (2_000, 1_000, 1_000));
    }

    #[test]
    fn sessions_are_bounded_apart_from_slots() {
        let mut rooms = rooms(1, 9_000, 1_000);
        assert_eq!(rooms.admit(1_000), Ok(()));
        assert_eq!(rooms.admit(1_000), Err(Full::Sessions));
    }

    #[test]
    fn with_overcommit_slots_are_taken_in_line_and_given_up_in_line() {
        let mut rooms = rooms(10, 1_000, 3_000);
        for _ in 0..3 {
            assert_eq!(rooms.admit(1_000), Ok(()));
        }
        assert_eq!(rooms.admit(1_000), Err(Full::SpeakingSlots));
        assert_eq!(rooms.take_slot(1_000, 1), Some(1));
        assert_eq!((rooms.take_slot(1_000, 2), rooms.take_slot(1_000, 3)), (None, None));
        assert_eq!(rooms.next_served(), None);
        rooms.free_slot(1_000);
        assert_eq!((rooms.next_served(), rooms.next_served()), (Some(2), None));
        assert_eq!(rooms.give_up(|_| true), [3]);
        rooms.free_slot(1_000);
        assert_eq!(rooms.next_served(), None);
    }
}
