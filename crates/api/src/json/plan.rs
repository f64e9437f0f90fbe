//! Plans that an account is on or goes over to.

use footlight_ledger::{Account, PlanChange, PlanTerms, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Credits, Instant};
use crate::options::PlanTerm;

/// The plan that follows the present one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NextPlan)]
pub struct NextPlanJson {
    /// Its name; null when the account will be without a plan.
    #[schema(example = "creator")]
    pub plan: Option<String>,
    /// Its term.
    pub term: Option<PlanTerm>,
    /// When the present period ends and it comes.
    pub comes_at: Option<Instant>,
}

impl NextPlanJson {
    /// What an account goes over to, if that was said.
    #[must_use]
    pub fn of(account: &Account) -> Option<Self> {
        let plan = account.next_plan.as_ref()?.plan.as_ref();
        Some(Self {
            plan: plan.map(|plan| plan.name.clone()),
            term: plan.map(PlanTerm::of),
            comes_at: account.period.map(|period| period.ends_at.into()),
        })
    }
}

/// What a change of plan means, or would mean.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanChange, example = json!({
    "plan": "pro", "term": "monthly", "effect": "upgrade", "comes_at": "2026-11-15T08:00:00.000Z",
    "credits_granted": 4100, "credits_expiring": 0,
}))]
pub struct PlanChangeJson {
    /// The plan; null for none.
    pub plan: Option<String>,
    /// Its term.
    pub term: Option<PlanTerm>,
    /// `stays` (it is the present plan), `upgrade` (at once, the difference for the rest of the period), `anew` (at once,
    /// a new period) or `later` (when the present period ends).
    #[schema(example = "upgrade")]
    pub effect: &'static str,
    /// When it comes.
    pub comes_at: Instant,
    /// Credits granted at that moment, if it is now.
    pub credits_granted: Credits,
    /// Credits of the present plan that expire at that moment, if it is now.
    pub credits_expiring: Credits,
}

impl PlanChangeJson {
    /// A change of an account as it stands `now`.
    #[must_use]
    pub fn of(plan: Option<&PlanTerms>, change: PlanChange, now: Timestamp) -> Self {
        let none = Credits::default();
        let (effect, comes_at, granted, expiring) = match change {
            PlanChange::Stays => ("stays", now, none, none),
            PlanChange::Upgrade { granted } => ("upgrade", now, granted.into(), none),
            PlanChange::Anew { granted, expires } => ("anew", now, granted.into(), expires.into()),
            PlanChange::Later { at } => ("later", at, none, none),
        };
        Self {
            plan: plan.map(|plan| plan.name.clone()),
            term: plan.map(PlanTerm::of),
            effect,
            comes_at: comes_at.into(),
            credits_granted: granted,
            credits_expiring: expiring,
        }
    }
}
