//! API secrets, and how much may be spent with each.

use footlight_ledger::{Account, Budget, LimitPer, SecretId, SpendingLimit};
use footlight_store::SecretRecord;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Credits, Instant};

/// An API secret, without the secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Secret)]
pub struct SecretJson {
    /// Its name, `sec_...`.
    #[schema(value_type = String)]
    pub id: SecretId,
    /// What the operator calls it.
    #[schema(example = "production")]
    pub name: String,
    /// Its first characters.
    #[schema(example = "fl_live_pQ0bJt")]
    pub hint: String,
    /// When it was made.
    pub created_at: Instant,
    /// When it was revoked, or will be once a rotation's overlap is over; null otherwise.
    pub revoked_at: Option<Instant>,
    /// How much may be spent with it; null when the account's own limits are the only ones.
    pub spending_limit: Option<BudgetJson>,
}

impl SecretJson {
    /// A secret's record, with what its account knows of its limit.
    #[must_use]
    pub fn of(record: SecretRecord, account: &Account) -> Self {
        Self {
            id: record.id,
            name: record.name,
            hint: record.hint,
            created_at: record.created_at.into(),
            revoked_at: record.revoked_at.map(Instant),
            spending_limit: account.budget(record.id).map(BudgetJson::of),
        }
    }
}

/// How much may be spent with a secret.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SpendingLimit, example = json!({"credits": 500, "per": "month"}))]
pub struct SpendingLimitJson {
    /// The most, in credits.
    pub credits: Credits,
    /// `month` (each calendar month, UTC) or `total`.
    #[schema(value_type = String, example = "month")]
    pub per: LimitPer,
}

impl From<SpendingLimit> for SpendingLimitJson {
    fn from(limit: SpendingLimit) -> Self {
        Self { credits: limit.credits.into(), per: limit.per }
    }
}

impl From<SpendingLimitJson> for SpendingLimit {
    fn from(limit: SpendingLimitJson) -> Self {
        Self { credits: limit.credits.0, per: limit.per }
    }
}

/// A secret's spending limit, and how much of it is used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecretBudget)]
pub struct BudgetJson {
    /// The most, in credits.
    pub credits: Credits,
    /// `month` (each calendar month, UTC) or `total`.
    #[schema(value_type = String, example = "month")]
    pub per: LimitPer,
    /// What was spent since the limit was set, or since the month began.
    pub spent: Credits,
    /// What its sessions have set aside.
    pub held: Credits,
    /// What is left.
    pub left: Credits,
}

impl BudgetJson {
    pub(crate) fn of(budget: &Budget) -> Self {
        Self {
            credits: budget.limit.credits.into(),
            per: budget.limit.per,
            spent: budget.spent.into(),
            held: budget.held.into(),
            left: budget.left().into(),
        }
    }
}

/// A new API secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecretCreated)]
pub struct SecretCreatedJson {
    /// The secret's record.
    #[serde(flatten)]
    pub secret: SecretJson,
    /// The secret itself. It is shown here and never again: null when this answer is repeated under an idempotency
    /// key.
    #[schema(example = "fl_live_pQ0bJt5nqZ8x4yL6vK2mR9cW7dT1sF3hG5jA0eUiOoE")]
    pub api_secret: Option<String>,
}
