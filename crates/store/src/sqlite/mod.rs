//! The embedded store: one SQLite file in the data directory, or a database in memory for tests.
//!
//! One thread writes (`writer`), in transactions shared by whoever waits; a few connections read. Every acknowledged
//! write is on the disk: WAL with `synchronous = FULL`.

mod accounts;
mod blobs;
mod directory;
mod failure;
mod lists;
mod lock;
mod nodes;
mod readers;
mod records;
mod schema;
#[cfg(test)]
mod tests;
mod transfer;
mod writer;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use footlight_ledger::{AccountId, BootId, Checkpoint, Entry, JobId, SessionId, Tab, Timestamp, Touched};
use footlight_session::SessionRecord;
use rusqlite::Connection;

use self::accounts::Sealed;
use self::blobs::Blobs;
use self::failure::{Failure, Place};
use self::readers::Readers;
use self::writer::Writer;
use crate::nodes::LocalNodes;
use crate::{
    AccountStore, Commit, CommitOutcome, IdempotencyStore, Loaded, ProgressStore, Remembered, SecretRecord,
    SecretStore, SessionDirectory, SessionPut, Store, StoreError, WholeAccount,
};

pub use lock::DataDirLock;

/// The database's name in the data directory.
const FILE: &str = "footlight.db";

/// The directory of blobs in the data directory.
const BLOBS: &str = "blobs";

/// Connections that read. They wait for the disk, not for a core, so a few do.
const READERS: usize = 3;

/// The embedded store.
pub struct SqliteStore {
    writer: Writer,
    /// `None` in memory: there the writer reads too, because a database in memory belongs to one connection.
    readers: Option<Readers>,
    place: Place,
    blobs: Blobs,
    /// This process has the store alone, so that nodes are in memory.
    nodes: LocalNodes,
}

impl SqliteStore {
    /// Opens the store in a data directory, creating both where they are missing. Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the directory is in use, cannot be written to, or is from a newer footlight;
    /// [`StoreError::Corrupt`] when the file is no database.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let lock = DataDirLock::take(directory)?;
        let path = directory.join(FILE);
        let place = Place::File(path.clone());
        let failed = |error| place.failure(&error);
        let mut writing = Connection::open(&path).map_err(failed)?;
        // `journal_mode` answers with a row, so it is asked for; the others are plain settings.
        writing.query_row("PRAGMA journal_mode = wal", [], |_| Ok(())).map_err(failed)?;
        writing
            .execute_batch(
                "PRAGMA synchronous = full; PRAGMA busy_timeout = 2000; PRAGMA temp_store = memory;
                 PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -32768",
            )
            .map_err(failed)?;
        prepare(&mut writing, &place)?;
        let readers = (0..READERS)
            .map(|_| {
                let reading = Connection::open(&path)?;
                reading
                    .execute_batch("PRAGMA query_only = on; PRAGMA busy_timeout = 2000; PRAGMA cache_size = -8192")?;
                reading.set_prepared_statement_cache_capacity(STATEMENTS);
                Ok(reading)
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        let writer = Writer::start(writing, place.clone(), lock)?;
        let blobs = Blobs::in_directory(directory.join(BLOBS));
        Ok(Self {
            writer,
            readers: Some(Readers::new(readers, place.clone())),
            place,
            blobs,
            nodes: LocalNodes::default(),
        })
    }

    /// A store that is gone when it is dropped.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when there is no memory or no thread for it.
    pub fn in_memory() -> Result<Self, StoreError> {
        let place = Place::Memory;
        let mut connection = Connection::open_in_memory().map_err(|error| place.failure(&error))?;
        prepare(&mut connection, &place)?;
        let writer = Writer::start(connection, place.clone(), ())?;
        Ok(Self { writer, readers: None, place, blobs: Blobs::in_memory(), nodes: LocalNodes::default() })
    }

    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&Connection) -> Result<T, Failure> + Send + 'static,
        T: Send + 'static,
    {
        match &self.readers {
            Some(readers) => readers.call(work).await,
            None => self.writer.call(work).await,
        }
    }
}

/// This machine's clock.
fn clock() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// Statements kept ready on each connection: more than there are in this module.
const STATEMENTS: usize = 64;

fn prepare(connection: &mut Connection, place: &Place) -> Result<(), StoreError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    schema::migrate(connection, place).map_err(|failure| place.explain(failure))
}

/// Runs several reads in one transaction. A reader is not in one yet; the writer is.
fn at_one_moment<T>(connection: &Connection, read: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let moment = connection.is_autocommit().then(|| connection.unchecked_transaction()).transpose()?;
    let result = read()?;
    moment.map(rusqlite::Transaction::finish).transpose()?;
    Ok(result)
}

#[async_trait]
impl AccountStore for SqliteStore {
    async fn load_account(&self, account: AccountId, touched: &Touched) -> Result<Option<Loaded>, StoreError> {
        let touched = touched.clone();
        self.read(move |connection| at_one_moment(connection, || accounts::load(connection, account, &touched))).await
    }

    async fn commit(&self, commits: Vec<Commit>) -> Vec<Result<CommitOutcome, StoreError>> {
        let count = commits.len();
        let sealed: Arc<[Sealed]> = commits.into_iter().map(Sealed::new).collect();
        let written = self
            .writer
            .call(move |connection| {
                sealed.iter().map(|sealed| accounts::alone(accounts::commit(connection, sealed))).collect()
            })
            .await;
        match written {
            Ok(outcomes) => outcomes,
            Err(error) => (0..count).map(|_| Err(error.clone())).collect(),
        }
    }

