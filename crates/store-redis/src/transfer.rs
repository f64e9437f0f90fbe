//! Dumping and loading everything, as documents.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use footlight_ledger::{AccountId, JobHold, Tab};
use footlight_session::{SessionRecord, SessionState};
use footlight_store::transfer::{AccountHead, Inventory, Item, Part, StoreTransfer, entry_key, entry_number};
use footlight_store::{AccountStore as _, Owner, Rise, StoreError, codec, due_at, due_bucket, job_due_at};
use redis::{Cmd, Value, cmd};
use uuid::Uuid;

use crate::accounts::{entry_id, split, version_bytes};
use crate::directory::{seal, write};
use crate::failure::Stage;
use crate::keys::{self, AccountKeys};
use crate::link::{Group, Link};
use crate::lists::command;
use crate::script::{LOAD_ENTRIES, LOAD_HEAD, told};
use crate::{RedisStore, durability, reply};

/// Keys looked at in one step through the keyspace: well under a millisecond.
const SCAN: usize = 1_000;

/// How often the disk is waited for: with `appendfsync everysec` it is there within two seconds.
const SETTLES_MAX: u32 = 40;

/// How often our own subscription is waited for, and how long each time.
const HEARINGS_MAX: u32 = 50;
const HEARING: Duration = Duration::from_millis(100);

#[async_trait]
impl StoreTransfer for RedisStore {
    /// Everybody who has the store open listens for rises. So do we, and that must be sure before it is taken off.
    async fn count_others(&self) -> Result<u64, StoreError> {
        let mut heard = self.rises.subscribe();
        let call = Uuid::now_v7();
        for _ in 0..HEARINGS_MAX {
            let mut publish = command("PUBLISH", keys::RISES);
            publish.arg(call.as_bytes());
            self.usage.ask(publish, Stage::Reading).await?;
            let answer = tokio::time::timeout(HEARING, async {
                loop {
                    match heard.recv().await {
                        Ok(Rise::Of(AccountId(id))) if id == call => break true,
                        Err(tokio::sync::broadcast::error::RecvError::Closed) => break false,
                        _ => {}
                    }
                }
            });
            if answer.await == Ok(true) {
                return Ok(self.count_listeners().await?.saturating_sub(1));
            }
        }
        Err(StoreError::unreachable(format!("redis does not deliver on the channel {}", keys::RISES)))
    }

    async fn take_inventory(&self) -> Result<Inventory, StoreError> {
        let mut inventory = Inventory::default();
        for holder in self.usage.holders().await? {
            let mut cursor = b"0".to_vec();
            loop {
                let mut scan = cmd("SCAN");
                scan.arg(&cursor).arg("MATCH").arg("fl:{*}:*").arg("COUNT").arg(SCAN);
                let mut step = reply::list("SCAN", self.usage.ask_holder(&holder, scan).await?)?.into_iter();
                cursor = reply::bytes("SCAN", step.next().unwrap_or_default())?.unwrap_or_default();
                let found = reply::strings("SCAN", step.next().unwrap_or_default())?;
                self.note(&mut inventory, &found).await?;
                if cursor == b"0" {
                    break;
                }
            }
        }
        Ok(inventory)
    }

    async fn dump_head(&self, account: AccountId) -> Result<Option<AccountHead>, StoreError> {
        let keys = AccountKeys::of(account);
        let place = account.to_string();
        let [value, ..] = keys.all();
        let mut checkpoint = command("HMGET", &keys.checkpoint());
        checkpoint.arg("next").arg("d");
        let mut read = self.usage.send(vec![command("GET", &value), checkpoint], Stage::Reading).await?.into_iter();
        let mut next = || told(read.next().unwrap_or_default());
        let Some(value) = reply::bytes(&place, next()?)? else { return Ok(None) };
        let mut checkpoint = reply::list(&place, next()?)?.into_iter();
        let covered = checkpoint.next().unwrap_or_default();
        let document = reply::bytes(&place, checkpoint.next().unwrap_or_default())?;
        let checkpoint = match document {
            Some(document) => Some((u64::try_from(reply::number(&place, &covered)?).unwrap_or(0), document)),
            None => None,
        };
        let (version, recent, document) = split(&value).ok_or_else(|| StoreError::Corrupt {
            place: place.clone(),
            detail: format!("{} bytes are too few for an account", value.len()),
        })?;
        Ok(Some(AccountHead { account, version, recent, document: document.to_vec(), checkpoint }))
    }

    async fn dump_part(
        &self,
        account: AccountId,
        part: Part,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        let keys = AccountKeys::of(account);
        match part {
            Part::Tabs => hash(&self.usage, &keys.tabs(), after, limit).await,
            Part::Names => hash(&self.usage, &keys.names(), after, limit).await,
            Part::Jobs => hash(&self.usage, &keys.jobs(), after, limit).await,
            Part::Entries => entries(&self.usage, &keys.entries(), after, limit).await,
        }
    }

