//! Is what Redis acknowledges safe? Asked at the start, and again for every money write.

use std::collections::HashMap;

use footlight_store::StoreError;
use redis::{Cmd, Value, cmd};

use crate::RedisOptions;
use crate::link::Link;
use crate::reply;

/// A replica answers the question of a wait before it syncs what came with it, and again only a second later; asked anew
/// after this long, it has synced.
const NUDGE_MS: u64 = 15;

/// How a money write is known to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// `WAITAOF`: on this server's disk and on that of so many replicas (Redis 7.2, Valkey).
    WaitAof {
        /// Replicas.
        replicas: u32,
    },
    /// `appendfsync always`: no reply comes before the fsync. `WAIT` for the memory of so many replicas.
    Implicit {
        /// Replicas.
        replicas: u32,
    },
    /// Not at all: the operator said so.
    Unsafe,
}

/// Looks at the server, in a cluster at each that takes writes, and refuses one that may lose what it acknowledged.
pub(crate) async fn check(link: &Link, options: &RedisOptions) -> Result<Durability, StoreError> {
    let servers = link.ask_each(cmd("INFO")).await?.into_iter().map(info).collect::<Result<Vec<_>, _>>()?;
    let mut complaints = Vec::new();
    let mut complain = |complaint: String| {
        if !complaints.contains(&complaint) {
            complaints.push(complaint);
        }
    };
    let mut is_persistent = true;
    let mut tells = true;
    let mut untold = String::new();
    for info in &servers {
        let get = |key: &str| info.get(key).map(String::as_str).unwrap_or_default();
        let policy = get("maxmemory_policy");
        if get("maxmemory") != "0" && policy != "noeviction" && !policy.is_empty() {
            complain(format!("it evicts ({policy}): set maxmemory-policy noeviction"));
        }
        if get("aof_enabled") != "1" {
            is_persistent = false;
            complain("it does not persist every write: set appendonly yes".to_owned());
        }
        let version = if get("valkey_version").is_empty() { get("redis_version") } else { get("valkey_version") };
        if !at_least(version, 7, 2) {
            tells = false;
            version.clone_into(&mut untold);
        }
    }
    let replicas = options.replicas;
    let durability = if tells {
        Durability::WaitAof { replicas }
    } else if appendfsync(link).await.iter().all(|policy| policy.as_deref() == Some("always")) {
        Durability::Implicit { replicas }
    } else {
        complain(format!("version {untold} cannot tell when a write is on disk: set appendfsync always"));
        Durability::Unsafe
    };
    match (complaints.is_empty(), options.allow_unsafe) {
        (true, _) => Ok(durability),
        (false, false) => Err(StoreError::Refused {
            detail: format!("redis may lose what it acknowledged: {}; or allow an unsafe store", complaints.join("; ")),
        }),
        (false, true) => {
            tracing::warn!(
                complaints = complaints.join("; "),
                "redis may lose what it acknowledged, and that is allowed"
            );
            // Without an append-only file there is nothing to wait for.
            Ok(if is_persistent { durability } else { Durability::Unsafe })
        }
    }
}

/// What follows a write, in its group, so that the write is known to be durable: something written after it over the same
/// connection, under a key of the same slot, and a wait for that. A wait covers what its own connection wrote and no more: over another one it would be
/// over at once.
pub(crate) fn seal(barrier: &str, durability: Durability, options: &RedisOptions) -> Vec<Cmd> {
    let patience = options.response_timeout.as_millis() as u64 * 3 / 4;
    let mut write = cmd("SET");
    write.arg(barrier).arg("").arg("PX").arg(1_000);
    let wait_aof = |replicas: u32, patience: u64| {
        let mut wait = cmd("WAITAOF");
        wait.arg(1).arg(replicas).arg(patience);
        wait
    };
    match durability {
        Durability::WaitAof { replicas: 0 } => vec![write, wait_aof(0, patience)],
        Durability::WaitAof { replicas } => vec![write, wait_aof(replicas, NUDGE_MS), wait_aof(replicas, patience)],
        Durability::Implicit { replicas: 0 } | Durability::Unsafe => Vec::new(),
        Durability::Implicit { replicas } => {
            let mut wait = cmd("WAIT");
            wait.arg(replicas).arg(patience);
            vec![write, wait]
        }
    }
}

