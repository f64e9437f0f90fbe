//! Accounts: the balance for those who pay, everything for the operator.

use footlight_ledger::{
    Account, AccountId, AccountStatus, Grant, GrantId, GrantKind, Microcredits, Product, RateCard, SecretId, Totals,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{BudgetJson, Credits, Instant, NextPlanJson};
use crate::options::PlanTerm;

/// The plan whose accounts are called enterprise in credit summaries.
const ENTERPRISE: &str = "enterprise";

/// The balance, in the shape and the order that existing clients read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreditSummary)]
pub struct CreditSummaryJson {
    /// The account, as a UUID.
    pub user_id: Uuid,
    /// `plan_credits` and `topup_credits` together; what running sessions have set aside is part of it.
    pub balance: Credits,
    /// Credits of the present period; they expire at its end.
    pub plan_credits: Credits,
    /// Credits bought or given; promotional ones count here.
    pub topup_credits: Credits,
    /// Whether the account is on the enterprise plan.
    pub is_enterprise: bool,
    /// How many whole minutes the balance pays for, by product.
    pub minutes_estimate: MinutesEstimateJson,
}

/// floor(balance / rate) for each product; null where a minute is free.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MinutesEstimate)]
#[allow(missing_docs, reason = "named after the products")]
pub struct MinutesEstimateJson {
    pub voice_chat: Option<i64>,
    pub camera_chat: Option<i64>,
    pub essence_cloud: Option<i64>,
    pub essence_self_hosted: Option<i64>,
    pub expression_cloud: Option<i64>,
    pub expression_self_hosted: Option<i64>,
}

impl CreditSummaryJson {
    /// The balance of an account as it stands (see [`Account::as_of`]).
    #[must_use]
    pub fn of(account: &Account, rate_card: &RateCard) -> Self {
        let has = account.balance();
        let (plan, top_up) = (has.plan, Microcredits(has.promo.0 + has.top_up.0));
        let balance = Microcredits(plan.0 + top_up.0);
        let minutes = |product| {
            let rate = rate_card.0.get(&product).map_or(Microcredits::ZERO, |tariff| tariff.rate);
            (rate > Microcredits::ZERO).then(|| balance.0.div_euclid(rate.0))
        };
        Self {
            user_id: account.id.0,
            balance: balance.into(),
            plan_credits: plan.into(),
            topup_credits: top_up.into(),
            is_enterprise: account.plan.as_ref().is_some_and(|plan| plan.name == ENTERPRISE),
            minutes_estimate: MinutesEstimateJson {
                voice_chat: minutes(Product::VoiceChat),
                camera_chat: minutes(Product::CameraChat),
                essence_cloud: minutes(Product::EssenceCloud),
                essence_self_hosted: minutes(Product::EssenceSelfHosted),
                expression_cloud: minutes(Product::ExpressionCloud),
                expression_self_hosted: minutes(Product::ExpressionSelfHosted),
            },
        }
    }
}

/// Who is asking, and what they may do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Me)]
pub struct MeJson {
    /// The account.
    #[schema(value_type = String, example = "acc_0193b5f2a7c87d1e8f3a9b2c4d5e6f70")]
    pub id: AccountId,
    /// The secret that was used; not the secret itself.
    #[schema(value_type = String)]
    pub secret: SecretId,
    /// How much may be spent with this secret; null when the account's own limits are the only ones.
    pub spending_limit: Option<BudgetJson>,
    /// `open`, `suspended` or `closed`.
    #[schema(value_type = String, example = "open")]
    pub status: AccountStatus,
    /// The plan's name, if there is one.
    #[schema(example = "creator")]
    pub plan: Option<String>,
    /// Its term.
    pub plan_term: Option<PlanTerm>,
    /// When the plan's present credits expire and the next ones come.
    pub plan_renews_at: Option<Instant>,
    /// The plan that comes then, if it is another one.
    pub next_plan: Option<NextPlanJson>,
    /// The most sessions at once; null without a plan.
    pub max_sessions: Option<u32>,
    /// Sessions that have not ended.
    pub open_sessions: u32,
    /// When the account was opened.
    pub opened_at: Instant,
    /// Whether this node meters nothing and takes every call: for development alone.
    #[schema(example = false)]
    pub unmetered: bool,
}

impl MeJson {
    /// The account as its owner sees it.
    #[must_use]
    pub fn of(account: &Account, secret: SecretId, unmetered: bool) -> Self {
        Self {
            unmetered,
            id: account.id,
            secret,
            spending_limit: account.budget(secret).map(BudgetJson::of),
            status: account.status,
            plan: account.plan.as_ref().map(|plan| plan.name.clone()),
            plan_term: account.plan.as_ref().map(PlanTerm::of),
            plan_renews_at: plan_renews_at(account),
            next_plan: NextPlanJson::of(account),
            max_sessions: account.plan.as_ref().map(|plan| plan.max_sessions),
            open_sessions: account.open_sessions,
            opened_at: account.opened_at.into(),
        }
    }
}

/// One account, as the operator sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub struct AccountJson {
    /// Its name, `acc_...`.
    #[schema(value_type = String, example = "acc_0193b5f2a7c87d1e8f3a9b2c4d5e6f70")]
    pub id: AccountId,
    /// `open`, `suspended` or `closed`.
    #[schema(value_type = String, example = "open")]
    pub status: AccountStatus,
    /// The plan's name, if there is one.
    pub plan: Option<String>,
    /// Its term.
    pub plan_term: Option<PlanTerm>,
    /// When the plan's present credits expire and the next ones come.
    pub plan_renews_at: Option<Instant>,
    /// The plan that comes then, if it is another one.
    pub next_plan: Option<NextPlanJson>,
    /// The most sessions at once; null without a plan.
    pub max_sessions: Option<u32>,
    /// What it has: available and held together.
    pub balance: Credits,
    /// What it may still promise.
    pub available: Credits,
    /// What running sessions and work have set aside.
    pub held: Credits,
    /// What it owes.
    pub debt: Credits,
    /// Sessions that have not ended.
    pub open_sessions: u32,
    /// Sessions that hold a slice.
    pub speaking: u32,
    /// Sessions that asked for a slice and got none.
    pub waiting: u32,
    /// Credits a minute that those use that speak now.
    pub burn_rate_credits_per_minute: Credits,
    /// How far it may go into debt and overage.
    pub limits: LimitsJson,
    /// Grants that still have something, in the order in which they are used up.
    pub grants: Vec<GrantJson>,
    /// The sums over all grants there ever were.
    pub totals: TotalsJson,
    /// When it was opened.
    pub opened_at: Instant,
}

