//! The books: one account with what a batch of commands touches, and the machine that changes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::command::Terms;
use crate::tab::Part;
use crate::{Account, Command, Entry, GrantId, GrantName, JobId, Microcredits, Outcome, SessionId, Tab, Timestamp};

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
    Held { amount: Microcredits, parts: Vec<Part> },
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
