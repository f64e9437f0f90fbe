//! Secrets, session records, idempotency keys and progress blocks.

use std::time::{Duration, UNIX_EPOCH};

use footlight_ledger::{AccountId, BootId, SessionId, Timestamp};
use footlight_session::{SessionRecord, SessionState};
use footlight_store::{Remembered, SecretRecord, SessionPut, StoreError, codec};
use redis::{Cmd, Value};
use uuid::Uuid;

use crate::failure::Stage;
use crate::keys::{self, AccountKeys};
use crate::link::Link;
use crate::lists::{bound, command};
use crate::reply;
use crate::script::{BEGIN_REQUEST, FINISH_REQUEST, PUT_SESSION, RENEW_REQUEST, REPLACE};

/// A claim that was never finished lapses after this long: its worker crashed.
const CLAIM_MS: i64 = 60_000;

/// How long an answer is remembered.
const ANSWER_MS: i64 = 24 * 3_600_000;

/// How long progress waits for an heir.
const PROGRESS_S: i64 = 7 * 24 * 3_600;

/// How long a session may stand in its node's list before it has a record.
const BEING_MADE_MAX: Duration = Duration::from_secs(600);

/// How often a secret's record is read again when somebody else wrote it meanwhile: people write it, seldom.
const REPLACES_MAX: u32 = 10;

/// Sends writes in order; the first error is the answer.
pub(crate) async fn write(link: &Link, commands: Vec<Cmd>) -> Result<(), StoreError> {
    for reply in link.send(commands, Stage::Writing).await? {
        reply.extract_error().map_err(|error| crate::failure::explain(&error, Stage::Writing))?;
    }
    Ok(())
}

/// The lookup by hash is what opens doors. A secret that works is written there last, and one that ends first: what is
/// half done never opens a door that is to be closed, and the list still shows what is to be ended again.
pub(crate) async fn put_secret(link: &Link, record: &SecretRecord) -> Result<(), StoreError> {
    let listed = Place { key: AccountKeys::of(record.account).secrets(), field: Some(record.id.0) };
    let by_hash = Place { key: keys::secret(&record.hash), field: None };
    let [first, second] = if record.revoked_at.is_some() { [by_hash, listed] } else { [listed, by_hash] };
    put_secret_at(link, &first, record).await?;
    put_secret_at(link, &second, record).await
}

/// Where a copy of a secret's record lies.
struct Place {
    key: String,
    /// Its field in a hash; none for a string.
    field: Option<Uuid>,
}

/// Writes one copy, with the earlier end of the stored one and this one.
async fn put_secret_at(link: &Link, place: &Place, record: &SecretRecord) -> Result<(), StoreError> {
    for _ in 0..REPLACES_MAX {
        let mut get = command(if place.field.is_some() { "HGET" } else { "GET" }, &place.key);
        if let Some(field) = &place.field {
            get.arg(field.as_bytes());
        }
        let stored = reply::bytes("a secret", link.ask(get, Stage::Reading).await?)?;
        let mut merged = record.clone();
        if let Some(stored) = &stored {
            merged.keep_earlier_end(&codec::decode(stored, || "a secret".to_owned())?);
        }
        let mut call = REPLACE.call(std::slice::from_ref(&place.key));
        call.arg(place.field.as_ref().map_or(&[][..], |field| &field.as_bytes()[..]));
        call.arg(stored.unwrap_or_default()).arg(codec::encode_named(&merged));
        let reply = REPLACE.run(link, call, Stage::Writing).await?;
        if reply::number("a secret", &reply)? == 1 {
            return Ok(());
        }
    }
    Err(StoreError::Contended { account: record.account, tries: REPLACES_MAX })
}

pub(crate) async fn find_secret(link: &Link, hash: &[u8; 32]) -> Result<Option<SecretRecord>, StoreError> {
    let found = link.ask(command("GET", &keys::secret(hash)), Stage::Reading).await?;
    let document = reply::bytes("a secret", found)?;
    document.map(|document| codec::decode(&document, || "a secret".to_owned())).transpose()
}

pub(crate) async fn list_secrets(link: &Link, account: AccountId) -> Result<Vec<SecretRecord>, StoreError> {
    let key = AccountKeys::of(account).secrets();
    let documents = reply::strings(&key, link.ask(command("HVALS", &key), Stage::Reading).await?)?;
    let decoded = documents.iter().map(|document| codec::decode(document, || key.clone()));
    let mut records: Vec<SecretRecord> = decoded.collect::<Result<_, _>>()?;
    records.sort_by_key(|record| record.id);
    Ok(records)
}

