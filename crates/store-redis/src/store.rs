//! The store itself: the ports on top of the parts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use footlight_ledger::{AccountId, BootId, Checkpoint, Entry, JobId, SessionId, Tab, Timestamp, Touched};
use footlight_session::SessionRecord;
use footlight_store::{
    AccountStore, Commit, CommitOutcome, IdempotencyStore, Loaded, ProgressStore, Remembered, Rise, SecretRecord,
    SecretStore, SessionDirectory, SessionPut, Store, StoreError, WholeAccount,
};
use futures_util::future::join_all;
use redis::{Cmd, Value, cmd};
use tokio::sync::broadcast;

use crate::accounts::SkewLimits;
use crate::address::{Address, Login};
use crate::durability::{self, Durability};
use crate::failure::{Stage, is_no_script};
use crate::keys::{self, AccountKeys};
use crate::lanes::Lanes;
use crate::link::{Group, Link};
use crate::script::{COMMIT, told};
use crate::tls::Tls;
use crate::{accounts, directory, link, lists, reply, rises};

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
    /// How far a node's clock may be away from the server's. A commit's time may be behind by this and as long as a call may
    /// take, so that a slow store is not taken for a slow clock.
    pub skew_max: Duration,
    /// How long the records of ended sessions are kept.
    pub ended_sessions_kept: Duration,
    /// Who logs in to the servers; what is not set here is taken from the address.
    pub login: Login,
    /// Who logs in to the Sentinels, if they ask for it.
    pub sentinel_login: Login,
    /// For addresses with `rediss`.
    pub tls: Tls,
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
            login: Login::default(),
            sentinel_login: Login::default(),
            tls: Tls::default(),
        }
    }
}

/// Footlight's store on Redis 7 or Valkey.
///
/// A connection for all usage, a few for money (waiting for durability blocks a connection), one for blobs, and one that
/// listens.
pub struct RedisStore {
    pub(crate) usage: Arc<Link>,
    pub(crate) blobs: Link,
    money: Lanes,
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
        let usage = Arc::new(Link::new(&address, &options)?);
        let money = Lanes::new(&address, &options)?;
        let blobs = Link::new(&address, &options)?;
        let durability = durability::check(&usage, &options).await?;
        let rises = broadcast::Sender::new(4_096);
        tokio::spawn(rises::listen(Arc::downgrade(&usage), rises.clone()));
        Ok(Self { usage, blobs, money, durability, options, rises })
    }

    /// Commits of usage: what a fail-over loses of it the next heartbeat tells again. One result each.
    async fn commit_usage(&self, commits: &[Commit]) -> Vec<Result<CommitOutcome, StoreError>> {
        if commits.is_empty() {
            return Vec::new();
        }
        let all = |error: StoreError| commits.iter().map(|_| Err(error.clone())).collect();
        if let Err(error) = self.announce(commits).await {
            return all(error);
        }
        let calls = commits.iter().map(|commit| self.call(commit)).collect();
        let answers = match COMMIT.send(&self.usage, calls, Stage::Writing).await {
            Ok(answers) => answers,
            Err(error) => return all(error),
        };
        let mut outcomes = Vec::with_capacity(commits.len());
        for (commit, answer) in commits.iter().zip(answers) {
            outcomes.push(self.outcome(commit, answer).await);
        }
        outcomes
    }

    /// Money is acknowledged when it is durable. Its commits and the wait for them stand together, one group over one server's
    /// connection: a wait over another connection, made after a fail-over perhaps, would vouch for what is lost.
    async fn commit_money(&self, commits: &[Commit]) -> Vec<Result<CommitOutcome, StoreError>> {
        if commits.is_empty() {
            return Vec::new();
        }
        // As durable as the accounts themselves: what a fail-over leaves of the two must not be an account that is not listed.
        if let Some(add) = announcement(commits) {
            let mut commands = vec![add];
            commands.extend(durability::seal(keys::ACCOUNTS_BARRIER, self.durability, &self.options));
            let announced = self.sealed(keys::ACCOUNTS, commands, 1).await.and_then(|(mut replies, sealed)| {
                told(replies.pop().unwrap_or_default())?;
                sealed
            });
            // Nothing of the commits themselves is written yet.
            if let Err(error) = announced {
                let error = StoreError::unreachable(error.to_string());
                return commits.iter().map(|_| Err(error.clone())).collect();
            }
        }
        let together = if self.money.is_cluster() { 1 } else { commits.len() };
        let groups = join_all(commits.chunks(together).map(|group| self.commit_group(group))).await;
        groups.into_iter().flatten().collect()
    }

    async fn commit_group(&self, commits: &[Commit]) -> Vec<Result<CommitOutcome, StoreError>> {
        let all = |error: StoreError| commits.iter().map(|_| Err(error.clone())).collect();
        let barrier = AccountKeys::of(commits[0].changes.account.id).barrier();
        let calls: Vec<Cmd> = commits.iter().map(|commit| self.call(commit)).collect();
        let and_seal = |mut commands: Vec<Cmd>| {
            commands.extend(durability::seal(&barrier, self.durability, &self.options));
            commands
        };
        let mut sent = self.sealed(&barrier, and_seal(calls.clone()), calls.len()).await;
        if sent.as_ref().is_ok_and(|(replies, _)| replies.iter().any(is_no_script)) {
            // Those that ran answer as they did.
            let whole = COMMIT.whole_calls(self.money.is_cluster(), calls.iter());
            sent = self.sealed(&barrier, and_seal(whole), calls.len()).await;
        }
        let (replies, sealed) = match sent {
            Ok(sent) => sent,
            Err(error) => return all(error),
        };
        let mut outcomes = Vec::with_capacity(commits.len());
        for (commit, reply) in commits.iter().zip(replies) {
            let outcome = self.outcome(commit, told(reply)).await;
            outcomes.push(match (outcome, &sealed) {
                (Ok(CommitOutcome::Committed(_)), Err(error)) => Err(error.clone()),
                (outcome, _) => outcome,
            });
        }
        outcomes
    }

    /// Sends a group that ends with a seal; the replies before it, and what the seal says.
    async fn sealed(
        &self,
        key: &str,
        commands: Vec<Cmd>,
        before: usize,
    ) -> Result<(Vec<Value>, Result<(), StoreError>), StoreError> {
        let mut replies = self.money.send_group(Group { key: key.to_owned(), commands }).await?;
        let seal = replies.split_off(before.min(replies.len()));
        let sealed = durability::sealed(&seal, self.durability);
        if sealed.is_err() {
            // A master that was cut off from its replicas has been replaced, perhaps.
            self.money.look_again().await;
            self.usage.look_again().await;
        }
        Ok((replies, sealed))
    }

    fn call(&self, commit: &Commit) -> Cmd {
        let ahead = self.options.skew_max;
        let behind = ahead.saturating_add(self.options.response_timeout * link::TIMEOUTS_A_CALL);
        accounts::commit_call(commit, &SkewLimits { behind, ahead })
    }

    async fn outcome(&self, commit: &Commit, answer: Result<Value, StoreError>) -> Result<CommitOutcome, StoreError> {
        match accounts::committed(&answer?)? {
            Some(outcome) => Ok(outcome),
            None => self.conflict(commit).await,
        }
    }

    async fn announce(&self, commits: &[Commit]) -> Result<(), StoreError> {
        let Some(add) = announcement(commits) else { return Ok(()) };
        // Nothing of the commit itself is written yet, whatever becomes of this.
        self.usage.ask(add, Stage::Reading).await.map(drop)
    }

    /// Seldom, so it may cost a second round trip.
    async fn conflict(&self, commit: &Commit) -> Result<CommitOutcome, StoreError> {
        match accounts::load(&self.usage, commit.changes.account.id, &commit.touched).await? {
            Some(fresh) => Ok(CommitOutcome::Conflict(Box::new(fresh))),
            None => Ok(CommitOutcome::NoAccount),
        }
    }
}

