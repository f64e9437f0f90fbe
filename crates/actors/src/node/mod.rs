//! A node: everything that a listener, a command or a test asks of this process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use footlight_ledger::{
    Account, AccountId, AccountStatus, GrantId, GrantKind, GrantName, Limits, Microcredits, PlanTerms, RateCard, SecretId,
    SessionId, Terms, Timestamp,
};
use footlight_session::{SessionRecord, SessionState, UtteranceId};
use footlight_stage::{Interrupted, LiveFeed, Outlet, OutletOptions, SpeakMode, Stage};
use footlight_store::desk::Clock;
use footlight_store::{LedgerDesk, Store};
use prometheus::Registry;

use crate::{
    Caller, Capacity, CreateSession, DrainMode, DrainReport, EventStream, NodeError, NodeOptions, Readiness, Speech,
};

/// What a node is made of.
pub struct NodeParts {
    /// Where accounts and sessions are kept.
    pub store: Arc<dyn Store>,
    /// The door to the accounts; over the same store.
    pub desk: LedgerDesk,
    /// Where sessions perform.
    pub stage: Arc<Stage>,
    /// What sessions cost.
    pub rate_card: RateCard,
    /// The ledger's timings; the same as the desk's.
    pub terms: Terms,
    /// How the node is set up.
    pub options: NodeOptions,
    /// Where the progress record lives. One node per directory.
    pub data_dir: PathBuf,
    /// Where metrics are registered.
    pub registry: Registry,
    /// The wall clock, for labels; usage is never measured with it.
    pub clock: Clock,
}

/// What a grant came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// The grant's id.
    pub grant: GrantId,
    /// What was given.
    pub amount: Microcredits,
    /// Whether this name had been used before for the same thing: nothing was given now.
    pub replayed: bool,
}

/// Which sessions to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionFilter {
    /// Only those in this state.
    pub state: Option<SessionState>,
    /// Only those of this account (an operator's choice; accounts see their own only).
    pub account: Option<AccountId>,
}

/// A node. Clones are handles on the same one.
#[derive(Clone)]
pub struct Node {
    parts: Arc<NodeParts>,
}

impl Node {
    /// Recovers what a crash left, measures the speaking slots if so set up, and serves.
    ///
    /// # Errors
    /// When the store cannot be reached in the options' patience, or the progress record cannot be used.
    pub async fn start(parts: NodeParts) -> Result<Self, NodeError> {
        Ok(Self { parts: Arc::new(parts) })
    }

    /// Creates a session. It is `starting` when this returns.
    pub async fn create_session(&self, _who: Caller, _create: CreateSession) -> Result<SessionRecord, NodeError> {
        Err(provisional())
    }
    /// One session.
    pub async fn session(&self, _who: Caller, _id: SessionId) -> Result<SessionRecord, NodeError> {
        Err(provisional())
    }
    /// Sessions, newest first, before `before`.
    pub async fn list_sessions(
        &self,
        _who: Caller,
        _before: Option<SessionId>,
        _limit: usize,
        _filter: SessionFilter,
    ) -> Result<Vec<SessionRecord>, NodeError> {
        Err(provisional())
    }
    /// Stops a session.
    pub async fn stop(&self, _who: Caller, _id: SessionId) -> Result<SessionRecord, NodeError> {
        Err(provisional())
    }
    /// Pauses a session (`by_request`).
    pub async fn pause(&self, _who: Caller, _id: SessionId) -> Result<SessionRecord, NodeError> {
        Err(provisional())
    }
    /// Lifts `by_request`.
    pub async fn resume(&self, _who: Caller, _id: SessionId) -> Result<SessionRecord, NodeError> {
        Err(provisional())
    }
    /// Drops what is said and queued.
    pub async fn interrupt(&self, _who: Caller, _id: SessionId) -> Result<Interrupted, NodeError> {
        Err(provisional())
    }
    /// Queues an utterance.
    pub async fn speak(
        &self,
        _who: Caller,
        _id: SessionId,
        _speech: Speech,
        _mode: SpeakMode,
    ) -> Result<UtteranceId, NodeError> {
        Err(provisional())
    }
    /// Opens an utterance that arrives while it is spoken.
    pub async fn live(&self, _who: Caller, _id: SessionId) -> Result<LiveFeed, NodeError> {
        Err(provisional())
    }
    /// Attaches a reader of media.
    pub async fn attach(&self, _who: Caller, _id: SessionId, _options: OutletOptions) -> Result<Outlet, NodeError> {
        Err(provisional())
    }
    /// Follows a session's events.
    pub async fn events(&self, _who: Caller, _id: SessionId) -> Result<EventStream, NodeError> {
        Err(provisional())
    }

