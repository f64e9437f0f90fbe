//! Secrets, session records, idempotency keys and progress blocks.

use footlight_ledger::{AccountId, BootId, SessionId, Timestamp};
use footlight_session::{SessionRecord, SessionState};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::failure::Failure;
use crate::{Remembered, SecretRecord, SessionPut, codec};

/// A claim that was never finished lapses after this long: its worker crashed.
const CLAIM_MS: i64 = 60_000;

/// How long an answer is remembered.
const ANSWER_MS: i64 = 24 * 3_600_000;

/// Lapsed keys removed along with each new one: more than one, so that they never pile up.
const LAPSED_PER_CLAIM: u32 = 4;

/// There is one writer, so nothing comes between the reading and the writing.
pub(super) fn put_secret(connection: &Connection, record: &SecretRecord) -> Result<(), Failure> {
    let mut record = record.clone();
    if let Some(stored) = find_secret(connection, &record.hash)? {
        record.keep_earlier_end(&stored);
    }
    connection
        .prepare_cached("INSERT OR REPLACE INTO secrets (id, account, hash, doc) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            record.id.0.as_bytes(),
            record.account.0.as_bytes(),
            record.hash,
            codec::encode_named(&record)
        ])?;
    Ok(())
}

pub(super) fn find_secret(connection: &Connection, hash: &[u8; 32]) -> Result<Option<SecretRecord>, Failure> {
    let document: Option<Vec<u8>> = connection
        .prepare_cached("SELECT doc FROM secrets WHERE hash = ?1")?
        .query_row(params![hash], |row| row.get(0))
        .optional()?;
    document.map(|document| Ok(codec::decode(&document, || "a secret".to_owned())?)).transpose()
}

