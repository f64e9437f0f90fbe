//! Records: per owner one hash per collection, its ids in order, and one index per line of what is due.
//!
//! Which lines have something due is kept outside of the owners' slots, as hints: `hint_due.lua` notes a line before
//! anything is written to it, and who finds nothing due there moves the hint, once it is old enough that what it announced
//! is written or never will be. So no crash between the two leaves something due that nobody looks for.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use footlight_ledger::Timestamp;
use footlight_store::records::check_batch;
use footlight_store::{
    Due, DueQueue, Expected, Owner, Record, RecordBatch, RecordOp, RecordOutcome, RecordRange, RecordStore,
    RecordVersion, StoreError,
};
use redis::{Cmd, Value};

use crate::RedisStore;
use crate::failure::Stage;
use crate::keys::{self, RecordKeys};
use crate::link::Link;
use crate::lists::command;
use crate::reply;
use crate::script::{HINT_DUE, SETTLE_HINT, WRITE_RECORDS};

/// How old a hint must be before it is settled: well above the time limits of a write that follows it.
const HINT_SETTLES_AFTER_MS: i64 = 10_000;

/// Records asked for in one command.
const PAGE: usize = 1_000;

/// The most that one look at a line, or at the lines, answers.
const LOOK_MAX: usize = 100_000;

/// Bytes of a version at the beginning of a value.
const VERSION_LEN: usize = 16;

#[async_trait]
impl RecordStore for RedisStore {
    async fn write_records(&self, batches: Vec<RecordBatch>) -> Vec<Result<RecordOutcome, StoreError>> {
        let checked: Vec<Result<(), StoreError>> = batches.iter().map(check_batch).collect();
        let sound: Vec<&RecordBatch> =
            batches.iter().zip(&checked).filter_map(|(batch, check)| check.is_ok().then_some(batch)).collect();
        let mut written = write(&self.usage, &sound).await.into_iter();
        checked.into_iter().map(|check| check.and_then(|()| written.next().expect("one result per batch"))).collect()
    }

    async fn get_records(
        &self,
        owner: Owner,
        collection: &'static str,
        ids: &[String],
    ) -> Result<Vec<Option<Record>>, StoreError> {
        get(&self.usage, &RecordKeys::of(owner, collection), ids).await
    }

    /// Records that go away meanwhile are skipped, so a page is read again from where it ended until it is full.
    async fn list_records(
        &self,
        owner: Owner,
        collection: &'static str,
        range: RecordRange,
    ) -> Result<Vec<Record>, StoreError> {
        let keys = RecordKeys::of(owner, collection);
        let RecordRange { prefix, mut after, backwards, limit } = range;
        let mut records = Vec::new();
        while records.len() < limit {
            let page = PAGE.min(limit - records.len());
            let least = after.as_ref().filter(|after| !backwards && **after >= prefix);
            let most = after.as_ref().filter(|after| backwards && **after < format!("{prefix}\u{7f}"));
            let least = least.map_or_else(|| format!("[{prefix}"), |after| format!("({after}"));
            let most = most.map_or_else(|| format!("({prefix}\u{7f}"), |after| format!("({after}"));
            let mut range = command(if backwards { "ZREVRANGEBYLEX" } else { "ZRANGEBYLEX" }, &keys.ids());
            if backwards {
                range.arg(most).arg(least)
            } else {
                range.arg(least).arg(most)
            };
            range.arg("LIMIT").arg(0).arg(page);
            let ids = texts(&keys.ids(), self.usage.ask(range, Stage::Reading).await?)?;
            records.extend(get(&self.usage, &keys, &ids).await?.into_iter().flatten());
            if ids.len() < page {
                break;
            }
            after = ids.into_iter().next_back();
        }
        Ok(records)
    }

    async fn due_queues(
        &self,
        collection: &'static str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueQueue>, StoreError> {
        let key = keys::due_lines(collection);
        let mut range = command("ZRANGEBYSCORE", &key);
        range.arg("-inf").arg(now.0).arg("LIMIT").arg(0).arg(limit.min(LOOK_MAX));
        let lines = texts(&key, self.usage.ask(range, Stage::Reading).await?)?;
        lines.iter().map(|line| read_line(&key, line)).collect()
    }

