//! A store that fails on purpose: before, after, instead of, or long after the write, as a seed decides.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use footlight_ledger::{AccountId, BootId, Checkpoint, Entry, JobId, SessionId, Tab, Timestamp, Touched};
use footlight_session::SessionRecord;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::nodes::{Claimed, NodeEntry, NodeStore, Placed, Renewal, Renewed, Wish};
use crate::transfer::{AccountHead, Inventory, Item, Part};
use crate::{
    AccountStore, BlobInfo, BlobStore, Commit, CommitOutcome, DueQueue, IdempotencyStore, Loaded, Owner, ProgressStore,
    Record, RecordBatch, RecordOutcome, RecordRange, RecordStore, Remembered, SecretRecord, SecretStore,
    SessionDirectory, SessionPut, Store, StoreError, StoreTransfer, WholeAccount,
};

/// How long a write that was reported as timed out may still be on its way.
const LATE: Duration = Duration::from_millis(30);

/// How often which fault happens, in thousandths of all commits.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// Decides everything; print it where a test fails.
    pub seed: u64,
    /// Nothing is written, and the caller knows.
    pub before: u32,
    /// It is written, and the caller does not know.
    pub after: u32,
    /// Nothing is written, and the caller does not know.
    pub instead: u32,
    /// The caller does not know, and it is written a little later: a timeout with the request still on the wire.
    pub late: u32,
    /// An account cannot be read.
    pub load: u32,
}

/// Passes everything on to another store, and lies about some of it.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Faults,
    random: Mutex<u64>,
    away: AtomicBool,
    unreachable: Mutex<HashSet<AccountId>>,
    journal_delay_ms: AtomicU64,
}

#[derive(Clone, Copy)]
enum Fault {
    None,
    Before,
    After,
    Instead,
    Late,
}

impl FaultyStore {
    /// Wraps `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, faults: Faults) -> Self {
        Self {
            inner,
            faults,
            random: Mutex::new(faults.seed),
            away: AtomicBool::new(false),
            unreachable: Mutex::default(),
            journal_delay_ms: AtomicU64::new(0),
        }
    }

    /// Takes the store away, or brings it back: while it is away, accounts and session records cannot be reached.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Release);
    }

    /// Takes away the part of the store that has this account.
    pub fn lose(&self, account: AccountId) {
        self.unreachable.lock().insert(account);
    }

    fn reach_account(&self, account: AccountId) -> Result<(), StoreError> {
        self.reach()?;
        let lost = self.unreachable.lock().contains(&account);
        if lost { Err(StoreError::unreachable("its part of the store is away on purpose")) } else { Ok(()) }
    }

    /// Lets every reading of a journal take this much longer, in milliseconds.
    pub fn set_journal_delay(&self, delay_ms: u64) {
        self.journal_delay_ms.store(delay_ms, Ordering::Release);
    }

    fn reach(&self) -> Result<(), StoreError> {
        let away = self.away.load(Ordering::Acquire);
        if away { Err(StoreError::unreachable("it is away on purpose")) } else { Ok(()) }
    }

    /// A number under 1 000 (splitmix64).
    fn roll(&self) -> u32 {
        let mut state = self.random.lock();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((z ^ (z >> 31)) % 1_000).expect("under 1 000")
    }

    fn draw(&self) -> Fault {
        let Faults { before, after, instead, late, .. } = self.faults;
        let mut roll = self.roll();
        for (share, fault) in
            [(before, Fault::Before), (after, Fault::After), (instead, Fault::Instead), (late, Fault::Late)]
        {
            if roll < share {
                return fault;
            }
            roll -= share;
        }
        Fault::None
    }
}

