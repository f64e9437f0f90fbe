//! The journal: everything that changed an account, entry by entry.

use footlight_ledger::{
    AccountStatus, Entry, EntryKind, GrantId, GrantKind, JobId, Microcredits, Part, Product, SecretId, SessionId,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Credits, Instant, LimitsJson, UsageJson};

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
    /// The plan was set.
    PlanSet { plan: Option<String> },
    /// The account was opened, suspended or closed.
    StatusSet {
        #[schema(value_type = String)]
        status: AccountStatus,
    },
    /// The limits were set.
    LimitsSet { limits: LimitsJson },
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
        EntryKind::PlanSet { plan } => EntryKindJson::PlanSet { plan },
        EntryKind::StatusSet { status } => EntryKindJson::StatusSet { status },
        EntryKind::LimitsSet { limits } => {
            EntryKindJson::LimitsSet { limits: LimitsJson { debt: limits.debt.into(), overage: limits.overage.into() } }
        }
    }
}

fn sum(parts: &[Part]) -> Credits {
    Microcredits(parts.iter().map(|part| part.amount.0).sum()).into()
}
