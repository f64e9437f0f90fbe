//! What can be asked of an account, and what it answers.

use serde::{Deserialize, Serialize};

use crate::account::{AccountStatus, GrantKind, Limits, PlanTerms};
use crate::{
    BootId, GrantId, GrantName, JobId, Microcredits, Pricing, Product, SecretId, SessionId, SpendingLimit, Timestamp,
    Touched, Units,
};

/// What a heartbeat asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// The next slice: it speaks, or is about to.
    Slice,
    /// Nothing, but keep what is held (speech may go on at any moment).
    Keep,
    /// Nothing, and give back what is held (idle, paused).
    Release,
}

/// Everything that can change an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "fields carry the words of the module docs")]
pub enum Command {
    /// Opens a session's tab at epoch 1. Idempotent by session id and owner. Holds nothing.
    /// Refused when the account is not open, in debt, at its plan's session cap, or could not pay the shortest slice
    /// even with what others hold (which may come back: until then the session waits in line).
    BeginSession { session: SessionId, product: Product, pricing: Pricing, secret: Option<SecretId>, owner: BootId },
    /// Makes `owner` the owner at the next epoch; settles the former one at `proved` cumulative units
    /// (never below what is settled) and releases its hold. Idempotent by owner.
    TakeOver { session: SessionId, owner: BootId, proved: Units },
    /// Reports cumulative `units` of the whole session (all epochs), settles them, and asks. `number` grows within
    /// the epoch. Units beyond what the epoch was ever permitted are left unsettled.
    Heartbeat { session: SessionId, epoch: u32, number: u64, units: Units, ask: Ask },
    /// The last heartbeat: settles, releases, and closes the tab. A repeat gets the same answer.
    EndSession { session: SessionId, epoch: u32, number: u64, units: Units, reason: EndReason },
    /// Ends a session without its engine: at what is settled. What the engine used beyond, within what it was permitted, is
    /// still charged when it reports it in time, and marked late.
    CutSession { session: SessionId, reason: EndReason },
    /// Gives credits. `id` is the id the grant gets if `name` is new; the same name again with the same
    /// body answers the first grant, with another body it is refused.
    Grant { id: GrantId, name: GrantName, kind: GrantKind, amount: Microcredits, expires_at: Option<Timestamp> },
    /// Takes back what is still available of a grant, up to `amount`.
    VoidGrant { name: GrantName, grant: GrantId, amount: Microcredits },
    /// Puts the account on a plan (or none) from now on: the present period's plan credits expire, the first
    /// period's are granted, anchored at now. `grant` names that grant and the change: the same change again
    /// changes nothing, however late.
    SetPlan { plan: Option<PlanTerms>, grant: GrantId },
    /// Goes over to another plan (or none) as is fair: more at once, pro rata; less when the present period ends (see
    /// [`Account::plan_change`](crate::Account::plan_change)). The present plan drops a change that was to come. `grant`
    /// names what is granted and the change, as in `SetPlan`.
    ChangePlan { plan: Option<PlanTerms>, grant: GrantId },
    /// Drops a change of plan that was to come.
    KeepPlan,
    /// Sets limits.
    SetLimits { limits: Limits },
    /// Sets, changes or lifts the spending limit of a secret. What was spent before the first limit is not counted.
    SetSpendingLimit { secret: SecretId, limit: Option<SpendingLimit> },
    /// Gives a secret that follows another one the other's limit, with what was spent of it: a secret that is replaced does
    /// not begin its limit anew. Does nothing where there is none.
    CarrySpendingLimit { from: SecretId, to: SecretId },
    /// Opens, suspends or closes.
    SetStatus { status: AccountStatus },
    /// Sets credits aside for one-time work.
    HoldJob { job: JobId, amount: Microcredits },
    /// Spends a job's hold.
    SettleJob { job: JobId },
    /// Gives a job's hold back.
    ReleaseJob { job: JobId },
    /// Ends the sessions among `sessions` whose `sweep_at` has passed, settled at what was proved; forgets
    /// tombstones that are old enough.
    Sweep { sessions: Vec<(SessionId, Units)> },
    /// Gives back the holds of those `jobs` whose `sweep_at` has passed.
    SweepJobs { jobs: Vec<JobId> },
    /// Does nothing but what every command does first: roll the period, expire, repay debt.
    Touch,
}

/// Why a session may not run. Public: clients see these words, and treat unknown ones as paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented for clients in docs/billing.md")]
pub enum PauseReason {
    CreditsExhausted,
    ByRequest,
    StoreUnreachable,
    NodeDraining,
    KeyRevoked,
    AccountSuspended,
    SpendingLimit,
    Debt,
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "documented for clients in docs/billing.md")]
pub enum EndReason {
    Stopped,
    Cancelled,
    IdleTimeout,
    MaxDuration,
    PausedTimeout,
    RendererFailed,
    NodeLost,
    EngineLost,
    KeyRevoked,
    AccountSuspended,
}