pub(super) fn list_secrets(connection: &Connection, account: AccountId) -> Result<Vec<SecretRecord>, Failure> {
    let mut list = connection.prepare_cached("SELECT doc FROM secrets WHERE account = ?1 ORDER BY id")?;
    let rows = list.query_map(params![account.0.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|document| Ok(codec::decode(&document?, || format!("a secret of {account}"))?)).collect()
}

/// There is one writer, so nothing comes between the reading and the writing.
pub(super) fn put_session(connection: &Connection, record: &SessionRecord) -> Result<SessionPut, Failure> {
    let is_over = |record: &SessionRecord| record.state == SessionState::Ended;
    let stands = |stored: SessionRecord| {
        stored.epoch > record.epoch || (stored.epoch == record.epoch && is_over(&stored) && !is_over(record))
    };
    if get_session(connection, record.id)?.is_some_and(stands) {
        return Ok(SessionPut::Fenced);
    }
    let owner = (record.state != SessionState::Ended).then_some(&record.node);
    connection
        .prepare_cached(
            "INSERT INTO sessions (id, account, owner, doc) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (id) DO UPDATE SET owner = ?3, doc = ?4",
        )?
        .execute(params![record.id.0.as_bytes(), record.account.0.as_bytes(), owner, codec::encode_named(record)])?;
    Ok(SessionPut::Written)
}

pub(super) fn get_session(connection: &Connection, session: SessionId) -> Result<Option<SessionRecord>, Failure> {
    let document: Option<Vec<u8>> = connection
        .prepare_cached("SELECT doc FROM sessions WHERE id = ?1")?
        .query_row(params![session.0.as_bytes()], |row| row.get(0))
        .optional()?;
    document.map(|document| Ok(codec::decode(&document, || session.to_string())?)).transpose()
}

pub(super) fn list_sessions(
    connection: &Connection,
    account: Option<AccountId>,
    before: Option<SessionId>,
    limit: usize,
) -> Result<Vec<SessionRecord>, Failure> {
    let before = before.map_or([0xff; 16], |id| *id.0.as_bytes());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let read = |row: &rusqlite::Row<'_>| row.get::<_, Vec<u8>>(0);
    let documents: Vec<Vec<u8>> = match account {
        Some(account) => connection
            .prepare_cached("SELECT doc FROM sessions WHERE account = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3")?
            .query_map(params![account.0.as_bytes(), before, limit], read)?
            .collect::<Result<_, _>>()?,
        None => connection
            .prepare_cached("SELECT doc FROM sessions WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?
            .query_map(params![before, limit], read)?
            .collect::<Result<_, _>>()?,
    };
    documents.iter().map(|document| Ok(codec::decode(document, || "a session".to_owned())?)).collect()
}

/// Sessions of a node that have not ended, of whichever run.
pub(super) fn list_of_node(connection: &Connection, node: &str) -> Result<Vec<SessionRecord>, Failure> {
    let mut list = connection.prepare_cached("SELECT doc FROM sessions WHERE owner = ?1 ORDER BY id")?;
    let rows = list.query_map(params![node], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|document| Ok(codec::decode(&document?, || format!("a session of node {node}"))?)).collect()
}

pub(super) fn begin_request(
    connection: &Connection,
    scope: &str,
    body: &[u8; 32],
    now: Timestamp,
) -> Result<Remembered, Failure> {
    type Row = ([u8; 32], Option<u16>, Option<Vec<u8>>);
    let known: Option<Row> = connection
        .prepare_cached("SELECT body, status, answer FROM requests WHERE scope = ?1 AND expires_at > ?2")?
        .query_row(params![scope, now.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    match known {
        Some((known, ..)) if known != *body => Ok(Remembered::Mismatch),
        Some((_, Some(status), answer)) => Ok(Remembered::Done(status, answer.unwrap_or_default())),
        Some((_, None, _)) => Ok(Remembered::InProgress),
        None => {
            connection
                .prepare_cached(
                    "DELETE FROM requests WHERE scope IN
                     (SELECT scope FROM requests WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
                )?
                .execute(params![now.0, LAPSED_PER_CLAIM])?;
            connection
                .prepare_cached("INSERT OR REPLACE INTO requests (scope, body, expires_at) VALUES (?1, ?2, ?3)")?
                .execute(params![scope, body, now.plus_ms(CLAIM_MS).0])?;
            Ok(Remembered::Fresh)
        }
    }
}

pub(super) fn renew_request(connection: &Connection, scope: &str, now: Timestamp) -> Result<(), Failure> {
    connection
        .prepare_cached("UPDATE requests SET expires_at = ?2 WHERE scope = ?1 AND status IS NULL AND expires_at > ?3")?
        .execute(params![scope, now.plus_ms(CLAIM_MS).0, now.0])?;
    Ok(())
}

pub(super) fn finish_request(
    connection: &Connection,
    scope: &str,
    answer: Option<&(u16, Vec<u8>)>,
    now: Timestamp,
) -> Result<(), Failure> {
    match answer {
        Some((status, body)) => connection
            .prepare_cached("UPDATE requests SET status = ?2, answer = ?3, expires_at = ?4 WHERE scope = ?1")?
            .execute(params![scope, status, body, now.plus_ms(ANSWER_MS).0])?,
        None => connection
            .prepare_cached("DELETE FROM requests WHERE scope = ?1 AND status IS NULL")?
            .execute(params![scope])?,
    };
    Ok(())
}

pub(super) fn put_progress(connection: &Connection, boot: BootId, blocks: &[(u32, Vec<u8>)]) -> Result<(), Failure> {
    let mut put =
        connection.prepare_cached("INSERT OR REPLACE INTO progress (boot, block, data) VALUES (?1, ?2, ?3)")?;
    for (block, data) in blocks {
        put.execute(params![boot.0.as_bytes(), block, data])?;
    }
    Ok(())
}

pub(super) fn load_progress(connection: &Connection, boot: BootId) -> Result<Vec<(u32, Vec<u8>)>, Failure> {
    let mut list = connection.prepare_cached("SELECT block, data FROM progress WHERE boot = ?1 ORDER BY block")?;
    let rows = list.query_map(params![boot.0.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn delete_progress(connection: &Connection, boot: BootId) -> Result<(), Failure> {
    connection.prepare_cached("DELETE FROM progress WHERE boot = ?1")?.execute(params![boot.0.as_bytes()])?;
    Ok(())
}
