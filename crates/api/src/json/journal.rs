//! The journal: everything that changed an account, entry by entry.

use footlight_ledger::{
    AccountStatus, Entry, EntryKind, GrantId, GrantKind, JobId, Microcredits, Part, Product, SecretId, SessionId,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Credits, Instant, LimitsJson, SpendingLimitJson, UsageJson};

/// One immutable entry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JournalEntry)]
pub struct EntryJson {
    /// Its number within the account, from 0, without gaps.
    pub number: u64,
    /// When it was written.
    pub at: Instant,
    /// What happened.
    #[serde(flatten)]
    pub kind: EntryKindJson,
}

/// What happened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[schema(as = JournalEntryKind)]
#[allow(missing_docs, reason = "fields carry the ledger's words")]
pub enum EntryKindJson {
    /// Credits were given.
    Granted {
        #[schema(value_type = String)]
        grant: GrantId,
        /// The idempotency key it was given under; null for a plan's own grants.
        name: Option<String>,
        #[schema(value_type = String, example = "top_up")]
        grant_kind: GrantKind,
        credits: Credits,
        expires_at: Option<Instant>,
    },
    /// What was left of a grant expired.
    Expired {
        #[schema(value_type = String)]
        grant: GrantId,
        credits: Credits,
    },
    /// Credits were taken back.
    Voided {
        #[schema(value_type = String)]
        grant: GrantId,
        name: String,
        credits: Credits,
    },
    /// New credits paid for old debt.
    DebtRepaid {
        #[schema(value_type = String)]
        grant: GrantId,
        credits: Credits,
    },
    /// A session's usage within one clock hour.
    Usage {
        #[schema(value_type = String)]
        session_id: SessionId,
        #[schema(value_type = String, example = "essence_cloud")]
        product: Product,
        #[schema(value_type = Option<String>)]
        secret: Option<SecretId>,
        hour: Instant,
        units: u64,
        credits: Credits,
        debt: Credits,
        overage: Credits,
        /// What was spent from which grant.
        by_grant: Vec<PartJson>,
        late: bool,
    },
    /// Credits were set aside for one-time work.
    JobHeld {
        #[schema(value_type = String)]
        job: JobId,
        credits: Credits,
    },
    /// One-time work was paid.
    JobSettled {
        #[schema(value_type = String)]
        job: JobId,
        credits: Credits,
    },
    /// One-time work failed; its credits came back.
    JobReleased {
        #[schema(value_type = String)]
        job: JobId,
        credits: Credits,
    },
    /// The plan was set, or came to its turn.
    PlanSet {
        plan: Option<String>,
        /// Months in its periods.
        months: Option<u8>,
    },
    /// A change of plan is to come when the present period ends.
    PlanToCome {
        plan: Option<String>,
        months: Option<u8>,
        /// When that is.
        comes_at: Instant,
    },
    /// The change of plan that was to come does not.
    PlanKept,
    /// A secret's spending limit was set, or lifted.
    SpendingLimitSet {
        #[schema(value_type = String)]
        secret: SecretId,
        limit: Option<SpendingLimitJson>,
    },
    /// The account was opened, suspended or closed.
    StatusSet {
        #[schema(value_type = String)]
        status: AccountStatus,
    },
    /// The limits were set.
    LimitsSet { limits: LimitsJson },
}

/// The words that `kind` can be.
pub(crate) const KINDS: [&str; 14] = [
    "granted",
    "expired",
    "voided",
    "debt_repaid",
    "usage",
    "job_held",
    "job_settled",
    "job_released",
    "plan_set",
    "plan_to_come",
    "plan_kept",
    "spending_limit_set",
    "status_set",
    "limits_set",
];

/// The word of an entry's kind: one of [`KINDS`].
pub(crate) const fn kind_word(kind: &EntryKind) -> &'static str {
    match kind {
        EntryKind::Granted { .. } => "granted",
        EntryKind::Expired { .. } => "expired",
        EntryKind::Voided { .. } => "voided",
        EntryKind::DebtRepaid { .. } => "debt_repaid",
        EntryKind::Usage { .. } => "usage",
        EntryKind::JobHeld { .. } => "job_held",
        EntryKind::JobSettled { .. } => "job_settled",
        EntryKind::JobReleased { .. } => "job_released",
        EntryKind::PlanSet { .. } => "plan_set",
        EntryKind::PlanToCome { .. } => "plan_to_come",
        EntryKind::PlanKept => "plan_kept",
        EntryKind::SpendingLimitSet { .. } => "spending_limit_set",
        EntryKind::StatusSet { .. } => "status_set",
        EntryKind::LimitsSet { .. } => "limits_set",
    }
}

