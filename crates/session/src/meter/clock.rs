//! The slice clock: when one session asks for its next slice, and what an answer does to its gate.

use std::time::Duration;

use footlight_ledger::{Ask, EndReason, PauseReason, Pricing, Refusal, SliceAnswer, Units, Verdict};

use super::{Answer, Notice, Request, RequestKind};
use crate::{Moment, SliceGate};

/// The times a slice clock goes by.
#[derive(Debug, Clone, Copy)]
pub struct SliceClockOptions {
    /// The longest time between two heartbeats.
    pub heartbeat: Duration,
    /// The shortest slice, and a turn while others wait.
    pub min_slice: Duration,
    /// How long a session goes on when the store cannot be reached, from the last good heartbeat.
    pub grace: Duration,
}

/// The part of a slice after which the next one is asked for, so that speech never waits at the boundary.
const ASK_AFTER_PERCENT: u64 = 75;
/// An answer that takes longer than this counts as none for the time being: speech that has earned its grace does not
/// stop for a store that is slow to say that it is away.
const PATIENCE: Duration = Duration::from_secs(1);
/// The first pause after a failed attempt; each further one is twice as long.
const RETRY_FIRST: Duration = Duration::from_millis(100);
/// The longest pause: a store that is back is noticed this soon even if nobody says so.
const RETRY_LAST: Duration = Duration::from_secs(2);

/// Decides when one session reports and asks, and moves its gate as it is answered.
///
/// It has at most one request in the air. A request that failed is sent again as it was, under its own number, until
/// it is answered; only the end of the session overtakes it.
#[derive(Debug, Clone)]
pub struct SliceClock {
    pricing: Pricing,
    epoch: u32,
    /// The number of the last request made.
    number: u64,
    stance: Stance,
    flight: Option<Flight>,
    /// When to report though nothing else happens.
    beat_at: Moment,
    /// Set when a slice, or more of one, should be asked for as soon as nothing is in the air.
    ask_due: bool,
    /// Set when the account still holds a slice that this session may not use any more.
    give_back: bool,
    /// Cumulative units that the last answer settled, and up to which it gave.
    settled: Units,
    slice_end: Units,
    /// Units beyond `slice_end` that may be used without the store; 0 after a final slice.
    grace_units: Units,
    /// When the last request that was answered was sent: grace counts from here.
    last_good: Moment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stance {
    /// Holds nothing and wants nothing.
    Quiet,
    /// Wants a slice. `told` is the reason that the session knows of, none while the first answer is out.
    Waiting { told: Option<PauseReason> },
    /// Holds a slice.
    Holding {
        /// The balance pays for no other.
        last: bool,
        /// When it goes back unless speech goes on; set while silent.
        release_at: Option<Moment>,
        /// Where its turn ends if others wait.
        turn_end: Units,
        /// Whether the gate was opened beyond the slice because the store is away.
        in_grace: bool,
        /// Whether it was opened since somebody last looked for silence: the stage may not have seen it yet.
        fresh: bool,
    },
    /// Let go for another owner: what it used and holds is to be settled and given back.
    Leaving { units: Units },
    /// Let go, and all of it settled: nothing is said of it any more.
    Aside,
    /// Over; the last settlement is due until the store has it.
    Ending { reason: EndReason, units: Units },
    /// Over and settled.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Flight {
    request: Request,
    first_sent: Moment,
    /// When it should have been sent.
    due: Moment,
    attempts: u32,
    /// When to send it again; `None` while it is in the air.
    retry_at: Option<Moment>,
}

impl SliceClock {
    /// The clock of a session that has just begun. `first_beat` is when it reports first if it says nothing: spread
    /// over the sessions of a node, so that they do not beat together.
    #[must_use]
    pub const fn new(now: Moment, pricing: Pricing, epoch: u32, base: Units, first_beat: Moment) -> Self {
        Self {
            pricing,
            epoch,
            number: 0,
            stance: Stance::Quiet,
            flight: None,
            beat_at: first_beat,
            ask_due: false,
            give_back: false,
            settled: base,
            slice_end: base,
            grace_units: 0,
            last_good: now,
        }
    }

    /// Whether it wants a slice and has none.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        matches!(self.stance, Stance::Waiting { .. })
    }

