//! What nodes say to each other on the cluster listener, as JSON. Fields are added with a default and never taken away
//! within a release, so that nodes of two releases understand each other.

use async_trait::async_trait;
use footlight_ledger::{AccountId, BootId, SecretId, SessionId};
use footlight_session::{Heirloom, SessionRecord};
use serde::{Deserialize, Serialize};

/// `GET`: are you there, and do you reach the store?
pub const PULSE: &str = "/cluster/v1/pulse";
/// `POST`: create this session at yours.
pub const SESSIONS: &str = "/cluster/v1/sessions";
/// `POST`: how do these sessions of yours stand now?
pub const RECORDS: &str = "/cluster/v1/records";
/// `POST`: take this session over; the body is its [`Heirloom`].
pub const ADOPT: &str = "/cluster/v1/adopt";

/// Sessions asked for in one call of [`RECORDS`] at most.
pub const RECORDS_MAX: usize = 200;

/// The answer to [`PULSE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulse {
    /// The run that answers.
    pub boot: BootId,
    /// The node's name.
    pub name: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// Whether it reaches the store.
    pub store_up: bool,
}

/// A session to be created at the node that is asked. `O` is the order as the public API has it: this crate does not know
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Create<O> {
    /// The id it gets.
    pub session: SessionId,
    /// Who pays; the asking node has checked who that is.
    pub account: AccountId,
    /// The secret that it is opened with.
    pub secret: Option<SecretId>,
    /// What it is to be.
    pub order: O,
}

/// Which sessions are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// [`RECORDS_MAX`] at most.
    pub sessions: Vec<SessionId>,
}

/// How they stand: those that the node has, in no order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// As the node has them.
    pub records: Vec<SessionRecord>,
}

/// The answer to [`ADOPT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// The session as it stands now, at its next epoch.
    pub record: SessionRecord,
}

/// Why a node does not take a session over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum NotAdopted {
    /// It has no room, is being emptied, or its own lease is in doubt: ask another.
    #[error("the node has no room")]
    Full,
    /// Somebody else has it, or it is over: nothing is left to do.
    #[error("the session is not to be had: {detail}")]
    Gone {
        /// What is in the way.
        detail: String,
    },
    /// It tried and failed; another may be asked.
    #[error("the session could not be taken over: {detail}")]
    Failed {
        /// Why.
        detail: String,
    },
    /// It cannot be told whether it did: ask the same node again.
    #[error("it is not known whether the session was taken over: {detail}")]
    Unclear {
        /// Why.
        detail: String,
    },
}

/// Takes sessions over: what a node does when it is asked to adopt.
#[async_trait]
pub trait Adopter: Send + Sync + 'static {
    /// Takes one over. Twice is once.
    ///
    /// # Errors
    /// Why not.
    async fn adopt(&self, heirloom: Heirloom) -> Result<Adopted, NotAdopted>;
}