/// Whether the replies to a seal say that what came before it is durable.
pub(crate) fn sealed(replies: &[Value], durability: Durability) -> Result<(), StoreError> {
    let [barrier, .., wait] = replies else { return Ok(()) };
    if let Value::ServerError(error) = barrier {
        return Err(StoreError::unknown(format!("redis wrote, and then said {error}")));
    }
    let replicas = match durability {
        Durability::WaitAof { replicas } | Durability::Implicit { replicas } => replicas,
        Durability::Unsafe => 0,
    };
    let reached = reached(wait)?;
    if reached >= i64::from(replicas) {
        return Ok(());
    }
    let what =
        if reached < 0 { "its own disk in time".to_owned() } else { format!("{replicas} replicas, only {reached}") };
    Err(StoreError::unknown(format!("redis wrote, but did not reach {what}")))
}

/// Replicas that have the write, by the answer to `WAITAOF` or `WAIT`; -1 when the server's own disk does not.
fn reached(answer: &Value) -> Result<i64, StoreError> {
    match answer {
        Value::Array(counts) if counts.len() == 2 => {
            let local = reply::number("WAITAOF", &counts[0])?;
            if local < 1 { Ok(-1) } else { reply::number("WAITAOF", &counts[1]) }
        }
        Value::ServerError(error) => Err(StoreError::unknown(format!("redis wrote, and then said {error}"))),
        count => reply::number("WAIT", count),
    }
}

/// Of each server; nothing where it does not let us ask.
async fn appendfsync(link: &Link) -> Vec<Option<String>> {
    let mut get = cmd("CONFIG");
    get.arg("GET").arg("appendfsync");
    let text =
        |value: Value| reply::bytes("CONFIG GET", value).ok().flatten().and_then(|text| String::from_utf8(text).ok());
    let Ok(answers) = link.ask_each(get).await else { return vec![None] };
    let policies = answers.into_iter().map(|answer| match answer {
        Value::Array(pair) => text(pair.into_iter().nth(1)?),
        Value::Map(pairs) => text(pairs.into_iter().next()?.1),
        _ => None,
    });
    policies.collect()
}

fn info(answer: Value) -> Result<HashMap<String, String>, StoreError> {
    let text = match answer {
        Value::BulkString(text) => String::from_utf8_lossy(&text).into_owned(),
        Value::VerbatimString { text, .. } => text,
        other => return Err(StoreError::unreachable(format!("redis answered INFO with {other:?}"))),
    };
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    Ok(lines.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect())
}

fn at_least(version: &str, major: u32, minor: u32) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (major, minor)
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::{Durability, seal, sealed};
    use crate::RedisOptions;

    const DONE: Value = Value::Okay;

    fn counts(local: i64, replicas: i64) -> Value {
        Value::Array(vec![Value::Int(local), Value::Int(replicas)])
    }

    fn said(reply: &str) -> Value {
        redis::parse_redis_value(reply.as_bytes()).expect("it is an answer")
    }

    #[test]
    fn a_write_is_durable_on_the_disk_and_on_as_many_replicas_as_asked() {
        let two = Durability::WaitAof { replicas: 2 };
        assert_eq!(sealed(&[DONE, counts(1, 2)], two), Ok(()));
        for wait in [counts(1, 1), counts(0, 2), said("-ERR WAITAOF cannot be used\r\n")] {
            let error = sealed(&[DONE, wait], two).expect_err("it is not");
            assert!(error.is_outcome_unknown(), "{error}");
        }
        let one = Durability::Implicit { replicas: 1 };
        assert_eq!(sealed(&[DONE, Value::Int(1)], one), Ok(()));
        let error = sealed(&[DONE, Value::Int(0)], one).expect_err("it is on none").to_string();
        assert!(error.contains("did not reach 1 replicas, only 0"), "{error}");
    }

    #[test]
    fn what_cannot_be_followed_by_a_write_is_not_durable() {
        let barrier = said("-READONLY You can't write against a read only replica.\r\n");
        let error = sealed(&[barrier, Value::Int(1)], Durability::Implicit { replicas: 1 }).expect_err("it is not");
        assert!(error.is_outcome_unknown(), "{error}");
    }

    #[test]
    fn each_version_gets_the_command_that_it_knows() {
        let names = |durability| {
            let seal = seal("fl:{x}:b", durability, &RedisOptions::default());
            let name = |command: &redis::Cmd| {
                let redis::Arg::Simple(name) = command.args_iter().next().expect("it has a name") else { panic!() };
                String::from_utf8(name.to_vec()).expect("it is text")
            };
            seal.iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(names(Durability::WaitAof { replicas: 0 }), ["SET", "WAITAOF"]);
        assert_eq!(names(Durability::WaitAof { replicas: 1 }), ["SET", "WAITAOF", "WAITAOF"], "the second asks anew");
        assert_eq!(names(Durability::Implicit { replicas: 1 }), ["SET", "WAIT"]);
        assert!(names(Durability::Implicit { replicas: 0 }).is_empty(), "no reply came before the fsync");
        assert!(names(Durability::Unsafe).is_empty());
    }
}
