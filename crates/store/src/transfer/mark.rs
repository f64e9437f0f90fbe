//! The mark that a store carries while something is moved into it: who finds it there must not serve from half a store.

use footlight_ledger::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::records::{get_record, write_surely};
use crate::{
    Expected, Owner, RecordBatch, RecordKey, RecordOp, RecordOutcome, RecordStore, RecordVersion, StoreError, codec,
};

/// The collection of the mark: never moved itself.
pub(super) const COLLECTION: &str = "migration";

/// A migration into this store has begun and was not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Where from, as people write it, without a password.
    pub source: String,
    /// Which migration: the same one goes on under the same id.
    pub id: Uuid,
    /// When it began.
    pub begun_at: Timestamp,
}

fn key() -> RecordKey {
    RecordKey::new(COLLECTION, "into")
}

/// The mark of a migration into this store that was not finished.
///
/// # Errors
/// What the store said.
pub async fn unfinished<S: RecordStore + ?Sized>(store: &S) -> Result<Option<Mark>, StoreError> {
    let Some(record) = get_record(store, Owner::Service, &key()).await? else { return Ok(None) };
    codec::decode(&record.body, || "the mark of a migration".to_owned()).map(Some)
}

/// Writes a mark where there is none. Answers whether it did.
pub(super) async fn begin<S: RecordStore + ?Sized>(store: &S, mark: &Mark) -> Result<bool, StoreError> {
    let put = RecordOp::Put {
        key: key(),
        expected: Expected::Absent,
        next: RecordVersion(mark.id.as_u128()),
        due: None,
        body: codec::encode_named(mark),
    };
    let outcome = write_surely(store, RecordBatch { owner: Owner::Service, ops: vec![put] }).await?;
    Ok(outcome == RecordOutcome::Written)
}

/// Removes a mark.
pub(super) async fn finish<S: RecordStore + ?Sized>(store: &S, mark: &Mark) -> Result<(), StoreError> {
    let expected = Expected::Version(RecordVersion(mark.id.as_u128()));
    let delete = RecordOp::Delete { key: key(), expected };
    write_surely(store, RecordBatch { owner: Owner::Service, ops: vec![delete] }).await.map(drop)
}