    /// Whether it waits for credit: it belongs in its account's queue. Who is over a spending limit does not: while it
    /// waits, perhaps for weeks, others need not take turns with it.
    #[must_use]
    pub const fn is_in_line(&self) -> bool {
        matches!(self.stance, Stance::Waiting { told: Some(PauseReason::CreditsExhausted) })
    }

    /// Whether more credit would change something for it, though it does not stand in line.
    #[must_use]
    pub const fn is_hopeful(&self) -> bool {
        matches!(self.stance, Stance::Waiting { .. } | Stance::Holding { last: true, .. }) && !self.is_in_line()
    }

    /// The epoch it reports under.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether it holds a slice, so that its gate may move.
    #[must_use]
    pub const fn is_holding(&self) -> bool {
        matches!(self.stance, Stance::Holding { .. })
    }

    /// Whether it goes on without the store at the moment.
    #[must_use]
    pub const fn is_in_grace(&self) -> bool {
        matches!(self.stance, Stance::Holding { in_grace: true, .. })
    }

    /// Whether its last settlement is still due.
    #[must_use]
    pub const fn is_ending(&self) -> bool {
        matches!(self.stance, Stance::Ending { .. })
    }

    /// Whether it was let go, and that is not settled yet.
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        matches!(self.stance, Stance::Leaving { .. })
    }

    /// Whether it was let go, and nothing of it is left to settle.
    #[must_use]
    pub const fn is_aside(&self) -> bool {
        matches!(self.stance, Stance::Aside)
    }

    /// Whether nothing more will come of it.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.stance, Stance::Closed)
    }

    /// Whether a request is in the air.
    #[must_use]
    pub const fn is_in_flight(&self) -> bool {
        matches!(self.flight, Some(Flight { retry_at: None, .. }))
    }

    /// How long ago the request `number` was due, if it is the one in the air.
    #[must_use]
    pub fn lag(&self, now: Moment, number: u64) -> Option<Duration> {
        self.flight.filter(|flight| flight.request.number == number).map(|flight| now.since(flight.due))
    }

    /// The session has something to say and its gate is empty.
    pub fn want(&mut self) {
        match &mut self.stance {
            Stance::Quiet => {
                self.stance = Stance::Waiting { told: None };
                self.ask_due = true;
            }
            Stance::Waiting { .. } => self.ask_due = true,
            Stance::Holding { release_at, .. } => {
                *release_at = None;
                self.ask_due = true;
            }
            Stance::Leaving { .. } | Stance::Aside | Stance::Ending { .. } | Stance::Closed => {}
        }
    }

    /// The session has nothing to say any more, or may not: a slice is kept for `keep`, a wish is dropped.
    pub fn fall_silent(&mut self, now: Moment, keep: Duration) {
        match &mut self.stance {
            Stance::Waiting { .. } => {
                self.stance = Stance::Quiet;
                self.ask_due = false;
                // The account still counts it among those who wait, and shares by that number.
                self.beat_at = now;
            }
            Stance::Holding { release_at, .. } => {
                let at = now.plus(keep);
                *release_at = Some(release_at.map_or(at, |earlier| earlier.min(at)));
            }
            Stance::Quiet | Stance::Leaving { .. } | Stance::Aside | Stance::Ending { .. } | Stance::Closed => {}
        }
    }

    /// Nothing was counted since the last look: as [`SliceClock::fall_silent`], unless the slice has come since then.
    /// Taken back before the stage saw it, it would be missed by a session that asks only once.
    pub fn stands_still(&mut self, now: Moment, keep: Duration) {
        if let Stance::Holding { fresh, .. } = &mut self.stance
            && std::mem::take(fresh)
        {
            return;
        }
        self.fall_silent(now, keep);
    }

    /// Frames flow.
    pub const fn speak(&mut self) {
        if let Stance::Holding { release_at, fresh, .. } = &mut self.stance {
            *release_at = None;
            *fresh = false;
        }
    }

    /// The renderer passed the ask mark, or came to the end of the slice.
    pub const fn ask(&mut self) {
        if matches!(self.stance, Stance::Holding { .. } | Stance::Waiting { .. }) {
            self.ask_due = true;
        }
    }

    /// More became available: those who wait ask again, and so does who was told that its slice is the last.
    pub const fn credits_rose(&mut self) {
        if matches!(self.stance, Stance::Waiting { .. } | Stance::Holding { last: true, .. }) {
            self.ask_due = true;
        }
    }

    /// Others of the account wait: the ask mark moves to the end of this session's turn.
    pub fn take_turns(&self, gate: &SliceGate) {
        if let Stance::Holding { turn_end, .. } = self.stance {
            gate.set_ask_mark(turn_end);
        }
    }

    /// The store answers again: whatever failed is due at `at`.
    pub fn store_is_back(&mut self, at: Moment) {
        if let Some(Flight { retry_at: Some(retry_at), .. }) = &mut self.flight {
            *retry_at = (*retry_at).min(at);
        }
    }

    /// The session is over. Its gate shuts here, and the count at that moment is the last one.
    pub fn end(&mut self, gate: &SliceGate, reason: EndReason) {
        let units = gate.shut();
        if !matches!(self.stance, Stance::Ending { .. } | Stance::Closed) {
            self.stance = Stance::Ending { reason, units };
            // What is in the air may still arrive before the end, or after it, where it is stale: both are harmless.
            self.flight = None;
            self.ask_due = false;
        }
    }

    /// The session is to go on elsewhere: its gate closes here, what it used is settled and what it holds goes back. The
    /// account keeps it open. [`Notice::Aside`] says when that is done.
    pub fn let_go(&mut self, gate: &SliceGate) {
        if matches!(self.stance, Stance::Ending { .. } | Stance::Closed | Stance::Aside) {
            return;
        }
        self.stance = Stance::Leaving { units: gate.close() };
        // As at an end: what is in the air arrives before this, or is stale.
        self.flight = None;
        self.ask_due = false;
        self.give_back = false;
    }

    /// It goes on here after all, if the account agrees: it is asked at once.
    pub fn come_back(&mut self, now: Moment) {
        if matches!(self.stance, Stance::Leaving { .. } | Stance::Aside) {
            self.stance = Stance::Quiet;
            self.beat_at = now;
        }
    }

    /// The request that is due at `now`, if any. The caller sends it and brings the answer.
    pub fn poll(
        &mut self,
        now: Moment,
        gate: &SliceGate,
        others_wait: bool,
        options: &SliceClockOptions,
    ) -> Option<Request> {
        if let Some(flight) = &mut self.flight {
            let is_due = flight.retry_at.is_some_and(|retry_at| retry_at <= now);
            return is_due.then(|| {
                flight.retry_at = None;
                flight.attempts += 1;
                flight.request
            });
        }
        let (units, kind) = match self.stance {
            Stance::Ending { reason, units } => (units, RequestKind::End(reason)),
            Stance::Leaving { units } => (units, RequestKind::Beat(Ask::Release)),
            Stance::Aside | Stance::Closed => return None,
            Stance::Quiet => {
                if now < self.beat_at {
                    return None;
                }
                (gate.used(), RequestKind::Beat(Ask::Release))
            }
            Stance::Waiting { .. } if self.give_back => {
                let was_due = self.ask_due;
                let request = self.send(now, gate.used(), RequestKind::Beat(Ask::Release), options);
                self.ask_due = was_due;
                return Some(request);
            }
            Stance::Waiting { .. } => {
                if !self.ask_due && now < self.beat_at {
                    return None;
                }
                (gate.used(), RequestKind::Beat(Ask::Slice))
            }
            Stance::Holding { last, release_at, turn_end, .. } => {
                let turn = units_in(&self.pricing, options.min_slice).max(1);
                // While others wait nobody asks ahead, and a last slice that is not being used needs no successor.
                if (others_wait && gate.remaining() > 0) || (last && release_at.is_some()) {
                    self.ask_due = false;
                }
                if release_at.is_some_and(|at| others_wait || at <= now) {
                    self.stance = Stance::Quiet;
                    (gate.close(), RequestKind::Beat(Ask::Release))
                } else if others_wait && gate.used() >= turn_end && gate.remaining() >= turn {
                    // What it gives back lets somebody begin. Less than that would help nobody: it is used to its end,
                    // and the ledger knows then whether those in line come first.
                    self.stance = Stance::Waiting { told: None };
                    let request = self.send(now, gate.close(), RequestKind::Beat(Ask::Release), options);
                    self.ask_due = true;
                    return Some(request);
                } else if self.ask_due {
                    (gate.used(), RequestKind::Beat(Ask::Slice))
                } else if self.beat_at <= now {
                    let ask = if release_at.is_some() { Ask::Keep } else { Ask::Slice };
                    (gate.used(), RequestKind::Beat(ask))
                } else {
                    return None;
                }
            }
        };
        Some(self.send(now, units, kind, options))
    }

    fn send(&mut self, now: Moment, units: Units, kind: RequestKind, options: &SliceClockOptions) -> Request {
        self.number += 1;
        self.ask_due = false;
        self.give_back = false;
        // A wish is sent in the round after it was told of, a regular report when its time has come.
        let due = self.beat_at.min(now);
        self.beat_at = now.plus(options.heartbeat);
        let request = Request { epoch: self.epoch, number: self.number, units, kind };
        self.flight = Some(Flight { request, first_sent: now, due, attempts: 1, retry_at: None });
        request
    }

    /// Takes the answer to request `number`. An answer to a request that was overtaken is ignored. `jitter` (0 to 1)
    /// spreads retries.
    pub fn answer(
        &mut self,
        now: Moment,
        gate: &SliceGate,
        number: u64,
        answer: &Answer,
        jitter: f64,
        options: &SliceClockOptions,
    ) -> Option<Notice> {
        let flight = self.flight.filter(|flight| flight.request.number == number && flight.retry_at.is_none())?;
        match answer {
            Answer::Settled(settled) => {
                self.flight = None;
                self.last_good = flight.first_sent;
                self.settle(now, gate, *settled, options)
            }
            Answer::Refused(refusal) => {
                self.flight = None;
                self.last_good = flight.first_sent;
                self.refused(gate, refusal)
            }
            Answer::Unreachable => {
                let doublings = flight.attempts.saturating_sub(1).min(10);
                let pause =
                    (RETRY_FIRST * 2_u32.pow(doublings)).min(RETRY_LAST).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
                self.flight = Some(Flight { retry_at: Some(now.plus(pause)), ..flight });
                self.store_is_away(now, gate, options)
            }
        }
    }

    fn settle(
        &mut self,
        now: Moment,
        gate: &SliceGate,
        answer: SliceAnswer,
        options: &SliceClockOptions,
    ) -> Option<Notice> {
        if matches!(self.stance, Stance::Ending { .. } | Stance::Closed) {
            self.stance = Stance::Closed;
            return Some(Notice::Closed(answer));
        }
        self.settled = answer.settled_units;
        self.slice_end = answer.slice_end;
        self.grace_units = answer.grace_units;
        let used = gate.used();
        match (answer.verdict, self.stance) {
            (Verdict::Closed, Stance::Leaving { .. }) => self.lose(gate, EndReason::NodeLost),
            (_, Stance::Leaving { units }) => {
                self.stance = Stance::Aside;
                Some(Notice::Aside { units })
            }
            (Verdict::Granted | Verdict::Final, Stance::Waiting { .. } | Stance::Holding { .. }) => {
                let last = answer.verdict == Verdict::Final;
                if answer.slice_end <= used {
                    return self.found_too_short(gate);
                }
                self.open(gate, used, last, options)
            }
            (Verdict::Refused(reason), Stance::Holding { release_at, turn_end, fresh, .. })
                if is_about_credit(reason) && answer.slice_end > used =>
            {
                // Nothing more, but what it holds is paid for: it is the last slice.
                self.stance = Stance::Holding { last: true, release_at, turn_end, in_grace: false, fresh };
                gate.set_slice(answer.slice_end, answer.slice_end);
                Some(Notice::GrantedLast { units: answer.slice_end - used })
            }
            (Verdict::Refused(reason), Stance::Waiting { .. } | Stance::Holding { .. }) => {
                let notice = self.wait(gate, reason);
                self.give_back = answer.slice_end > answer.settled_units;
                notice
            }
            (Verdict::Settled, Stance::Holding { last, release_at, turn_end, fresh, .. }) => {
                // It asked to keep what it has, and the ledger says what that is.
                self.stance = Stance::Holding { last, release_at, turn_end, in_grace: false, fresh };
                gate.set_limit(answer.slice_end);
                None
            }
            (Verdict::Closed, _) => self.lose(gate, EndReason::NodeLost),
            // It fell silent, or gave up its slice, while the answer was on its way. What was granted meanwhile goes
            // back with the next report, at once.
            (Verdict::Granted | Verdict::Final, Stance::Quiet) => {
                self.beat_at = now;
                None
            }
            (Verdict::Settled | Verdict::Refused(_), Stance::Quiet) | (Verdict::Settled, Stance::Waiting { .. }) => {
                None
            }
            (_, Stance::Aside | Stance::Ending { .. } | Stance::Closed) => None,
        }
    }

    /// Opens the gate up to the slice's end.
    fn open(&mut self, gate: &SliceGate, used: Units, last: bool, options: &SliceClockOptions) -> Option<Notice> {
        let (was_waiting, release_at, fresh) = match self.stance {
            Stance::Holding { release_at, fresh, .. } => (false, release_at, fresh),
            // Nothing was taken yet: if nothing ever is, the slice goes back like that of a session that fell silent.
            _ => (true, None, true),
        };
        let room = self.slice_end - used;
        let turn = units_in(&self.pricing, options.min_slice).max(1);
        let turn_end = used.saturating_add(turn.min(room));
        self.stance = Stance::Holding { last, release_at, turn_end, in_grace: false, fresh };
        // A last slice is asked about at its end only: a top-up may have come until then.
        let ask_at = if last { self.slice_end } else { used + (room * ASK_AFTER_PERCENT / 100).max(1) };
        gate.set_slice(self.slice_end, ask_at);
        match (last, was_waiting) {
            (true, _) => Some(Notice::GrantedLast { units: room }),
            (false, true) => Some(Notice::Granted),
            (false, false) => None,
        }
    }

    /// A slice was granted that ends before what is used by now: grace went past it while the answer was on its way.
    fn found_too_short(&mut self, gate: &SliceGate) -> Option<Notice> {
        if self.settled >= gate.used() {
            return self.wait(gate, PauseReason::CreditsExhausted);
        }
        self.ask_due = true;
        None
    }

    /// Closes the gate until there is a slice.
    fn wait(&mut self, gate: &SliceGate, reason: PauseReason) -> Option<Notice> {
        let known = matches!(self.stance, Stance::Waiting { told } if told == Some(reason));
        gate.close();
        self.stance = Stance::Waiting { told: Some(reason) };
        (!known).then_some(Notice::Refused(reason))
    }

    fn refused(&mut self, gate: &SliceGate, refusal: &Refusal) -> Option<Notice> {
        let is_ending = self.is_ending();
        match refusal {
            Refusal::Stale { last, .. } => {
                // Somebody of this epoch got farther: go on from there.
                self.number = self.number.max(*last);
                self.ask_due = true;
                None
            }
            Refusal::SessionEnded { .. } | Refusal::UnknownSession if is_ending => {
                self.stance = Stance::Closed;
                Some(Notice::Forgotten)
            }
            Refusal::SessionEnded { reason } => self.lose(gate, *reason),
            Refusal::UnknownSession => self.lose(gate, EndReason::NodeLost),
            Refusal::Fenced { .. } => {
                gate.shut();
                self.stance = Stance::Closed;
                Some(Notice::Fenced)
            }
            Refusal::CreditsExhausted { .. } => self.wait_if_wanted(gate, PauseReason::CreditsExhausted),
            Refusal::InDebt { .. } => self.wait_if_wanted(gate, PauseReason::Debt),
            Refusal::Suspended | Refusal::Closed => self.wait_if_wanted(gate, PauseReason::AccountSuspended),
            // The others answer other commands. Should one come all the same, no credit was given.
            _ => self.wait_if_wanted(gate, PauseReason::CreditsExhausted),
        }
    }

    /// The ledger ended the session by itself. What was counted since its last report is told as a late one, which the
    /// ledger takes for a day unless the settlement is closed.
    fn lose(&mut self, gate: &SliceGate, reason: EndReason) -> Option<Notice> {
        self.end(gate, reason);
        Some(Notice::Lost(reason))
    }

    fn wait_if_wanted(&mut self, gate: &SliceGate, reason: PauseReason) -> Option<Notice> {
        match self.stance {
            Stance::Waiting { .. } | Stance::Holding { .. } => self.wait(gate, reason),
            // Whatever the account says of credit, it has been told.
            Stance::Leaving { units } => {
                self.stance = Stance::Aside;
                Some(Notice::Aside { units })
            }
            Stance::Quiet | Stance::Aside | Stance::Ending { .. } | Stance::Closed => None,
        }
    }

    /// No answer from the store: grace for who had a slice and may have another, none for who asks for its first.
    fn store_is_away(&mut self, now: Moment, gate: &SliceGate, options: &SliceClockOptions) -> Option<Notice> {
        match self.stance {
            Stance::Waiting { told: None } => self.wait(gate, PauseReason::StoreUnreachable),
            Stance::Holding { last: false, .. } if self.last_good.plus(options.grace) > now => {
                self.open_grace(gate);
                None
            }
            Stance::Holding { .. } if gate.remaining() > 0 && self.last_good.plus(options.grace) > now => None,
            Stance::Holding { .. } => self.wait(gate, PauseReason::StoreUnreachable),
            Stance::Waiting { .. }
            | Stance::Quiet
            | Stance::Leaving { .. }
            | Stance::Aside
            | Stance::Ending { .. }
            | Stance::Closed => None,
        }
    }

    fn open_grace(&mut self, gate: &SliceGate) {
        if let Stance::Holding { in_grace, .. } = &mut self.stance
            && !std::mem::replace(in_grace, true)
        {
            gate.set_limit(self.slice_end.saturating_add(self.grace_units));
        }
    }

    /// Begins a grace when an answer takes too long, and ends one that has lasted too long; to be called when
    /// [`SliceClock::next_deadline`] has come.
    pub fn check_grace(&mut self, now: Moment, gate: &SliceGate, options: &SliceClockOptions) -> Option<Notice> {
        if !self.is_holding() || self.flight.is_none() {
            return None;
        }
        if self.last_good.plus(options.grace) <= now {
            return self.wait(gate, PauseReason::StoreUnreachable);
        }
        if self.patience_ends() <= now {
            self.open_grace(gate);
        }
        None
    }

    /// When the answer that is out has taken too long; never for who has no grace, or is in it.
    fn patience_ends(&self) -> Moment {
        match (self.stance, self.flight) {
            (Stance::Holding { last: false, in_grace: false, .. }, Some(flight)) => flight.first_sent.plus(PATIENCE),
            _ => Moment::NEVER,
        }
    }

    /// When to poll again though nothing happens.
    #[must_use]
    pub fn next_deadline(&self, others_wait: bool, options: &SliceClockOptions) -> Moment {
        let grace_end = match self.stance {
            Stance::Holding { .. } if self.flight.is_some() => self.last_good.plus(options.grace),
            _ => Moment::NEVER,
        };
        if let Some(flight) = self.flight {
            return flight.retry_at.unwrap_or(Moment::NEVER).min(grace_end).min(self.patience_ends());
        }
        match self.stance {
            Stance::Aside | Stance::Closed => Moment::NEVER,
            Stance::Leaving { .. } | Stance::Ending { .. } => Moment::default(),
            Stance::Quiet => self.beat_at,
            Stance::Waiting { .. } if self.ask_due || self.give_back => Moment::default(),
            Stance::Waiting { .. } => self.beat_at,
            Stance::Holding { .. } if self.ask_due => Moment::default(),
            Stance::Holding { release_at: Some(_), .. } if others_wait => Moment::default(),
            Stance::Holding { release_at: Some(at), .. } => self.beat_at.min(at),
            Stance::Holding { .. } => self.beat_at,
        }
    }
}

/// Whether the account has too little, rather than that it may not.
const fn is_about_credit(reason: PauseReason) -> bool {
    matches!(reason, PauseReason::CreditsExhausted | PauseReason::SpendingLimit)
}

/// The units that pass in `time`, rounded down.
fn units_in(pricing: &Pricing, time: Duration) -> Units {
    let units = u128::from(pricing.units_per_minute) * time.as_millis() / 60_000;
    Units::try_from(units).unwrap_or(Units::MAX)
}
