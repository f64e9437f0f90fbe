//! Small documents in named collections: what webhooks, jobs and the like keep, without tables of their own.
//!
//! A record belongs to an owner and has a version that is compared when it is written. It may wait in a queue for its time:
//! then whoever works off that queue finds it when it is due. Everything that is written together belongs to one owner,
//! and is written as a whole or not at all.

use async_trait::async_trait;
use footlight_ledger::{AccountId, Timestamp};
use uuid::Uuid;

use crate::StoreError;

/// The longest id of a record or blob, and the longest name of a collection or queue, in bytes.
pub const NAME_MAX: usize = 128;

/// The largest body of a record, in bytes. What is larger is a blob.
pub const BODY_MAX: usize = 256 << 10;

/// How often a batch whose outcome is unknown is sent again by [`write_surely`].
const TRIES_MAX: u32 = 5;

/// Whose record it is. Nothing is kept without an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// An account's.
    Account(AccountId),
    /// The service's own: what belongs to no account or to all.
    Service,
}

impl From<AccountId> for Owner {
    fn from(account: AccountId) -> Self {
        Self::Account(account)
    }
}

impl Owner {
    /// Its 16 bytes; the service's are zero.
    #[must_use]
    pub fn to_uuid(self) -> Uuid {
        match self {
            Self::Account(account) => account.0,
            Self::Service => Uuid::nil(),
        }
    }

    /// Reads [`Owner::to_uuid`] back.
    #[must_use]
    pub fn from_uuid(id: Uuid) -> Self {
        if id.is_nil() { Self::Service } else { Self::Account(AccountId(id)) }
    }

    /// Reads its text back; `None` for what is no owner.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "service" { Some(Self::Service) } else { text.parse().ok().map(Self::Account) }
    }

    /// The account, if it is one's.
    #[must_use]
    pub const fn account(self) -> Option<AccountId> {
        match self {
            Self::Account(account) => Some(account),
            Self::Service => None,
        }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Account(account) => account.fmt(f),
            Self::Service => f.write_str("service"),
        }
    }
}

/// The identity of one state of a record: random, made by whoever writes it, before the first attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordVersion(pub u128);

/// That a record waits for its time, and in which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The line's name within the collection and the owner: an endpoint, a kind of job. 1 to [`NAME_MAX`] bytes.
    pub queue: String,
    /// From when on it is due.
    pub at: Timestamp,
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its name within the owner and collection.
    pub id: String,
    /// Which state of it this is.
    pub version: RecordVersion,
    /// When somebody should look at it.
    pub due: Option<Due>,
    /// What is in it: a document of [`codec`](crate::codec), usually.
    pub body: Vec<u8>,
}

/// Which record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordKey {
    /// The collection: a constant of whoever keeps records in it.
    pub collection: &'static str,
    /// The name. Visible ASCII, 1 to [`NAME_MAX`] bytes; lists are in its byte order.
    pub id: String,
}

impl RecordKey {
    /// Names a record.
    pub fn new(collection: &'static str, id: impl Into<String>) -> Self {
        Self { collection, id: id.into() }
    }
}

/// What must be there for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Absent,
    /// This version.
    Version(RecordVersion),
    /// Whatever.
    Any,
}

/// One step of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordOp {
    /// Writes a record.
    Put {
        /// Which.
        key: RecordKey,
        /// What must be there.
        expected: Expected,
        /// The version it becomes.
        next: RecordVersion,
        /// When it is due.
        due: Option<Due>,
        /// What is in it.
        body: Vec<u8>,
    },
    /// Writes a record if there is none; one that is there gets the new version and is otherwise left alone, so that
    /// whoever works on it sees that something came.
    Ensure {
        /// Which.
        key: RecordKey,
        /// The version it becomes.
        next: RecordVersion,
        /// When it is due, if it is new.
        due: Option<Due>,
        /// What is in it, if it is new.
        body: Vec<u8>,
    },
    /// Deletes a record. One that is gone already is as good as deleted.
    Delete {
        /// Which.
        key: RecordKey,
        /// What must be there, if anything is.
        expected: Expected,
    },
    /// Writes nothing, and lets the batch through only if there is no such record.
    Absent {
        /// Which.
        key: RecordKey,
    },
}

impl RecordOp {
    /// The record that it is about.
    #[must_use]
    pub const fn key(&self) -> &RecordKey {
        match self {
            Self::Put { key, .. } | Self::Ensure { key, .. } | Self::Delete { key, .. } | Self::Absent { key } => key,
        }
    }
}

