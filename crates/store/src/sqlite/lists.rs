//! Reading accounts in bulk: lists, the whole of one, and the trimming of its journal.

use footlight_ledger::{AccountId, Checkpoint, Entry, JobId, SessionId, Tab, Timestamp, Touched};
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::accounts::{self, to_sql};
use super::failure::Failure;
use crate::{WholeAccount, codec};

pub(super) fn list_accounts(
    connection: &Connection,
    after: Option<AccountId>,
    limit: usize,
) -> Result<Vec<AccountId>, Failure> {
    let mut list =
        connection.prepare_cached("SELECT id FROM accounts WHERE ?1 IS NULL OR id > ?1 ORDER BY id LIMIT ?2")?;
    let rows = list.query_map(params![after.map(|id| *id.0.as_bytes()), limit_sql(limit)], |row| row.get(0))?;
    rows.map(|id| Ok(AccountId(Uuid::from_bytes(id?)))).collect()
}

pub(super) fn list_tabs(
    connection: &Connection,
    account: AccountId,
    after: Option<SessionId>,
    limit: usize,
) -> Result<Vec<Tab>, Failure> {
    let mut list = connection.prepare_cached(
        "SELECT doc FROM tabs WHERE account = ?1 AND (?2 IS NULL OR session > ?2) ORDER BY session LIMIT ?3",
    )?;
    let after = after.map(|id| *id.0.as_bytes());
    let rows =
        list.query_map(params![account.0.as_bytes(), after, limit_sql(limit)], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|document| Ok(codec::decode(&document?, || format!("{account}, a tab"))?)).collect()
}

pub(super) fn list_overdue(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(AccountId, SessionId)>, Failure> {
    let mut list = connection.prepare_cached(
        "SELECT account, session FROM tabs WHERE due_bucket <= ?1 AND due_at <= ?1 ORDER BY due_bucket LIMIT ?2",
    )?;
    let rows = list.query_map(params![now.0, limit_sql(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.map(|row| {
        let (account, session) = row?;
        Ok((AccountId(Uuid::from_bytes(account)), SessionId(Uuid::from_bytes(session))))
    })
    .collect()
}

pub(super) fn list_overdue_jobs(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(AccountId, JobId)>, Failure> {
    let mut list =
        connection.prepare_cached("SELECT account, job FROM jobs WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2")?;
    let rows = list.query_map(params![now.0, limit_sql(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.map(|row| {
        let (account, job) = row?;
        Ok((AccountId(Uuid::from_bytes(account)), JobId(Uuid::from_bytes(job))))
    })
    .collect()
}

pub(super) fn list_entries(
    connection: &Connection,
    account: AccountId,
    from: u64,
    limit: usize,
) -> Result<Vec<Entry>, Failure> {
    let mut list = connection
        .prepare_cached("SELECT doc FROM entries WHERE account = ?1 AND number >= ?2 ORDER BY number LIMIT ?3")?;
    let rows =
        list.query_map(params![account.0.as_bytes(), to_sql(from), limit_sql(limit)], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|document| Ok(codec::decode(&document?, || format!("{account}, a journal entry"))?)).collect()
}

/// Reads everything of an account. The caller sees to it that all reads are of one moment.
pub(super) fn load_whole(connection: &Connection, account: AccountId) -> Result<Option<WholeAccount>, Failure> {
    let Some(loaded) = accounts::load(connection, account, &Touched::default())? else { return Ok(None) };
    let checkpoint = load_checkpoint(connection, account)?;
    let mut list = connection.prepare_cached("SELECT doc FROM jobs WHERE account = ?1 ORDER BY job")?;
    let jobs = list.query_map(params![account.0.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?;
    let jobs = jobs.map(|document| Ok::<_, Failure>(codec::decode(&document?, || format!("{account}, a job"))?));
    Ok(Some(WholeAccount {
        account: loaded.books.account,
        entries: list_entries(connection, account, checkpoint.next_entry, usize::MAX)?,
        checkpoint,
        tabs: list_tabs(connection, account, None, usize::MAX)?,
        jobs: jobs.collect::<Result<_, _>>()?,
    }))
}

pub(super) fn load_checkpoint(connection: &Connection, account: AccountId) -> Result<Checkpoint, Failure> {
    let document: Option<Vec<u8>> = connection
        .prepare_cached("SELECT doc FROM checkpoints WHERE account = ?1")?
        .query_row(params![account.0.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(match document {
        Some(document) => codec::decode(&document, || format!("{account}, the journal's checkpoint"))?,
        None => Checkpoint::default(),
    })
}

pub(super) fn trim_entries(
    connection: &Connection,
    account: AccountId,
    from: u64,
    checkpoint: &Checkpoint,
) -> Result<bool, Failure> {
    if load_checkpoint(connection, account)?.next_entry != from {
        return Ok(false);
    }
    let next = to_sql(checkpoint.next_entry);
    connection
        .prepare_cached("INSERT OR REPLACE INTO checkpoints (account, next_entry, doc) VALUES (?1, ?2, ?3)")?
        .execute(params![account.0.as_bytes(), next, codec::encode_named(checkpoint)])?;
    connection
        .prepare_cached("DELETE FROM entries WHERE account = ?1 AND number < ?2")?
        .execute(params![account.0.as_bytes(), next])?;
    Ok(true)
}

fn limit_sql(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