#[async_trait]
impl AccountStore for FaultyStore {
    async fn load_account(&self, account: AccountId, touched: &Touched) -> Result<Option<Loaded>, StoreError> {
        self.reach_account(account)?;
        if self.roll() < self.faults.load {
            return Err(StoreError::unreachable("a fault on purpose"));
        }
        self.inner.load_account(account, touched).await
    }

    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<CommitOutcome, StoreError>> {
        if let Err(away) = self.reach() {
            return commits.iter().map(|_| Err(away.clone())).collect();
        }
        let plan: Vec<Fault> = commits.iter().map(|_| self.draw()).collect();
        let (mut now, mut late) = (Vec::new(), Vec::new());
        for (commit, fault) in commits.into_iter().zip(&plan) {
            match fault {
                Fault::None | Fault::After => now.push(commit),
                Fault::Late => late.push(commit),
                Fault::Before | Fault::Instead => {}
            }
        }
        if !late.is_empty() {
            let inner = Arc::clone(&self.inner);
            tokio::spawn(async move {
                tokio::time::sleep(LATE).await;
                inner.commit(late).await
            });
        }
        let mut written = self.inner.commit(now).await.into_iter();
        let mut next = || written.next().expect("one result per commit");
        plan.into_iter()
            .map(|fault| match fault {
                Fault::None => next(),
                Fault::After => {
                    let _ = next();
                    Err(StoreError::unknown("a reply lost on purpose"))
                }
                Fault::Instead | Fault::Late => Err(StoreError::unknown("a request lost on purpose")),
                Fault::Before => Err(StoreError::unreachable("a fault on purpose")),
            })
            .collect()
    }

