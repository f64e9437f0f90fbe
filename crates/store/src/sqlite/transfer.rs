//! Dumping and loading everything, as documents.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use footlight_ledger::{AccountId, JobHold, Tab};
use footlight_session::SessionRecord;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::accounts::{from_sql, to_sql};
use super::blobs::Blobs;
use super::failure::Failure;
use super::{SqliteStore, at_one_moment, directory};
use crate::transfer::{AccountHead, Inventory, Item, Part, StoreTransfer, entry_key, entry_number};
use crate::{Owner, StoreError, Version, codec, due_at, due_bucket, job_due_at};

#[async_trait]
impl StoreTransfer for SqliteStore {
    /// The lock on the data directory lets nobody else in.
    async fn count_others(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn take_inventory(&self) -> Result<Inventory, StoreError> {
        let (mut inventory, accounts) =
            self.read(|connection| at_one_moment(connection, || inventory(connection))).await?;
        for owner in self.owners_of_blobs().await? {
            if !accounts.contains(&owner.to_uuid()) && owner != Owner::Service {
                inventory.add_stray(owner)?;
            }
        }
        Ok(inventory)
    }

    async fn dump_head(&self, account: AccountId) -> Result<Option<AccountHead>, StoreError> {
        self.read(move |connection| at_one_moment(connection, || dump_head(connection, account))).await
    }

    async fn dump_part(
        &self,
        account: AccountId,
        part: Part,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        self.read(move |connection| dump_part(connection, account, part, after.as_deref(), limit)).await
    }

    async fn clear_account(&self, account: AccountId) -> Result<(), StoreError> {
        self.writer
            .call(move |connection| {
                for sql in [
                    "DELETE FROM accounts WHERE id = ?1",
                    "DELETE FROM tabs WHERE account = ?1",
                    "DELETE FROM names WHERE account = ?1",
                    "DELETE FROM jobs WHERE account = ?1",
                    "DELETE FROM entries WHERE account = ?1",
                    "DELETE FROM checkpoints WHERE account = ?1",
                ] {
                    connection.prepare_cached(sql)?.execute(params![account.0.as_bytes()])?;
                }
                Ok(())
            })
            .await
    }

    async fn load_part(&self, account: AccountId, part: Part, items: Vec<Item>) -> Result<(), StoreError> {
        self.writer
            .call(move |connection| items.iter().try_for_each(|item| load_item(connection, account, part, item)))
            .await
    }

    async fn load_head(&self, head: AccountHead) -> Result<bool, StoreError> {
        self.writer.call(move |connection| load_head(connection, &head)).await
    }

    fn sessions_kept(&self) -> Option<Duration> {
        None
    }

    async fn load_sessions(&self, records: Vec<SessionRecord>) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        self.writer
            .call(move |connection| {
                // One of a later epoch stays; comparing finds it.
                records.iter().try_for_each(|record| directory::put_session(connection, record).map(drop))
            })
            .await
    }

