//! Accounts and what belongs to them: read together, compared, written together.

use std::collections::BTreeMap;

use footlight_ledger::{AccountId, Books, SessionId, Tab, Timestamp, Touched};
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::failure::Failure;
use crate::{Commit, CommitOutcome, Committed, DueMove, Loaded, StoreError, Version, codec, due_at, job_due_at};

/// A commit with its documents as bytes: made on the caller's thread, because there is only one that writes.
pub(super) struct Sealed {
    account: AccountId,
    expected: Option<Version>,
    next: Version,
    recent: Vec<u8>,
    document: Vec<u8>,
    tabs: Vec<(SessionId, Option<SealedTab>)>,
    due: Vec<DueMove>,
    names: Vec<(String, Vec<u8>)>,
    jobs: Vec<(Uuid, Option<Timestamp>, Vec<u8>)>,
    entries: Vec<(u64, Vec<u8>)>,
    touched: Touched,
}

/// A tab's document, and when it is due.
struct SealedTab {
    due: Timestamp,
    document: Vec<u8>,
}

impl SealedTab {
    fn new(tab: &Tab) -> Self {
        Self { due: due_at(tab), document: codec::encode(tab) }
    }
}

impl Sealed {
    pub(super) fn new(commit: Commit) -> Self {
        let changes = commit.changes;
        Self {
            account: changes.account.id,
            expected: commit.expected,
            next: commit.next,
            recent: commit.recent.iter().flat_map(|id| id.to_be_bytes()).collect(),
            document: codec::encode(&changes.account),
            tabs: changes.tabs.iter().map(|(session, tab)| (*session, tab.as_ref().map(SealedTab::new))).collect(),
            due: commit.due,
            names: changes.names.iter().map(|(name, made)| (name.0.clone(), codec::encode_named(made))).collect(),
            jobs: changes.jobs.iter().map(|(job, hold)| (job.0, job_due_at(hold), codec::encode_named(hold))).collect(),
            entries: changes.entries.iter().map(|entry| (entry.number, codec::encode(entry))).collect(),
            touched: commit.touched,
        }
    }
}

/// Writes a commit if its account is as expected.
pub(super) fn commit(connection: &Connection, sealed: &Sealed) -> Result<CommitOutcome, Failure> {
    let current = version(connection, sealed.account)?;
    match (current, sealed.expected) {
        // Sent twice: it is there already.
        (Some(current), _) if current == sealed.next => return Ok(CommitOutcome::Committed(Committed)),
        (Some(current), Some(expected)) if current == expected => {}
        (None, None) => {}
        (None, Some(_)) => return Ok(CommitOutcome::NoAccount),
        (Some(_), _) => {
            let fresh = load(connection, sealed.account, &sealed.touched)?.expect("its version was just read");
            return Ok(CommitOutcome::Conflict(Box::new(fresh)));
        }
    }
    write(connection, sealed)?;
    Ok(CommitOutcome::Committed(Committed))
}

