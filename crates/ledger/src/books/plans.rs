//! Plans: set at once, changed as is fair, kept.

use super::money::{GRANTS_MAX, check_amount, digest};
use super::{Books, NamedOperation};
use crate::account::{Account, AccountStatus, Grant, GrantKind, PlanTerms};
use crate::command::plan_change;
use crate::{EntryKind, GrantId, Microcredits, NextPlan, Outcome, Period, PlanChange, Refusal, Timestamp};

impl Books {
    pub(super) fn set_plan(&mut self, plan: Option<&PlanTerms>, grant: GrantId) -> Result<Outcome, Refusal> {
        self.once_for(grant, plan, |account| {
            account.begin_plan(plan, grant);
            Ok(plan.map_or(Microcredits::ZERO, |plan| plan.credits))
        })
    }

    pub(super) fn change_plan(&mut self, plan: Option<&PlanTerms>, grant: GrantId) -> Result<Outcome, Refusal> {
        self.once_for(grant, plan, |account| match account.plan_change(plan) {
            PlanChange::Stays => {
                account.keep_plan();
                Ok(Microcredits::ZERO)
            }
            PlanChange::Upgrade { granted } => account.upgrade(plan, grant, granted),
            PlanChange::Anew { granted, .. } => {
                account.begin_plan(plan, grant);
                Ok(granted)
            }
            PlanChange::Later { at } => {
                account.await_plan(plan, at);
                Ok(Microcredits::ZERO)
            }
        })
    }

    pub(super) fn keep_plan(&mut self) -> Outcome {
        self.account.keep_plan();
        Outcome::PlanSet
    }

    /// Changes the plan, once under this grant's id. `change` answers what it granted. How a change comes is no part of what
    /// it is: what had to begin anew the first time may look like an upgrade, or like nothing, the second time.
    fn once_for(
        &mut self,
        grant: GrantId,
        plan: Option<&PlanTerms>,
        change: impl FnOnce(&mut Account) -> Result<Microcredits, Refusal>,
    ) -> Result<Outcome, Refusal> {
        let name = plan_change(grant);
        let body = digest(&format!("plan {plan:?}"));
        if self.earlier(&name, body)?.is_some() {
            return Ok(Outcome::PlanSet);
        }
        if self.account.status == AccountStatus::Closed {
            return Err(Refusal::Closed);
        }
        if let Some(plan) = plan {
            check_amount("a plan's credits", plan.credits, Microcredits::ZERO)?;
            if !matches!(plan.months, 1 | 12) {
                return Err(Refusal::OutOfRange { what: format!("a period of {} months", plan.months) });
            }
        }
        self.check_new_grant_id(grant)?;
        let amount = change(&mut self.account)?;
        self.remember_operation(&name, NamedOperation { grant, amount, body });
        Ok(Outcome::PlanSet)
    }
}

impl Account {
    /// Begins a plan now: what is left of the present plan's credits expires, the first period's are granted.
    fn begin_plan(&mut self, plan: Option<&PlanTerms>, grant: GrantId) {
        self.leave_plan();
        self.write_plan(plan);
        if let Some(plan) = plan {
            self.plan = Some(plan.clone());
            self.enter_period(Period::from_month(self.now, 0, plan), grant);
            self.repay_debt();
        }
    }

    /// Goes over to a better plan within the present period.
    fn upgrade(
        &mut self,
        plan: Option<&PlanTerms>,
        grant: GrantId,
        granted: Microcredits,
    ) -> Result<Microcredits, Refusal> {
        if self.grants.len() >= GRANTS_MAX {
            return Err(Refusal::OutOfRange { what: format!("one more grant beside {}", self.grants.len()) });
        }
        self.next_plan = None;
        self.plan = plan.cloned();
        self.write_plan(plan);
        if !granted.is_zero() {
            let ends_at = self.period.map(|period| period.ends_at);
            self.add_grant(None, Grant::new(grant, GrantKind::Plan, self.now, ends_at, granted));
            self.repay_debt();
        }
        Ok(granted)
    }

    /// `plan` follows the present one at `at`.
    fn await_plan(&mut self, plan: Option<&PlanTerms>, at: Timestamp) {
        let next = Some(NextPlan { plan: plan.cloned() });
        if self.next_plan != next {
            self.next_plan = next;
            let (name, months) = (plan.map(|plan| plan.name.clone()), plan.map(|plan| plan.months));
            self.write(EntryKind::PlanToCome { plan: name, months, at });
        }
    }

    fn keep_plan(&mut self) {
        if self.next_plan.take().is_some() {
            self.write(EntryKind::PlanKept);
        }
    }
}