    /// Opens an account, on a plan if one is given.
    pub async fn open_account(&self, _plan: Option<PlanTerms>, _limits: Limits) -> Result<Account, NodeError> {
        Err(provisional())
    }
    /// An account as it stands now.
    pub async fn account(&self, _account: AccountId) -> Result<Account, NodeError> {
        Err(provisional())
    }
    /// Gives credits. Durable before it is acknowledged; waiting sessions are woken.
    pub async fn grant(
        &self,
        _account: AccountId,
        _name: GrantName,
        _kind: GrantKind,
        _amount: Microcredits,
        _expires_at: Option<Timestamp>,
    ) -> Result<Granted, NodeError> {
        Err(provisional())
    }
    /// Takes back what is still available of a grant, up to `amount`.
    pub async fn void_grant(
        &self,
        _account: AccountId,
        _name: GrantName,
        _grant: GrantId,
        _amount: Microcredits,
    ) -> Result<Microcredits, NodeError> {
        Err(provisional())
    }
    /// Puts an account on a plan, or on none.
    pub async fn set_plan(&self, _account: AccountId, _plan: Option<PlanTerms>) -> Result<Account, NodeError> {
        Err(provisional())
    }
    /// Opens, suspends or closes an account.
    pub async fn set_status(&self, _account: AccountId, _status: AccountStatus) -> Result<Account, NodeError> {
        Err(provisional())
    }
    /// Sets an account's limits.
    pub async fn set_limits(&self, _account: AccountId, _limits: Limits) -> Result<Account, NodeError> {
        Err(provisional())
    }
    /// Says that a secret was revoked in the store: sessions opened with it pause as `key_revoked`.
    pub async fn secret_revoked(&self, _account: AccountId, _secret: SecretId) {}

    /// May the node take new sessions?
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness { ready: false, reasons: Vec::new() }
    }
    /// How full is it?
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        Capacity::default()
    }
    /// Takes no new sessions and lets speech end, until done or `deadline` (the options' own when `None`).
    pub async fn drain(&self, _mode: DrainMode, _deadline: Option<Duration>) -> DrainReport {
        DrainReport { still_speaking: 0, sessions: 0 }
    }
    /// Takes sessions again, and resumes those that the drain paused.
    pub async fn undrain(&self) {}
    /// Ends every session as `node_lost`, settles and writes down what there is, and stops. Bounded by `deadline`.
    pub async fn shutdown(&self, _deadline: Duration) {}

    /// The node's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.parts.options.name
    }
    /// The door to the accounts.
    #[must_use]
    pub fn desk(&self) -> &LedgerDesk {
        &self.parts.desk
    }
    /// Where accounts, secrets and sessions are kept.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.parts.store
    }
    /// Where sessions perform.
    #[must_use]
    pub fn stage(&self) -> &Arc<Stage> {
        &self.parts.stage
    }
    /// What sessions cost.
    #[must_use]
    pub fn rate_card(&self) -> &RateCard {
        &self.parts.rate_card
    }
    /// The ledger's timings.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.parts.terms
    }
    /// How the node is set up.
    #[must_use]
    pub fn options(&self) -> &NodeOptions {
        &self.parts.options
    }
    /// The wall clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.parts.clock)()
    }
    /// The metrics page, in Prometheus' text format.
    #[must_use]
    pub fn metrics(&self) -> String {
        String::new()
    }
}

fn provisional() -> NodeError {
    NodeError::Internal { detail: "not built yet".to_owned() }
}