fn write(connection: &Connection, sealed: &Sealed) -> Result<(), Failure> {
    let account = sealed.account.0;
    connection
        .prepare_cached(
            "INSERT INTO accounts (id, counter, commit_id, recent, doc) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (id) DO UPDATE SET counter = ?2, commit_id = ?3, recent = ?4, doc = ?5",
        )?
        .execute(params![
            account.as_bytes(),
            to_sql(sealed.next.counter),
            sealed.next.commit.to_be_bytes(),
            sealed.recent,
            sealed.document
        ])?;
    for (session, tab) in &sealed.tabs {
        write_tab(connection, account, *session, tab.as_ref())?;
    }
    for DueMove { session, bucket } in &sealed.due {
        // A forgotten tab's row, and with it its place in the index, is gone already.
        if bucket.is_some() {
            connection
                .prepare_cached("UPDATE tabs SET due_bucket = ?3 WHERE account = ?1 AND session = ?2")?
                .execute(params![account.as_bytes(), session.0.as_bytes(), bucket])?;
        }
    }
    for (name, document) in &sealed.names {
        connection
            .prepare_cached("INSERT OR REPLACE INTO names (account, name, doc) VALUES (?1, ?2, ?3)")?
            .execute(params![account.as_bytes(), name, document])?;
    }
    for (job, due, document) in &sealed.jobs {
        connection
            .prepare_cached("INSERT OR REPLACE INTO jobs (account, job, due_at, doc) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![account.as_bytes(), job.as_bytes(), due.map(|due| due.0), document])?;
    }
    for (number, document) in &sealed.entries {
        // Entries are immutable: a second one of the same number is a bug, and fails here.
        connection
            .prepare_cached("INSERT INTO entries (account, number, doc) VALUES (?1, ?2, ?3)")?
            .execute(params![account.as_bytes(), to_sql(*number), document])?;
    }
    Ok(())
}

fn write_tab(
    connection: &Connection,
    account: Uuid,
    session: SessionId,
    tab: Option<&SealedTab>,
) -> Result<(), Failure> {
    let session = session.0;
    let Some(SealedTab { due, document }) = tab else {
        connection
            .prepare_cached("DELETE FROM tabs WHERE account = ?1 AND session = ?2")?
            .execute(params![account.as_bytes(), session.as_bytes()])?;
        return Ok(());
    };
    connection
        .prepare_cached(
            "INSERT INTO tabs (account, session, due_at, doc) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (account, session) DO UPDATE SET due_at = ?3, doc = ?4",
        )?
        .execute(params![account.as_bytes(), session.as_bytes(), due.0, document])?;
    Ok(())
}

fn version(connection: &Connection, account: AccountId) -> Result<Option<Version>, Failure> {
    let row: Option<(i64, [u8; 16])> = connection
        .prepare_cached("SELECT counter, commit_id FROM accounts WHERE id = ?1")?
        .query_row(params![account.0.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(row.map(|(counter, commit)| Version { counter: from_sql(counter), commit: u128::from_be_bytes(commit) }))
}

/// Reads an account with those of the touched things that exist. The caller sees to it that all reads are of one moment.
pub(super) fn load(connection: &Connection, account: AccountId, touched: &Touched) -> Result<Option<Loaded>, Failure> {
    type Row = (i64, [u8; 16], Vec<u8>, Vec<u8>);
    let row: Option<Row> = connection
        .prepare_cached("SELECT counter, commit_id, recent, doc FROM accounts WHERE id = ?1")?
        .query_row(params![account.0.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((counter, commit, recent, document)) = row else { return Ok(None) };
    let mut books = Books::new(codec::decode(&document, || account.to_string())?);

    let mut find = connection.prepare_cached("SELECT doc FROM tabs WHERE account = ?1 AND session = ?2")?;
    books.tabs = read_each(&touched.sessions, |session| {
        let row = find.query_row(params![account.0.as_bytes(), session.0.as_bytes()], |row| row.get(0));
        (row, format!("{account}, tab {session}"))
    })?;
    let mut find = connection.prepare_cached("SELECT doc FROM names WHERE account = ?1 AND name = ?2")?;
    books.names = read_each(&touched.names, |name| {
        let row = find.query_row(params![account.0.as_bytes(), name.0], |row| row.get(0));
        (row, format!("{account}, name {}", name.0))
    })?;
    let mut find = connection.prepare_cached("SELECT doc FROM jobs WHERE account = ?1 AND job = ?2")?;
    books.jobs = read_each(&touched.jobs, |job| {
        let row = find.query_row(params![account.0.as_bytes(), job.0.as_bytes()], |row| row.get(0));
        (row, format!("{account}, {job}"))
    })?;
    let version = Version { counter: from_sql(counter), commit: u128::from_be_bytes(commit) };
    let recent = recent.chunks_exact(16).map(|id| u128::from_be_bytes(id.try_into().expect("16 bytes"))).collect();
    Ok(Some(Loaded { books, version, recent }))
}

/// Decodes the document of each key that has one.
fn read_each<K: Ord + Clone, V: serde::de::DeserializeOwned>(
    keys: &[K],
    mut find: impl FnMut(&K) -> (Result<Vec<u8>, rusqlite::Error>, String),
) -> Result<BTreeMap<K, V>, Failure> {
    let mut found = BTreeMap::new();
    for key in keys {
        let (row, place) = find(key);
        if let Some(document) = row.optional()? {
            found.insert(key.clone(), codec::decode(&document, || place)?);
        }
    }
    Ok(found)
}

/// SQLite's integers are signed. Counters grow by one and never come near the border.
pub(super) fn to_sql(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn from_sql(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// A commit whose account cannot be read fails alone; a failing database fails them all.
pub(super) fn alone<T>(outcome: Result<T, Failure>) -> Result<Result<T, StoreError>, Failure> {
    match outcome {
        Ok(outcome) => Ok(Ok(outcome)),
        Err(Failure::Store(error)) => Ok(Err(error)),
        Err(sql) => Err(sql),
    }
}
