//! What a store can do, in the ledger's and the session's words.

use async_trait::async_trait;
use footlight_ledger::{
    Account, AccountId, Books, BootId, Changes, Checkpoint, Entry, JobHold, JobId, SecretId, SessionId, Tab, Timestamp,
    Touched,
};
use footlight_session::SessionRecord;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::{BlobStore, DueMove, NodeStore, RecordStore, StoreError, StoreTransfer};

/// How many former commit ids an account remembers, so that an outcome that got lost can be told even after others
/// have changed the account: 16 commits are far more than meet one account within a node's time limits.
pub const REMEMBERED_COMMITS: usize = 16;

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
    /// The commit ids before this version's, newest first, at most [`REMEMBERED_COMMITS`] less one.
    pub recent: Vec<u128>,
}

impl Loaded {
    /// Whether the commit with this id is part of what was read.
    #[must_use]
    pub fn has_commit(&self, commit: u128) -> bool {
        self.version.commit == commit || self.recent.contains(&commit)
    }
}

/// Everything there is of one account, read at one moment: what an audit needs.
#[derive(Debug, Clone)]
pub struct WholeAccount {
    /// The account.
    pub account: Account,
    /// The fold of the journal entries that were trimmed.
    pub checkpoint: Checkpoint,
    /// The journal from the checkpoint on.
    pub entries: Vec<Entry>,
    /// All its tabs, ended ones included until they are forgotten.
    pub tabs: Vec<Tab>,
    /// All its jobs.
    pub jobs: Vec<JobHold>,
}

/// One account's changes.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The version that was read; `None` creates the account.
    pub expected: Option<Version>,
    /// The version it becomes.
    pub next: Version,
    /// The commit ids before `next`, newest first: what a later reader gets as [`Loaded::recent`].
    pub recent: Vec<u128>,
    /// The node's clock when the batch was applied.
    pub now: Timestamp,
    /// What to write.
    pub changes: Changes,
    /// What to load again if somebody else was faster.
    pub touched: Touched,
    /// Moves in the index of due tabs that belong to `changes`.
    pub due: Vec<DueMove>,
    /// Whether it carries money and so must be durable before it is acknowledged.
    pub durable: bool,
    /// Whether what is available rose: other processes may have sessions waiting for it.
    pub available_rose: bool,
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

    /// Tabs of all accounts whose time has come at `now`, at most `limit`: open ones past their `sweep_at`, and
    /// ended ones past their `forget_at`.
    async fn list_overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<(AccountId, SessionId)>, StoreError>;

    /// Jobs of all accounts whose hold is to be given back at `now`, at most `limit`.
    async fn list_overdue_jobs(&self, now: Timestamp, limit: usize) -> Result<Vec<(AccountId, JobId)>, StoreError>;

    /// An account's journal entries from number `from` on, at most `limit`.
    async fn list_entries(&self, account: AccountId, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError>;

    /// Reads everything there is of an account, as of one moment. Its size is that of the account's journal and tabs.
    async fn load_whole(&self, account: AccountId) -> Result<Option<WholeAccount>, StoreError>;

    /// The fold of the entries that were trimmed; nothing folded when none were.
    async fn load_checkpoint(&self, account: AccountId) -> Result<Checkpoint, StoreError>;

    /// Replaces the entries before `checkpoint.next_entry` by the checkpoint, if the present checkpoint still ends at
    /// `from`. Answers whether it did: another node may have trimmed meanwhile.
    async fn trim_entries(&self, account: AccountId, from: u64, checkpoint: &Checkpoint) -> Result<bool, StoreError>;

    /// Answers once everything written for the account so far is durable, `commit` with it: what a money operation waits
    /// for when its commit was found written after its reply got lost. Fails when the account does not remember that commit
    /// (any more): a server that took over may never have had it.
    async fn confirm_durable(&self, account: AccountId, commit: u128) -> Result<(), StoreError>;

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
    /// From when on it is refused: in the future while it is being rotated.
    pub revoked_at: Option<Timestamp>,
}

impl SecretRecord {
    /// Whether it is refused.
    #[must_use]
    pub fn is_revoked(&self, now: Timestamp) -> bool {
        self.revoked_at.is_some_and(|at| at <= now)
    }

    /// Ends no later than `stored` does: an end is never taken back, nor put off.
    pub fn keep_earlier_end(&mut self, stored: &Self) {
        self.revoked_at = self.revoked_at.into_iter().chain(stored.revoked_at).min();
    }
}

/// API secrets.
#[async_trait]
pub trait SecretStore: Send + Sync + 'static {
    /// Writes a secret's record (new, or changed). Its end is the earlier of the stored one and this one, in one step:
    /// whoever writes what was read before a revocation does not undo it. After an error it may be half written; then it
    /// opens nothing that it should not once it was to end, and the same again completes it.
    async fn put_secret(&self, record: SecretRecord) -> Result<(), StoreError>;
    /// Finds a secret by the SHA-256 of its text.
    async fn find_secret(&self, hash: &[u8; 32]) -> Result<Option<SecretRecord>, StoreError>;
    /// An account's secrets, revoked ones included.
    async fn list_secrets(&self, account: AccountId) -> Result<Vec<SecretRecord>, StoreError>;
}

/// What became of a session's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "who is fenced has lost the session"]
pub enum SessionPut {
    /// It is written.
    Written,
    /// The one that is there stands: it is of a later epoch, so that the session has another owner; or it is of this one, and
    /// over, and what came was late on its way.
    Fenced,
}

/// Sessions as their users see them, kept beyond their end.
#[async_trait]
pub trait SessionDirectory: Send + Sync + 'static {
    /// Writes a session's record, new or changed, unless the one that is there is of a later epoch, or of the same one and over
    /// where this one is not: compared and written in one step. Where its owner has changed the session leaves the former one's list.
    async fn put_session(&self, record: SessionRecord) -> Result<SessionPut, StoreError>;
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
    /// Sessions that have not ended and are owned by this very run of the named node: what an heir of it goes on with.
    async fn list_owned(&self, node: &str, boot: BootId) -> Result<Vec<SessionRecord>, StoreError>;
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
    /// The work on a claimed key goes on: the claim lasts another minute. Does nothing once it is finished, given up or lapsed.
    async fn renew_request(&self, scope: &str, now: Timestamp) -> Result<(), StoreError>;
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

/// Somebody's available credits rose: a hint to ask again, never the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rise {
    /// This account's.
    Of(AccountId),
    /// Hints were lost: any account's may have.
    Any,
}

/// A whole store.
pub trait Store:
    AccountStore
    + SecretStore
    + SessionDirectory
    + IdempotencyStore
    + ProgressStore
    + RecordStore
    + BlobStore
    + NodeStore
    + StoreTransfer
{
    /// What to call it in messages: `sqlite`, `redis`.
    fn kind(&self) -> &'static str;

    /// Accounts whose available credits rose through a commit of any process: a hint to ask again, never the truth.
    /// `None` where no other process can write.
    fn rises(&self) -> Option<broadcast::Receiver<Rise>> {
        None
    }
}
