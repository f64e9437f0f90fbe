//! What a store can do, in the ledger's and the session's words.

use async_trait::async_trait;
use footlight_ledger::{AccountId, BootId, Books, Changes, Entry, SecretId, SessionId, Tab, Timestamp, Touched};
use footlight_session::SessionRecord;
use serde::{Deserialize, Serialize};

/// A store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or did not answer in time.
    #[error("the store cannot be reached: {detail}")]
    Unreachable {
        /// What the connection said.
        detail: String,
        /// Whether the write may have happened all the same: then read it back by commit id.
        outcome_unknown: bool,
    },
    /// It is there and refuses to work in this state (full, read-only, evicting, not persistent, in use, …).
    #[error("the store refuses: {detail}")]
    Refused {
        /// Why, and what to do about it.
        detail: String,
    },
    /// What it holds cannot be read.
    #[error("the store holds something unreadable at {place}: {detail}")]
    Corrupt {
        /// The key or row.
        place: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The commit's time is over a second away from the store's clock.
    #[error("this node's clock is {skew_ms} ms away from the store's")]
    ClockSkew {
        /// Node minus store.
        skew_ms: i64,
    },
}

impl StoreError {
    /// Whether a write that failed like this may have happened.
    #[must_use]
    pub const fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Unreachable { outcome_unknown: true, .. })
    }

    /// Whether this is a transport failure (grace applies) rather than a refusal (it never does).
    #[must_use]
    pub const fn is_transport(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// The identity of one version of an account: compared by equality only, since counters rewind after a fail-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Grows by one per commit.
    pub counter: u64,
    /// Random, made by whoever commits, before the first attempt.
    pub commit: u128,
}

/// An account as it was read, with what was asked for.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The account and what a batch touches.
    pub books: Books,
    /// Which version that is.
    pub version: Version,
}

/// One account's changes.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The version that was read; `None` creates the account.
    pub expected: Option<Version>,
    /// The version it becomes.
    pub next: Version,
    /// The node's clock when the batch was applied.
    pub now: Timestamp,
    /// What to write.
    pub changes: Changes,
    /// What to load again if somebody else was faster.
    pub touched: Touched,
    /// Whether it carries money and so must be durable before it is acknowledged.
    pub durable: bool,
}

/// The commit was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed;

/// What became of a commit.
#[derive(Debug)]
pub enum CommitOutcome {
    /// It is written.
    Committed(Committed),
    /// Somebody else was faster: this is how things stand now.
    Conflict(Box<Loaded>),
    /// There is no such account.
    NoAccount,
}

/// Accounts, their tabs, names, jobs and journal.
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// Reads an account with the named tabs, operations and jobs (those that exist).
    async fn load_account(&self, account: AccountId, touched: &Touched) -> Result<Option<Loaded>, StoreError>;

    /// Writes each commit if its account is still at the version expected; all of them in one transaction or
    /// pipeline, each on its own terms. One result per commit, in order.
    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<CommitOutcome, StoreError>>;

    /// The ids of all accounts after `after`, in order, at most `limit`.
    async fn list_accounts(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<AccountId>, StoreError>;

    /// An account's tabs after `after` in id order, at most `limit`, ended ones included until they are forgotten.
    async fn list_tabs(
        &self,
        account: AccountId,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<Tab>, StoreError>;

    /// Open tabs of all accounts that are overdue at `now`, at most `limit`.
    async fn list_overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<(AccountId, SessionId)>, StoreError>;

    /// An account's journal entries from number `from` on, at most `limit`.
    async fn list_entries(&self, account: AccountId, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// The store's clock.
    async fn now(&self) -> Result<Timestamp, StoreError>;

    /// Answers when the store is there and may be written to; cheap enough for every second.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// An API secret as it is kept: never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "a record's fields")]
pub struct SecretRecord {
    pub id: SecretId,
    pub account: AccountId,
    /// SHA-256 of the secret. Secrets are 256 random bits, so a slow hash would protect nothing more.
    pub hash: [u8; 32],
    pub name: String,
    /// The first characters, for people to tell secrets apart.
    pub hint: String,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// API secrets.
#[async_trait]
pub trait SecretStore: Send + Sync + 'static {
    /// Writes a secret's record (new, or changed).
    async fn put_secret(&self, record: SecretRecord) -> Result<(), StoreError>;
    /// Finds a secret by the SHA-256 of its text.
    async fn find_secret(&self, hash: &[u8; 32]) -> Result<Option<SecretRecord>, StoreError>;
    /// An account's secrets, revoked ones included.
    async fn list_secrets(&self, account: AccountId) -> Result<Vec<SecretRecord>, StoreError>;
}

/// Sessions as their users see them, kept beyond their end.
#[async_trait]
pub trait SessionDirectory: Send + Sync + 'static {
    /// Writes a session's record, new or changed.
    async fn put_session(&self, record: SessionRecord) -> Result<(), StoreError>;
    /// One session.
    async fn get_session(&self, session: SessionId) -> Result<Option<SessionRecord>, StoreError>;
    /// Sessions of one account (`None`: of all), newest first, before `before`, at most `limit`.
    async fn list_sessions(
        &self,
        account: Option<AccountId>,
        before: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionRecord>, StoreError>;
    /// Sessions that have not ended and are owned by the named node under another boot id than `boot`: what a crash left.
    async fn list_orphans(&self, node: &str, boot: BootId) -> Result<Vec<SessionRecord>, StoreError>;
}

/// What an idempotency key was used for before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remembered {
    /// Nothing: the caller does the work now and calls `finish_request`.
    Fresh,
    /// The same request is being worked on.
    InProgress,
    /// The same request was answered with this status and body.
    Done(u16, Vec<u8>),
    /// Another body came under this key.
    Mismatch,
}

/// Idempotency keys of the API: scope is account + route + key; kept for 24 h.
#[async_trait]
pub trait IdempotencyStore: Send + Sync + 'static {
    /// Claims a key. A claim that was never finished lapses after a minute (its worker crashed).
    async fn begin_request(&self, scope: &str, body: &[u8; 32], now: Timestamp) -> Result<Remembered, StoreError>;
    /// Remembers the answer (`None`: forget the claim, the work did not happen).
    async fn finish_request(
        &self,
        scope: &str,
        answer: Option<(u16, Vec<u8>)>,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}

/// A node's packed progress records, for an heir and for its own restart: one value per block of 1 024 sessions.
#[async_trait]
pub trait ProgressStore: Send + Sync + 'static {
    /// Writes changed blocks of one boot.
    async fn put_progress(&self, boot: BootId, blocks: Vec<(u32, Vec<u8>)>) -> Result<(), StoreError>;
    /// Reads all blocks of one boot.
    async fn load_progress(&self, boot: BootId) -> Result<Vec<(u32, Vec<u8>)>, StoreError>;
    /// Deletes them, once recovered.
    async fn delete_progress(&self, boot: BootId) -> Result<(), StoreError>;
}

/// A whole store.
pub trait Store: AccountStore + SecretStore + SessionDirectory + IdempotencyStore + ProgressStore {
    /// What to call it in messages: `sqlite`, `redis`.
    fn kind(&self) -> &'static str;
}
