//! The books: one account with what a batch of commands touches, and the machine that changes them.
//!
//! Every command is checked before anything is written: a refusal changes nothing but time.

mod heartbeat;
mod jobs;
mod money;
mod plans;
mod sessions;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::tab::Part;
use crate::{
    Account, Budget, Command, Entry, GrantId, GrantName, JobId, Microcredits, Outcome, Refusal, SessionId, Tab, Terms,
    Timestamp, Units, sum_rule,
};

/// What a money operation's name was used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields of the operation")]
pub struct NamedOperation {
    pub grant: GrantId,
    pub amount: Microcredits,
    /// A digest of the whole body: the same name with another body is refused.
    pub body: u64,
}

/// Where a job's credits are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the states of a job's hold")]
pub enum JobHold {
    /// Swept (given back) when `sweep_at` passes.
    Held {
        amount: Microcredits,
        parts: Vec<Part>,
        sweep_at: Timestamp,
    },
    Settled {
        amount: Microcredits,
    },
    Released {
        amount: Microcredits,
    },
}

/// One account with everything that a batch of commands touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "maps by name")]
pub struct Books {
    pub account: Account,
    pub tabs: BTreeMap<SessionId, Tab>,
    pub names: BTreeMap<GrantName, NamedOperation>,
    pub jobs: BTreeMap<JobId, JobHold>,
    #[serde(skip)]
    dirty: Dirty,
    /// Those who wait should ask again though nothing rose: somebody was sent to the end of the line.
    #[serde(skip)]
    ask_again: bool,
}

/// What changed since [`Books::take_changes`] was last called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Dirty {
    /// With repeats; a set would cost each heartbeat a look-up.
    tabs: Vec<SessionId>,
    names: BTreeSet<GrantName>,
    jobs: BTreeSet<JobId>,
}

impl Dirty {
    /// The tab was changed.
    ///
    /// # Panics
    /// When it was not charged what it used, or does not hold the price of its slice.
    fn note_tab(&mut self, tab: &Tab) {
        sum_rule::assert_tab(tab);
        self.tabs.push(tab.session);
    }
}

/// The keys that a command needs loaded, beside the account itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "lists by name")]
pub struct Touched {
    pub sessions: Vec<SessionId>,
    pub names: Vec<GrantName>,
    pub jobs: Vec<JobId>,
}

/// The result of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Applied {
    /// What became of the command.
    pub outcome: Outcome,
    /// Whether what is available rose, to all or to those in line: those who wait should ask again, first come
    /// first.
    pub available_rose: bool,
}

/// What a batch of commands changed: the whole new account, and only those others that changed.
/// A store writes it in one atomic step. `tabs` may hold `None`: forget that tab.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "maps by name")]
pub struct Changes {
    pub account: Account,
    pub tabs: BTreeMap<SessionId, Option<Tab>>,
    pub names: BTreeMap<GrantName, NamedOperation>,
    pub jobs: BTreeMap<JobId, JobHold>,
    pub entries: Vec<Entry>,
}

impl Books {
    /// The books of `account` with nothing else loaded; put what [`Command::touched`] names into the maps.
    #[must_use]
    pub fn new(account: Account) -> Self {
        Self {
            account,
            tabs: BTreeMap::new(),
            names: BTreeMap::new(),
            jobs: BTreeMap::new(),
            dirty: Dirty::default(),
            ask_again: false,
        }
    }

    /// Applies one command; every rule about credits lives here. `now` is raised to the account's last `now`.
    ///
    /// # Panics
    /// When the sum rule does not hold afterwards: nothing of such books may be written.
    pub fn apply(&mut self, terms: &Terms, now: Timestamp, command: &Command) -> Applied {
        let before = Reach::of(&self.account);
        self.account.advance(now);
        let outcome = self.perform(terms, command).unwrap_or_else(Outcome::Refused);
        self.account.drop_used_grants();
        sum_rule::assert_account(&self.account);
        let after = Reach::of(&self.account);
        let ask_again = std::mem::take(&mut self.ask_again);
        Applied { outcome, available_rose: ask_again || after.is_further_than(before) }
    }

