//! The account: who pays, what was given, what is left.

use serde::{Deserialize, Serialize};

use crate::{AccountId, Budget, Entry, GrantId, Microcredits, NextPlan, Period, Timestamp};

/// May the account start things?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// Yes.
    Open,
    /// Not for now: running sessions pause at their next heartbeat.
    Suspended,
    /// Never again.
    Closed,
}

/// Kinds of grants, in burn order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantKind {
    /// Credits of a period; expire when it ends.
    Plan,
    /// A present, usually with an expiry.
    Promo,
    /// Bought; never expires.
    TopUp,
}

/// One lot of credits. `granted = available + held + spent + expired + voided`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the amounts are the words of the sum rule")]
pub struct Grant {
    pub id: GrantId,
    pub kind: GrantKind,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub granted: Microcredits,
    pub available: Microcredits,
    pub held: Microcredits,
    pub spent: Microcredits,
    pub expired: Microcredits,
    pub voided: Microcredits,
}

/// How often a plan grants, and how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanTerms {
    /// The plan's name in the configuration: `free`, `creator`, …
    pub name: String,
    /// Credits granted at the start of each period (12 x a month's for annual plans).
    pub credits: Microcredits,
    /// Months in a period: 1 or 12.
    pub months: u8,
    /// The most sessions at once; checked at start only.
    pub max_sessions: u32,
}

/// Limits of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// The most debt that usage in grace may make.
    pub debt: Microcredits,
    /// The most overage (held + spent); 0 is none.
    pub overage: Microcredits,
}

/// The sums over all grants there ever were; the sum rule holds after every command:
/// `granted + debt = available + held + spent + expired + voided`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the amounts are the words of the sum rule")]
pub struct Totals {
    pub granted: Microcredits,
    pub debt: Microcredits,
    pub available: Microcredits,
    pub held: Microcredits,
    pub spent: Microcredits,
    pub expired: Microcredits,
    pub voided: Microcredits,
    pub overage_held: Microcredits,
    pub overage_spent: Microcredits,
}

/// What an account has: available and held together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the kinds of grants")]
pub struct Balance {
    pub plan: Microcredits,
    pub promo: Microcredits,
    pub top_up: Microcredits,
}

/// One account. Fields that the ledger keeps for itself are private to the crate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub id: AccountId,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// May it start things?
    pub status: AccountStatus,
    /// Its plan, if any.
    pub plan: Option<PlanTerms>,
    /// The period of the plan it is in.
    pub period: Option<Period>,
    /// Its limits.
    pub limits: Limits,
    /// The latest instant it has seen: time never runs backwards for an account.
    pub now: Timestamp,
    /// Grants that still have something available or held, in burn order.
    pub grants: Vec<Grant>,
    /// Sums over all grants there ever were.
    pub totals: Totals,
    /// Sessions that have begun and not ended.
    pub open_sessions: u32,
    /// Sessions that hold a slice; free ones are not counted.
    pub speaking: u32,
    /// Sessions that asked for a slice and got none; free ones are not counted.
    pub waiting: u32,
    /// What those that wait need to begin, together.
    pub(crate) waiting_need: Microcredits,
    /// Number of the next journal entry.
    pub next_entry: u64,
    /// What the account goes over to when the present period ends, if that is to be something else.
    #[serde(default)]
    pub next_plan: Option<NextPlan>,
    /// Credits a minute that those who speak use together.
    #[serde(default)]
    pub burn_rate: Microcredits,
    /// Spending limits of its secrets, and how much of each is used.
    #[serde(default)]
    pub budgets: Vec<Budget>,
    /// Journal entries that the next commit writes.
    #[serde(skip)]
    pub(crate) unwritten: Vec<Entry>,
}

impl Account {
    /// What the account has, what is held included, by what it came from.
    #[must_use]
    pub fn balance(&self) -> Balance {
        let of_kind = |kind| {
            let grants = self.grants.iter().filter(|grant| grant.kind == kind);
            grants.map(|grant| grant.available + grant.held).sum()
        };
        Balance { plan: of_kind(GrantKind::Plan), promo: of_kind(GrantKind::Promo), top_up: of_kind(GrantKind::TopUp) }
    }

    /// The account as it is at `now` if nothing else happens: for readers, who change nothing.
    #[must_use]
    pub fn as_of(&self, now: Timestamp) -> Self {
        let mut account = self.clone();
        account.advance(now);
        account.drop_used_grants();
        account.unwritten.clear();
        account
    }

    /// A new account: open, without a plan, a grant or a debt. Its plan follows as a command.
    #[must_use]
    pub fn open(id: AccountId, now: Timestamp, limits: Limits) -> Self {
        Self {
            id,
            opened_at: now,
            status: AccountStatus::Open,
            plan: None,
            period: None,
            limits,
            now,
            grants: Vec::new(),
            totals: Totals::default(),
            open_sessions: 0,
            speaking: 0,
            waiting: 0,
            waiting_need: Microcredits::ZERO,
            next_entry: 0,
            next_plan: None,
            burn_rate: Microcredits::ZERO,
            budgets: Vec::new(),
            unwritten: Vec::new(),
        }
    }
}