    async fn clear_account(&self, account: AccountId) -> Result<(), StoreError> {
        let keys = AccountKeys::of(account);
        let mut unlink = cmd("UNLINK");
        unlink.arg(&keys.all()).arg(keys.checkpoint());
        write(&self.usage, vec![unlink]).await
    }

    async fn load_part(&self, account: AccountId, part: Part, items: Vec<Item>) -> Result<(), StoreError> {
        if items.is_empty() {
            return Ok(());
        }
        let keys = AccountKeys::of(account);
        match part {
            Part::Tabs => {
                let mut due = command("ZADD", &keys.due_tabs());
                for item in &items {
                    let tab: Tab = codec::decode(&item.document, || format!("{account}, a tab"))?;
                    due.arg(due_bucket(due_at(&tab))).arg(&item.key);
                }
                write(&self.usage, vec![set(&keys.tabs(), &items), due]).await
            }
            Part::Names => write(&self.usage, vec![set(&keys.names(), &items)]).await,
            Part::Jobs => {
                let mut commands = vec![set(&keys.jobs(), &items)];
                for item in &items {
                    let hold: JobHold = codec::decode(&item.document, || format!("{account}, a job"))?;
                    if let Some(at) = job_due_at(&hold) {
                        let mut due = command("ZADD", &keys.due_jobs());
                        due.arg(at.0).arg(&item.key);
                        commands.push(due);
                    }
                }
                write(&self.usage, commands).await
            }
            Part::Entries => {
                let mut call = LOAD_ENTRIES.call(&[keys.entries()]);
                for item in &items {
                    call.arg(entry_number(&item.key)? + 1).arg(&item.document);
                }
                LOAD_ENTRIES.run(&self.usage, call, Stage::Writing).await.map(drop)
            }
        }
    }

    /// It is put on the list of accounts first: see `announce`.
    async fn load_head(&self, head: AccountHead) -> Result<bool, StoreError> {
        let mut add = command("ZADD", keys::ACCOUNTS);
        add.arg(0).arg(head.account.0.as_bytes());
        write(&self.usage, vec![add]).await?;
        let mut value = version_bytes(head.version).to_vec();
        value.push(u8::try_from(head.recent.len()).unwrap_or(u8::MAX));
        head.recent.iter().take(usize::from(u8::MAX)).for_each(|id| value.extend(id.to_be_bytes()));
        value.extend(&head.document);
        let keys = AccountKeys::of(head.account);
        let [account, ..] = keys.all();
        let mut call = LOAD_HEAD.call(&[account, keys.checkpoint()]);
        call.arg(value);
        match &head.checkpoint {
            Some((next, document)) => call.arg(next).arg(document),
            None => call.arg("").arg(""),
        };
        let loaded = LOAD_HEAD.run(&self.usage, call, Stage::Writing).await?;
        Ok(reply::number("an account", &loaded)? == 1)
    }

    fn sessions_kept(&self) -> Option<Duration> {
        Some(self.options.ended_sessions_kept)
    }