    fn perform(&mut self, terms: &Terms, command: &Command) -> Result<Outcome, Refusal> {
        match command {
            Command::BeginSession { session, product, pricing, secret, owner } => {
                self.begin_session(terms, *session, *product, *pricing, *secret, *owner)
            }
            Command::TakeOver { session, owner, proved } => self.take_over(terms, *session, *owner, *proved),
            Command::Heartbeat { session, epoch, number, units, ask } => {
                let report = Report { session: *session, epoch: *epoch, number: *number, units: *units };
                self.heartbeat(terms, report, *ask)
            }
            Command::EndSession { session, epoch, number, units, reason } => {
                let report = Report { session: *session, epoch: *epoch, number: *number, units: *units };
                self.end_session(terms, report, *reason)
            }
            Command::CutSession { session, reason } => self.cut_session(terms, *session, *reason),
            Command::Grant { id, name, kind, amount, expires_at } => self.grant(*id, name, *kind, *amount, *expires_at),
            Command::VoidGrant { name, grant, amount } => self.void_grant(name, *grant, *amount),
            Command::SetPlan { plan, grant } => self.set_plan(plan.as_ref(), *grant),
            Command::ChangePlan { plan, grant } => self.change_plan(plan.as_ref(), *grant),
            Command::KeepPlan => Ok(self.keep_plan()),
            Command::SetSpendingLimit { secret, limit } => self.set_spending_limit(*secret, *limit),
            Command::CarrySpendingLimit { from, to } => self.carry_spending_limit(*from, *to),
            Command::SetLimits { limits } => self.set_limits(*limits),
            Command::SetStatus { status } => self.set_status(*status),
            Command::HoldJob { job, amount } => self.hold_job(terms, *job, *amount),
            Command::SettleJob { job } => self.settle_job(*job),
            Command::ReleaseJob { job } => self.release_job(*job),
            Command::Sweep { sessions } => Ok(self.sweep(terms, sessions)),
            Command::SweepJobs { jobs } => Ok(self.sweep_jobs(jobs)),
            Command::Touch => Ok(Outcome::Touched),
        }
    }

    /// What changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        let dirty = std::mem::take(&mut self.dirty);
        let entries = std::mem::take(&mut self.account.unwritten);
        Changes {
            account: self.account.clone(),
            tabs: dirty.tabs.into_iter().map(|id| (id, self.tabs.get(&id).cloned())).collect(),
            names: dirty.names.into_iter().filter_map(|id| self.names.get(&id).cloned().map(|it| (id, it))).collect(),
            jobs: dirty.jobs.into_iter().filter_map(|id| self.jobs.get(&id).cloned().map(|it| (id, it))).collect(),
            entries,
        }
    }
}

/// What a session tells about itself, under the name that a charge has for ever.
#[derive(Debug, Clone, Copy)]
struct Report {
    session: SessionId,
    epoch: u32,
    number: u64,
    /// Cumulative units of the whole session.
    units: Units,
}

/// How far an account's credits reach.
#[derive(Debug, Clone, Copy)]
struct Reach {
    spendable: Microcredits,
    /// What those in line leave to others; below zero when it does not even suffice for them.
    beside_line: i64,
    /// What the limits of secrets still allow.
    in_budgets: Microcredits,
}

impl Reach {
    fn of(account: &Account) -> Self {
        let spendable = account.spendable();
        let in_budgets = account.budgets.iter().map(Budget::left).sum();
        Self { spendable, beside_line: spendable.0 - account.waiting_need.0, in_budgets }
    }

    fn is_further_than(self, before: Self) -> bool {
        self.spendable > before.spendable
            || self.beside_line > before.beside_line
            || self.in_budgets > before.in_budgets
    }
}

#[cfg(test)]
mod tests;
