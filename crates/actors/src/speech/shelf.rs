//! How kept speech lies in the store.

use std::sync::Arc;

use footlight_ledger::{AccountId, SessionId, Timestamp};
use footlight_session::UtteranceId;
use footlight_session::kept::KeptUtterance;
use footlight_store::blobs::SPEECH_BLOBS;
use footlight_store::records::write_surely;
use footlight_store::{
    Due, Expected, Owner, Record, RecordBatch, RecordKey, RecordOp, RecordOutcome, RecordRange, RecordVersion, Store,
    StoreError, codec,
};

/// The collection.
pub(super) const SPEECH: &str = "speech";
/// The line in which the janitor finds what has been there for long.
pub(super) const KEPT: &str = "kept";
/// When it looks at an utterance, in milliseconds from its last change.
pub(super) const LOOKED_AT_AFTER_MS: i64 = 3_600_000;

/// The bytes of a sample.
const SAMPLE_BYTES: u64 = 2;

/// Records read at once.
const PAGE: usize = 200;
/// Pages read at most for one session: more utterances than a stage takes.
const PAGES_MAX: usize = 10;

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Done,
    /// It has another version than its last writer gave it: another owner has it.
    Fenced,
}

impl From<RecordOutcome> for Fate {
    fn from(outcome: RecordOutcome) -> Self {
        match outcome {
            RecordOutcome::Written => Self::Done,
            RecordOutcome::Conflict => Self::Fenced,
        }
    }
}

fn record_id(session: SessionId, id: UtteranceId) -> String {
    format!("{}{id}", prefix(session))
}

fn prefix(session: SessionId) -> String {
    format!("{session}.")
}

/// Whose utterance a record is, by its id.
pub(super) fn session_of(record_id: &str) -> Option<SessionId> {
    record_id.split_once('.').and_then(|(session, _)| session.parse().ok())
}

fn blob_id(session: SessionId, id: UtteranceId) -> String {
    format!("{SPEECH_BLOBS}{session}.{id}")
}

/// How many bytes the samples of an upload take.
pub(super) const fn bytes_of(samples: u64) -> u64 {
    samples.saturating_mul(SAMPLE_BYTES)
}

/// The step that writes an utterance.
pub(super) fn put(
    session: SessionId,
    utterance: &KeptUtterance,
    expected: Expected,
    next: RecordVersion,
    now: Timestamp,
) -> RecordOp {
    RecordOp::Put {
        key: RecordKey::new(SPEECH, record_id(session, utterance.id)),
        expected,
        next,
        due: Some(Due { queue: KEPT.to_owned(), at: now.plus_ms(LOOKED_AT_AFTER_MS) }),
        body: codec::encode_named(utterance),
    }
}

/// The step that removes one.
pub(super) fn delete(session: SessionId, id: UtteranceId, expected: Expected) -> RecordOp {
    RecordOp::Delete { key: RecordKey::new(SPEECH, record_id(session, id)), expected }
}

pub(super) async fn write(
    store: &dyn Store,
    account: AccountId,
    session: SessionId,
    utterance: &KeptUtterance,
    expected: Expected,
    next: RecordVersion,
    now: Timestamp,
) -> Result<Fate, StoreError> {
    let ops = vec![put(session, utterance, expected, next, now)];
    Ok(write_surely(store, RecordBatch { owner: Owner::Account(account), ops }).await?.into())
}

pub(super) async fn remove(
    store: &dyn Store,
    account: AccountId,
    session: SessionId,
    id: UtteranceId,
    expected: Expected,
) -> Result<Fate, StoreError> {
    let ops = vec![delete(session, id, expected)];
    Ok(write_surely(store, RecordBatch { owner: Owner::Account(account), ops }).await?.into())
}

pub(super) async fn write_samples(
    store: &dyn Store,
    account: AccountId,
    session: SessionId,
    id: UtteranceId,
    audio: &Arc<[i16]>,
) -> Result<(), StoreError> {
    let samples = Arc::clone(audio);
    // Up to sixty megabytes.
    let bytes = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::with_capacity(samples.len() * 2);
        samples.iter().for_each(|sample| bytes.extend_from_slice(&sample.to_le_bytes()));
        bytes
    });
    let bytes = bytes.await.map_err(|error| StoreError::Refused { detail: error.to_string() })?;
    store.put_blob(Owner::Account(account), &blob_id(session, id), bytes).await
}

/// The samples of an upload; `None` if they are gone.
pub(super) async fn read_samples(
    store: &dyn Store,
    account: AccountId,
    session: SessionId,
    id: UtteranceId,
) -> Result<Option<Arc<[i16]>>, StoreError> {
    let Some(bytes) = store.get_blob(Owner::Account(account), &blob_id(session, id)).await? else { return Ok(None) };
    let samples = tokio::task::spawn_blocking(move || {
        bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
    });
    samples.await.map(Some).map_err(|error| StoreError::Refused { detail: error.to_string() })
}

pub(super) async fn remove_samples(
    store: &dyn Store,
    account: AccountId,
    session: SessionId,
    id: UtteranceId,
) -> Result<(), StoreError> {
    store.delete_blob(Owner::Account(account), &blob_id(session, id)).await
}

/// All that is kept of a session, with the version of each record.
pub(super) async fn list(
    store: &dyn Store,
    account: AccountId,
    session: SessionId,
) -> Result<Vec<(RecordVersion, KeptUtterance)>, StoreError> {
    let mut found = Vec::new();
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let range = RecordRange { prefix: prefix(session), after: after.take(), backwards: false, limit: PAGE };
        let page = store.list_records(Owner::Account(account), SPEECH, range).await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|record| record.id.clone());
        for record in page {
            found.push((record.version, decode(&record)?));
        }
        if is_last {
            break;
        }
    }
    Ok(found)
}

pub(super) fn decode(record: &Record) -> Result<KeptUtterance, StoreError> {
    codec::decode(&record.body, || format!("speech {}", record.id))
}

/// Removes all that is kept of a session that is over, whoever kept it.
///
/// # Errors
/// What the store said; what is left then is the janitor's.
pub(crate) async fn discard(store: &dyn Store, account: AccountId, session: SessionId) -> Result<(), StoreError> {
    for (_, utterance) in list(store, account, session).await? {
        remove(store, account, session, utterance.id, Expected::Any).await?;
        remove_samples(store, account, session, utterance.id).await?;
    }
    // Who was lost between the two has left samples that no record names.
    let samples = format!("{SPEECH_BLOBS}{}", prefix(session));
    for blob in store.list_blobs(Owner::Account(account)).await? {
        if blob.id.starts_with(&samples) {
            store.delete_blob(Owner::Account(account), &blob.id).await?;
        }
    }
    Ok(())
}
