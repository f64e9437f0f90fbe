//! The store itself: the ports on top of the parts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use footlight_ledger::{AccountId, BootId, Checkpoint, Entry, JobId, SessionId, Tab, Timestamp, Touched};
use footlight_session::SessionRecord;
use footlight_store::{
    AccountStore, Commit, CommitOutcome, IdempotencyStore, Loaded, ProgressStore, Remembered, Rise, SecretRecord,
    SecretStore, SessionDirectory, Store, StoreError, WholeAccount,
};
use redis::{Value, cmd};
use tokio::sync::broadcast;

use crate::address::Address;
use crate::durability::{self, Durability};
use crate::failure::Stage;
use crate::keys::{self, AccountKeys};
use crate::link::{Limits, Link};
use crate::script::COMMIT;
use crate::{accounts, directory, lists, reply, rises};

/// How to use a server.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// Takes a server that evicts or does not persist: for trials. It may lose acknowledged top-ups.
    pub allow_unsafe: bool,
    /// Replicas that must have a money write before it is acknowledged. Without them a fail-over may lose it.
    pub replicas: u32,
    /// Time limit of connecting.
    pub connect_timeout: Duration,
    /// Time limit of an answer. A commit without one has an unknown outcome and is read back.
    pub response_timeout: Duration,
    /// How far a commit's time may be away from the server's clock.
    pub skew_max: Duration,
    /// How long the records of ended sessions are kept.
    pub ended_sessions_kept: Duration,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            allow_unsafe: false,
            replicas: 0,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(2),
            skew_max: Duration::from_secs(1),
            ended_sessions_kept: Duration::from_secs(30 * 24 * 3_600),
        }
    }
}

/// Footlight's store on Redis 7 or Valkey.
///
/// Four connections: one for all usage, one for money (waiting for durability blocks a connection), one for blobs, and one
/// that listens.
pub struct RedisStore {
    pub(crate) usage: Arc<Link>,
    pub(crate) blobs: Link,
    money: Link,
    pub(crate) durability: Durability,
    pub(crate) options: RedisOptions,
    pub(crate) rises: broadcast::Sender<Rise>,
}

impl RedisStore {
    /// Connects and looks at the server. Must be called within a tokio runtime, which the connections live on.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the address is wrong or the server may lose what it acknowledged;
    /// [`StoreError::Unreachable`] when it is not there.
    pub async fn connect(address: &str, options: RedisOptions) -> Result<Self, StoreError> {
        let address: Address = address.parse()?;
        let limits = Limits { connect: options.connect_timeout, response: options.response_timeout };
        let usage = Arc::new(Link::new(&address, limits)?);
        let money = Link::new(&address, limits)?;
        let blobs = Link::new(&address, limits)?;
        let durability = durability::check(&usage, &options).await?;
        let rises = broadcast::Sender::new(4_096);
        tokio::spawn(rises::listen(Arc::downgrade(&usage), rises.clone()));
        Ok(Self { usage, blobs, money, durability, options, rises })
    }

    /// Sends commits over one connection. One result each.
    async fn commit_over(&self, link: &Link, commits: &[Commit]) -> Vec<Result<CommitOutcome, StoreError>> {
        if commits.is_empty() {
            return Vec::new();
        }
        let all = |error: StoreError| commits.iter().map(|_| Err(error.clone())).collect();
        if let Err(error) = self.announce(link, commits).await {
            return all(error);
        }
        let skew_ms_max = i64::try_from(self.options.skew_max.as_millis()).unwrap_or(i64::MAX);
        let calls = commits.iter().map(|commit| accounts::commit_call(commit, skew_ms_max)).collect();
        let answers = match COMMIT.send(link, calls, Stage::Writing).await {
            Ok(answers) => answers,
            Err(error) => return all(error),
        };
        let mut outcomes = Vec::with_capacity(commits.len());
        for (commit, answer) in commits.iter().zip(answers) {
            outcomes.push(match answer.and_then(|answer| accounts::committed(&answer)) {
                Ok(Some(outcome)) => Ok(outcome),
                Ok(None) => self.conflict(commit).await,
                Err(error) => Err(error),
            });
        }
        outcomes
    }

