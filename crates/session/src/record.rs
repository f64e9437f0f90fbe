//! A session as its users see it.

use std::collections::{BTreeMap, BTreeSet};

use footlight_ledger::{
    AccountId, BootId, EndReason, Microcredits, PauseReason, Pricing, Product, SecretId, SessionId, Timestamp, Units,
};
use serde::{Deserialize, Serialize};

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Being built; it can be cancelled.
    Starting,
    /// Speaking.
    Running,
    /// Ready, silent, free.
    Idle,
    /// Held back by at least one pause reason; free.
    Paused,
    /// Over.
    Ended,
}

/// What speech does while nobody is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenUnwatched {
    /// It waits, free of charge.
    #[default]
    Wait,
    /// It goes on, unseen and uncharged.
    Continue,
}

/// What happened to a session, for whoever follows it from afar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionChange {
    /// It began.
    Started,
    /// It is held back, or for other reasons than before.
    Paused,
    /// Nothing holds it back any more.
    Resumed,
    /// It is over.
    Ended,
}

/// Everything that is known of a session from outside; kept beyond its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields of the public JSON, documented in the OpenAPI document")]
pub struct SessionRecord {
    pub id: SessionId,
    pub account: AccountId,
    pub secret: Option<SecretId>,
    pub state: SessionState,
    pub pause_reasons: BTreeSet<PauseReason>,
    pub end_reason: Option<EndReason>,
    pub product: Product,
    pub pricing: Pricing,
    pub avatar: String,
    pub fps: u32,
    pub width: u32,
    pub height: u32,
    pub background: Option<String>,
    pub when_unwatched: WhenUnwatched,
    pub idle_timeout_s: u32,
    pub max_duration_s: u32,
    /// Active frames so far (cumulative units of a `frames` product).
    pub units: Units,
    pub stalls: u64,
    pub credits_used: Microcredits,
    pub epoch: u32,
    /// The owner's name and the run of it.
    pub node: String,
    pub boot: BootId,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub metadata: BTreeMap<String, String>,
    /// What its node must be labelled with.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl SessionRecord {
    /// Says that the session is over, since `at`, and why.
    pub fn end(&mut self, at: Timestamp, reason: EndReason) {
        self.state = SessionState::Ended;
        self.pause_reasons.clear();
        self.ended_at = Some(at);
        self.end_reason = Some(reason);
    }
}
