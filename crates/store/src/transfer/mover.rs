//! One pass over both stores, account by account: looking, moving or verifying.

use std::sync::Arc;

use footlight_ledger::{Account, AccountId, Timestamp};
use footlight_session::{SessionRecord, SessionState};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::mark::COLLECTION;
use super::tally::{Kind, Tally};
use super::walk::{Pair, Side, Walk};
use super::{AccountHead, Inventory, Item, Part, collection};
use crate::{
    AccountAudit, BlobInfo, Expected, Owner, Record, RecordBatch, RecordKey, RecordOp, RecordOutcome, RecordRange,
    Store, StoreError, audit_account, codec,
};

/// Accounts that are worked on at the same time: enough that one wait for the disk serves several.
const LANES: usize = 16;

/// Ids of accounts read at once.
const ACCOUNTS_PAGE: usize = 1_000;

/// Documents of an account read and written at once: a few hundred bytes each.
const ITEMS_PAGE: usize = 512;

/// Records read and written at once: usually a kilobyte each, 256 at most.
const RECORDS_PAGE: usize = 32;

/// Session records read and written at once.
const SESSIONS_PAGE: usize = 512;

/// What the target would remove within this time, in milliseconds, is not moved: it might be gone before it is verified.
const KEPT_MARGIN_MS: i64 = 3_600_000;

/// Open sessions that are named.
const OPEN_NAMED: u64 = 5;

/// What went wrong, and where.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MoveError {
    /// The store that is moved from.
    #[error("the source: {0}")]
    Source(#[source] StoreError),
    /// The store that is moved to.
    #[error("the target: {0}")]
    Target(#[source] StoreError),
    /// Somebody else has written into the target.
    #[error("somebody else writes into the target: {0}")]
    Disturbed(String),
}

/// How deep a pass goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Compares heads, versions and lengths; writes nothing.
    Look,
    /// Writes what is missing.
    Move,
    /// Compares everything byte by byte, and audits both; writes nothing.
    Verify,
}

/// How far a pass is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A pass begins, over so many accounts.
    Begun(Depth, u64),
    /// One more account.
    Account,
    /// So many more session records.
    Sessions(u64),
}

/// Two stores, and what one pass needs to know.
pub struct Mover {
    /// Read only.
    pub source: Arc<dyn Store>,
    /// Written to by [`Depth::Move`] alone.
    pub target: Arc<dyn Store>,
    /// The target holds a part of this migration and nothing else, so what differs there is replaced.
    pub continues: bool,
    /// The target's clock when the migration began.
    pub now: Timestamp,
    /// Told how far it is.
    pub progress: Box<dyn Fn(Progress) + Send + Sync>,
    /// Only one blob (twice: from both stores) is in memory at a time.
    pub one_blob: Mutex<()>,
}

impl Mover {
    /// Goes over everything once.
    ///
    /// # Errors
    /// [`MoveError`]; what was written until then stays, and is taken up by the next pass.
    pub async fn pass(self: &Arc<Self>, depth: Depth) -> Result<Tally, MoveError> {
        let inventory = Arc::new(self.inventory().await?);
        (self.progress)(Progress::Begun(depth, self.count_accounts().await?));
        let mut tally = Tally::default();
        let mut lanes: JoinSet<Result<Tally, MoveError>> = JoinSet::new();
        let mut accounts = self.accounts();
        while let Some(side) = accounts.next().await? {
            let (Side::Source(account) | Side::Target(account) | Side::Both(account, _)) = side;
            if lanes.len() >= LANES {
                tally.add(joined(lanes.join_next().await)?);
            }
            let (mover, inventory) = (Arc::clone(self), Arc::clone(&inventory));
            lanes.spawn(async move {
                let tally = mover.account(depth, account, &inventory).await?;
                (mover.progress)(Progress::Account);
                Ok(tally)
            });
        }
        while !lanes.is_empty() {
            tally.add(joined(lanes.join_next().await)?);
        }
        for owner in inventory.strays.iter().copied().chain([Owner::Service]) {
            self.owned(depth, owner, &inventory, &mut tally).await?;
        }
        self.sessions(depth, &mut tally).await?;
        Ok(tally)
    }

    /// What either store has besides accounts.
    async fn inventory(&self) -> Result<Inventory, MoveError> {
        let mut inventory = self.source.take_inventory().await.map_err(MoveError::Source)?;
        let other = self.target.take_inventory().await.map_err(MoveError::Target)?;
        inventory.collections.extend(other.collections);
        inventory.collections.remove(COLLECTION);
        inventory.strays.extend(other.strays);
        Ok(inventory)
    }

