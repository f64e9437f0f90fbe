//! A node's own view of its lease, on its own monotonic clock. Pure: time is an argument.
//!
//! The store counts a lease from when it was asked; the node counts from before it asked. So the node's end is always the
//! earlier one, however long the request was on its way, and nobody can have claimed its sessions while it still believes
//! to hold them.

use std::time::Duration;

use footlight_session::Moment;

/// How a lease is kept.
#[derive(Debug, Clone, Copy)]
pub struct LeaseTimes {
    /// How long one renewal holds.
    pub lease: Duration,
}

impl LeaseTimes {
    /// How often it is renewed: a few may be lost before it matters.
    #[must_use]
    pub fn renew_every(&self) -> Duration {
        self.lease / 5
    }

    /// Without a renewal for this long a node takes no new sessions: they might have to move at once.
    #[must_use]
    pub fn unschedulable_after(&self) -> Duration {
        self.lease / 2
    }

    /// When a store that does not answer makes a node ask its peers, before the end of its lease.
    #[must_use]
    pub fn ask_peers_after(&self) -> Duration {
        self.lease * 3 / 5
    }

    /// For how long what the peers said holds, while the store is down for all of them. Longer than a round of asking the
    /// store in vain and then the peers takes, or the next answer came too late; and shorter than the quarantine, so that
    /// whoever sees the store come back claims nothing before it is over.
    #[must_use]
    pub fn goes_on_for(&self) -> Duration {
        self.lease
    }

    /// For how long after an outage of the store nobody claims anything: every node gets its chance to renew.
    #[must_use]
    pub fn quarantine(&self) -> Duration {
        self.lease + QUARANTINE_BEYOND
    }
}

/// What the quarantine is longer than a lease: clients of the store take some time to connect again.
const QUARANTINE_BEYOND: Duration = Duration::from_secs(10);

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It runs sessions and takes new ones.
    Held,
    /// It runs sessions and takes no new ones.
    Unschedulable,
    /// It is silent: another may run its sessions.
    Lost,
}

/// The lease as its holder counts it.
#[derive(Debug, Clone)]
pub struct LeaseClock {
    times: LeaseTimes,
    /// When the last renewal that was answered was sent; `None` before the first.
    renewed: Option<Moment>,
    /// Until when it goes on without the store.
    goes_on_until: Moment,
}

impl LeaseClock {
    /// One that was never held.
    #[must_use]
    pub const fn new(times: LeaseTimes) -> Self {
        Self { times, renewed: None, goes_on_until: Moment(0) }
    }

    /// A renewal that was sent at `sent` was answered. Answers may overtake each other.
    pub fn renewed(&mut self, sent: Moment) {
        self.renewed = Some(self.renewed.map_or(sent, |before| before.max(sent)));
    }

    /// The store said that it is over.
    pub const fn ended(&mut self) {
        self.renewed = None;
        self.goes_on_until = Moment(0);
    }

    /// The store is down for the others too: nobody can claim anything, so it goes on.
    pub fn goes_on(&mut self, now: Moment) {
        // A lease that was over already stays over: an heir may have begun before the store went away.
        if self.standing(now) != Standing::Lost {
            self.goes_on_until = self.goes_on_until.max(now.plus(self.times.goes_on_for()));
        }
    }

    /// Until when it may run sessions; long past if it may not.
    #[must_use]
    pub fn until(&self) -> Moment {
        self.renewed.map_or(Moment(0), |sent| sent.plus(self.times.lease)).max(self.goes_on_until)
    }

    /// Where the node stands.
    #[must_use]
    pub fn standing(&self, now: Moment) -> Standing {
        if now >= self.until() {
            return Standing::Lost;
        }
        match self.renewed {
            Some(sent) if now < sent.plus(self.times.unschedulable_after()) => Standing::Held,
            _ => Standing::Unschedulable,
        }
    }

    /// Whether it is time to ask the peers whether the store is down for them too.
    #[must_use]
    pub fn is_in_doubt(&self, now: Moment) -> bool {
        self.renewed.is_some_and(|sent| now >= sent.plus(self.times.ask_peers_after()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: LeaseTimes = LeaseTimes { lease: Duration::from_secs(10) };

    #[test]
    fn a_lease_counts_from_before_it_was_asked_for() {
        let mut lease = LeaseClock::new(TIMES);
        assert_eq!(lease.standing(Moment(0)), Standing::Lost, "nothing runs before the first answer");
        lease.renewed(Moment(1_000));
        assert_eq!(lease.until(), Moment(11_000));
        for (at, standing) in [
            (1_000, Standing::Held),
            (5_999, Standing::Held),
            (6_000, Standing::Unschedulable),
            (10_999, Standing::Unschedulable),
            (11_000, Standing::Lost),
        ] {
            assert_eq!(lease.standing(Moment(at)), standing, "at {at}");
        }
        lease.renewed(Moment(3_000));
        lease.renewed(Moment(2_000));
        assert_eq!(lease.until(), Moment(13_000), "an answer that was overtaken takes nothing away");
    }

    #[test]
    fn it_goes_on_while_the_store_is_down_for_all_and_not_once_it_was_lost() {
        let mut lease = LeaseClock::new(TIMES);
        lease.renewed(Moment(0));
        assert!(!lease.is_in_doubt(Moment(5_999)) && lease.is_in_doubt(Moment(6_000)));
        lease.goes_on(Moment(8_000));
        assert_eq!(lease.until(), Moment(18_000));
        assert_eq!(lease.standing(Moment(17_999)), Standing::Unschedulable);
        lease.goes_on(Moment(12_000));
        assert_eq!(lease.standing(Moment(21_999)), Standing::Unschedulable);
        lease.goes_on(Moment(22_000));
        assert_eq!(lease.standing(Moment(22_000)), Standing::Lost);
    }

    #[test]
    fn what_the_peers_said_holds_for_a_round_and_ends_before_anybody_claims() {
        for seconds in [1, 2, 10, 60] {
            let times = LeaseTimes { lease: Duration::from_secs(seconds) };
            assert!(times.goes_on_for() > times.lease / 2 + times.renew_every(), "the store hangs for half a lease");
            assert!(times.goes_on_for() < times.quarantine());
        }
    }

    #[test]
    fn what_the_store_ended_is_over_at_once() {
        let mut lease = LeaseClock::new(TIMES);
        lease.renewed(Moment(5_000));
        lease.goes_on(Moment(6_000));
        lease.ended();
        assert_eq!(lease.standing(Moment(6_000)), Standing::Lost);
    }
}