impl AccountJson {
    /// The account as the operator sees it.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        let totals = &account.totals;
        Self {
            id: account.id,
            status: account.status,
            plan: account.plan.as_ref().map(|plan| plan.name.clone()),
            plan_term: account.plan.as_ref().map(PlanTerm::of),
            plan_renews_at: plan_renews_at(account),
            next_plan: NextPlanJson::of(account),
            max_sessions: account.plan.as_ref().map(|plan| plan.max_sessions),
            balance: Microcredits(totals.available.0 + totals.held.0).into(),
            available: totals.available.into(),
            held: totals.held.into(),
            debt: totals.debt.into(),
            open_sessions: account.open_sessions,
            speaking: account.speaking,
            waiting: account.waiting,
            burn_rate_credits_per_minute: account.burn_rate.into(),
            limits: LimitsJson { debt: account.limits.debt.into(), overage: account.limits.overage.into() },
            grants: account.grants.iter().map(GrantJson::of).collect(),
            totals: TotalsJson::of(totals),
            opened_at: account.opened_at.into(),
        }
    }
}

fn plan_renews_at(account: &Account) -> Option<Instant> {
    account.period.as_ref().map(|period| period.ends_at.into())
}

/// A new account, with its first secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountOpened)]
pub struct AccountOpenedJson {
    /// The account.
    #[serde(flatten)]
    pub account: AccountJson,
    /// Its API secret. It is shown here and never again: null when this answer is repeated under an idempotency key.
    #[schema(example = "fl_live_pQ0bJt5nqZ8x4yL6vK2mR9cW7dT1sF3hG5jA0eUiOoE")]
    pub api_secret: Option<String>,
}

/// A lot of credits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Grant)]
#[allow(missing_docs, reason = "the amounts are the words of the sum rule, described with the totals")]
pub struct GrantJson {
    #[schema(value_type = String)]
    pub id: GrantId,
    /// `plan`, `promo` or `top_up`: also the order in which they are used up.
    #[schema(value_type = String, example = "top_up")]
    pub kind: GrantKind,
    pub granted: Credits,
    pub available: Credits,
    pub held: Credits,
    pub spent: Credits,
    pub expired: Credits,
    pub voided: Credits,
    pub created_at: Instant,
    pub expires_at: Option<Instant>,
}

impl GrantJson {
    fn of(grant: &Grant) -> Self {
        Self {
            id: grant.id,
            kind: grant.kind,
            granted: grant.granted.into(),
            available: grant.available.into(),
            held: grant.held.into(),
            spent: grant.spent.into(),
            expired: grant.expired.into(),
            voided: grant.voided.into(),
            created_at: grant.created_at.into(),
            expires_at: grant.expires_at.map(Instant),
        }
    }
}

/// How far an account may go beyond what it was given, in credits.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Limits)]
pub struct LimitsJson {
    /// The most debt that usage may make while the store cannot be reached.
    pub debt: Credits,
    /// The most overage; 0 is none.
    pub overage: Credits,
}

/// `granted + debt = available + held + spent + expired + voided`, always; overage stands apart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Totals)]
#[allow(missing_docs, reason = "the amounts are the words of the sum rule")]
pub struct TotalsJson {
    pub granted: Credits,
    pub debt: Credits,
    pub available: Credits,
    pub held: Credits,
    pub spent: Credits,
    pub expired: Credits,
    pub voided: Credits,
    pub overage_held: Credits,
    pub overage_spent: Credits,
}

impl TotalsJson {
    /// The sums.
    #[must_use]
    pub fn of(totals: &Totals) -> Self {
        Self {
            granted: totals.granted.into(),
            debt: totals.debt.into(),
            available: totals.available.into(),
            held: totals.held.into(),
            spent: totals.spent.into(),
            expired: totals.expired.into(),
            voided: totals.voided.into(),
            overage_held: totals.overage_held.into(),
            overage_spent: totals.overage_spent.into(),
        }
    }
}