/// Did it get a slice?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It asked and may go on to `slice_end`; there will be another.
    Granted,
    /// It asked and may go on to `slice_end`, the last units that the balance pays for. It should ask once more
    /// there: a top-up may have come.
    Final,
    /// It asked for nothing; `slice_end` says what it keeps.
    Settled,
    /// It asked and gets nothing now, for this reason.
    Refused(PauseReason),
    /// The session is over: this was its last settlement.
    Closed,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SliceAnswer {
    /// Did it get a slice?
    pub verdict: Verdict,
    /// Cumulative units settled.
    pub settled_units: Units,
    /// Cumulative units it may use; equal to `settled_units` when nothing is held.
    pub slice_end: Units,
    /// Units it may use beyond `slice_end` if, and only if, the store cannot be reached; 0 after a final slice.
    pub grace_units: Units,
    /// What the session has cost in all.
    pub charged: Microcredits,
    /// Whether other sessions of the account wait for credit: who does not speak should give back at once.
    pub others_wait: bool,
}

/// A command was understood and is not done, for a reason the caller can act on. Nothing changed but time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error("the account has {available} credits and needs {needed}")]
    CreditsExhausted { available: Microcredits, needed: Microcredits },
    #[error("the account owes {debt} credits")]
    InDebt { debt: Microcredits },
    #[error("the account is suspended")]
    Suspended,
    #[error("the account is closed")]
    Closed,
    #[error("the account may have {limit} sessions at once")]
    TooManySessions { limit: u32 },
    #[error("the secret's spending limit of {limit} credits is reached, {spent} are spent")]
    OverSpendingLimit { limit: Microcredits, spent: Microcredits },
    #[error("no such session")]
    UnknownSession,
    #[error("the session is over")]
    SessionEnded { reason: EndReason },
    #[error("request {number} is older than the last one, {last}")]
    Stale { number: u64, last: u64 },
    #[error("epoch {epoch} is not the session's epoch, {current}")]
    Fenced { epoch: u32, current: u32 },
    #[error("this name was used for another operation")]
    NameTaken,
    #[error("a top-up never expires: leave expires_at out, or give a promo")]
    TopUpExpires,
    #[error("expires_at {expires_at} is past: give a later one", expires_at = .expires_at.0)]
    AlreadyExpired { expires_at: Timestamp },
    #[error("plan credits expire with their period and the account has no plan: set one, or say expires_at")]
    NoPeriod,
    #[error("no such grant with credits left")]
    UnknownGrant,
    #[error("no such job")]
    UnknownJob,
    #[error("the job is already {state}")]
    JobClosed { state: String },
    #[error("{what} is out of range")]
    OutOfRange { what: String },
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "named after their commands")]
pub enum Outcome {
    Begun {
        epoch: u32,
    },
    TakenOver {
        epoch: u32,
        base: Units,
    },
    Heartbeat(SliceAnswer),
    Ended(SliceAnswer),
    /// `replayed` is true when the name had been used before for the same thing.
    Granted {
        grant: GrantId,
        amount: Microcredits,
        replayed: bool,
    },
    Voided {
        amount: Microcredits,
    },
    PlanSet,
    LimitsSet,
    StatusSet,
    JobHeld {
        amount: Microcredits,
    },
    JobSettled {
        amount: Microcredits,
    },
    JobReleased {
        amount: Microcredits,
    },
    Swept {
        ended: Vec<SessionId>,
    },
    JobsSwept {
        released: Vec<JobId>,
    },
    Touched,
    Refused(Refusal),
}

impl Command {
    /// What the command needs loaded, beside the account.
    #[must_use]
    pub fn touched(&self) -> Touched {
        let mut touched = Touched::default();
        match self {
            Self::BeginSession { session, .. }
            | Self::TakeOver { session, .. }
            | Self::Heartbeat { session, .. }
            | Self::EndSession { session, .. }
            | Self::CutSession { session, .. } => touched.sessions.push(*session),
            Self::Sweep { sessions } => touched.sessions.extend(sessions.iter().map(|(session, _)| *session)),
            Self::Grant { name, .. } | Self::VoidGrant { name, .. } => touched.names.push(name.clone()),
            Self::HoldJob { job, .. } | Self::SettleJob { job } | Self::ReleaseJob { job } => touched.jobs.push(*job),
            Self::SweepJobs { jobs } => touched.jobs.extend(jobs),
            Self::SetPlan { grant, .. } | Self::ChangePlan { grant, .. } => touched.names.push(plan_change(*grant)),
            Self::KeepPlan
            | Self::SetLimits { .. }
            | Self::SetSpendingLimit { .. }
            | Self::CarrySpendingLimit { .. }
            | Self::SetStatus { .. }
            | Self::Touch => {}
        }
        touched
    }

    /// A fresh account's document is not made by a command: see [`crate::Account::open`].
    #[must_use]
    pub const fn is_money(&self) -> bool {
        matches!(
            self,
            Self::Grant { .. }
                | Self::VoidGrant { .. }
                | Self::SetPlan { .. }
                | Self::ChangePlan { .. }
                | Self::KeepPlan
        )
    }
}

/// The name under which a change of plan is remembered: its grant names it.
pub(crate) fn plan_change(grant: GrantId) -> GrantName {
    GrantName(format!("change of plan {grant}"))
}