    async fn list_due(
        &self,
        owner: Owner,
        collection: &'static str,
        queue: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let keys = RecordKeys::of(owner, collection);
        let index = keys.due(queue);
        let mut range = command("ZRANGEBYSCORE", &index);
        range.arg("-inf").arg(now.0).arg("LIMIT").arg(0).arg(limit.min(LOOK_MAX));
        let ids = texts(&index, self.usage.ask(range, Stage::Reading).await?)?;
        if ids.is_empty() && limit > 0 {
            settle_hint(&self.usage, collection, &index, &line(owner, queue), now).await?;
            return Ok(Vec::new());
        }
        let found = get(&self.usage, &keys, &ids).await?.into_iter().flatten();
        let is_due = |record: &Record| record.due.as_ref().is_some_and(|due| due.queue == queue && due.at <= now);
        Ok(found.filter(is_due).collect())
    }
}

async fn write(link: &Link, batches: &[&RecordBatch]) -> Vec<Result<RecordOutcome, StoreError>> {
    if batches.is_empty() {
        return Vec::new();
    }
    let all = |error: StoreError| batches.iter().map(|_| Err(error.clone())).collect();
    if let Err(error) = hint(link, batches).await {
        return all(error);
    }
    let calls = batches.iter().map(|batch| call(batch)).collect();
    match WRITE_RECORDS.send(link, calls, Stage::Writing).await {
        Ok(answers) => answers
            .into_iter()
            .map(|answer| match answer? {
                Value::Int(1) => Ok(RecordOutcome::Written),
                Value::Int(0) => Ok(RecordOutcome::Conflict),
                other => Err(StoreError::Corrupt {
                    place: "the writing of records".to_owned(),
                    detail: format!("redis replied {other:?}"),
                }),
            })
            .collect(),
        Err(error) => all(error),
    }
}

/// Nothing of the batches is written yet, whatever becomes of this.
async fn hint(link: &Link, batches: &[&RecordBatch]) -> Result<(), StoreError> {
    let mut lines: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for batch in batches {
        for op in &batch.ops {
            if let RecordOp::Put { key, due: Some(due), .. } | RecordOp::Ensure { key, due: Some(due), .. } = op {
                lines.entry(key.collection).or_default().push(line(batch.owner, &due.queue));
            }
        }
    }
    let calls = lines.into_iter().map(|(collection, mut lines)| {
        lines.sort_unstable();
        lines.dedup();
        let mut call = HINT_DUE.call(&[keys::due_lines(collection)]);
        call.arg(lines);
        call
    });
    let calls: Vec<Cmd> = calls.collect();
    if calls.is_empty() {
        return Ok(());
    }
    HINT_DUE.send(link, calls, Stage::Reading).await?.into_iter().try_for_each(|hinted| hinted.map(drop))
}

/// What was hinted at is not due, or gone: the hint moves to what is due next.
async fn settle_hint(
    link: &Link,
    collection: &'static str,
    index: &str,
    line: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let key = keys::due_lines(collection);
    let mut score = command("ZSCORE", &key);
    score.arg(line);
    let Some(seen) = reply::bytes(&key, link.ask(score, Stage::Reading).await?)? else { return Ok(()) };
    // Looked at once more, after the hint: what came before it is seen here.
    let mut next = command("ZRANGEBYSCORE", index);
    next.arg("-inf").arg("+inf").arg("WITHSCORES").arg("LIMIT").arg(0).arg(1);
    let next = reply::strings(index, link.ask(next, Stage::Reading).await?)?.into_iter().nth(1).unwrap_or_default();
    let is_due =
        std::str::from_utf8(&next).ok().and_then(|at| at.parse::<f64>().ok()).is_some_and(|at| at <= now.0 as f64);
    if is_due {
        return Ok(());
    }
    let mut settle = SETTLE_HINT.call(&[key]);
    settle.arg(line).arg(seen).arg(next).arg(HINT_SETTLES_AFTER_MS);
    SETTLE_HINT.run(link, settle, Stage::Reading).await.map(drop)
}