    async fn list_accounts(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<AccountId>, StoreError> {
        self.inner.list_accounts(after, limit).await
    }

    async fn list_tabs(
        &self,
        account: AccountId,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<Tab>, StoreError> {
        self.inner.list_tabs(account, after, limit).await
    }

    async fn list_overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<(AccountId, SessionId)>, StoreError> {
        self.inner.list_overdue(now, limit).await
    }

    async fn list_overdue_jobs(&self, now: Timestamp, limit: usize) -> Result<Vec<(AccountId, JobId)>, StoreError> {
        self.inner.list_overdue_jobs(now, limit).await
    }

    async fn list_entries(&self, account: AccountId, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        tokio::time::sleep(Duration::from_millis(self.journal_delay_ms.load(Ordering::Acquire))).await;
        self.inner.list_entries(account, from, limit).await
    }

    async fn load_whole(&self, account: AccountId) -> Result<Option<WholeAccount>, StoreError> {
        self.inner.load_whole(account).await
    }

    async fn load_checkpoint(&self, account: AccountId) -> Result<Checkpoint, StoreError> {
        self.inner.load_checkpoint(account).await
    }

    async fn trim_entries(&self, account: AccountId, from: u64, checkpoint: &Checkpoint) -> Result<bool, StoreError> {
        self.inner.trim_entries(account, from, checkpoint).await
    }

    async fn confirm_durable(&self, account: AccountId, commit: u128) -> Result<(), StoreError> {
        self.reach()?;
        if self.roll() < self.faults.load {
            return Err(StoreError::unreachable("a fault on purpose"));
        }
        self.inner.confirm_durable(account, commit).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.inner.now().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.reach()?;
        self.inner.ping().await
    }
}

#[async_trait]
impl SecretStore for FaultyStore {
    async fn put_secret(&self, record: SecretRecord) -> Result<(), StoreError> {
        self.inner.put_secret(record).await
    }

    async fn find_secret(&self, hash: &[u8; 32]) -> Result<Option<SecretRecord>, StoreError> {
        self.inner.find_secret(hash).await
    }

    async fn list_secrets(&self, account: AccountId) -> Result<Vec<SecretRecord>, StoreError> {
        self.inner.list_secrets(account).await
    }
}

#[async_trait]
impl SessionDirectory for FaultyStore {
    async fn put_session(&self, record: SessionRecord) -> Result<SessionPut, StoreError> {
        self.reach()?;
        self.inner.put_session(record).await
    }

    async fn get_session(&self, session: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        self.reach()?;
        self.inner.get_session(session).await
    }

    async fn list_sessions(
        &self,
        account: Option<AccountId>,
        before: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        self.reach()?;
        self.inner.list_sessions(account, before, limit).await
    }

    async fn list_orphans(&self, node: &str, boot: BootId) -> Result<Vec<SessionRecord>, StoreError> {
        self.inner.list_orphans(node, boot).await
    }

    async fn list_owned(&self, node: &str, boot: BootId) -> Result<Vec<SessionRecord>, StoreError> {
        self.reach()?;
        self.inner.list_owned(node, boot).await
    }
}

#[async_trait]
impl IdempotencyStore for FaultyStore {
    async fn begin_request(&self, scope: &str, body: &[u8; 32], now: Timestamp) -> Result<Remembered, StoreError> {
        self.inner.begin_request(scope, body, now).await
    }

    async fn renew_request(&self, scope: &str, now: Timestamp) -> Result<(), StoreError> {
        self.inner.renew_request(scope, now).await
    }

    async fn finish_request(
        &self,
        scope: &str,
        answer: Option<(u16, Vec<u8>)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.finish_request(scope, answer, now).await
    }
}

#[async_trait]
impl ProgressStore for FaultyStore {
    async fn put_progress(&self, boot: BootId, blocks: Vec<(u32, Vec<u8>)>) -> Result<(), StoreError> {
        self.inner.put_progress(boot, blocks).await
    }

    async fn load_progress(&self, boot: BootId) -> Result<Vec<(u32, Vec<u8>)>, StoreError> {
        self.inner.load_progress(boot).await
    }

    async fn delete_progress(&self, boot: BootId) -> Result<(), StoreError> {
        self.inner.delete_progress(boot).await
    }
}

#[async_trait]
impl RecordStore for FaultyStore {
    async fn write_records(&self, batches: Vec<RecordBatch>) -> Vec<Result<RecordOutcome, StoreError>> {
        if let Err(away) = self.reach() {
            return batches.iter().map(|_| Err(away.clone())).collect();
        }
        let mut results = Vec::with_capacity(batches.len());
        for batch in batches {
            results.push(match self.draw() {
                Fault::None => self.inner.write_records(vec![batch]).await.pop().expect("one result per batch"),
                Fault::After => {
                    let _ = self.inner.write_records(vec![batch]).await;
                    Err(StoreError::unknown("a reply lost on purpose"))
                }
                Fault::Late => {
                    let inner = Arc::clone(&self.inner);
                    tokio::spawn(async move {
                        tokio::time::sleep(LATE).await;
                        inner.write_records(vec![batch]).await
                    });
                    Err(StoreError::unknown("a request late on purpose"))
                }
                Fault::Instead => Err(StoreError::unknown("a request lost on purpose")),
                Fault::Before => Err(StoreError::unreachable("a fault on purpose")),
            });
        }
        results
    }

    async fn get_records(
        &self,
        owner: Owner,
        collection: &'static str,
        ids: &[String],
    ) -> Result<Vec<Option<Record>>, StoreError> {
        self.reach()?;
        self.inner.get_records(owner, collection, ids).await
    }

    async fn list_records(
        &self,
        owner: Owner,
        collection: &'static str,
        range: RecordRange,
    ) -> Result<Vec<Record>, StoreError> {
        self.reach()?;
        self.inner.list_records(owner, collection, range).await
    }

    async fn due_queues(
        &self,
        collection: &'static str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueQueue>, StoreError> {
        self.reach()?;
        self.inner.due_queues(collection, now, limit).await
    }

    async fn list_due(
        &self,
        owner: Owner,
        collection: &'static str,
        queue: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.reach()?;
        self.inner.list_due(owner, collection, queue, now, limit).await
    }
}

#[async_trait]
impl BlobStore for FaultyStore {
    async fn put_blob(&self, owner: Owner, id: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        self.reach()?;
        self.inner.put_blob(owner, id, bytes).await
    }

    async fn get_blob(&self, owner: Owner, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.reach()?;
        self.inner.get_blob(owner, id).await
    }

    async fn delete_blob(&self, owner: Owner, id: &str) -> Result<(), StoreError> {
        self.reach()?;
        self.inner.delete_blob(owner, id).await
    }

    async fn list_blobs(&self, owner: Owner) -> Result<Vec<BlobInfo>, StoreError> {
        self.reach()?;
        self.inner.list_blobs(owner).await
    }
}

#[async_trait]
impl NodeStore for FaultyStore {
    async fn renew_node(&self, renewal: Renewal) -> Result<Renewed, StoreError> {
        self.reach()?;
        self.inner.renew_node(renewal).await
    }

    async fn leave_node(&self, boot: BootId) -> Result<(), StoreError> {
        self.reach()?;
        self.inner.leave_node(boot).await
    }

    async fn list_nodes(&self) -> Result<Vec<NodeEntry>, StoreError> {
        self.reach()?;
        self.inner.list_nodes().await
    }

    async fn place(&self, wish: Wish) -> Result<Placed, StoreError> {
        self.reach()?;
        self.inner.place(wish).await
    }

    async fn give_back(&self, session: SessionId) -> Result<(), StoreError> {
        self.reach()?;
        self.inner.give_back(session).await
    }

    async fn claim_node(&self, lost: BootId, heir: BootId, lasts: Duration) -> Result<Claimed, StoreError> {
        self.reach()?;
        self.inner.claim_node(lost, heir, lasts).await
    }

    async fn bury_node(&self, lost: BootId, heir: BootId) -> Result<(), StoreError> {
        self.reach()?;
        self.inner.bury_node(lost, heir).await
    }

    async fn give_up_node(&self, lost: BootId) -> Result<bool, StoreError> {
        self.reach()?;
        self.inner.give_up_node(lost).await
    }
}

#[async_trait]
impl StoreTransfer for FaultyStore {
    async fn count_others(&self) -> Result<u64, StoreError> {
        self.inner.count_others().await
    }

    async fn take_inventory(&self) -> Result<Inventory, StoreError> {
        self.inner.take_inventory().await
    }

    async fn dump_head(&self, account: AccountId) -> Result<Option<AccountHead>, StoreError> {
        self.inner.dump_head(account).await
    }

    async fn dump_part(
        &self,
        account: AccountId,
        part: Part,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        self.inner.dump_part(account, part, after, limit).await
    }

    async fn clear_account(&self, account: AccountId) -> Result<(), StoreError> {
        self.reach()?;
        self.inner.clear_account(account).await
    }

    async fn load_part(&self, account: AccountId, part: Part, items: Vec<Item>) -> Result<(), StoreError> {
        self.reach()?;
        match self.draw() {
            Fault::None | Fault::Late => self.inner.load_part(account, part, items).await,
            Fault::Before | Fault::Instead => Err(StoreError::unreachable("a fault on purpose")),
            Fault::After => {
                self.inner.load_part(account, part, items).await?;
                Err(StoreError::unknown("a reply lost on purpose"))
            }
        }
    }

    async fn load_head(&self, head: AccountHead) -> Result<bool, StoreError> {
        self.reach()?;
        match self.draw() {
            Fault::None | Fault::Late => self.inner.load_head(head).await,
            Fault::Before | Fault::Instead => Err(StoreError::unreachable("a fault on purpose")),
            Fault::After => {
                self.inner.load_head(head).await?;
                Err(StoreError::unknown("a reply lost on purpose"))
            }
        }
    }

    fn sessions_kept(&self) -> Option<Duration> {
        self.inner.sessions_kept()
    }

    async fn load_sessions(&self, records: Vec<SessionRecord>) -> Result<(), StoreError> {
        self.reach()?;
        self.inner.load_sessions(records).await
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.reach()?;
        self.inner.settle().await
    }
}

impl Store for FaultyStore {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn rises(&self) -> Option<broadcast::Receiver<crate::Rise>> {
        self.inner.rises()
    }
}