/// Puts accounts that are about to be created on the list: one that is listed and does not exist is harmless, one that
/// exists and is not listed would never be swept.
fn announcement(commits: &[Commit]) -> Option<Cmd> {
    let mut created = commits.iter().filter(|commit| commit.expected.is_none()).peekable();
    created.peek()?;
    let mut add = cmd("ZADD");
    add.arg(keys::ACCOUNTS);
    for commit in created {
        add.arg(0).arg(commit.changes.account.id.0.as_bytes());
    }
    Some(add)
}

#[async_trait]
impl AccountStore for RedisStore {
    async fn load_account(&self, account: AccountId, touched: &Touched) -> Result<Option<Loaded>, StoreError> {
        accounts::load(&self.usage, account, touched).await
    }

    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<CommitOutcome, StoreError>> {
        let durable: Vec<bool> = commits.iter().map(|commit| commit.durable).collect();
        let (money, usage): (Vec<_>, Vec<_>) = commits.into_iter().partition(|commit| commit.durable);
        let (money, usage) = tokio::join!(self.commit_money(&money), self.commit_usage(&usage));
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

    /// The commit is looked for on the server that is waited for: it was read from another one perhaps.
    async fn confirm_durable(&self, account: AccountId, commit: u128) -> Result<(), StoreError> {
        let keys = AccountKeys::of(account);
        let key = keys.account();
        let mut commands = durability::seal(&keys.barrier(), self.durability, &self.options);
        let mut read = cmd("GETRANGE");
        read.arg(&key).arg(0).arg(accounts::HEAD_MAX);
        commands.insert(0, read);
        let (mut replies, sealed) = self.sealed(&key, commands, 1).await?;
        let head = told(replies.pop().unwrap_or_default())?;
        sealed?;
        if accounts::has_commit(&reply::bytes(&key, head)?.unwrap_or_default(), commit) {
            return Ok(());
        }
        Err(StoreError::unknown(format!(
            "redis does not have a commit of {account} any more: another server took over"
        )))
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
    async fn put_session(&self, record: SessionRecord) -> Result<SessionPut, StoreError> {
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
        let mut found = directory::list_of_node(&self.usage, node).await?;
        found.retain(|record| record.boot != boot);
        Ok(found)
    }

    async fn list_owned(&self, node: &str, boot: BootId) -> Result<Vec<SessionRecord>, StoreError> {
        let mut found = directory::list_of_node(&self.usage, node).await?;
        found.retain(|record| record.boot == boot);
        Ok(found)
    }
}

#[async_trait]
impl IdempotencyStore for RedisStore {
    async fn begin_request(&self, scope: &str, body: &[u8; 32], _now: Timestamp) -> Result<Remembered, StoreError> {
        directory::begin_request(&self.usage, scope, body).await
    }

    async fn renew_request(&self, scope: &str, _now: Timestamp) -> Result<(), StoreError> {
        directory::renew_request(&self.usage, scope).await
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