/// Writes a record and its places in the lists. Ended sessions are dropped `kept` after their end.
///
/// The record decides, by its epoch; the lists are hints, in other slots of a cluster. The list of the owner's live sessions
/// comes before it, so that a crash between the two leaves no session that nobody finds, and the others after it.
pub(crate) async fn put_session(link: &Link, record: &SessionRecord, kept: Duration) -> Result<SessionPut, StoreError> {
    let id = record.id.0;
    let live = keys::live_sessions(&record.node);
    let ended = record.state == SessionState::Ended;
    let mut put = PUT_SESSION.call(&[keys::session(record.id)]);
    put.arg(seal(record));
    if ended {
        put.arg(kept.as_secs())
    } else {
        put.arg("")
    };
    let mut commands = vec![];
    if !ended {
        let mut add = command("SADD", &live);
        add.arg(id.as_bytes());
        commands.push(add);
    }
    commands.push(put);
    let mut replies = PUT_SESSION.send(link, commands, Stage::Writing).await?;
    let put = replies.pop().expect("one reply per command")?;
    replies.into_iter().try_for_each(|reply| reply.map(drop))?;
    let place = "a session";
    let (answer, former) = match reply::list(place, put)?.as_slice() {
        [answer, Value::BulkString(former)] => {
            (reply::number(place, answer)?, String::from_utf8_lossy(former).into_owned())
        }
        other => {
            return Err(StoreError::Corrupt { place: place.to_owned(), detail: format!("redis replied {other:?}") });
        }
    };
    let (is_written, is_over) = (answer == 1, answer == 2);
    if !is_written {
        if is_over || former != record.node {
            remove(link, "SREM", &live, &[id]).await?;
        }
        return Ok(SessionPut::Fenced);
    }
    let mut commands = vec![];
    for list in [AccountKeys::of(record.account).sessions(), keys::SESSIONS.to_owned()] {
        let mut add = command("ZADD", &list);
        add.arg(0).arg(id.as_bytes());
        commands.push(add);
        if let Some(ended_at) = record.ended_at.filter(|_| ended) {
            let mut trim = command("ZREMRANGEBYLEX", &list);
            trim.arg("-").arg(bound(b'(', oldest_kept(ended_at, kept)));
            commands.push(trim);
        }
    }
    let leaves = ended.then_some(live);
    let has_moved = !former.is_empty() && former != record.node;
    for list in leaves.into_iter().chain(has_moved.then(|| keys::live_sessions(&former))) {
        let mut leave = command("SREM", &list);
        leave.arg(id.as_bytes());
        commands.push(leave);
    }
    write(link, commands).await?;
    Ok(SessionPut::Written)
}

/// What the values of sessions begin with; see `put_session.lua`.
const SEALED: u8 = 2;

/// A session's value: what is compared when it is replaced, then its document.
pub(crate) fn seal(record: &SessionRecord) -> Vec<u8> {
    let document = codec::encode_named(record);
    let node = record.node.as_bytes();
    let node = &node[..node.len().min(usize::from(u16::MAX))];
    let mut value = Vec::with_capacity(7 + node.len() + document.len());
    value.push(SEALED);
    value.extend(record.epoch.to_be_bytes());
    value.extend((node.len() as u16).to_be_bytes());
    value.extend(node);
    value.extend(document);
    value
}

/// The record in a session's value, also in one from before they were sealed.
fn open(session: SessionId, value: &[u8]) -> Result<SessionRecord, StoreError> {
    let document = match value {
        [SEALED, _, _, _, _, high, low, rest @ ..] => {
            rest.get(usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default()
        }
        document => document,
    };
    codec::decode(document, || session.to_string())
}

/// The least id of a session that began twice the retention before `now`: older ones have ended, and their records are
/// gone. Ids are of version 7 and begin with their time.
fn oldest_kept(now: Timestamp, kept: Duration) -> Uuid {
    let kept_ms = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    let begun = u64::try_from(now.plus_ms(kept_ms.saturating_mul(-2)).0).unwrap_or(0);
    Uuid::from_u128(u128::from(begun) << 80)
}

pub(crate) async fn get_session(link: &Link, session: SessionId) -> Result<Option<SessionRecord>, StoreError> {
    let found = link.ask(command("GET", &keys::session(session)), Stage::Reading).await?;
    let value = reply::bytes("a session", found)?;
    value.map(|value| open(session, &value)).transpose()
}

/// Newest first. Records that are gone are skipped, and their places in the list removed.
pub(crate) async fn list_sessions(
    link: &Link,
    account: Option<AccountId>,
    before: Option<SessionId>,
    limit: usize,
) -> Result<Vec<SessionRecord>, StoreError> {
    let list = account.map_or_else(|| keys::SESSIONS.to_owned(), |account| AccountKeys::of(account).sessions());
    let mut before = before;
    let mut records = Vec::new();
    while records.len() < limit {
        let page = limit - records.len();
        let mut range = command("ZREVRANGEBYLEX", &list);
        range.arg(before.map_or_else(|| b"+".to_vec(), |id| bound(b'(', id.0)));
        range.arg("-").arg("LIMIT").arg(0).arg(page);
        let ids = reply::ids(&list, link.ask(range, Stage::Reading).await?)?;
        let Some(last) = ids.last() else { break };
        before = Some(SessionId(*last));
        let (found, gone) = read_sessions(link, &ids).await?;
        records.extend(found);
        remove(link, "ZREM", &list, &gone).await?;
        if ids.len() < page {
            break;
        }
    }
    Ok(records)
}

/// Sessions of a node that have not ended, of whichever run.
pub(crate) async fn list_of_node(link: &Link, node: &str) -> Result<Vec<SessionRecord>, StoreError> {
    let live = keys::live_sessions(node);
    let mut ids = reply::ids(&live, link.ask(command("SMEMBERS", &live), Stage::Reading).await?)?;
    ids.sort_unstable();
    let (found, mut gone) = read_sessions(link, &ids).await?;
    // Without a record it may be one that is being created: its record comes next.
    let is_new = |id: &Uuid| since_made(*id).is_none_or(|age| age < BEING_MADE_MAX);
    gone.retain(|id| !is_new(id));
    // A session that another node has taken over, or whose end was written only by half.
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|record| record.node == node && record.state != SessionState::Ended);
    gone.extend(elsewhere.iter().map(|record| record.id.0));
    remove(link, "SREM", &live, &gone).await?;
    Ok(here)
}

