//! What there is, and how long it lasts.

use footlight_ledger::{Account, GrantKind, Microcredits, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Credits, Instant};

const MINUTE_MS: i128 = 60_000;

/// The balance by what it came from, and how long it lasts at the present rate.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Balance)]
pub struct BalanceJson {
    /// What there is, with what running sessions and work have set aside.
    pub balance: Credits,
    /// The part that may still be set aside.
    pub available: Credits,
    /// The part that is set aside.
    pub held: Credits,
    /// Credits of the present period.
    pub plan_credits: Credits,
    /// Promotional credits.
    pub promo_credits: Credits,
    /// Bought credits; they never expire.
    pub top_up_credits: Credits,
    /// What is owed. Whatever comes repays it first.
    pub debt: Credits,
    /// What was used, or is set aside, beyond the balance.
    pub overage: Credits,
    /// How far overage may go.
    pub overage_limit: Credits,
    /// Credits a minute that the sessions use that speak now.
    pub burn_rate_credits_per_minute: Credits,
    /// Whole minutes until the balance and the overage allowed are used up at that rate; null while nothing is used.
    pub minutes_left: Option<i64>,
    /// When that is.
    pub runs_out_at: Option<Instant>,
    /// What expires next, if anything does.
    pub next_expiry: Option<ExpiryJson>,
}

/// Credits that expire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Expiry)]
pub struct ExpiryJson {
    /// How many, as things stand.
    pub credits: Credits,
    /// When.
    pub at: Instant,
}

impl BalanceJson {
    /// The balance of an account as it stands `now` (see [`Account::as_of`]).
    #[must_use]
    pub fn of(account: &Account, now: Timestamp) -> Self {
        let (has, totals) = (account.balance(), &account.totals);
        let lasts_ms = lasts_ms(account);
        Self {
            balance: (totals.available + totals.held).into(),
            available: totals.available.into(),
            held: totals.held.into(),
            plan_credits: has.plan.into(),
            promo_credits: has.promo.into(),
            top_up_credits: has.top_up.into(),
            debt: totals.debt.into(),
            overage: (totals.overage_held + totals.overage_spent).into(),
            overage_limit: account.limits.overage.into(),
            burn_rate_credits_per_minute: account.burn_rate.into(),
            minutes_left: lasts_ms.map(|ms| ms / 60_000),
            runs_out_at: lasts_ms.map(|ms| now.plus_ms(ms).into()),
            next_expiry: ExpiryJson::next(account),
        }
    }
}

/// How long what there is lasts at the present rate, in milliseconds.
fn lasts_ms(account: &Account) -> Option<i64> {
    let burn = i128::from(account.burn_rate.0);
    let left = account.spendable() + account.totals.held + account.totals.overage_held;
    (burn > 0).then(|| i64::try_from(i128::from(left.0) * MINUTE_MS / burn).unwrap_or(i64::MAX))
}

impl ExpiryJson {
    fn next(account: &Account) -> Option<Self> {
        let expires_at = |grant: &footlight_ledger::Grant| grant.expires_at.filter(|_| grant.kind != GrantKind::TopUp);
        let at = account.grants.iter().filter_map(expires_at).min()?;
        let then = account.grants.iter().filter(|grant| expires_at(grant) == Some(at));
        let credits: Microcredits = then.map(|grant| grant.available + grant.held).sum();
        Some(Self { credits: credits.into(), at: at.into() })
    }
}
