//! A session's beginning, its change of owner, and its end.

use super::{Books, Report};
use crate::settle::Told;
use crate::tab::{Tab, TabState, Usage};
use crate::{
    Account, AccountStatus, BootId, EndReason, Microcredits, Outcome, Pricing, Product, Refusal, SecretId, SessionId,
    SliceAnswer, Terms, Timestamp, Units, Verdict, sharing,
};

/// The highest rate, a million credits a minute: the price of any time that a session can live stays far from the
/// end of the range.
const RATE_MAX: Microcredits = Microcredits::from_credits(1_000_000);
/// The most units in a minute: a microsecond each.
const UNITS_PER_MINUTE_MAX: u64 = 60_000_000;

impl Books {
    pub(super) fn begin_session(
        &mut self,
        terms: &Terms,
        session: SessionId,
        product: Product,
        pricing: Pricing,
        secret: Option<SecretId>,
        owner: BootId,
    ) -> Result<Outcome, Refusal> {
        if let Some(tab) = self.tabs.get(&session) {
            return match tab.state {
                TabState::Ended { reason, .. } => Err(Refusal::SessionEnded { reason }),
                _ if tab.epoch > 1 => Err(Refusal::Fenced { epoch: 1, current: tab.epoch }),
                _ if tab.owner == owner => Ok(Outcome::Begun { epoch: 1 }),
                _ => Err(Refusal::NameTaken),
            };
        }
        check_pricing(&pricing)?;
        self.check_may_begin(terms, &pricing, secret)?;
        let now = self.account.now;
        self.account.open_sessions += 1;
        let tab = Tab {
            session,
            product,
            pricing,
            secret,
            begun_at: now,
            epoch: 1,
            owner,
            last_number: 0,
            last_answer: None,
            state: TabState::Quiet,
            settled_units: 0,
            charged: Microcredits::ZERO,
            slice_end: 0,
            hold: Vec::new(),
            permitted: 0,
            forgiven: Microcredits::ZERO,
            base: 0,
            overage_held: Microcredits::ZERO,
            need: Microcredits::ZERO,
            open_usage: Usage::default(),
            sweep_at: terms.sweep_at(now),
            counted: None,
        };
        self.dirty.note_tab(&tab);
        self.tabs.insert(session, tab);
        Ok(Outcome::Begun { epoch: 1 })
    }

