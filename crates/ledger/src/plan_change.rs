//! Changes of plan: what each means for an account, and when it comes.
//!
//! More for the same term comes at once: the present period goes on, and the difference of the two plans is granted for
//! the part of it that is left. A longer term that gives no less begins a period of its own at once, and what is left of
//! the present plan's credits expires: an unused share is never kept beside a whole new period. Everything else comes
//! when the present period ends, so that nobody loses what was paid for.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::account::{Account, GrantKind, PlanTerms};
use crate::{EntryKind, Microcredits, Period, Timestamp};

/// The plan that follows the present one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextPlan {
    /// None: the account will be without a plan.
    pub plan: Option<PlanTerms>,
}

/// What going over to a plan means for an account, as things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanChange {
    /// It is the present plan. A change that was to come is dropped.
    Stays,
    /// At once: the present period goes on, with `granted` more credits until its end.
    Upgrade {
        /// What the two plans differ by, for the part of the period that is left.
        granted: Microcredits,
    },
    /// At once: a new period begins.
    Anew {
        /// What the new period grants.
        granted: Microcredits,
        /// What of the present plan's credits is available and expires.
        expires: Microcredits,
    },
    /// When the present period ends.
    Later {
        /// That is.
        at: Timestamp,
    },
}

impl PlanTerms {
    /// Which of the two gives more a month.
    fn compare_monthly(&self, other: &Self) -> Ordering {
        let in_all = |credits: Microcredits, months: u8| i128::from(credits.0) * i128::from(months);
        in_all(self.credits, other.months).cmp(&in_all(other.credits, self.months))
    }

    /// Whether it gives no less than `other`, which has the same term, in any respect.
    fn is_no_less_than(&self, other: &Self) -> bool {
        self.credits > other.credits || (self.credits == other.credits && self.max_sessions >= other.max_sessions)
    }
}

impl Account {
    /// What going over to `plan` (or to none) would mean now. The account must have been moved to now, see
    /// [`Account::as_of`].
    #[must_use]
    pub fn plan_change(&self, plan: Option<&PlanTerms>) -> PlanChange {
        match (&self.plan, self.period, plan) {
            (Some(present), Some(_), Some(plan)) if present == plan => PlanChange::Stays,
            (Some(present), Some(period), Some(plan)) => match plan.months.cmp(&present.months) {
                Ordering::Equal if plan.is_no_less_than(present) => {
                    PlanChange::Upgrade { granted: self.share_of_rest(period, plan.credits - present.credits) }
                }
                Ordering::Greater if plan.compare_monthly(present).is_ge() => self.plan_anew(Some(plan)),
                _ => PlanChange::Later { at: period.ends_at },
            },
            (Some(_), Some(period), None) => PlanChange::Later { at: period.ends_at },
            (_, _, Some(_)) => self.plan_anew(plan),
            (_, _, None) => PlanChange::Stays,
        }
    }

    /// What beginning `plan` (or none) anew would mean now, whatever the account has.
    #[must_use]
    pub fn plan_anew(&self, plan: Option<&PlanTerms>) -> PlanChange {
        let of_plan = self.grants.iter().filter(|grant| grant.kind == GrantKind::Plan);
        PlanChange::Anew {
            granted: plan.map_or(Microcredits::ZERO, |plan| plan.credits).min(self.grantable()),
            expires: of_plan.map(|grant| grant.available).sum(),
        }
    }

    /// The part of `amount` that belongs to what is left of the period, rounded down.
    fn share_of_rest(&self, period: Period, amount: Microcredits) -> Microcredits {
        let whole = i128::from(period.ends_at.ms_since(period.starts_at));
        let rest = i128::from(period.ends_at.ms_since(self.now)).clamp(0, whole);
        let share = i128::from(amount.0) * rest / whole;
        Microcredits(i64::try_from(share).expect("a part is no larger than the whole")).min(self.grantable())
    }

    /// At a period's end: what was to come comes.
    pub(crate) fn go_over_to_next_plan(&mut self) {
        let Some(NextPlan { plan }) = self.next_plan.take() else { return };
        self.write_plan(plan.as_ref());
        if plan.is_none() {
            self.period = None;
        }
        self.plan = plan;
    }

    pub(crate) fn write_plan(&mut self, plan: Option<&PlanTerms>) {
        let months = plan.map(|plan| plan.months);
        self.write(EntryKind::PlanSet { plan: plan.map(|plan| plan.name.clone()), months });
    }
}
