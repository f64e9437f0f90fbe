//! A session whose engine is not on this node: what holds it back, and what state its reports say it is in.

use std::collections::BTreeSet;
use std::time::Duration;

use footlight_ledger::{EndReason, PauseReason, SliceAnswer, Units, Verdict};
use footlight_session::{Moment, SessionState};

/// What the node knows of an engine elsewhere. The account has the money; this is what people see of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Engine {
    state: SessionState,
    since: Moment,
    /// When it was last heard here, or looked for elsewhere.
    heard: Moment,
    /// What this side holds it back for: somebody's wish, a revoked secret.
    held: BTreeSet<PauseReason>,
    /// Why the account gave it nothing when it last asked.
    refused: Option<PauseReason>,
    /// Where its last slice ends, once it was told so.
    told_last: Option<Units>,
    /// Its last report that is known here.
    last_number: u64,
}

/// What an engine's report comes to, for those who follow the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Told {
    /// Its state or its pause reasons are not what they were.
    pub(crate) has_moved: bool,
    /// The slice that it got is the last one that the balance pays for; it holds so many units.
    pub(crate) last_slice: Option<Units>,
}

/// How long an engine's session may be what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineLimits {
    pub(crate) idle_timeout: Duration,
    pub(crate) paused_timeout: Duration,
}

impl Engine {
    /// An engine that has just begun, or is found again after a restart with what holds it back.
    pub(crate) fn new(now: Moment, reasons: &BTreeSet<PauseReason>) -> Self {
        let held = reasons.iter().copied().filter(is_ours).collect();
        let mut engine = Self {
            state: SessionState::Idle,
            since: now,
            heard: now,
            held,
            refused: None,
            told_last: None,
            last_number: 0,
        };
        engine.refused = reasons.iter().copied().find(|reason| !is_ours(reason));
        engine.move_to(now, SessionState::Idle);
        engine
    }

    pub(crate) const fn state(&self) -> SessionState {
        self.state
    }

    pub(crate) fn pause_reasons(&self) -> BTreeSet<PauseReason> {
        self.held.iter().copied().chain(self.refused).collect()
    }

    /// Whether this side lets it have nothing, whatever the account has.
    pub(crate) fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Holds it back from its next report on. Answers whether anything changed.
    pub(crate) fn hold(&mut self, now: Moment, reason: PauseReason) -> bool {
        let is_new = self.held.insert(reason);
        self.move_to(now, SessionState::Paused);
        is_new
    }

    /// Takes a hold back. Answers whether anything changed.
    pub(crate) fn lift(&mut self, now: Moment, reason: PauseReason) -> bool {
        let was_held = self.held.remove(&reason);
        self.move_to(now, SessionState::Idle);
        was_held
    }

    /// Takes what the account answered its report.
    pub(crate) fn answered(&mut self, now: Moment, number: u64, answer: &SliceAnswer) -> Told {
        self.heard = now;
        self.last_number = self.last_number.max(number);
        let before = (self.state, self.pause_reasons());
        let (state, refused) = match answer.verdict {
            Verdict::Granted | Verdict::Final => (SessionState::Running, None),
            Verdict::Settled | Verdict::Closed => (SessionState::Idle, None),
            Verdict::Refused(reason) => (SessionState::Paused, Some(reason)),
        };
        self.refused = refused;
        self.move_to(now, state);
        let last = (answer.verdict == Verdict::Final).then_some(answer.slice_end);
        let is_news = last.is_some() && last != self.told_last;
        self.told_last = last;
        Told {
            has_moved: before != (self.state, self.pause_reasons()),
            last_slice: is_news.then(|| answer.slice_end - answer.settled_units),
        }
    }

    /// Whether nothing was heard of it for `patience`: it may report to another node. Said once for each such time.
    pub(crate) fn is_missed(&mut self, now: Moment, patience: Duration) -> bool {
        let is_missed = now.since(self.heard) >= patience;
        if is_missed {
            self.heard = now;
        }
        is_missed
    }

    /// Takes note of the account's last report. Answers whether it is one that this node did not hear.
    pub(crate) fn has_reported(&mut self, now: Moment, last_number: u64) -> bool {
        let is_news = last_number > self.last_number;
        if is_news {
            (self.last_number, self.since) = (last_number, now);
        }
        is_news
    }

    /// Why it is to be ended now, if it is.
    pub(crate) fn overstayed(&self, now: Moment, limits: &EngineLimits) -> Option<EndReason> {
        let so_far = now.since(self.since);
        match self.state {
            SessionState::Idle if so_far >= limits.idle_timeout => Some(EndReason::IdleTimeout),
            SessionState::Paused if so_far >= limits.paused_timeout => Some(EndReason::PausedTimeout),
            _ => None,
        }
    }

    fn move_to(&mut self, now: Moment, wanted: SessionState) {
        let is_held_back = self.is_held() || self.refused.is_some();
        let state = if is_held_back { SessionState::Paused } else { wanted };
        if self.state != state {
            self.state = state;
            self.since = now;
        }
    }
}