    fn check_may_begin(&self, terms: &Terms, pricing: &Pricing, secret: Option<SecretId>) -> Result<(), Refusal> {
        let account = &self.account;
        account.check_may_start()?;
        let limit = match &account.plan {
            Some(plan) => Some(plan.max_sessions),
            None => Some(terms.max_sessions_without_plan).filter(|limit| *limit > 0),
        };
        if let Some(limit) = limit
            && account.open_sessions >= limit
        {
            return Err(Refusal::TooManySessions { limit });
        }
        // What others hold counts: it may come back, and until then the session waits in line like any other.
        // Looking only at what is available now would refuse the last of fifty that begin at once, by chance.
        let reach = account.spendable() + account.totals.held + account.totals.overage_held;
        let needed = pricing.cost(sharing::shortest_slice(terms, pricing));
        if needed > reach {
            return Err(Refusal::CreditsExhausted { available: reach, needed });
        }
        match secret.and_then(|secret| account.budget(secret)) {
            // What other sessions of the secret hold may come back, too; what was spent does not.
            Some(budget) if needed > budget.limit.credits.above(budget.spent) => {
                Err(Refusal::OverSpendingLimit { limit: budget.limit.credits, spent: budget.spent })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn take_over(
        &mut self,
        terms: &Terms,
        session: SessionId,
        owner: BootId,
        proved: Units,
    ) -> Result<Outcome, Refusal> {
        let Self { account, tabs, dirty, .. } = self;
        let tab = tabs.get_mut(&session).ok_or(Refusal::UnknownSession)?;
        if let TabState::Ended { reason, .. } = tab.state {
            return Err(Refusal::SessionEnded { reason });
        }
        if tab.owner != owner {
            account.settle(tab, proved, Told::InTime);
            account.release_hold(tab);
            account.stand(tab, TabState::Quiet, Microcredits::ZERO);
            tab.epoch += 1;
            tab.owner = owner;
            tab.last_number = 0;
            tab.last_answer = None;
            tab.base = tab.settled_units;
            tab.permitted = tab.settled_units;
            tab.sweep_at = terms.sweep_at(account.now);
            dirty.note_tab(tab);
        }
        Ok(Outcome::TakenOver { epoch: tab.epoch, base: tab.base })
    }

    pub(super) fn end_session(&mut self, terms: &Terms, report: Report, reason: EndReason) -> Result<Outcome, Refusal> {
        let Self { account, tabs, dirty, .. } = self;
        let tab = tabs.get_mut(&report.session).ok_or(Refusal::UnknownSession)?;
        if let Some(answer) = tab.answer_before(&report)? {
            // A heartbeat's number is no name for an end: answering the heartbeat would leave the session open.
            return if tab.is_ended() {
                Ok(Outcome::Ended(answer))
            } else {
                Err(Refusal::Stale { number: report.number, last: tab.last_number })
            };
        }
        if tab.is_ended() {
            account.settle_late(tab, report.units)?;
        } else {
            account.settle(tab, report.units, Told::InTime);
            account.end(terms, tab, reason);
        }
        tab.close_settlement();
        let answer = tab.remember(report.number, account.closed_answer(tab));
        dirty.note_tab(tab);
        Ok(Outcome::Ended(answer))
    }

    pub(super) fn cut_session(
        &mut self,
        terms: &Terms,
        session: SessionId,
        reason: EndReason,
    ) -> Result<Outcome, Refusal> {
        let Self { account, tabs, dirty, .. } = self;
        let tab = tabs.get_mut(&session).ok_or(Refusal::UnknownSession)?;
        if let TabState::Ended { reason, .. } = tab.state {
            return Err(Refusal::SessionEnded { reason });
        }
        account.end(terms, tab, reason);
        dirty.note_tab(tab);
        Ok(Outcome::Ended(account.closed_answer(tab)))
    }
}

impl Account {
    /// Whether something new may start.
    pub(super) fn check_may_start(&self) -> Result<(), Refusal> {
        match self.status {
            AccountStatus::Suspended => Err(Refusal::Suspended),
            AccountStatus::Closed => Err(Refusal::Closed),
            AccountStatus::Open if !self.totals.debt.is_zero() => Err(Refusal::InDebt { debt: self.totals.debt }),
            AccountStatus::Open => Ok(()),
        }
    }

    /// Charges what an ended session still reports, and marks it late.
    pub(super) fn settle_late(&mut self, tab: &mut Tab, units: Units) -> Result<(), Refusal> {
        match tab.state {
            TabState::Ended { reason, late_until, .. } if self.now >= late_until => {
                Err(Refusal::SessionEnded { reason })
            }
            _ => {
                self.settle(tab, units, Told::Late);
                Ok(())
            }
        }
    }

    /// Ends a session that is settled: gives its hold back, seals its usage, and leaves a tombstone.
    pub(super) fn end(&mut self, terms: &Terms, tab: &mut Tab, reason: EndReason) {
        let now = self.now;
        self.release_hold(tab);
        self.seal_usage(tab);
        let forget_at = now.plus_ms(terms.tombstone_ms);
        let ended = TabState::Ended { at: now, reason, late_until: now.plus_ms(terms.late_ms), forget_at };
        self.stand(tab, ended, Microcredits::ZERO);
        self.open_sessions -= 1;
        tab.sweep_at = forget_at;
        // Whatever was answered last, repeating it must not make anyone speak on.
        tab.last_answer = Some(self.closed_answer(tab));
    }

    pub(super) fn closed_answer(&self, tab: &Tab) -> SliceAnswer {
        SliceAnswer {
            verdict: Verdict::Closed,
            settled_units: tab.settled_units,
            slice_end: tab.settled_units,
            grace_units: 0,
            charged: tab.charged,
            others_wait: self.waiting > 0,
        }
    }
}

impl Tab {
    /// The answer that a report of this number got before; `None` when the report is new.
    pub(super) fn answer_before(&self, report: &Report) -> Result<Option<SliceAnswer>, Refusal> {
        if report.epoch != self.epoch {
            return Err(Refusal::Fenced { epoch: report.epoch, current: self.epoch });
        }
        match self.last_answer {
            Some(_) if report.number < self.last_number => {
                Err(Refusal::Stale { number: report.number, last: self.last_number })
            }
            Some(answer) if report.number == self.last_number => Ok(Some(answer)),
            _ => Ok(None),
        }
    }

    /// Remembers the answer that this number gets for ever.
    pub(super) fn remember(&mut self, number: u64, answer: SliceAnswer) -> SliceAnswer {
        self.last_number = number;
        self.last_answer = Some(answer);
        answer
    }

    /// No late report is taken from now on.
    fn close_settlement(&mut self) {
        if let TabState::Ended { at, late_until, .. } = &mut self.state {
            *late_until = *at;
        }
    }
}

impl Terms {
    /// When a session that was heard of at `heard_at` may be ended if nothing more is heard.
    pub(super) fn sweep_at(&self, heard_at: Timestamp) -> Timestamp {
        heard_at.plus_ms(2 * self.heartbeat_ms + self.grace_ms)
    }
}

fn check_pricing(pricing: &Pricing) -> Result<(), Refusal> {
    if !(Microcredits::ZERO..=RATE_MAX).contains(&pricing.rate) {
        return Err(Refusal::OutOfRange { what: format!("a rate of {} credits a minute", pricing.rate) });
    }
    if !(1..=UNITS_PER_MINUTE_MAX).contains(&pricing.units_per_minute) {
        return Err(Refusal::OutOfRange { what: format!("{} units a minute", pricing.units_per_minute) });
    }
    Ok(())
}
