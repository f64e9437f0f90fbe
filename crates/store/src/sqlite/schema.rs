//! The tables, and how an older file becomes a present one.

use rusqlite::Connection;

use super::failure::{Failure, Place};
use crate::StoreError;

/// One step per version of the schema; `user_version` counts those done. Steps are never edited, only added.
const MIGRATIONS: &[&str] = &[
    // 1. Ids are the 16 bytes of their UUIDs; instants are milliseconds; `doc` is a document of `codec`.
    "
    CREATE TABLE accounts (
        id BLOB PRIMARY KEY,
        counter INTEGER NOT NULL,      -- } the version
        commit_id BLOB NOT NULL,       -- }
        recent BLOB NOT NULL,          -- commit ids before it, newest first, 16 bytes each
        doc BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE tabs (
        account BLOB NOT NULL,
        session BLOB NOT NULL,
        due_at INTEGER NOT NULL,       -- when it is swept or forgotten
        due_bucket INTEGER,            -- the index's coarse value; moves every fourth heartbeat or so
        doc BLOB NOT NULL,
        PRIMARY KEY (account, session)
    ) WITHOUT ROWID;
    CREATE INDEX tabs_due ON tabs (due_bucket);
    CREATE TABLE names (account BLOB NOT NULL, name TEXT NOT NULL, doc BLOB NOT NULL, PRIMARY KEY (account, name)) WITHOUT ROWID;
    CREATE TABLE jobs (
        account BLOB NOT NULL,
        job BLOB NOT NULL,
        due_at INTEGER,                -- when its hold is given back; NULL once it is settled or released
        doc BLOB NOT NULL,
        PRIMARY KEY (account, job)
    ) WITHOUT ROWID;
    CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;
    CREATE TABLE entries (account BLOB NOT NULL, number INTEGER NOT NULL, doc BLOB NOT NULL, PRIMARY KEY (account, number)) WITHOUT ROWID;
    CREATE TABLE checkpoints (account BLOB PRIMARY KEY, next_entry INTEGER NOT NULL, doc BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE secrets (
        id BLOB PRIMARY KEY,
        account BLOB NOT NULL,
        hash BLOB NOT NULL UNIQUE,
        doc BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX secrets_account ON secrets (account, id);
    CREATE TABLE sessions (
        id BLOB PRIMARY KEY,
        account BLOB NOT NULL,
        owner TEXT,                    -- the owning node's name while the session has not ended
        doc BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX sessions_account ON sessions (account, id);
    CREATE INDEX sessions_owner ON sessions (owner) WHERE owner IS NOT NULL;
    CREATE TABLE requests (
        scope TEXT PRIMARY KEY,
        body BLOB NOT NULL,
        status INTEGER,                -- NULL while it is being worked on
        answer BLOB,
        expires_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX requests_expiry ON requests (expires_at);
    CREATE TABLE progress (boot BLOB NOT NULL, block INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (boot, block)) WITHOUT ROWID;
    ",
    // 2. Records of all collections. The owner's 16 bytes are zero for the service's own.
    "
    CREATE TABLE records (
        collection TEXT NOT NULL,
        owner BLOB NOT NULL,
        id TEXT NOT NULL,
        version BLOB NOT NULL,
        queue TEXT,                    -- } the line it waits in, and from when on it is due
        due_at INTEGER,                -- }
        doc BLOB NOT NULL,
        PRIMARY KEY (collection, owner, id)
    ) WITHOUT ROWID;
    CREATE INDEX records_due ON records (collection, queue, owner, due_at);
    ",
];

/// Brings a database to the present schema.
///
/// # Errors
/// [`StoreError::Refused`] for a file from a newer footlight; else what SQLite says.
pub(super) fn migrate(connection: &mut Connection, place: &Place) -> Result<(), Failure> {
    let done: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let steps = MIGRATIONS.get(done as usize..).ok_or_else(|| StoreError::Refused {
        detail: format!("{place} has schema {done}, written by a newer footlight; use that one"),
    })?;
    for (version, sql) in (done + 1..).zip(steps) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}
