//! The heartbeat: settle what was used, then answer what is asked.

use super::{Books, Report};
use crate::settle::Told;
use crate::sharing::{self, Asker, Place, Pool, Share};
use crate::tab::{Tab, TabState};
use crate::{AccountStatus, Ask, Microcredits, Outcome, PauseReason, Refusal, SliceAnswer, Terms, Units, Verdict};

impl Books {
    pub(super) fn heartbeat(&mut self, terms: &Terms, report: Report, ask: Ask) -> Result<Outcome, Refusal> {
        let mut tab = self.tab(report.session)?;
        if let Some(answer) = tab.answer_before(&report)? {
            return Ok(Outcome::Heartbeat(answer));
        }
        if tab.is_ended() {
            let answer = self.late_report(&mut tab, &report)?;
            self.put_tab(tab);
            return Ok(Outcome::Heartbeat(answer));
        }
        let place = Place::of(&tab);
        self.account.seal_past_hour(&mut tab);
        self.account.settle(&mut tab, report.units, Told::InTime);
        tab.sweep_at = terms.sweep_at(self.account.now);
        let verdict = match ask {
            Ask::Slice => self.answer_slice(terms, &mut tab, place),
            Ask::Keep => {
                self.stand_by_hold(&mut tab, Standing::Content);
                Verdict::Settled
            }
            Ask::Release => {
                self.account.release_hold(&mut tab);
                self.stand_by_hold(&mut tab, Standing::Content);
                Verdict::Settled
            }
        };
        let grace_units = self.grace(terms, &tab, verdict);
        tab.permitted = tab.permitted.max(tab.slice_end.saturating_add(grace_units));
        let answer = SliceAnswer {
            verdict,
            settled_units: tab.settled_units,
            slice_end: tab.slice_end,
            grace_units,
            charged: tab.charged,
            others_wait: self.account.waiting > u32::from(tab.is_counted() && tab.state == TabState::Waiting),
        };
        tab.remember(report.number, answer);
        self.put_tab(tab);
        Ok(Outcome::Heartbeat(answer))
    }

    /// Holds the next slice, or says why not. What a refused session holds stays held until it says what it used:
    /// frames of it may be on their way already.
    fn answer_slice(&mut self, terms: &Terms, tab: &mut Tab, place: Place) -> Verdict {
        if self.account.status != AccountStatus::Open {
            self.stand_by_hold(tab, Standing::Content);
            return Verdict::Refused(PauseReason::AccountSuspended);
        }
        let share = if self.account.totals.debt.is_zero() || tab.pricing.is_free() {
            sharing::share(terms, &Asker::of(tab, place), &self.pool_for(tab))
        } else {
            let need = tab.price_of_shortest(terms);
            self.stand_by_hold(tab, Standing::Wants { need });
            return Verdict::Refused(PauseReason::Debt);
        };
        match share {
            Share::More { end } | Share::Last { end } => {
                self.account.extend_hold(tab, end);
                self.stand_by_hold(tab, Standing::Content);
                if matches!(share, Share::More { .. }) { Verdict::Granted } else { Verdict::Final }
            }
            Share::Nothing { need, behind_others } => {
                self.stand_by_hold(tab, Standing::Wants { need });
                self.ask_again |= behind_others;
                let has_overage = !self.account.limits.overage.is_zero();
                Verdict::Refused(if has_overage { PauseReason::SpendingLimit } else { PauseReason::CreditsExhausted })
            }
        }
    }

    /// What this session shares with the others, itself counted once.
    fn pool_for(&self, tab: &Tab) -> Pool {
        let account = &self.account;
        let speaks_itself = u32::from(tab.is_counted() && tab.state == TabState::Speaking);
        let waits_itself = u32::from(tab.is_counted() && tab.state == TabState::Waiting);
        let waiting = account.waiting - waits_itself;
        Pool {
            spendable: account.spendable(),
            sharers: account.speaking - speaks_itself + waiting + 1,
            waiting,
            waiting_need: account.waiting_need - tab.need,
        }
    }

    /// Moves the session to where its hold puts it.
    fn stand_by_hold(&mut self, tab: &mut Tab, standing: Standing) {
        let holds = tab.slice_end > tab.settled_units;
        match standing {
            _ if holds => self.account.stand(tab, TabState::Speaking, Microcredits::ZERO),
            Standing::Content => self.account.stand(tab, TabState::Quiet, Microcredits::ZERO),
            Standing::Wants { need } => self.account.stand(tab, TabState::Waiting, need),
        }
    }

    /// How far the session may go past its slice while the store cannot be reached: nowhere after a final slice, a
    /// refusal, or while there is debt.
    fn grace(&self, terms: &Terms, tab: &Tab, verdict: Verdict) -> Units {
        let holds = tab.slice_end > tab.settled_units;
        let earned = match verdict {
            Verdict::Granted => true,
            Verdict::Settled => holds && tab.last_answer.is_some_and(|last| last.grace_units > 0),
            Verdict::Final | Verdict::Refused(_) | Verdict::Closed => false,
        };
        if earned && self.account.totals.debt.is_zero() { tab.pricing.units_in(terms.grace_ms) } else { 0 }
    }
}

/// What a session without a hold does.
#[derive(Debug, Clone, Copy)]
enum Standing {
    /// It wants nothing now.
    Content,
    /// It waits for credits.
    Wants { need: Microcredits },
}

impl Place {
    /// Where a session stands before it is settled.
    fn of(tab: &Tab) -> Self {
        match tab.state {
            TabState::Speaking => Self::Speaking,
            TabState::Waiting => Self::InLine,
            TabState::Quiet | TabState::Ended { .. } => Self::New,
        }
    }
}

impl Asker {
    fn of(tab: &Tab, place: Place) -> Self {
        Self { pricing: tab.pricing, settled: tab.settled_units, slice_end: tab.slice_end, place }
    }
}

impl Tab {
    fn price_of_shortest(&self, terms: &Terms) -> Microcredits {
        let end = self.settled_units + sharing::shortest_slice(terms, &self.pricing);
        self.pricing.cost(end) - self.pricing.cost(self.settled_units)
    }
}
