//! Periods of a plan: when one ends and what the next one grants.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::account::{Account, AccountStatus, Grant, GrantKind, PlanTerms};
use crate::{AccountId, EntryKind, GrantId, Microcredits, Timestamp, calendar};

/// The most missed periods that a debt may use to repay itself in one command: a century of months. Without debt
/// missed periods are skipped at once, since their credits would have come and gone unused.
const MISSED_PERIODS_MAX: i64 = 1_200;

/// The period of its plan that an account is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// When the first of these periods began. Every period begins on this day of its month, or on the month's last day.
    pub anchor: Timestamp,
    /// Months from the anchor to its beginning.
    pub month: i64,
    /// When it began.
    pub starts_at: Timestamp,
    /// When it ends and the next one begins.
    pub ends_at: Timestamp,
}

impl Period {
    /// The period of `plan` that begins `month` months after `anchor`.
    pub(crate) fn from_month(anchor: Timestamp, month: i64, plan: &PlanTerms) -> Self {
        let starts_at = calendar::plus_months(anchor, month);
        Self { anchor, month, starts_at, ends_at: calendar::plus_months(anchor, month + i64::from(plan.months)) }
    }

    /// Where the period of `plan` begins that `now` lies in, if one begins at month `first` and they follow each other;
    /// `first` if none has begun yet. Periods count their first instant and not their last.
    fn month_at(anchor: Timestamp, first: i64, plan: &PlanTerms, now: Timestamp) -> i64 {
        let months = i64::from(plan.months);
        let passed = (calendar::months_between(anchor, now) - first).div_euclid(months);
        let month = first + passed * months;
        let begun = calendar::plus_months(anchor, month) <= now;
        first.max(if begun { month } else { month - months })
    }

    /// The name of the grant that this period makes: a UUID of version 5 (SHA-1) of the account and the period's
    /// start, so that every node that rolls the period over makes the same one.
    /// The first period of a plan that is begun by hand makes one of the caller's choice instead.
    #[must_use]
    pub fn grant_id(&self, account: AccountId) -> GrantId {
        let name = format!("plan period from {}", self.starts_at.0);
        GrantId(Uuid::new_v5(&account.0, name.as_bytes()))
    }
}

impl Account {
    /// What every command does first: time moves on (never back), what is due expires, ended periods are
    /// followed by the present one, and what that grants repays debt.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.renew_budgets();
        self.expire_due();
        self.roll_period();
        self.repay_debt();
    }

    /// An account that rolls late ends where one that rolls in time does: a change of plan comes at the first boundary,
    /// and while there is debt every missed period's grant repays what it can before the rest of it expires.
    fn roll_period(&mut self) {
        if self.status == AccountStatus::Closed {
            return;
        }
        for _ in 0..=MISSED_PERIODS_MAX {
            let (Some(period), Some(ended)) = (self.period, &self.plan) else { return };
            if period.ends_at > self.now {
                return;
            }
            let first = period.month + i64::from(ended.months);
            self.go_over_to_next_plan();
            let Some(plan) = &self.plan else { return };
            let present = Period::month_at(period.anchor, first, plan, self.now);
            let owes = !self.totals.debt.is_zero() && !plan.credits.is_zero();
            let few = (present - first) / i64::from(plan.months) < MISSED_PERIODS_MAX;
            let next = Period::from_month(period.anchor, if owes && few { first } else { present }, plan);
            let id = next.grant_id(self.id);
            self.enter_period(next, id);
            self.repay_debt();
            self.expire_due();
        }
    }

    /// Begins `period` and makes its grant.
    pub(crate) fn enter_period(&mut self, period: Period, grant: GrantId) {
        let credits = self.plan.as_ref().map_or(Microcredits::ZERO, |plan| plan.credits);
        self.period = Some(period);
        let amount = credits.min(self.grantable());
        if !amount.is_zero() {
            self.add_grant(None, Grant::new(grant, GrantKind::Plan, period.starts_at, Some(period.ends_at), amount));
        }
    }

    /// Ends the present plan: what is left of its credits expires now, what is held of them when it comes back.
    pub(crate) fn leave_plan(&mut self) {
        let now = self.now;
        for grant in self.grants.iter_mut().filter(|grant| grant.kind == GrantKind::Plan) {
            grant.expires_at = Some(grant.expires_at.map_or(now, |at| at.min(now)));
        }
        self.expire_due();
        self.plan = None;
        self.period = None;
        self.next_plan = None;
    }

    /// Expires what is available of every grant whose time has come.
    fn expire_due(&mut self) {
        let now = self.now;
        let mut expired = Vec::new();
        for grant in self.grants.iter_mut().filter(|grant| grant.has_expired(now)) {
            let amount = std::mem::take(&mut grant.available);
            if !amount.is_zero() {
                grant.expired += amount;
                self.totals.available -= amount;
                self.totals.expired += amount;
                expired.push((grant.id, amount));
            }
        }
        for (grant, amount) in expired {
            self.write(EntryKind::Expired { grant, amount });
        }
    }
}