    /// Every acknowledged write is on the disk already.
    async fn settle(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl SqliteStore {
    async fn owners_of_blobs(&self) -> Result<BTreeSet<Owner>, StoreError> {
        match &self.blobs {
            Blobs::Memory(blobs) => Ok(blobs.lock().keys().map(|(owner, _)| *owner).collect()),
            Blobs::Disk(root) => super::blobs::owners(root).await,
        }
    }
}

fn inventory(connection: &Connection) -> Result<(Inventory, BTreeSet<Uuid>), Failure> {
    let mut inventory = Inventory::default();
    // From one collection to the next along the primary key: its cost is that of the collections.
    let mut step = connection
        .prepare_cached("SELECT collection FROM records WHERE collection > ?1 ORDER BY collection LIMIT 1")?;
    let mut last = String::new();
    while let Some(next) = step.query_row(params![last], |row| row.get::<_, String>(0)).optional()? {
        inventory.collections.insert(next.clone());
        last = next;
    }
    let mut strays = connection.prepare_cached(
        "SELECT owner FROM records WHERE owner NOT IN (SELECT id FROM accounts)
         UNION SELECT account FROM secrets WHERE account NOT IN (SELECT id FROM accounts)",
    )?;
    for owner in strays.query_map([], |row| row.get::<_, [u8; 16]>(0))? {
        let owner = Owner::from_uuid(Uuid::from_bytes(owner?));
        if owner != Owner::Service {
            inventory.add_stray(owner)?;
        }
    }
    let mut ids = connection.prepare_cached("SELECT id FROM accounts")?;
    let ids = ids.query_map([], |row| row.get::<_, [u8; 16]>(0))?;
    let accounts = ids.map(|id| Ok(Uuid::from_bytes(id?))).collect::<Result<_, Failure>>()?;
    Ok((inventory, accounts))
}

fn dump_head(connection: &Connection, account: AccountId) -> Result<Option<AccountHead>, Failure> {
    let id = account.0;
    let checkpoint: Option<(i64, Vec<u8>)> = connection
        .prepare_cached("SELECT next_entry, doc FROM checkpoints WHERE account = ?1")?
        .query_row(params![id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    type Found = (i64, [u8; 16], Vec<u8>, Vec<u8>);
    let found: Option<Found> = connection
        .prepare_cached("SELECT counter, commit_id, recent, doc FROM accounts WHERE id = ?1")?
        .query_row(params![id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    Ok(found.map(|(counter, commit, recent, document)| AccountHead {
        account,
        version: Version { counter: from_sql(counter), commit: u128::from_be_bytes(commit) },
        recent: recent.chunks_exact(16).map(|id| u128::from_be_bytes(id.try_into().expect("16 bytes"))).collect(),
        document,
        checkpoint: checkpoint.map(|(next, document)| (from_sql(next), document)),
    }))
}

fn dump_part(
    connection: &Connection,
    account: AccountId,
    part: Part,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<Item>, Failure> {
    let account = account.0;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let blob_key = |row: &Row<'_>| -> rusqlite::Result<Item> { Ok(Item { key: row.get(0)?, document: row.get(1)? }) };
    let items = match part {
        Part::Tabs | Part::Jobs => {
            let sql = if part == Part::Tabs {
                "SELECT session, doc FROM tabs WHERE account = ?1 AND session > ?2 ORDER BY session LIMIT ?3"
            } else {
                "SELECT job, doc FROM jobs WHERE account = ?1 AND job > ?2 ORDER BY job LIMIT ?3"
            };
            let mut list = connection.prepare_cached(sql)?;
            // Nothing comes before the empty key.
            let rows = list.query_map(params![account.as_bytes(), after.unwrap_or_default(), limit], blob_key)?;
            rows.collect::<Result<_, _>>()?
        }
        Part::Names => {
            let after = after.map(|after| String::from_utf8_lossy(after).into_owned()).unwrap_or_default();
            let read = |row: &Row<'_>| -> rusqlite::Result<Item> {
                Ok(Item { key: row.get::<_, String>(0)?.into_bytes(), document: row.get(1)? })
            };
            connection
                .prepare_cached("SELECT name, doc FROM names WHERE account = ?1 AND name > ?2 ORDER BY name LIMIT ?3")?
                .query_map(params![account.as_bytes(), after, limit], read)?
                .collect::<Result<_, _>>()?
        }
        Part::Entries => {
            let from = after.map(entry_number).transpose()?.map_or(0, |number| number + 1);
            let read = |row: &Row<'_>| -> rusqlite::Result<Item> {
                Ok(Item { key: entry_key(from_sql(row.get(0)?)), document: row.get(1)? })
            };
            connection
                .prepare_cached(
                    "SELECT number, doc FROM entries WHERE account = ?1 AND number >= ?2 ORDER BY number LIMIT ?3",
                )?
                .query_map(params![account.as_bytes(), to_sql(from), limit], read)?
                .collect::<Result<_, _>>()?
        }
    };
    Ok(items)
}

/// Writes one document, with its place in the index that belongs to it.
fn load_item(connection: &Connection, account: AccountId, part: Part, item: &Item) -> Result<(), Failure> {
    let Item { key, document } = item;
    let id = account.0;
    match part {
        Part::Tabs => {
            let tab: Tab = codec::decode(document, || format!("{account}, a tab"))?;
            let due = due_at(&tab);
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO tabs (account, session, due_at, due_bucket, doc) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![id.as_bytes(), key, due.0, due_bucket(due), document])?;
        }
        Part::Names => {
            let name = std::str::from_utf8(key).map_err(|error| StoreError::Corrupt {
                place: format!("{account}, a name"),
                detail: error.to_string(),
            })?;
            connection
                .prepare_cached("INSERT OR REPLACE INTO names (account, name, doc) VALUES (?1, ?2, ?3)")?
                .execute(params![id.as_bytes(), name, document])?;
        }
        Part::Jobs => {
            let hold: JobHold = codec::decode(document, || format!("{account}, a job"))?;
            connection
                .prepare_cached("INSERT OR REPLACE INTO jobs (account, job, due_at, doc) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![id.as_bytes(), key, job_due_at(&hold).map(|due| due.0), document])?;
        }
        Part::Entries => {
            connection
                .prepare_cached("INSERT OR REPLACE INTO entries (account, number, doc) VALUES (?1, ?2, ?3)")?
                .execute(params![id.as_bytes(), to_sql(entry_number(key)?), document])?;
        }
    }
    Ok(())
}

fn load_head(connection: &Connection, head: &AccountHead) -> Result<bool, Failure> {
    if let Some(there) = dump_head(connection, head.account)? {
        return Ok(there.version == head.version);
    }
    let id = head.account.0;
    if let Some((next, document)) = &head.checkpoint {
        connection
            .prepare_cached("INSERT OR REPLACE INTO checkpoints (account, next_entry, doc) VALUES (?1, ?2, ?3)")?
            .execute(params![id.as_bytes(), to_sql(*next), document])?;
    }
    let recent: Vec<u8> = head.recent.iter().flat_map(|id| id.to_be_bytes()).collect();
    connection
        .prepare_cached("INSERT INTO accounts (id, counter, commit_id, recent, doc) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
            id.as_bytes(),
            to_sql(head.version.counter),
            head.version.commit.to_be_bytes(),
            recent,
            head.document
        ])?;
    Ok(true)
}