/// Whether an entry moves credits of this grant.
pub(crate) fn is_about_grant(kind: &EntryKind, id: GrantId) -> bool {
    let in_parts = |parts: &[Part]| parts.iter().any(|part| part.grant == id);
    match kind {
        EntryKind::Granted { grant, .. }
        | EntryKind::Expired { grant, .. }
        | EntryKind::Voided { grant, .. }
        | EntryKind::DebtRepaid { grant, .. } => *grant == id,
        EntryKind::Usage { usage, .. } => in_parts(&usage.by_grant),
        EntryKind::JobHeld { parts, .. }
        | EntryKind::JobSettled { parts, .. }
        | EntryKind::JobReleased { parts, .. } => in_parts(parts),
        EntryKind::PlanSet { .. }
        | EntryKind::PlanToCome { .. }
        | EntryKind::PlanKept
        | EntryKind::SpendingLimitSet { .. }
        | EntryKind::StatusSet { .. }
        | EntryKind::LimitsSet { .. } => false,
    }
}

/// A part of an amount, by the grant that paid it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Part)]
#[allow(missing_docs, reason = "two words")]
pub struct PartJson {
    #[schema(value_type = String)]
    pub grant: GrantId,
    pub credits: Credits,
}

impl From<Entry> for EntryJson {
    fn from(entry: Entry) -> Self {
        Self { number: entry.number, at: entry.at.into(), kind: kind(entry.kind) }
    }
}

fn kind(kind: EntryKind) -> EntryKindJson {
    match kind {
        EntryKind::Granted { grant, name, grant_kind, amount, expires_at } => EntryKindJson::Granted {
            grant,
            name: name.map(|name| name.0),
            grant_kind,
            credits: amount.into(),
            expires_at: expires_at.map(Instant),
        },
        EntryKind::Expired { grant, amount } => EntryKindJson::Expired { grant, credits: amount.into() },
        EntryKind::Voided { grant, name, amount } => {
            EntryKindJson::Voided { grant, name: name.0, credits: amount.into() }
        }
        EntryKind::DebtRepaid { grant, amount } => EntryKindJson::DebtRepaid { grant, credits: amount.into() },
        EntryKind::Usage { session, product, secret, usage, late } => {
            let by_grant =
                usage.by_grant.iter().map(|part| PartJson { grant: part.grant, credits: part.amount.into() });
            let by_grant = by_grant.collect();
            let usage = UsageJson::sealed(session, product, secret, &usage, late);
            EntryKindJson::Usage {
                session_id: session,
                product,
                secret,
                hour: usage.hour,
                units: usage.units,
                credits: usage.credits,
                debt: usage.debt,
                overage: usage.overage,
                by_grant,
                late,
            }
        }
        EntryKind::JobHeld { job, parts } => EntryKindJson::JobHeld { job, credits: sum(&parts) },
        EntryKind::JobSettled { job, parts } => EntryKindJson::JobSettled { job, credits: sum(&parts) },
        EntryKind::JobReleased { job, parts } => EntryKindJson::JobReleased { job, credits: sum(&parts) },
        EntryKind::PlanSet { plan, months } => EntryKindJson::PlanSet { plan, months },
        EntryKind::PlanToCome { plan, months, at } => EntryKindJson::PlanToCome { plan, months, comes_at: at.into() },
        EntryKind::PlanKept => EntryKindJson::PlanKept,
        EntryKind::SpendingLimitSet { secret, limit } => {
            EntryKindJson::SpendingLimitSet { secret, limit: limit.map(SpendingLimitJson::from) }
        }
        EntryKind::StatusSet { status } => EntryKindJson::StatusSet { status },
        EntryKind::LimitsSet { limits } => {
            EntryKindJson::LimitsSet { limits: LimitsJson { debt: limits.debt.into(), overage: limits.overage.into() } }
        }
    }
}

fn sum(parts: &[Part]) -> Credits {
    Microcredits(parts.iter().map(|part| part.amount.0).sum()).into()
}