/// How long ago an id of version 7 was made, by this machine's clock.
fn since_made(id: Uuid) -> Option<Duration> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    (UNIX_EPOCH + Duration::new(seconds, nanos)).elapsed().ok()
}

/// The records of some ids, and the ids that have none.
async fn read_sessions(link: &Link, ids: &[Uuid]) -> Result<(Vec<SessionRecord>, Vec<Uuid>), StoreError> {
    let gets = ids.iter().map(|id| command("GET", &keys::session(SessionId(*id)))).collect();
    let (mut found, mut gone) = (Vec::new(), Vec::new());
    for (id, reply) in ids.iter().zip(link.send(gets, Stage::Reading).await?) {
        match reply::bytes("a session", reply)? {
            Some(value) => found.push(open(SessionId(*id), &value)?),
            None => gone.push(*id),
        }
    }
    Ok((found, gone))
}

async fn remove(link: &Link, command_name: &str, key: &str, ids: &[Uuid]) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut remove = command(command_name, key);
    ids.iter().for_each(|id| {
        remove.arg(id.as_bytes());
    });
    write(link, vec![remove]).await
}

pub(crate) async fn begin_request(link: &Link, scope: &str, body: &[u8; 32]) -> Result<Remembered, StoreError> {
    let mut call = BEGIN_REQUEST.call(&[keys::request(scope)]);
    call.arg(body).arg(CLAIM_MS).arg(Uuid::now_v7().as_bytes());
    let place = "an idempotency key";
    let answer = reply::list(place, BEGIN_REQUEST.run(link, call, Stage::Writing).await?)?;
    match answer.as_slice() {
        [Value::Int(0)] => Ok(Remembered::Fresh),
        [Value::Int(1)] => Ok(Remembered::InProgress),
        [Value::Int(2), status, Value::BulkString(body)] => {
            let status = u16::try_from(reply::number(place, status)?).unwrap_or(500);
            Ok(Remembered::Done(status, body.clone()))
        }
        [Value::Int(3)] => Ok(Remembered::Mismatch),
        other => Err(StoreError::Corrupt { place: place.to_owned(), detail: format!("redis replied {other:?}") }),
    }
}

pub(crate) async fn renew_request(link: &Link, scope: &str) -> Result<(), StoreError> {
    let mut call = RENEW_REQUEST.call(&[keys::request(scope)]);
    call.arg(CLAIM_MS);
    RENEW_REQUEST.run(link, call, Stage::Writing).await.map(drop)
}

pub(crate) async fn finish_request(link: &Link, scope: &str, answer: Option<(u16, Vec<u8>)>) -> Result<(), StoreError> {
    let mut call = FINISH_REQUEST.call(&[keys::request(scope)]);
    match answer {
        Some((status, body)) => call.arg(status).arg(body),
        None => call.arg("").arg(""),
    };
    call.arg(ANSWER_MS);
    FINISH_REQUEST.run(link, call, Stage::Writing).await.map(drop)
}

pub(crate) async fn put_progress(link: &Link, boot: BootId, blocks: Vec<(u32, Vec<u8>)>) -> Result<(), StoreError> {
    if blocks.is_empty() {
        return Ok(());
    }
    let key = keys::progress(boot);
    let mut set = command("HSET", &key);
    for (block, data) in blocks {
        set.arg(block).arg(data);
    }
    let mut expire = command("EXPIRE", &key);
    expire.arg(PROGRESS_S);
    write(link, vec![set, expire]).await
}

pub(crate) async fn load_progress(link: &Link, boot: BootId) -> Result<Vec<(u32, Vec<u8>)>, StoreError> {
    let key = keys::progress(boot);
    let mut blocks = Vec::new();
    for field in reply::list(&key, link.ask(command("HKEYS", &key), Stage::Reading).await?)? {
        let block = u32::try_from(reply::number(&key, &field)?).unwrap_or(u32::MAX);
        let mut get = command("HGET", &key);
        get.arg(block);
        let data = reply::bytes(&key, link.ask(get, Stage::Reading).await?)?;
        blocks.extend(data.map(|data| (block, data)));
    }
    blocks.sort_unstable_by_key(|(block, _)| *block);
    Ok(blocks)
}

pub(crate) async fn delete_progress(link: &Link, boot: BootId) -> Result<(), StoreError> {
    write(link, vec![command("UNLINK", &keys::progress(boot))]).await
}