/// Steps that happen together or not at all. A record appears in one of them at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordBatch {
    /// Whose records.
    pub owner: Owner,
    /// The steps.
    pub ops: Vec<RecordOp>,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordOutcome {
    /// It is written, now or by an earlier attempt of the same batch.
    Written,
    /// Something else was there than expected; nothing was written.
    Conflict,
}

/// A line in which something is due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueQueue {
    /// Whose.
    pub owner: Owner,
    /// Its name.
    pub queue: String,
}

/// A part of an owner's collection.
#[derive(Debug, Clone, Default)]
pub struct RecordRange {
    /// Only ids that begin with this.
    pub prefix: String,
    /// Only what comes after this id, in the direction of the list.
    pub after: Option<String>,
    /// From the last id to the first.
    pub backwards: bool,
    /// At most this many.
    pub limit: usize,
}

/// Records.
#[async_trait]
pub trait RecordStore: Send + Sync + 'static {
    /// Writes batches: each as a whole if everything is as it expects; all of them in one transaction or pipeline. One
    /// result per batch, in order. A batch that is sent again while nobody else has written is written once.
    async fn write_records(&self, batches: Vec<RecordBatch>) -> Vec<Result<RecordOutcome, StoreError>>;

    /// Reads records by name, in order; `None` for those that are not there.
    async fn get_records(
        &self,
        owner: Owner,
        collection: &'static str,
        ids: &[String],
    ) -> Result<Vec<Option<Record>>, StoreError>;

    /// Lists a part of an owner's collection, in the order of ids.
    async fn list_records(
        &self,
        owner: Owner,
        collection: &'static str,
        range: RecordRange,
    ) -> Result<Vec<Record>, StoreError>;

    /// The lines of a collection in which something may be due at `now`, at most `limit`. A line may be named in which
    /// nothing is due any more; none in which something is due is left out but for the limit.
    async fn due_queues(
        &self,
        collection: &'static str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueQueue>, StoreError>;

    /// What is due in one line at `now`, what has waited longest first, at most `limit`.
    async fn list_due(
        &self,
        owner: Owner,
        collection: &'static str,
        queue: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError>;
}

/// Reads one record.
///
/// # Errors
/// What the store said.
pub async fn get_record<S: RecordStore + ?Sized>(
    store: &S,
    owner: Owner,
    key: &RecordKey,
) -> Result<Option<Record>, StoreError> {
    let found = store.get_records(owner, key.collection, std::slice::from_ref(&key.id)).await?;
    Ok(found.into_iter().next().flatten())
}

/// Writes one batch and sends it again, a few times, while its outcome is unknown: a reply that got lost is found out by
/// the batch meeting its own versions.
///
/// # Errors
/// What the store said last.
pub async fn write_surely<S: RecordStore + ?Sized>(store: &S, batch: RecordBatch) -> Result<RecordOutcome, StoreError> {
    let mut last = StoreError::unreachable("not tried");
    for _ in 0..TRIES_MAX {
        match store.write_records(vec![batch.clone()]).await.pop().expect("one result per batch") {
            Ok(outcome) => return Ok(outcome),
            Err(error) if error.is_outcome_unknown() => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Checks the names and sizes of a batch: all stores refuse the same.
///
/// # Errors
/// [`StoreError::Refused`].
pub fn check_batch(batch: &RecordBatch) -> Result<(), StoreError> {
    for op in &batch.ops {
        check_name(op.key().collection)?;
        check_name(&op.key().id)?;
        if let RecordOp::Put { due, body, .. } | RecordOp::Ensure { due, body, .. } = op {
            due.as_ref().map_or(Ok(()), |due| check_name(&due.queue))?;
            if body.len() > BODY_MAX {
                let detail = format!("a record of {} bytes; at most {BODY_MAX} fit", body.len());
                return Err(StoreError::Refused { detail });
            }
        }
    }
    Ok(())
}

/// Checks a name of a record, blob, collection or queue.
///
/// # Errors
/// [`StoreError::Refused`].
pub fn check_name(name: &str) -> Result<(), StoreError> {
    if (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let detail = format!("a name of {} bytes; it must be 1 to {NAME_MAX} visible ASCII characters", name.len());
    Err(StoreError::Refused { detail })
}