    /// Puts accounts that are about to be created on the list: one that is listed and does not exist is harmless, one that
    /// exists and is not listed would never be swept.
    async fn announce(&self, link: &Link, commits: &[Commit]) -> Result<(), StoreError> {
        let created: Vec<_> = commits.iter().filter(|commit| commit.expected.is_none()).collect();
        if created.is_empty() {
            return Ok(());
        }
        let mut add = cmd("ZADD");
        add.arg(keys::ACCOUNTS);
        for commit in created {
            add.arg(0).arg(commit.changes.account.id.0.as_bytes());
        }
        // Nothing of the commit itself is written yet, whatever becomes of this.
        link.ask(add, Stage::Reading).await.map(drop)
    }

    /// Seldom, so it may cost a second round trip.
    async fn conflict(&self, commit: &Commit) -> Result<CommitOutcome, StoreError> {
        match accounts::load(&self.usage, commit.changes.account.id, &commit.touched).await? {
            Some(fresh) => Ok(CommitOutcome::Conflict(Box::new(fresh))),
            None => Ok(CommitOutcome::NoAccount),
        }
    }

    /// Money waits for the disk, after its commits and on their connection.
    async fn commit_money(&self, commits: &[Commit]) -> Vec<Result<CommitOutcome, StoreError>> {
        let mut outcomes = self.commit_over(&self.money, commits).await;
        let written = |outcome: &Result<CommitOutcome, _>| matches!(outcome, Ok(CommitOutcome::Committed(_)));
        if outcomes.iter().any(written)
            && let Err(error) = durability::wait(&self.money, self.durability, &self.options).await
        {
            let error = StoreError::unknown(error.to_string());
            outcomes.iter_mut().filter(|outcome| written(outcome)).for_each(|outcome| *outcome = Err(error.clone()));
        }
        outcomes
    }
}

#[async_trait]
impl AccountStore for RedisStore {
    async fn load_account(&self, account: AccountId, touched: &Touched) -> Result<Option<Loaded>, StoreError> {
        accounts::load(&self.usage, account, touched).await
    }

    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<CommitOutcome, StoreError>> {
        let durable: Vec<bool> = commits.iter().map(|commit| commit.durable).collect();
        let (money, usage): (Vec<_>, Vec<_>) = commits.into_iter().partition(|commit| commit.durable);
        let (money, usage) = tokio::join!(self.commit_money(&money), self.commit_over(&self.usage, &usage));
        let (mut money, mut usage) = (money.into_iter(), usage.into_iter());
        let in_order = durable.into_iter().map(|durable| if durable { money.next() } else { usage.next() });
        in_order.map(|outcome| outcome.expect("one outcome per commit")).collect()
    }

