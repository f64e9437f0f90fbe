//! The heartbeat: settle what was used, then answer what is asked.

use super::{Books, Report};
use crate::settle::Told;
use crate::sharing::{self, Asker, Place, Pool, Share};
use crate::tab::{Tab, TabState};
use crate::{
    Account, AccountStatus, Ask, Microcredits, Outcome, PauseReason, Refusal, SliceAnswer, Terms, Units, Verdict,
};

impl Books {
    pub(super) fn heartbeat(&mut self, terms: &Terms, report: Report, ask: Ask) -> Result<Outcome, Refusal> {
        let Self { account, tabs, dirty, ask_again, .. } = self;
        let tab = tabs.get_mut(&report.session).ok_or(Refusal::UnknownSession)?;
        if let Some(answer) = tab.answer_before(&report)? {
            return Ok(Outcome::Heartbeat(answer));
        }
        let answer = if tab.is_ended() {
            account.settle_late(tab, report.units)?;
            account.closed_answer(tab)
        } else {
            let place = Place::of(tab);
            account.settle(tab, report.units, Told::InTime);
            account.count_in_budget(tab, Microcredits::ZERO);
            tab.sweep_at = terms.sweep_at(account.now);
            let verdict = match ask {
                Ask::Slice => account.answer_slice(terms, tab, place, ask_again),
                Ask::Keep => {
                    account.stand_by_hold(tab, Standing::Content);
                    Verdict::Settled
                }
                Ask::Release => {
                    account.release_hold(tab);
                    account.stand_by_hold(tab, Standing::Content);
                    Verdict::Settled
                }
            };
            let grace_units = account.grace(terms, tab, verdict);
            tab.permitted = tab.permitted.max(tab.slice_end.saturating_add(grace_units));
            account.answer(tab, verdict, grace_units)
        };
        tab.remember(report.number, answer);
        dirty.note_tab(tab);
        Ok(Outcome::Heartbeat(answer))
    }
}

impl Account {
    /// Holds the next slice, or says why not. What a refused session holds stays held until it says what it used:
    /// frames of it may be on their way already. `ask_again` is set when it was sent behind those in line.
    fn answer_slice(&mut self, terms: &Terms, tab: &mut Tab, place: Place, ask_again: &mut bool) -> Verdict {
        if self.status != AccountStatus::Open {
            self.stand_by_hold(tab, Standing::Content);
            return Verdict::Refused(PauseReason::AccountSuspended);
        }
        if !self.totals.debt.is_zero() && tab.is_counted() {
            let need = tab.price_of_shortest(terms);
            self.stand_by_hold(tab, Standing::Wants { need });
            return Verdict::Refused(PauseReason::Debt);
        }
        let asker = Asker {
            pricing: tab.pricing,
            settled: tab.settled_units,
            slice_end: tab.slice_end,
            place,
            allowance: self.allowance(tab),
        };
        match sharing::share(terms, &asker, &self.pool_for(tab)) {
            Share::More { end } => {
                self.extend_hold(tab, end);
                self.stand_by_hold(tab, Standing::Content);
                Verdict::Granted
            }
            Share::Last { end } => {
                self.extend_hold(tab, end);
                self.stand_by_hold(tab, Standing::Content);
                Verdict::Final
            }
            Share::Nothing { need, behind_others } => {
                self.stand_by_hold(tab, Standing::Wants { need });
                *ask_again |= behind_others;
                Verdict::Refused(if self.limits.overage.is_zero() {
                    PauseReason::CreditsExhausted
                } else {
                    PauseReason::SpendingLimit
                })
            }
            // It does not wait in line: credits that others could use must not be kept for it.
            Share::OverLimit => {
                self.stand_by_hold(tab, Standing::Content);
                Verdict::Refused(PauseReason::SpendingLimit)
            }
        }
    }

    /// What this session shares with the others, itself counted once.
    fn pool_for(&self, tab: &Tab) -> Pool {
        let speaks_itself = u32::from(tab.is_counted() && tab.state == TabState::Speaking);
        let waiting = self.others_waiting(tab);
        Pool {
            spendable: self.spendable(),
            sharers: self.speaking - speaks_itself + waiting + 1,
            waiting,
            waiting_need: self.waiting_need - tab.need,
        }
    }

    fn others_waiting(&self, tab: &Tab) -> u32 {
        self.waiting - u32::from(tab.is_counted() && tab.state == TabState::Waiting)
    }

    /// Moves the session to where its hold puts it.
    fn stand_by_hold(&mut self, tab: &mut Tab, standing: Standing) {
        let holds = tab.slice_end > tab.settled_units;
        match standing {
            _ if holds => self.stand(tab, TabState::Speaking, Microcredits::ZERO),
            Standing::Content => self.stand(tab, TabState::Quiet, Microcredits::ZERO),
            Standing::Wants { need } => self.stand(tab, TabState::Waiting, need),
        }
    }

    fn answer(&self, tab: &Tab, verdict: Verdict, grace_units: Units) -> SliceAnswer {
        SliceAnswer {
            verdict,
            settled_units: tab.settled_units,
            slice_end: tab.slice_end,
            grace_units,
            charged: tab.charged,
            others_wait: self.others_waiting(tab) > 0,
        }
    }

    /// How far the session may go past its slice while the store cannot be reached: nowhere after a final slice, a
    /// refusal, or while there is debt, and never past its secret's limit.
    fn grace(&self, terms: &Terms, tab: &Tab, verdict: Verdict) -> Units {
        let holds = tab.slice_end > tab.settled_units;
        let earned = match verdict {
            Verdict::Granted => true,
            Verdict::Settled => holds && tab.last_answer.is_some_and(|last| last.grace_units > 0),
            Verdict::Final | Verdict::Refused(_) | Verdict::Closed => false,
        };
        if !earned || !self.totals.debt.is_zero() {
            return 0;
        }
        let allowed = self.allowance(tab).and_then(|allowance| {
            let end = tab.pricing.affordable(tab.pricing.cost(tab.slice_end) + allowance)?;
            Some(end - tab.slice_end)
        });
        let grace = tab.pricing.units_in(terms.grace_ms);
        allowed.map_or(grace, |allowed| grace.min(allowed))
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

impl Tab {
    fn price_of_shortest(&self, terms: &Terms) -> Microcredits {
        let end = self.settled_units + sharing::shortest_slice(terms, &self.pricing);
        self.pricing.cost(end) - self.pricing.cost(self.settled_units)
    }
}
