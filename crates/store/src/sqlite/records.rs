//! Records: one table for all collections.

use async_trait::async_trait;
use footlight_ledger::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::SqliteStore;
use super::accounts::alone;
use super::failure::Failure;
use crate::StoreError;
use crate::records::{
    Due, DueQueue, Expected, Owner, Record, RecordBatch, RecordKey, RecordOp, RecordOutcome, RecordRange, RecordStore,
    RecordVersion, check_batch,
};

#[async_trait]
impl RecordStore for SqliteStore {
    async fn write_records(&self, batches: Vec<RecordBatch>) -> Vec<Result<RecordOutcome, StoreError>> {
        let count = batches.len();
        let batches: std::sync::Arc<[RecordBatch]> = batches.into();
        let written = self
            .writer
            .call(move |connection| batches.iter().map(|batch| alone(write(connection, batch))).collect())
            .await;
        match written {
            Ok(outcomes) => outcomes,
            Err(error) => (0..count).map(|_| Err(error.clone())).collect(),
        }
    }

    async fn get_records(
        &self,
        owner: Owner,
        collection: &'static str,
        ids: &[String],
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let ids = ids.to_vec();
        self.read(move |connection| ids.iter().map(|id| get(connection, owner, collection, id)).collect()).await
    }

    async fn list_records(
        &self,
        owner: Owner,
        collection: &'static str,
        range: RecordRange,
    ) -> Result<Vec<Record>, StoreError> {
        self.read(move |connection| list(connection, owner, collection, &range)).await
    }

    async fn due_queues(
        &self,
        collection: &'static str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueQueue>, StoreError> {
        self.read(move |connection| due_queues(connection, collection, now, limit)).await
    }

    async fn list_due(
        &self,
        owner: Owner,
        collection: &'static str,
        queue: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let queue = queue.to_owned();
        self.read(move |connection| {
            connection
                .prepare_cached(
                    "SELECT id, version, queue, due_at, doc FROM records
                     WHERE collection = ?1 AND queue = ?2 AND owner = ?3 AND due_at <= ?4 ORDER BY due_at, id LIMIT ?5",
                )?
                .query_map(params![collection, queue, owner.to_uuid().as_bytes(), now.0, limit_sql(limit)], record)?
                .map(|record| Ok(record?))
                .collect()
        })
        .await
    }
}

/// Everything is looked at before anything is written, so a batch that conflicts leaves nothing in the transaction that it
/// shares with others.
fn write(connection: &Connection, batch: &RecordBatch) -> Result<RecordOutcome, Failure> {
    check_batch(batch)?;
    let mut is_free = true;
    for op in &batch.ops {
        let current = version(connection, batch.owner, op.key())?;
        match op {
            // Sent twice: all of it is there already.
            RecordOp::Put { next, .. } | RecordOp::Ensure { next, .. } if current == Some(*next) => {
                return Ok(RecordOutcome::Written);
            }
            RecordOp::Put { expected, .. } => is_free &= is_met(*expected, current),
            RecordOp::Delete { expected, .. } => is_free &= current.is_none() || is_met(*expected, current),
            RecordOp::Absent { .. } => is_free &= current.is_none(),
            RecordOp::Ensure { .. } => {}
        }
    }
    if !is_free {
        return Ok(RecordOutcome::Conflict);
    }
    batch.ops.iter().try_for_each(|op| apply(connection, batch.owner, op))?;
    Ok(RecordOutcome::Written)
}

fn is_met(expected: Expected, current: Option<RecordVersion>) -> bool {
    match expected {
        Expected::Absent => current.is_none(),
        Expected::Version(version) => current == Some(version),
        Expected::Any => true,
    }
}

fn apply(connection: &Connection, owner: Owner, op: &RecordOp) -> Result<(), Failure> {
    let owner = owner.to_uuid();
    let RecordKey { collection, id } = op.key();
    match op {
        RecordOp::Put { next, due, body, .. } => {
            let (queue, at) = due.as_ref().map(|due| (&due.queue, due.at.0)).unzip();
            connection
                .prepare_cached(
                    "INSERT INTO records (collection, owner, id, version, queue, due_at, doc)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                     ON CONFLICT (collection, owner, id) DO UPDATE SET version = ?4, queue = ?5, due_at = ?6, doc = ?7",
                )?
                .execute(params![collection, owner.as_bytes(), id, next.0.to_be_bytes(), queue, at, body])?;
        }
        RecordOp::Ensure { next, due, body, .. } => {
            let (queue, at) = due.as_ref().map(|due| (&due.queue, due.at.0)).unzip();
            connection
                .prepare_cached(
                    "INSERT INTO records (collection, owner, id, version, queue, due_at, doc)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                     ON CONFLICT (collection, owner, id) DO UPDATE SET version = ?4",
                )?
                .execute(params![collection, owner.as_bytes(), id, next.0.to_be_bytes(), queue, at, body])?;
        }
        RecordOp::Delete { .. } => {
            connection
                .prepare_cached("DELETE FROM records WHERE collection = ?1 AND owner = ?2 AND id = ?3")?
                .execute(params![collection, owner.as_bytes(), id])?;
        }
        RecordOp::Absent { .. } => {}
    }
    Ok(())
}