    async fn list_accounts(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<AccountId>, StoreError> {
        lists::list_accounts(&self.usage, after, limit).await
    }

    async fn list_tabs(
        &self,
        account: AccountId,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<Tab>, StoreError> {
        lists::list_tabs(&self.usage, account, after, limit).await
    }

    async fn list_overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<(AccountId, SessionId)>, StoreError> {
        lists::list_overdue(&self.usage, now, limit).await
    }

    async fn list_overdue_jobs(&self, now: Timestamp, limit: usize) -> Result<Vec<(AccountId, JobId)>, StoreError> {
        lists::list_overdue_jobs(&self.usage, now, limit).await
    }

    async fn list_entries(&self, account: AccountId, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        lists::list_entries(&self.usage, account, from, limit).await
    }

    async fn load_whole(&self, account: AccountId) -> Result<Option<WholeAccount>, StoreError> {
        lists::load_whole(&self.usage, account).await
    }

    async fn load_checkpoint(&self, account: AccountId) -> Result<Checkpoint, StoreError> {
        lists::load_checkpoint(&self.usage, account).await
    }

    async fn trim_entries(&self, account: AccountId, from: u64, checkpoint: &Checkpoint) -> Result<bool, StoreError> {
        lists::trim_entries(&self.usage, account, from, checkpoint).await
    }

    /// A connection's wait covers everything that was written before its own last write, so it writes something first.
    async fn confirm_durable(&self, account: AccountId) -> Result<(), StoreError> {
        let mut barrier = cmd("SET");
        barrier.arg(AccountKeys::of(account).barrier()).arg("").arg("PX").arg(1_000);
        self.money.ask(barrier, Stage::Writing).await?;
        durability::wait(&self.money, self.durability, &self.options).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        let time = reply::list("TIME", self.usage.ask(cmd("TIME"), Stage::Reading).await?)?;
        match time.as_slice() {
            [seconds, micros] => {
                let (seconds, micros) = (reply::number("TIME", seconds)?, reply::number("TIME", micros)?);
                Ok(Timestamp(seconds * 1_000 + micros / 1_000))
            }
            other => Err(StoreError::Corrupt { place: "TIME".to_owned(), detail: format!("redis replied {other:?}") }),
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let mut set = cmd("SET");
        set.arg(keys::PING).arg("").arg("PX").arg(1_000);
        self.usage.ask(set, Stage::Reading).await.map(|_: Value| ())
    }
}

#[async_trait]
impl SecretStore for RedisStore {
    async fn put_secret(&self, record: SecretRecord) -> Result<(), StoreError> {
        directory::put_secret(&self.usage, &record).await
    }

    async fn find_secret(&self, hash: &[u8; 32]) -> Result<Option<SecretRecord>, StoreError> {
        directory::find_secret(&self.usage, hash).await
    }

    async fn list_secrets(&self, account: AccountId) -> Result<Vec<SecretRecord>, StoreError> {
        directory::list_secrets(&self.usage, account).await
    }
}

#[async_trait]
impl SessionDirectory for RedisStore {
    async fn put_session(&self, record: SessionRecord) -> Result<(), StoreError> {
        directory::put_session(&self.usage, &record, self.options.ended_sessions_kept).await
    }

    async fn get_session(&self, session: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        directory::get_session(&self.usage, session).await
    }

    async fn list_sessions(
        &self,
        account: Option<AccountId>,
        before: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        directory::list_sessions(&self.usage, account, before, limit).await
    }

    async fn list_orphans(&self, node: &str, boot: BootId) -> Result<Vec<SessionRecord>, StoreError> {
        directory::list_orphans(&self.usage, node, boot).await
    }
}

#[async_trait]
impl IdempotencyStore for RedisStore {
    async fn begin_request(&self, scope: &str, body: &[u8; 32], _now: Timestamp) -> Result<Remembered, StoreError> {
        directory::begin_request(&self.usage, scope, body).await
    }

    async fn finish_request(
        &self,
        scope: &str,
        answer: Option<(u16, Vec<u8>)>,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        directory::finish_request(&self.usage, scope, answer).await
    }
}

#[async_trait]
impl ProgressStore for RedisStore {
    async fn put_progress(&self, boot: BootId, blocks: Vec<(u32, Vec<u8>)>) -> Result<(), StoreError> {
        directory::put_progress(&self.usage, boot, blocks).await
    }

    async fn load_progress(&self, boot: BootId) -> Result<Vec<(u32, Vec<u8>)>, StoreError> {
        directory::load_progress(&self.usage, boot).await
    }

    async fn delete_progress(&self, boot: BootId) -> Result<(), StoreError> {
        directory::delete_progress(&self.usage, boot).await
    }
}

impl Store for RedisStore {
    fn kind(&self) -> &'static str {
        "redis"
    }

    fn rises(&self) -> Option<broadcast::Receiver<Rise>> {
        Some(self.rises.subscribe())
    }
}