fn call(batch: &RecordBatch) -> Cmd {
    let mut keys = BTreeSet::new();
    for op in &batch.ops {
        let of = RecordKeys::of(batch.owner, op.key().collection);
        if let RecordOp::Put { due: Some(due), .. } | RecordOp::Ensure { due: Some(due), .. } = op {
            keys.insert(of.due(&due.queue));
        }
        keys.extend([of.values(), of.ids()]);
    }
    let mut call = WRITE_RECORDS.call(&Vec::from_iter(keys));
    call.arg(RecordKeys::all_of(batch.owner));
    for op in &batch.ops {
        let key = op.key();
        let kind = match op {
            RecordOp::Put { .. } => "P",
            RecordOp::Ensure { .. } => "E",
            RecordOp::Delete { .. } => "D",
            RecordOp::Absent { .. } => "A",
        };
        call.arg(kind).arg(key.collection).arg(&key.id);
        match op {
            RecordOp::Put { expected, .. } | RecordOp::Delete { expected, .. } => match expected {
                Expected::Absent => call.arg(""),
                Expected::Any => call.arg("*"),
                Expected::Version(version) => call.arg(&version.0.to_be_bytes()),
            },
            RecordOp::Ensure { .. } | RecordOp::Absent { .. } => call.arg(""),
        };
        match op {
            RecordOp::Put { next, due, body, .. } | RecordOp::Ensure { next, due, body, .. } => {
                call.arg(value(*next, due.as_ref(), body));
                call.arg(due.as_ref().map_or_else(String::new, |due| due.at.0.to_string()))
            }
            RecordOp::Delete { .. } | RecordOp::Absent { .. } => call.arg("").arg(""),
        };
    }
    call
}

/// Version, the queue's length, the queue and the instant if there is one, body.
fn value(version: RecordVersion, due: Option<&Due>, body: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(VERSION_LEN + 1 + 64 + body.len());
    value.extend(version.0.to_be_bytes());
    value.push(due.map_or(0, |due| u8::try_from(due.queue.len()).expect("names were checked")));
    if let Some(due) = due {
        value.extend(due.queue.as_bytes());
        value.extend(due.at.0.to_be_bytes());
    }
    value.extend(body);
    value
}

fn read(id: &str, value: &[u8]) -> Option<Record> {
    let (version, rest) = value.split_first_chunk::<VERSION_LEN>()?;
    let (&queue_len, rest) = rest.split_first()?;
    let (due, body) = if queue_len == 0 {
        (None, rest)
    } else {
        let (queue, rest) = rest.split_at_checked(usize::from(queue_len))?;
        let (at, rest) = rest.split_first_chunk::<8>()?;
        let queue = String::from_utf8(queue.to_vec()).ok()?;
        (Some(Due { queue, at: Timestamp(i64::from_be_bytes(*at)) }), rest)
    };
    let version = RecordVersion(u128::from_be_bytes(*version));
    Some(Record { id: id.to_owned(), version, due, body: body.to_vec() })
}

async fn get(link: &Link, keys: &RecordKeys, ids: &[String]) -> Result<Vec<Option<Record>>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let key = keys.values();
    let mut get = command("HMGET", &key);
    get.arg(ids);
    let values = reply::list(&key, link.ask(get, Stage::Reading).await?)?;
    ids.iter()
        .zip(values)
        .map(|(id, value)| {
            let corrupt = || StoreError::Corrupt { place: format!("{key} {id}"), detail: "it is cut off".to_owned() };
            reply::bytes(&key, value)?.map(|value| read(id, &value).ok_or_else(corrupt)).transpose()
        })
        .collect()
}

fn line(owner: Owner, queue: &str) -> String {
    format!("{owner} {queue}")
}

fn read_line(place: &str, line: &str) -> Result<DueQueue, StoreError> {
    let corrupt = || StoreError::Corrupt { place: place.to_owned(), detail: format!("`{line}` is no line") };
    let (owner, queue) = line.split_once(' ').ok_or_else(corrupt)?;
    let owner = match owner {
        "service" => Owner::Service,
        account => Owner::Account(account.parse().map_err(|_| corrupt())?),
    };
    Ok(DueQueue { owner, queue: queue.to_owned() })
}

fn texts(place: &str, reply: Value) -> Result<Vec<String>, StoreError> {
    let corrupt =
        |error: std::string::FromUtf8Error| StoreError::Corrupt { place: place.to_owned(), detail: error.to_string() };
    reply::strings(place, reply)?.into_iter().map(|text| String::from_utf8(text).map_err(corrupt)).collect()
}
