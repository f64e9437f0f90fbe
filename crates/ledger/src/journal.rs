//! The journal: an append-only record of what changed an account and why.

use serde::{Deserialize, Serialize};

use crate::account::GrantKind;
use crate::tab::{Part, Usage};
use crate::{GrantId, GrantName, JobId, Microcredits, Product, SecretId, SessionId, Timestamp};

/// One immutable entry; numbered within its account without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number within the account, from 0.
    pub number: u64,
    /// The account's time when it was written.
    pub at: Timestamp,
    /// What happened.
    pub kind: EntryKind,
}

/// What happened. Tagged from outside: serde buffers what is tagged from inside and forgets there that a binary
/// format is not for humans, so that ids written as bytes could not be read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "fields carry the ledger's words")]
pub enum EntryKind {
    Granted {
        grant: GrantId,
        name: Option<GrantName>,
        grant_kind: GrantKind,
        amount: Microcredits,
        expires_at: Option<Timestamp>,
    },
    Expired {
        grant: GrantId,
        amount: Microcredits,
    },
    Voided {
        grant: GrantId,
        name: GrantName,
        amount: Microcredits,
    },
    DebtRepaid {
        grant: GrantId,
        amount: Microcredits,
    },
    Usage {
        session: SessionId,
        product: Product,
        secret: Option<SecretId>,
        usage: Usage,
        late: bool,
    },
    JobHeld {
        job: JobId,
        parts: Vec<Part>,
    },
    JobSettled {
        job: JobId,
        parts: Vec<Part>,
    },
    JobReleased {
        job: JobId,
        parts: Vec<Part>,
    },
    PlanSet {
        plan: Option<String>,
        /// Months in its periods; entries from before plans had a term have none.
        #[serde(default)]
        months: Option<u8>,
    },
    /// A plan follows the present one at `at`.
    PlanToCome {
        plan: Option<String>,
        months: Option<u8>,
        at: Timestamp,
    },
    /// What was to follow the present plan does not.
    PlanKept,
    SpendingLimitSet {
        secret: SecretId,
        limit: Option<crate::SpendingLimit>,
    },
    StatusSet {
        status: crate::AccountStatus,
    },
    LimitsSet {
        limits: crate::Limits,
    },
}