/// Whether a reason is this side's to give and to take back, rather than the account's.
const fn is_ours(reason: &PauseReason) -> bool {
    matches!(reason, PauseReason::ByRequest | PauseReason::KeyRevoked)
}

#[cfg(test)]
mod tests {
    use footlight_ledger::Microcredits;

    use super::*;

    fn answer(verdict: Verdict, slice_end: Units) -> SliceAnswer {
        SliceAnswer {
            verdict,
            settled_units: 0,
            slice_end,
            grace_units: 0,
            charged: Microcredits::ZERO,
            others_wait: false,
        }
    }

    const LIMITS: EngineLimits =
        EngineLimits { idle_timeout: Duration::from_secs(10), paused_timeout: Duration::from_secs(20) };

    #[test]
    fn it_runs_while_it_has_slices_and_is_told_once_of_the_last() {
        let mut engine = Engine::new(Moment(0), &BTreeSet::new());
        assert_eq!(engine.state(), SessionState::Idle);
        assert_eq!(
            engine.answered(Moment(1), 1, &answer(Verdict::Granted, 100)),
            Told { has_moved: true, last_slice: None }
        );
        let told = engine.answered(Moment(2), 2, &answer(Verdict::Final, 120));
        assert_eq!(told, Told { has_moved: false, last_slice: Some(120) });
        assert_eq!(engine.answered(Moment(3), 3, &answer(Verdict::Final, 120)), Told::default());
        assert!(engine.answered(Moment(4), 4, &answer(Verdict::Refused(PauseReason::CreditsExhausted), 120)).has_moved);
        assert_eq!(engine.pause_reasons(), BTreeSet::from([PauseReason::CreditsExhausted]));
        assert!(engine.answered(Moment(5), 5, &answer(Verdict::Granted, 300)).has_moved);
        assert_eq!((engine.state(), engine.pause_reasons()), (SessionState::Running, BTreeSet::new()));
    }

    #[test]
    fn what_a_person_holds_back_no_slice_sets_free() {
        let mut engine = Engine::new(Moment(0), &BTreeSet::new());
        engine.answered(Moment(1), 1, &answer(Verdict::Granted, 100));
        assert!(engine.hold(Moment(2), PauseReason::ByRequest));
        assert!(!engine.hold(Moment(3), PauseReason::ByRequest));
        engine.answered(Moment(4), 4, &answer(Verdict::Granted, 100));
        assert_eq!((engine.state(), engine.is_held()), (SessionState::Paused, true));
        assert!(engine.lift(Moment(5), PauseReason::ByRequest));
        assert_eq!(engine.state(), SessionState::Idle);
    }

    #[test]
    fn what_held_it_back_before_a_restart_still_does() {
        let before = BTreeSet::from([PauseReason::ByRequest, PauseReason::CreditsExhausted]);
        let mut engine = Engine::new(Moment(0), &before);
        assert_eq!((engine.state(), engine.pause_reasons()), (SessionState::Paused, before));
        engine.answered(Moment(1), 1, &answer(Verdict::Settled, 0));
        assert_eq!(engine.pause_reasons(), BTreeSet::from([PauseReason::ByRequest]));
    }

    #[test]
    fn it_overstays_by_the_time_in_its_state() {
        let mut engine = Engine::new(Moment(0), &BTreeSet::new());
        assert_eq!(engine.overstayed(Moment(9_999), &LIMITS), None);
        assert_eq!(engine.overstayed(Moment(10_000), &LIMITS), Some(EndReason::IdleTimeout));
        engine.answered(Moment(10_000), 2, &answer(Verdict::Granted, 100));
        assert_eq!(engine.overstayed(Moment(90_000), &LIMITS), None);
        engine.hold(Moment(90_000), PauseReason::KeyRevoked);
        assert_eq!(engine.overstayed(Moment(110_000), &LIMITS), Some(EndReason::PausedTimeout));
    }

    #[test]
    fn a_report_that_was_heard_elsewhere_begins_its_time_anew() {
        let limits = EngineLimits { idle_timeout: Duration::from_secs(10), paused_timeout: Duration::from_secs(10) };
        let later = |seconds| Moment::default().plus(Duration::from_secs(seconds));
        let mut engine = Engine::new(Moment::default(), &BTreeSet::new());
        assert_eq!(engine.overstayed(later(10), &limits), Some(EndReason::IdleTimeout));
        assert!(engine.has_reported(later(10), 7), "it is heard at another node");
        assert_eq!(engine.overstayed(later(19), &limits), None);
        assert!(!engine.has_reported(later(20), 7), "and was not since");
        assert_eq!(engine.overstayed(later(20), &limits), Some(EndReason::IdleTimeout));
        assert!(engine.is_missed(later(20), limits.idle_timeout));
        assert!(!engine.is_missed(later(29), limits.idle_timeout), "said once each time");
    }
}