    /// As `put_session` does, but kept from their end on and not from now on, and the lists are not trimmed: what is too
    /// old for them is not moved.
    async fn load_sessions(&self, records: Vec<SessionRecord>) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let now = self.now().await?;
        let kept_ms = i64::try_from(self.options.ended_sessions_kept.as_millis()).unwrap_or(i64::MAX);
        // What is on the list of all sessions is complete, also where commands do not arrive in their order (a cluster).
        let (mut commands, mut listed) = (Vec::with_capacity(3 * records.len()), Vec::with_capacity(records.len()));
        for record in &records {
            let id = record.id.0;
            let mut set = command("SET", &keys::session(record.id));
            set.arg(seal(record));
            if record.state == SessionState::Ended {
                let ended_at = record.ended_at.unwrap_or(now);
                set.arg("PX").arg(ended_at.0.saturating_add(kept_ms).saturating_sub(now.0).max(1));
            } else {
                let mut live = command("SADD", &keys::live_sessions(&record.node));
                live.arg(id.as_bytes());
                commands.push(live);
            }
            commands.push(set);
            let add = |list: &str| {
                let mut add = command("ZADD", list);
                add.arg(0).arg(id.as_bytes());
                add
            };
            commands.push(add(&AccountKeys::of(record.account).sessions()));
            listed.push(add(keys::SESSIONS));
        }
        write(&self.usage, commands).await?;
        write(&self.usage, listed).await
    }

    /// The connections that everything was written over are waited for, on every server.
    async fn settle(&self) -> Result<(), StoreError> {
        for link in [self.usage.as_ref(), &self.blobs] {
            let mut tries = 0;
            while let Err(error) = self.settle_over(link).await {
                tries += 1;
                if tries == SETTLES_MAX {
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

impl RedisStore {
    /// Waits for one server by something that is written after all the rest; in a cluster, where that reaches one of many, each
    /// is asked over the connection that brought it its part.
    async fn settle_over(&self, link: &Link) -> Result<(), StoreError> {
        let commands = durability::seal(keys::PING, self.durability, &self.options);
        let Some(wait) = commands.last().cloned() else { return Ok(()) };
        let group = Group { key: keys::PING.to_owned(), commands };
        durability::sealed(&link.send_group(group).await?, self.durability)?;
        if link.is_cluster() {
            for reply in link.ask_each(wait).await? {
                durability::sealed(&[Value::Okay, reply], self.durability)?;
            }
        }
        Ok(())
    }

    /// How many listen for rises. A cluster's answer is the sum over its nodes.
    async fn count_listeners(&self) -> Result<u64, StoreError> {
        let mut ask = cmd("PUBSUB");
        ask.arg("NUMSUB").arg(keys::RISES);
        let count = match self.usage.ask(ask, Stage::Reading).await? {
            Value::Array(pairs) => pairs.into_iter().nth(1),
            Value::Map(pairs) => pairs.into_iter().next().map(|(_, count)| count),
            other => Some(other),
        };
        let count = reply::number("PUBSUB NUMSUB", &count.unwrap_or(Value::Int(0)))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Notes what some keys tell of collections, and of owners that are not on the list of accounts.
    async fn note(&self, inventory: &mut Inventory, found: &[Vec<u8>]) -> Result<(), StoreError> {
        let mut owners = BTreeSet::new();
        for key in found.iter().filter_map(|key| std::str::from_utf8(key).ok()) {
            let Some((owner, rest)) = keys::owned(key) else { continue };
            if let Some(collection) = rest.strip_prefix("r:") {
                let name = collection.split(':').next().unwrap_or_default();
                if !inventory.collections.contains(name) {
                    inventory.collections.insert(name.to_owned());
                }
            } else if rest != "blobs" && rest != "secrets" {
                continue;
            }
            if let Owner::Account(account) = owner {
                owners.insert(account);
            }
        }
        let looks = owners.iter().map(|account| {
            let mut look = command("ZSCORE", keys::ACCOUNTS);
            look.arg(account.0.as_bytes());
            look
        });
        let scores = self.usage.send(looks.collect(), Stage::Reading).await?;
        for (account, score) in owners.into_iter().zip(scores) {
            if told(score)? == Value::Nil {
                inventory.add_stray(Owner::Account(account))?;
            }
        }
        Ok(())
    }
}

/// A hash has no order: all fields are read and sorted, then a page of documents.
async fn hash(link: &Link, key: &str, after: Option<Vec<u8>>, limit: usize) -> Result<Vec<Item>, StoreError> {
    let mut fields = reply::strings(key, link.ask(command("HKEYS", key), Stage::Reading).await?)?;
    fields.retain(|field| after.as_ref().is_none_or(|after| field > after));
    fields.sort_unstable();
    fields.truncate(limit);
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let mut get = command("HMGET", key);
    get.arg(&fields);
    let documents = reply::list(key, link.ask(get, Stage::Reading).await?)?;
    let mut items = Vec::with_capacity(fields.len());
    for (field, document) in fields.into_iter().zip(documents) {
        items.extend(reply::bytes(key, document)?.map(|document| Item { key: field, document }));
    }
    Ok(items)
}

async fn entries(link: &Link, key: &str, after: Option<Vec<u8>>, limit: usize) -> Result<Vec<Item>, StoreError> {
    let from = after.map(|after| entry_number(&after)).transpose()?.map_or(0, |number| number + 1);
    let mut range = command("XRANGE", key);
    range.arg(entry_id(from)).arg("+").arg("COUNT").arg(limit);
    let corrupt = |detail: &str| StoreError::Corrupt { place: key.to_owned(), detail: detail.to_owned() };
    let mut items = Vec::new();
    for item in reply::list(key, link.ask(range, Stage::Reading).await?)? {
        let mut item = reply::list(key, item)?.into_iter();
        let id = reply::bytes(key, item.next().unwrap_or_default())?.unwrap_or_default();
        let number = std::str::from_utf8(&id).ok().and_then(|id| id.split('-').next()?.parse::<u64>().ok());
        let number = number.and_then(|id| id.checked_sub(1)).ok_or_else(|| corrupt("an entry has no number"))?;
        let fields = reply::list(key, item.next().unwrap_or_default())?;
        let document = reply::bytes(key, fields.into_iter().nth(1).unwrap_or_default())?;
        items.push(Item { key: entry_key(number), document: document.unwrap_or_default() });
    }
    Ok(items)
}

fn set(key: &str, items: &[Item]) -> Cmd {
    let mut set = command("HSET", key);
    for item in items {
        set.arg(&item.key).arg(&item.document);
    }
    set
}
