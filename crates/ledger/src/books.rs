//! The books: one account with what a batch of commands touches, and the machine that changes them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::tab::Part;
use crate::{Account, Command, Entry, GrantId, GrantName, JobId, Microcredits, Outcome, SessionId, Tab, Terms, Timestamp};

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
    Held { amount: Microcredits, parts: Vec<Part>, sweep_at: Timestamp },
    Settled { amount: Microcredits },
    Released { amount: Microcredits },
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
}

/// What changed since [`Books::take_changes`] was last called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Dirty {
    tabs: BTreeSet<SessionId>,
    names: BTreeSet<GrantName>,
    jobs: BTreeSet<JobId>,
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
    /// Whether what is available rose: those who wait should ask again.
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
        Self { account, tabs: BTreeMap::new(), names: BTreeMap::new(), jobs: BTreeMap::new(), dirty: Dirty::default() }
    }

    /// Applies one command; every rule about credits lives here. `now` is raised to the account's last `now`.
    pub fn apply(&mut self, _terms: &Terms, _now: Timestamp, _command: &Command) -> Applied {
        unimplemented!("the machine follows")
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
