//! Accounts and what belongs to them, as the scripts take them and give them back.

use std::collections::BTreeMap;
use std::time::Duration;

use footlight_ledger::{AccountId, Books, Touched};
use footlight_store::{
    Commit, CommitOutcome, Committed, DueMove, Loaded, REMEMBERED_COMMITS, StoreError, Version, codec, job_due_at,
};
use redis::{Cmd, Value};

use crate::failure::Stage;
use crate::keys::{self, AccountKeys};
use crate::link::Link;
use crate::reply;
use crate::script::{COMMIT, LOAD};

/// Bytes of a version at the start of an account's value.
const VERSION: usize = 24;

/// The last byte, at the most, of a value's version and former commit ids.
pub(crate) const HEAD_MAX: usize = VERSION + REMEMBERED_COMMITS * 16;

/// How far a commit's time may be away from the server's clock.
pub(crate) struct SkewLimits {
    pub(crate) behind: Duration,
    pub(crate) ahead: Duration,
}

/// The call of `commit.lua` for one commit.
pub(crate) fn commit_call(commit: &Commit, skew: &SkewLimits) -> Cmd {
    let changes = &commit.changes;
    let account = changes.account.id;
    let ms = |limit: Duration| i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
    let mut call = COMMIT.call(&AccountKeys::of(account).all());
    call.arg(commit.expected.map(version_bytes).as_ref().map_or(&[][..], |version| &version[..]))
        .arg(&version_bytes(commit.next))
        .arg(commit.now.0)
        .arg(ms(skew.behind))
        .arg(ms(skew.ahead))
        .arg(account_value(commit))
        .arg(if commit.available_rose { keys::RISES } else { "" })
        .arg(account.0.as_bytes());

    let entries = changes.entries.iter().map(|entry| (entry_id(entry.number), codec::encode(entry)));
    list(&mut call, 2 * changes.entries.len());
    entries.for_each(|(id, document)| pair(&mut call, id.as_bytes(), &document));

    let (kept, forgotten): (Vec<_>, Vec<_>) = changes.tabs.iter().partition(|(_, tab)| tab.is_some());
    list(&mut call, 2 * kept.len());
    for (session, tab) in kept {
        pair(&mut call, session.0.as_bytes(), &codec::encode(tab.as_ref().expect("partitioned")));
    }
    list(&mut call, forgotten.len());
    forgotten.iter().for_each(|(session, _)| {
        call.arg(session.0.as_bytes());
    });

    // A forgotten tab leaves the index with its document.
    let moves: Vec<_> =
        commit.due.iter().filter_map(|DueMove { session, bucket }| Some((session, (*bucket)?))).collect();
    list(&mut call, 2 * moves.len());
    moves.iter().for_each(|(session, bucket)| pair(&mut call, bucket.to_string().as_bytes(), session.0.as_bytes()));

    list(&mut call, 2 * changes.names.len());
    changes.names.iter().for_each(|(name, made)| pair(&mut call, name.0.as_bytes(), &codec::encode_named(made)));
    list(&mut call, 2 * changes.jobs.len());
    changes.jobs.iter().for_each(|(job, hold)| pair(&mut call, job.0.as_bytes(), &codec::encode_named(hold)));
    list(&mut call, 2 * changes.jobs.len());
    for (job, hold) in &changes.jobs {
        let due = job_due_at(hold).map(|due| due.0.to_string()).unwrap_or_default();
        pair(&mut call, due.as_bytes(), job.0.as_bytes());
    }
    call
}

/// What `commit.lua` answered; `None` is a conflict.
pub(crate) fn committed(answer: &Value) -> Result<Option<CommitOutcome>, StoreError> {
    match answer {
        Value::Int(1) => Ok(Some(CommitOutcome::Committed(Committed))),
        Value::Int(0) => Ok(None),
        Value::Int(-1) => Ok(Some(CommitOutcome::NoAccount)),
        Value::Array(skew) if skew.len() == 2 => {
            Err(StoreError::ClockSkew { skew_ms: reply::number("a commit", &skew[1])? })
        }
        other => Err(StoreError::Corrupt { place: "a commit".to_owned(), detail: format!("redis replied {other:?}") }),
    }
}

