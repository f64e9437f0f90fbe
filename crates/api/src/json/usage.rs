//! Usage: who spoke, for how long, and what it cost, by session and clock hour.

use footlight_ledger::{Microcredits, Product, SecretId, SessionId, Timestamp, Units, Usage};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Credits, Instant};

const HOUR_MS: i64 = 3_600_000;

/// What one session used within one clock hour.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub struct UsageJson {
    /// The session.
    #[schema(value_type = String)]
    pub session_id: SessionId,
    /// What it is sold as.
    #[schema(value_type = String, example = "essence_cloud")]
    pub product: Product,
    /// The secret that the session was opened with.
    #[schema(value_type = Option<String>)]
    pub secret: Option<SecretId>,
    /// The beginning of the hour.
    pub hour: Instant,
    /// What was counted: active frames, or milliseconds for products that pay for connected time.
    pub units: Units,
    /// What it cost in all, in credits: from grants, as debt and as overage.
    pub credits: Credits,
    /// The part that became debt.
    pub debt: Credits,
    /// The part that is overage.
    pub overage: Credits,
    /// Whether it was reported after the session had ended.
    pub late: bool,
    /// Whether it may still grow: the hour or the session is not over.
    pub open: bool,
}

impl UsageJson {
    /// A sealed entry of the journal.
    #[must_use]
    pub fn sealed(session: SessionId, product: Product, secret: Option<SecretId>, usage: &Usage, late: bool) -> Self {
        let from_grants: i64 = usage.by_grant.iter().map(|part| part.amount.0).sum();
        Self {
            session_id: session,
            product,
            secret,
            hour: Timestamp(usage.hour.saturating_mul(HOUR_MS)).into(),
            units: usage.units,
            credits: Microcredits(from_grants + usage.debt.0 + usage.overage.0).into(),
            debt: usage.debt.into(),
            overage: usage.overage.into(),
            late,
            open: false,
        }
    }

    /// What a session has used since its last sealed entry.
    #[must_use]
    pub fn open(tab: &footlight_ledger::Tab) -> Self {
        Self { open: true, ..Self::sealed(tab.session, tab.product, tab.secret, &tab.open_usage, false) }
    }
}