    fn accounts(&self) -> Pair<'static, AccountId> {
        let list = |store: &Arc<dyn Store>| {
            let store = Arc::clone(store);
            Walk::new(move |after: Option<&AccountId>| {
                let (store, after) = (Arc::clone(&store), after.copied());
                async move { store.list_accounts(after, ACCOUNTS_PAGE).await }
            })
        };
        Pair::new(list(&self.source), list(&self.target), Ord::cmp)
    }

    async fn count_accounts(&self) -> Result<u64, MoveError> {
        let (mut count, mut accounts) = (0, self.accounts());
        while accounts.next().await?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// One account with everything that belongs to it.
    async fn account(&self, depth: Depth, account: AccountId, inventory: &Inventory) -> Result<Tally, MoveError> {
        let mut tally = Tally::default();
        let source = self.source.dump_head(account).await.map_err(MoveError::Source)?;
        let target = self.target.dump_head(account).await.map_err(MoveError::Target)?;
        if let Some(head) = &source {
            let read: Account = codec::decode(&head.document, || account.to_string()).map_err(MoveError::Source)?;
            tally.open_tabs += u64::from(read.open_sessions);
        }
        let count = tally.of(Kind::Accounts);
        count.source += u64::from(source.is_some());
        match (source, target) {
            // It was to be opened, and never was.
            (None, None) => {}
            (None, Some(_)) => {
                count.extra += 1;
                tally.note(|| format!("{account} is in the target, and the source does not know it"));
            }
            (Some(head), None) => {
                count.missing += 1;
                match depth {
                    Depth::Move => self.load(head, &mut tally).await?,
                    Depth::Look => {}
                    Depth::Verify => tally.note(|| format!("{account} is not in the target")),
                }
            }
            (Some(head), Some(there)) if head == there => {
                count.same += 1;
                if depth == Depth::Verify {
                    self.verify(account, &mut tally).await?;
                }
            }
            (Some(head), Some(_)) => {
                count.differing += 1;
                if depth == Depth::Move && self.continues {
                    self.load(head, &mut tally).await?;
                } else if depth == Depth::Verify || !self.continues {
                    tally.note(|| format!("{account} is another version in the target"));
                }
            }
        }
        // One reason is enough not to move an account: what belongs to it differs as well.
        if depth == Depth::Look && tally.noted > 0 {
            return Ok(tally);
        }
        self.secrets(depth, account, &mut tally).await?;
        self.owned(depth, Owner::Account(account), inventory, &mut tally).await?;
        Ok(tally)
    }

    /// Puts an account together in the target, in the place of what is there of it.
    async fn load(&self, head: AccountHead, tally: &mut Tally) -> Result<(), MoveError> {
        let account = head.account;
        self.target.clear_account(account).await.map_err(MoveError::Target)?;
        for part in Part::ALL {
            let mut after = None;
            loop {
                let page = self.source.dump_part(account, part, after, ITEMS_PAGE).await.map_err(MoveError::Source)?;
                let Some(last) = page.last() else { break };
                after = Some(last.key.clone());
                let (count, is_last) = (page.len(), page.len() < ITEMS_PAGE);
                tally.of(kind_of(part)).missing += count as u64;
                self.target.load_part(account, part, page).await.map_err(MoveError::Target)?;
                if is_last {
                    break;
                }
            }
        }
        if self.target.load_head(head).await.map_err(MoveError::Target)? {
            return Ok(());
        }
        Err(MoveError::Disturbed(format!("{account} has appeared there")))
    }

    /// Compares an account part by part, and audits it on both sides.
    async fn verify(&self, account: AccountId, tally: &mut Tally) -> Result<(), MoveError> {
        for part in Part::ALL {
            let items = |store: &Arc<dyn Store>| {
                let store = Arc::clone(store);
                Walk::new(move |after: Option<&Item>| {
                    let (store, after) = (Arc::clone(&store), after.map(|item| item.key.clone()));
                    async move { store.dump_part(account, part, after, ITEMS_PAGE).await }
                })
            };
            let mut pair = Pair::new(items(&self.source), items(&self.target), |one, other| one.key.cmp(&other.key));
            let title = kind_of(part).title();
            while let Some(side) = pair.next().await? {
                let count = tally.of(kind_of(part));
                match side {
                    Side::Both(one, other) if one == other => {
                        count.source += 1;
                        count.same += 1;
                    }
                    Side::Both(..) => {
                        count.source += 1;
                        count.differing += 1;
                        tally.note(|| format!("{account}: one of the {title} differs"));
                    }
                    Side::Source(_) => {
                        count.source += 1;
                        count.missing += 1;
                        tally.note(|| format!("{account}: one of the {title} is not in the target"));
                    }
                    Side::Target(_) => {
                        count.extra += 1;
                        tally.note(|| format!("{account}: one of the {title} is only in the target"));
                    }
                }
            }
        }
        let source = audit_account(self.source.as_ref(), account).await.map_err(MoveError::Source)?;
        let target = audit_account(self.target.as_ref(), account).await.map_err(MoveError::Target)?;
        if [&source, &target].into_iter().flatten().any(|audit| !audit.is_balanced()) {
            tally.unbalanced += 1;
        }
        if !is_same_audit(source.as_ref(), target.as_ref()) {
            tally.note(|| format!("{account}: the audits differ"));
        }
        Ok(())
    }

    async fn secrets(&self, depth: Depth, account: AccountId, tally: &mut Tally) -> Result<(), MoveError> {
        let source = self.source.list_secrets(account).await.map_err(MoveError::Source)?;
        let target = self.target.list_secrets(account).await.map_err(MoveError::Target)?;
        let mut pair = Pair::new(Walk::of(source), Walk::of(target), |one, other| one.id.cmp(&other.id));
        while let Some(side) = pair.next().await? {
            let count = tally.of(Kind::Secrets);
            count.source += u64::from(!matches!(side, Side::Target(_)));
            match side {
                Side::Both(one, other) if one == other => {
                    // The list is for people; what opens is found by its hash. A run that was killed between the two
                    // writes has left the one without the other.
                    let is_found = if depth == Depth::Verify || depth == Depth::Move && self.continues {
                        let found = self.target.find_secret(&one.hash).await.map_err(MoveError::Target)?;
                        found.is_some_and(|found| found == one)
                    } else {
                        true
                    };
                    if is_found {
                        count.same += 1;
                    } else {
                        count.differing += 1;
                        match depth {
                            Depth::Move => self.target.put_secret(one).await.map_err(MoveError::Target)?,
                            Depth::Look | Depth::Verify => {
                                tally.note(|| format!("{account}: {} is not found by its hash in the target", one.id));
                            }
                        }
                    }
                }
                Side::Both(one, _) => {
                    count.differing += 1;
                    if depth == Depth::Move && self.continues {
                        // An end is never put off, so this takes over one that came since.
                        self.target.put_secret(one).await.map_err(MoveError::Target)?;
                    } else if depth == Depth::Verify || !self.continues {
                        tally.note(|| format!("{account}: {} differs", one.id));
                    }
                }
                Side::Source(one) => {
                    count.missing += 1;
                    match depth {
                        Depth::Move => self.target.put_secret(one).await.map_err(MoveError::Target)?,
                        Depth::Look => {}
                        Depth::Verify => tally.note(|| format!("{account}: {} is not in the target", one.id)),
                    }
                }
                Side::Target(other) => {
                    count.extra += 1;
                    tally.note(|| format!("{account}: {} is only in the target", other.id));
                }
            }
        }
        Ok(())
    }

    /// An owner's records and blobs.
    async fn owned(
        &self,
        depth: Depth,
        owner: Owner,
        inventory: &Inventory,
        tally: &mut Tally,
    ) -> Result<(), MoveError> {
        for name in &inventory.collections {
            self.records(depth, owner, collection(name).map_err(MoveError::Source)?, tally).await?;
        }
        self.blobs(depth, owner, tally).await
    }

    async fn records(
        &self,
        depth: Depth,
        owner: Owner,
        collection: &'static str,
        tally: &mut Tally,
    ) -> Result<(), MoveError> {
        let list = |store: &Arc<dyn Store>| {
            let store = Arc::clone(store);
            Walk::new(move |after: Option<&Record>| {
                let after = after.map(|record| record.id.clone());
                let (store, range) =
                    (Arc::clone(&store), RecordRange { after, limit: RECORDS_PAGE, ..RecordRange::default() });
                async move { store.list_records(owner, collection, range).await }
            })
        };
        let mut pair = Pair::new(list(&self.source), list(&self.target), |one, other| one.id.cmp(&other.id));
        let mut steps = Vec::new();
        while let Some(side) = pair.next().await? {
            let count = tally.of(Kind::Records);
            count.source += u64::from(!matches!(side, Side::Target(_)));
            match side {
                Side::Both(one, other) if one == other => count.same += 1,
                Side::Both(one, _) => {
                    count.differing += 1;
                    if self.continues && depth == Depth::Move {
                        steps.push(put(collection, one, Expected::Any));
                    } else if !self.continues || depth == Depth::Verify {
                        tally.note(|| format!("{owner}: {collection} {} differs", one.id));
                    }
                }
                Side::Source(one) => {
                    count.missing += 1;
                    match depth {
                        Depth::Move => steps.push(put(collection, one, Expected::Absent)),
                        Depth::Look => {}
                        Depth::Verify => {
                            tally.note(|| format!("{owner}: {collection} {} is not in the target", one.id))
                        }
                    }
                }
                // What the service itself has noted is no account's, and may stay.
                Side::Target(_) if owner == Owner::Service => count.extra += 1,
                Side::Target(other) => {
                    count.extra += 1;
                    if self.continues && depth == Depth::Move {
                        let key = RecordKey { collection, id: other.id };
                        steps.push(RecordOp::Delete { key, expected: Expected::Version(other.version) });
                    } else if !self.continues || depth == Depth::Verify {
                        tally.note(|| format!("{owner}: {collection} {} is only in the target", other.id));
                    }
                }
            }
            if steps.len() >= RECORDS_PAGE {
                self.write(owner, std::mem::take(&mut steps)).await?;
            }
        }
        self.write(owner, steps).await
    }

    /// Each on its own: a batch that meets a part of itself counts as written.
    async fn write(&self, owner: Owner, steps: Vec<RecordOp>) -> Result<(), MoveError> {
        if steps.is_empty() {
            return Ok(());
        }
        let batches = steps.into_iter().map(|step| RecordBatch { owner, ops: vec![step] }).collect();
        for outcome in self.target.write_records(batches).await {
            if outcome.map_err(MoveError::Target)? == RecordOutcome::Conflict {
                return Err(MoveError::Disturbed(format!("a record of {owner} has appeared there")));
            }
        }
        Ok(())
    }

    async fn blobs(&self, depth: Depth, owner: Owner, tally: &mut Tally) -> Result<(), MoveError> {
        let source = self.source.list_blobs(owner).await.map_err(MoveError::Source)?;
        let target = self.target.list_blobs(owner).await.map_err(MoveError::Target)?;
        let mut pair = Pair::new(Walk::of(source), Walk::of(target), |one, other| one.id.cmp(&other.id));
        while let Some(side) = pair.next().await? {
            let (Side::Source(BlobInfo { id, len })
            | Side::Both(BlobInfo { id, len }, _)
            | Side::Target(BlobInfo { id, len })) = &side;
            let (id, len) = (id.as_str(), *len);
            let mut counted = |count: fn(&mut super::Count) -> &mut u64| {
                *count(tally.of(Kind::Blobs)) += 1;
                *count(tally.of(Kind::BlobBytes)) += len;
            };
            if !matches!(side, Side::Target(_)) {
                counted(|count| &mut count.source);
            }
            match &side {
                Side::Both(one, other) => {
                    let looks_same = one.len == other.len;
                    let reads = depth == Depth::Verify || depth == Depth::Move && self.continues;
                    if looks_same && (!reads || self.is_same_blob(owner, id).await?) {
                        counted(|count| &mut count.same);
                        continue;
                    }
                    counted(|count| &mut count.differing);
                    if depth == Depth::Move && self.continues {
                        self.put_blob(owner, id).await?;
                    } else if depth == Depth::Verify || !self.continues {
                        tally.note(|| format!("{owner}: the blob {id} differs"));
                    }
                }
                Side::Source(_) => {
                    counted(|count| &mut count.missing);
                    match depth {
                        Depth::Move => self.put_blob(owner, id).await?,
                        Depth::Look => {}
                        Depth::Verify => tally.note(|| format!("{owner}: the blob {id} is not in the target")),
                    }
                }
                Side::Target(_) => {
                    counted(|count| &mut count.extra);
                    if owner == Owner::Service {
                    } else if depth == Depth::Move && self.continues {
                        self.target.delete_blob(owner, id).await.map_err(MoveError::Target)?;
                    } else if depth == Depth::Verify || !self.continues {
                        tally.note(|| format!("{owner}: the blob {id} is only in the target"));
                    }
                }
            }
        }
        Ok(())
    }

    async fn put_blob(&self, owner: Owner, id: &str) -> Result<(), MoveError> {
        let _turn = self.one_blob.lock().await;
        let Some(bytes) = self.source.get_blob(owner, id).await.map_err(MoveError::Source)? else {
            return Err(MoveError::Source(StoreError::Corrupt {
                place: format!("the blob {id} of {owner}"),
                detail: "it is listed, and not there".to_owned(),
            }));
        };
        self.target.put_blob(owner, id, bytes).await.map_err(MoveError::Target)
    }

    async fn is_same_blob(&self, owner: Owner, id: &str) -> Result<bool, MoveError> {
        let _turn = self.one_blob.lock().await;
        let one = self.source.get_blob(owner, id).await.map_err(MoveError::Source)?;
        let other = self.target.get_blob(owner, id).await.map_err(MoveError::Target)?;
        Ok(one.is_some() && one == other)
    }

    /// Newest first, as stores list them.
    async fn sessions(&self, depth: Depth, tally: &mut Tally) -> Result<(), MoveError> {
        let list = |store: &Arc<dyn Store>| {
            let store = Arc::clone(store);
            Walk::new(move |before: Option<&SessionRecord>| {
                let (store, before) = (Arc::clone(&store), before.map(|record| record.id));
                async move { store.list_sessions(None, before, SESSIONS_PAGE).await }
            })
        };
        let kept = self.target.sessions_kept();
        let kept_ms = kept.map(|kept| i64::try_from(kept.as_millis()).unwrap_or(i64::MAX));
        let leaves_out = |record: &SessionRecord| {
            let ended_at = record.ended_at.filter(|_| record.state == SessionState::Ended);
            ended_at.zip(kept_ms).is_some_and(|(at, kept)| at.0.saturating_add(kept) < self.now.0 + KEPT_MARGIN_MS)
        };
        let mut pair = Pair::new(list(&self.source), list(&self.target), |one, other| other.id.cmp(&one.id));
        let (mut moved, mut told) = (Vec::new(), 0);
        while let Some(side) = pair.next().await? {
            told += 1;
            if told % SESSIONS_PAGE as u64 == 0 {
                (self.progress)(Progress::Sessions(SESSIONS_PAGE as u64));
            }
            if let Side::Source(record) | Side::Both(record, _) = &side {
                tally.of(Kind::Sessions).source += 1;
                if record.state != SessionState::Ended {
                    tally.open_sessions += 1;
                    if tally.open_sessions <= OPEN_NAMED {
                        tally.open_named.push(record.id);
                    }
                }
                if leaves_out(record) {
                    tally.of(Kind::Sessions).left_out += 1;
                    continue;
                }
            }
            let count = tally.of(Kind::Sessions);
            match side {
                Side::Both(one, other) if one == other => count.same += 1,
                Side::Both(one, _) => {
                    count.differing += 1;
                    if depth == Depth::Move && self.continues {
                        moved.push(one);
                    } else if depth == Depth::Verify || !self.continues {
                        tally.note(|| format!("{} differs", one.id));
                    }
                }
                Side::Source(one) => {
                    count.missing += 1;
                    match depth {
                        Depth::Move => moved.push(one),
                        Depth::Look => {}
                        Depth::Verify => tally.note(|| format!("{} is not in the target", one.id)),
                    }
                }
                // The source may have let it go meanwhile.
                Side::Target(_) => count.extra += 1,
            }
            if moved.len() >= SESSIONS_PAGE {
                self.target.load_sessions(std::mem::take(&mut moved)).await.map_err(MoveError::Target)?;
            }
        }
        (self.progress)(Progress::Sessions(told % SESSIONS_PAGE as u64));
        self.target.load_sessions(moved).await.map_err(MoveError::Target)
    }
}

fn joined(lane: Option<Result<Result<Tally, MoveError>, tokio::task::JoinError>>) -> Result<Tally, MoveError> {
    match lane {
        None => Ok(Tally::default()),
        Some(Ok(tally)) => tally,
        Some(Err(error)) => Err(MoveError::Source(StoreError::unreachable(format!("a lane ended: {error}")))),
    }
}

fn put(collection: &'static str, record: Record, expected: Expected) -> RecordOp {
    let Record { id, version, due, body } = record;
    RecordOp::Put { key: RecordKey { collection, id }, expected, next: version, due, body }
}

fn is_same_audit(one: Option<&AccountAudit>, other: Option<&AccountAudit>) -> bool {
    let told = |audit: &AccountAudit| (audit.totals, audit.entries, audit.sessions, audit.differences.clone());
    one.map(told) == other.map(told)
}

const fn kind_of(part: Part) -> Kind {
    match part {
        Part::Tabs => Kind::Tabs,
        Part::Names => Kind::Names,
        Part::Jobs => Kind::JobHolds,
        Part::Entries => Kind::JournalEntries,
    }
}
