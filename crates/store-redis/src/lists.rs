//! Reading accounts in bulk: lists, the whole of one, and the trimming of its journal.

use footlight_ledger::{AccountId, Checkpoint, Entry, JobHold, JobId, SessionId, Tab, Timestamp, Touched};
use footlight_store::{StoreError, WholeAccount, codec};
use redis::{Cmd, Value, cmd};
use uuid::Uuid;

use crate::accounts::{self, entry_id};
use crate::failure::Stage;
use crate::keys::{self, AccountKeys};
use crate::link::Link;
use crate::reply;
use crate::script::TRIM;

/// Documents asked for in one command.
const PAGE: usize = 1_000;

/// Accounts whose due tabs are asked for together.
const ACCOUNTS_PAGE: usize = 512;

/// How often a whole account is read before giving up on seeing it stand still.
const VIEWS_MAX: u32 = 50;

pub(crate) async fn list_accounts(
    link: &Link,
    after: Option<AccountId>,
    limit: usize,
) -> Result<Vec<AccountId>, StoreError> {
    let mut list = cmd("ZRANGEBYLEX");
    list.arg(keys::ACCOUNTS).arg(after.map_or_else(|| b"-".to_vec(), |id| bound(b'(', id.0)));
    list.arg("+").arg("LIMIT").arg(0).arg(limit);
    let ids = reply::ids(keys::ACCOUNTS, link.ask(list, Stage::Reading).await?)?;
    Ok(ids.into_iter().map(AccountId).collect())
}

/// A hash has no order: all ids are read and sorted, then a page of documents. 16 bytes a tab.
pub(crate) async fn list_tabs(
    link: &Link,
    account: AccountId,
    after: Option<SessionId>,
    limit: usize,
) -> Result<Vec<Tab>, StoreError> {
    let key = AccountKeys::of(account).tabs();
    let mut ids = reply::ids(&key, link.ask(command("HKEYS", &key), Stage::Reading).await?)?;
    ids.retain(|id| after.is_none_or(|after| *id > after.0));
    ids.sort_unstable();
    ids.truncate(limit);
    documents(link, &key, &ids).await
}

pub(crate) async fn list_entries(
    link: &Link,
    account: AccountId,
    from: u64,
    limit: usize,
) -> Result<Vec<Entry>, StoreError> {
    let key = AccountKeys::of(account).entries();
    let mut entries = Vec::new();
    let mut from = from;
    while entries.len() < limit {
        let page = PAGE.min(limit - entries.len());
        let mut range = command("XRANGE", &key);
        range.arg(entry_id(from)).arg("+").arg("COUNT").arg(page);
        let found = reply::list(&key, link.ask(range, Stage::Reading).await?)?;
        let last = found.len() < page;
        for item in found {
            // An item is its id and its fields: `d` and the document.
            let fields = reply::list(&key, reply::list(&key, item)?.into_iter().nth(1).unwrap_or_default())?;
            let document = reply::bytes(&key, fields.into_iter().nth(1).unwrap_or_default())?.unwrap_or_default();
            let entry: Entry = codec::decode(&document, || format!("{account}, a journal entry"))?;
            from = entry.number + 1;
            entries.push(entry);
        }
        if last {
            break;
        }
    }
    Ok(entries)
}

pub(crate) async fn list_overdue(
    link: &Link,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(AccountId, SessionId)>, StoreError> {
    let mut overdue = Vec::new();
    let mut pages = DuePages { link, now, limit, index: AccountKeys::due_tabs, after: None };
    while let Some(page) = pages.next().await? {
        for (account, candidates) in page {
            let tabs: Vec<Tab> = match documents(link, &AccountKeys::of(account).tabs(), &candidates).await {
                Ok(tabs) => tabs,
                // One account must not keep the others from being swept.
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(%account, %error, "overdue sessions of this account cannot be read");
                    continue;
                }
                Err(error) => return Err(error),
            };
            let late = tabs.iter().filter(|tab| footlight_store::due_at(tab) <= now);
            overdue.extend(late.map(|tab| (account, tab.session)).take(limit - overdue.len()));
        }
        if overdue.len() == limit {
            break;
        }
    }
    Ok(overdue)
}

pub(crate) async fn list_overdue_jobs(
    link: &Link,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<(AccountId, JobId)>, StoreError> {
    let mut overdue = Vec::new();
    let mut pages = DuePages { link, now, limit, index: AccountKeys::due_jobs, after: None };
    while let Some(page) = pages.next().await? {
        let jobs = page.into_iter().flat_map(|(account, jobs)| jobs.into_iter().map(move |job| (account, JobId(job))));
        overdue.extend(jobs.take(limit - overdue.len()));
        if overdue.len() == limit {
            break;
        }
    }
    Ok(overdue)
}

/// Walks one of the due indexes of all accounts.
struct DuePages<'a> {
    link: &'a Link,
    now: Timestamp,
    limit: usize,
    index: fn(&AccountKeys) -> String,
    after: Option<AccountId>,
}