/// Reads an account with what is touched, as of one moment.
pub(crate) async fn load(link: &Link, account: AccountId, touched: &Touched) -> Result<Option<Loaded>, StoreError> {
    let keys = AccountKeys::of(account).all();
    let mut call = LOAD.call(&keys[..4]);
    call.arg(touched.sessions.len());
    touched.sessions.iter().for_each(|session| {
        call.arg(session.0.as_bytes());
    });
    call.arg(touched.names.len());
    touched.names.iter().for_each(|name| {
        call.arg(&name.0);
    });
    call.arg(touched.jobs.len());
    touched.jobs.iter().for_each(|job| {
        call.arg(job.0.as_bytes());
    });
    let place = account.to_string();
    let mut parts = reply::list(&place, LOAD.run(link, call, Stage::Reading).await?)?.into_iter();
    let Some(value) = parts.next() else { return Ok(None) };
    let value = reply::bytes(&place, value)?.unwrap_or_default();
    let (version, recent, document) = split(&value).ok_or_else(|| StoreError::Corrupt {
        place: place.clone(),
        detail: format!("{} bytes are too few for an account", value.len()),
    })?;
    let mut books = Books::new(codec::decode(document, || place.clone())?);
    let mut next = || reply::list(&place, parts.next().unwrap_or_default());
    books.tabs = present(&touched.sessions, next()?, |session| format!("{account}, tab {session}"))?;
    books.names = present(&touched.names, next()?, |name| format!("{account}, name {}", name.0))?;
    books.jobs = present(&touched.jobs, next()?, |job| format!("{account}, {job}"))?;
    Ok(Some(Loaded { books, version, recent }))
}

/// Decodes the document of each key that has one.
fn present<K: Ord + Clone, V: serde::de::DeserializeOwned>(
    keys: &[K],
    values: Vec<Value>,
    place: impl Fn(&K) -> String,
) -> Result<BTreeMap<K, V>, StoreError> {
    let mut found = BTreeMap::new();
    for (key, value) in keys.iter().zip(values) {
        if let Some(document) = reply::bytes("a document", value)? {
            found.insert(key.clone(), codec::decode(&document, || place(key))?);
        }
    }
    Ok(found)
}

/// The stream id of a journal entry; Redis does not take 0.
pub(crate) fn entry_id(number: u64) -> String {
    format!("{}-0", number + 1)
}

/// Version, number of former commit ids, those ids, document.
fn account_value(commit: &Commit) -> Vec<u8> {
    let mut value = version_bytes(commit.next).to_vec();
    value.push(u8::try_from(commit.recent.len()).expect("a handful is remembered"));
    commit.recent.iter().for_each(|id| value.extend(id.to_be_bytes()));
    value.extend(codec::encode(&commit.changes.account));
    value
}

/// Whether the beginning of a value tells of a commit.
pub(crate) fn has_commit(head: &[u8], commit: u128) -> bool {
    split(head).is_some_and(|(version, recent, _)| version.commit == commit || recent.contains(&commit))
}

pub(crate) fn split(value: &[u8]) -> Option<(Version, Vec<u128>, &[u8])> {
    let (version, rest) = value.split_first_chunk::<VERSION>()?;
    let (count, rest) = rest.split_first()?;
    let (recent, document) = rest.split_at_checked(usize::from(*count) * 16)?;
    let counter = u64::from_be_bytes(version[..8].try_into().ok()?);
    let commit = u128::from_be_bytes(version[8..].try_into().ok()?);
    let recent = recent.chunks_exact(16).map(|id| u128::from_be_bytes(id.try_into().expect("16 bytes")));
    Some((Version { counter, commit }, recent.collect(), document))
}

pub(crate) fn version_bytes(version: Version) -> [u8; VERSION] {
    let mut bytes = [0; VERSION];
    bytes[..8].copy_from_slice(&version.counter.to_be_bytes());
    bytes[8..].copy_from_slice(&version.commit.to_be_bytes());
    bytes
}

fn list(call: &mut Cmd, strings: usize) {
    call.arg(strings);
}

fn pair(call: &mut Cmd, one: &[u8], two: &[u8]) {
    call.arg(one).arg(two);
}
