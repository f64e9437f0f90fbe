//! A job, and where it stands.

use std::fmt;
use std::str::FromStr;

use footlight_ledger::{AccountId, JobId, Microcredits, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// An avatar from a portrait.
    Agent,
    /// Gestures for an avatar.
    Dynamics,
    /// A book, made elsewhere.
    Book,
}

impl JobKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Agent, Self::Dynamics, Self::Book];

    /// The public word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Dynamics => "dynamics",
            Self::Book => "book",
        }
    }
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobEnd {
    /// Its work is done, and paid.
    Done,
    /// It could not be done; it costs nothing.
    Failed,
    /// Its owner wanted it no more; it costs nothing.
    Cancelled,
}

impl JobEnd {
    /// The public word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// How it ends is decided; its credits are being spent or given back.
    Closing(JobEnd),
    /// It is over.
    Over(JobEnd),
}

/// One piece of one-time work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its name, which is also its name in the ledger.
    pub id: JobId,
    /// Who pays.
    pub account: AccountId,
    /// What is to be done.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// What the work needs, as JSON; `null` once the job is over and was not done.
    pub input: String,
    /// What came of it, as JSON.
    pub result: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// How far it is, of a hundred.
    pub percent: u8,
    /// What its worker is at.
    pub note: String,
    /// How often it was claimed.
    pub attempts: u32,
    /// Who claimed it last.
    pub worker: Option<String>,
    /// The secret part of that claim.
    pub(crate) claim: u128,
    /// What is set aside for it.
    pub price: Microcredits,
    /// What it cost in the end.
    pub charged: Microcredits,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it must be over.
    pub deadline: Timestamp,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
}

/// What proves that a worker has claimed a job: whose job it is, and a number that nobody else knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    pub(crate) account: AccountId,
    pub(crate) number: u128,
}

/// The text of a claim begins with this.
const CLAIM_PREFIX: &str = "clm_";

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{CLAIM_PREFIX}{}{:032x}", self.account.0.simple(), self.number)
    }
}

impl FromStr for Claim {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "is no claim; send the one that came with the job";
        let digits = text.strip_prefix(CLAIM_PREFIX).filter(|digits| digits.len() == 64 && digits.is_ascii());
        let (account, number) = digits.ok_or(wrong)?.split_at(32);
        Ok(Self {
            account: AccountId(Uuid::try_parse(account).map_err(|_| wrong)?),
            number: u128::from_str_radix(number, 16).map_err(|_| wrong)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_read_back_from_its_text() {
        let claim = Claim { account: AccountId(Uuid::from_u128(7)), number: u128::MAX - 3 };
        assert_eq!(claim.to_string().parse(), Ok(claim));
        for wrong in ["", "clm_", "clm_00", &format!("clm_{}", "g".repeat(64)), &"0".repeat(68)] {
            assert!(wrong.parse::<Claim>().is_err(), "{wrong}");
        }
    }
}