fn version(connection: &Connection, owner: Owner, key: &RecordKey) -> Result<Option<RecordVersion>, Failure> {
    let found: Option<[u8; 16]> = connection
        .prepare_cached("SELECT version FROM records WHERE collection = ?1 AND owner = ?2 AND id = ?3")?
        .query_row(params![key.collection, owner.to_uuid().as_bytes(), key.id], |row| row.get(0))
        .optional()?;
    Ok(found.map(|bytes| RecordVersion(u128::from_be_bytes(bytes))))
}

fn get(connection: &Connection, owner: Owner, collection: &str, id: &str) -> Result<Option<Record>, Failure> {
    let found = connection
        .prepare_cached(
            "SELECT id, version, queue, due_at, doc FROM records WHERE collection = ?1 AND owner = ?2 AND id = ?3",
        )?
        .query_row(params![collection, owner.to_uuid().as_bytes(), id], record)
        .optional()?;
    Ok(found)
}

/// Ids are visible ASCII, so DEL ends the range of those that begin with a prefix.
fn list(connection: &Connection, owner: Owner, collection: &str, range: &RecordRange) -> Result<Vec<Record>, Failure> {
    let RecordRange { prefix, after, backwards, limit } = range;
    let last = format!("{prefix}\u{7f}");
    let (from, to, sql) = if *backwards {
        let before = after.as_ref().map_or(&last, |after| after.min(&last));
        (
            prefix,
            before,
            "SELECT id, version, queue, due_at, doc FROM records
             WHERE collection = ?1 AND owner = ?2 AND id >= ?3 AND id < ?4 ORDER BY id DESC LIMIT ?5",
        )
    } else if let Some(after) = after.as_ref().filter(|after| *after >= prefix) {
        (
            after,
            &last,
            "SELECT id, version, queue, due_at, doc FROM records
             WHERE collection = ?1 AND owner = ?2 AND id > ?3 AND id < ?4 ORDER BY id LIMIT ?5",
        )
    } else {
        (
            prefix,
            &last,
            "SELECT id, version, queue, due_at, doc FROM records
             WHERE collection = ?1 AND owner = ?2 AND id >= ?3 AND id < ?4 ORDER BY id LIMIT ?5",
        )
    };
    connection
        .prepare_cached(sql)?
        .query_map(params![collection, owner.to_uuid().as_bytes(), from, to, limit_sql(*limit)], record)?
        .map(|record| Ok(record?))
        .collect()
}

/// Steps from line to line along the index: its cost is that of the lines, whatever waits in them.
fn due_queues(
    connection: &Connection,
    collection: &str,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<DueQueue>, Failure> {
    let mut step = connection.prepare_cached(
        "SELECT queue, owner, due_at FROM records WHERE collection = ?1 AND (queue, owner) > (?2, ?3)
         ORDER BY queue, owner, due_at LIMIT 1",
    )?;
    let mut found = Vec::new();
    let mut after = (String::new(), [0; 16]);
    while found.len() < limit {
        let next: Option<(String, [u8; 16], i64)> = step
            .query_row(params![collection, after.0, after.1], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((queue, owner, due_at)) = next else { break };
        if due_at <= now.0 {
            found.push(DueQueue { owner: Owner::from_uuid(Uuid::from_bytes(owner)), queue: queue.clone() });
        }
        after = (queue, owner);
    }
    Ok(found)
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let queue: Option<String> = row.get(2)?;
    let at: Option<i64> = row.get(3)?;
    Ok(Record {
        id: row.get(0)?,
        version: RecordVersion(u128::from_be_bytes(row.get(1)?)),
        due: queue.zip(at).map(|(queue, at)| Due { queue, at: Timestamp(at) }),
        body: row.get(4)?,
    })
}

fn limit_sql(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