    async fn list_accounts(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<AccountId>, StoreError> {
        self.read(move |connection| lists::list_accounts(connection, after, limit)).await
    }

    async fn list_tabs(
        &self,
        account: AccountId,
        after: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<Tab>, StoreError> {
        self.read(move |connection| lists::list_tabs(connection, account, after, limit)).await
    }

    async fn list_overdue(&self, now: Timestamp, limit: usize) -> Result<Vec<(AccountId, SessionId)>, StoreError> {
        self.read(move |connection| lists::list_overdue(connection, now, limit)).await
    }

    async fn list_overdue_jobs(&self, now: Timestamp, limit: usize) -> Result<Vec<(AccountId, JobId)>, StoreError> {
        self.read(move |connection| lists::list_overdue_jobs(connection, now, limit)).await
    }

    async fn list_entries(&self, account: AccountId, from: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.read(move |connection| lists::list_entries(connection, account, from, limit)).await
    }

    async fn load_whole(&self, account: AccountId) -> Result<Option<WholeAccount>, StoreError> {
        self.read(move |connection| at_one_moment(connection, || lists::load_whole(connection, account))).await
    }

    async fn load_checkpoint(&self, account: AccountId) -> Result<Checkpoint, StoreError> {
        self.read(move |connection| lists::load_checkpoint(connection, account)).await
    }

    async fn trim_entries(&self, account: AccountId, from: u64, checkpoint: &Checkpoint) -> Result<bool, StoreError> {
        let checkpoint = checkpoint.clone();
        self.writer.call(move |connection| lists::trim_entries(connection, account, from, &checkpoint)).await
    }

    /// Every acknowledged write is on the disk already.
    async fn confirm_durable(&self, _account: AccountId, _commit: u128) -> Result<(), StoreError> {
        Ok(())
    }

    /// This machine's clock: there is no other, so no commit is ever refused for its time.
    async fn now(&self) -> Result<Timestamp, StoreError> {
        Ok(clock())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let place = self.place.to_string();
        self.writer
            .call(move |connection| {
                if connection.is_readonly("main")? {
                    return Err(StoreError::Refused { detail: format!("{place} is read-only") }.into());
                }
                Ok(())
            })
            .await
    }
}

#[async_trait]
impl SecretStore for SqliteStore {
    async fn put_secret(&self, record: SecretRecord) -> Result<(), StoreError> {
        self.writer.call(move |connection| directory::put_secret(connection, &record)).await
    }

    async fn find_secret(&self, hash: &[u8; 32]) -> Result<Option<SecretRecord>, StoreError> {
        let hash = *hash;
        self.read(move |connection| directory::find_secret(connection, &hash)).await
    }

    async fn list_secrets(&self, account: AccountId) -> Result<Vec<SecretRecord>, StoreError> {
        self.read(move |connection| directory::list_secrets(connection, account)).await
    }
}

#[async_trait]
impl SessionDirectory for SqliteStore {
    async fn put_session(&self, record: SessionRecord) -> Result<SessionPut, StoreError> {
        self.writer.call(move |connection| directory::put_session(connection, &record)).await
    }

    async fn get_session(&self, session: SessionId) -> Result<Option<SessionRecord>, StoreError> {
        self.read(move |connection| directory::get_session(connection, session)).await
    }

    async fn list_sessions(
        &self,
        account: Option<AccountId>,
        before: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        self.read(move |connection| directory::list_sessions(connection, account, before, limit)).await
    }

    async fn list_orphans(&self, node: &str, boot: BootId) -> Result<Vec<SessionRecord>, StoreError> {
        let node = node.to_owned();
        let mut found = self.read(move |connection| directory::list_of_node(connection, &node)).await?;
        found.retain(|record| record.boot != boot);
        Ok(found)
    }

    async fn list_owned(&self, node: &str, boot: BootId) -> Result<Vec<SessionRecord>, StoreError> {
        let node = node.to_owned();
        let mut found = self.read(move |connection| directory::list_of_node(connection, &node)).await?;
        found.retain(|record| record.boot == boot);
        Ok(found)
    }
}

#[async_trait]
impl IdempotencyStore for SqliteStore {
    async fn begin_request(&self, scope: &str, body: &[u8; 32], now: Timestamp) -> Result<Remembered, StoreError> {
        let (scope, body) = (scope.to_owned(), *body);
        self.writer.call(move |connection| directory::begin_request(connection, &scope, &body, now)).await
    }

    async fn renew_request(&self, scope: &str, now: Timestamp) -> Result<(), StoreError> {
        let scope = scope.to_owned();
        self.writer.call(move |connection| directory::renew_request(connection, &scope, now)).await
    }

    async fn finish_request(
        &self,
        scope: &str,
        answer: Option<(u16, Vec<u8>)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let scope = scope.to_owned();
        self.writer.call(move |connection| directory::finish_request(connection, &scope, answer.as_ref(), now)).await
    }
}

#[async_trait]
impl ProgressStore for SqliteStore {
    async fn put_progress(&self, boot: BootId, blocks: Vec<(u32, Vec<u8>)>) -> Result<(), StoreError> {
        self.writer.call(move |connection| directory::put_progress(connection, boot, &blocks)).await
    }

    async fn load_progress(&self, boot: BootId) -> Result<Vec<(u32, Vec<u8>)>, StoreError> {
        self.read(move |connection| directory::load_progress(connection, boot)).await
    }

    async fn delete_progress(&self, boot: BootId) -> Result<(), StoreError> {
        self.writer.call(move |connection| directory::delete_progress(connection, boot)).await
    }
}

impl Store for SqliteStore {
    fn kind(&self) -> &'static str {
        "sqlite"
    }
}