impl DuePages<'_> {
    /// What the index has for the next few accounts; `None` after the last.
    async fn next(&mut self) -> Result<Option<Vec<(AccountId, Vec<Uuid>)>>, StoreError> {
        let accounts = list_accounts(self.link, self.after, ACCOUNTS_PAGE).await?;
        let Some(last) = accounts.last() else { return Ok(None) };
        self.after = Some(*last);
        let ranges = accounts.iter().map(|account| {
            let mut range = command("ZRANGEBYSCORE", &(self.index)(&AccountKeys::of(*account)));
            range.arg("-inf").arg(self.now.0).arg("LIMIT").arg(0).arg(self.limit);
            range
        });
        let found = self.link.send(ranges.collect(), Stage::Reading).await?;
        let due = accounts.into_iter().zip(found).map(|(account, ids)| Ok((account, reply::ids("a due index", ids)?)));
        due.filter(|due| due.as_ref().map_or(true, |(_, ids)| !ids.is_empty())).collect::<Result<_, _>>().map(Some)
    }
}

/// Reads everything of an account in pages, until its version is the same before and after.
pub(crate) async fn load_whole(link: &Link, account: AccountId) -> Result<Option<WholeAccount>, StoreError> {
    for _ in 0..VIEWS_MAX {
        let Some(before) = accounts::load(link, account, &Touched::default()).await? else { return Ok(None) };
        let checkpoint = load_checkpoint(link, account).await?;
        let entries = list_entries(link, account, checkpoint.next_entry, usize::MAX).await?;
        let tabs = list_tabs(link, account, None, usize::MAX).await?;
        let jobs = list_jobs(link, account).await?;
        let after = accounts::load(link, account, &Touched::default()).await?;
        // A trim changes no version, but it moves the checkpoint.
        let trimmed = load_checkpoint(link, account).await?.next_entry != checkpoint.next_entry;
        if !trimmed && after.is_some_and(|after| after.version == before.version) {
            return Ok(Some(WholeAccount { account: before.books.account, checkpoint, entries, tabs, jobs }));
        }
    }
    Err(StoreError::Refused {
        detail: format!("{account} changed {VIEWS_MAX} times while it was read; try again when it is less busy"),
    })
}

async fn list_jobs(link: &Link, account: AccountId) -> Result<Vec<JobHold>, StoreError> {
    let key = AccountKeys::of(account).jobs();
    let ids = reply::ids(&key, link.ask(command("HKEYS", &key), Stage::Reading).await?)?;
    documents(link, &key, &ids).await
}

pub(crate) async fn load_checkpoint(link: &Link, account: AccountId) -> Result<Checkpoint, StoreError> {
    let key = AccountKeys::of(account).checkpoint();
    let mut get = command("HGET", &key);
    get.arg("d");
    match reply::bytes(&key, link.ask(get, Stage::Reading).await?)? {
        Some(document) => codec::decode(&document, || key),
        None => Ok(Checkpoint::default()),
    }
}

pub(crate) async fn trim_entries(
    link: &Link,
    account: AccountId,
    from: u64,
    checkpoint: &Checkpoint,
) -> Result<bool, StoreError> {
    let keys = AccountKeys::of(account);
    let mut call = TRIM.call(&[keys.checkpoint(), keys.entries()]);
    call.arg(from).arg(checkpoint.next_entry).arg(codec::encode_named(checkpoint)).arg(entry_id(checkpoint.next_entry));
    Ok(TRIM.run(link, call, Stage::Writing).await? == Value::Int(1))
}

/// The documents of some fields of a hash, those that exist.
async fn documents<T: serde::de::DeserializeOwned>(link: &Link, key: &str, ids: &[Uuid]) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::with_capacity(ids.len());
    for page in ids.chunks(PAGE) {
        let mut get = command("HMGET", key);
        page.iter().for_each(|id| {
            get.arg(id.as_bytes());
        });
        for value in reply::list(key, link.ask(get, Stage::Reading).await?)? {
            if let Some(document) = reply::bytes(key, value)? {
                found.push(codec::decode(&document, || key.to_owned())?);
            }
        }
    }
    Ok(found)
}

pub(crate) fn command(name: &str, key: &str) -> Cmd {
    let mut command = cmd(name);
    command.arg(key);
    command
}

/// The border of a range of ids, open or closed.
pub(crate) fn bound(kind: u8, id: Uuid) -> Vec<u8> {
    let mut bound = vec![kind];
    bound.extend(id.as_bytes());
    bound
}
