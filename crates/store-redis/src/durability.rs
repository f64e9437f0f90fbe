//! Is what Redis acknowledges safe? Asked at the start, and again for every money write.

use std::collections::HashMap;

use footlight_store::StoreError;
use redis::{Value, cmd};

use crate::RedisOptions;
use crate::failure::Stage;
use crate::link::Link;
use crate::reply;

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

/// Looks at the server and refuses one that may lose what it acknowledged.
pub(crate) async fn check(link: &Link, options: &RedisOptions) -> Result<Durability, StoreError> {
    let info = info(link).await?;
    let get = |key: &str| info.get(key).map(String::as_str).unwrap_or_default();
    let mut complaints = Vec::new();
    let policy = get("maxmemory_policy");
    if get("maxmemory") != "0" && policy != "noeviction" && !policy.is_empty() {
        complaints.push(format!("it evicts ({policy}): set maxmemory-policy noeviction"));
    }
    if get("aof_enabled") != "1" {
        complaints.push("it does not persist every write: set appendonly yes".to_owned());
    }
    let version = if get("valkey_version").is_empty() { get("redis_version") } else { get("valkey_version") };
    let durability = if at_least(version, 7, 2) {
        Durability::WaitAof { replicas: options.replicas }
    } else if appendfsync(link).await.as_deref() == Some("always") {
        Durability::Implicit { replicas: options.replicas }
    } else {
        complaints.push(format!("version {version} cannot tell when a write is on disk: set appendfsync always"));
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
            Ok(if get("aof_enabled") == "1" { durability } else { Durability::Unsafe })
        }
    }
}

/// Waits until what this link wrote before is durable.
pub(crate) async fn wait(link: &Link, durability: Durability, options: &RedisOptions) -> Result<(), StoreError> {
    let patience = options.response_timeout.as_millis() as u64 * 3 / 4;
    let (wait, replicas) = match durability {
        Durability::WaitAof { replicas } => {
            let mut wait = cmd("WAITAOF");
            wait.arg(1).arg(replicas).arg(patience);
            (wait, replicas)
        }
        Durability::Implicit { replicas: 0 } | Durability::Unsafe => return Ok(()),
        Durability::Implicit { replicas } => {
            let mut wait = cmd("WAIT");
            wait.arg(replicas).arg(patience);
            (wait, replicas)
        }
    };
    let reached = reached(&link.ask(wait, Stage::Writing).await?)?;
    if reached >= i64::from(replicas) {
        return Ok(());
    }
    let what =
        if reached < 0 { "its own disk in time".to_owned() } else { format!("{replicas} replicas, only {reached}") };
    Err(StoreError::unknown(format!("redis wrote, but did not reach {what}")))
}

/// Replicas that have the write, by the answer to `WAITAOF` or `WAIT`; -1 when the server's own disk does not. A cluster
/// answers by node: what the worst of them says holds.
fn reached(answer: &Value) -> Result<i64, StoreError> {
    match answer {
        Value::Map(nodes) => {
            let counts = nodes.iter().map(|(_, answer)| reached(answer)).collect::<Result<Vec<_>, _>>()?;
            counts.into_iter().min().ok_or_else(|| StoreError::unknown("redis: no node answered WAITAOF"))
        }
        Value::Array(counts) if counts.len() == 2 => {
            let local = reply::number("WAITAOF", &counts[0])?;
            if local < 1 { Ok(-1) } else { reply::number("WAITAOF", &counts[1]) }
        }
        Value::ServerError(error) => Err(StoreError::unknown(format!("redis: WAITAOF: {error}"))),
        count => reply::number("WAIT", count),
    }
}

/// `None` where the server does not let us ask.
async fn appendfsync(link: &Link) -> Option<String> {
    let mut get = cmd("CONFIG");
    get.arg("GET").arg("appendfsync");
    let answer = link.ask(get, Stage::Reading).await.ok()?;
    let text =
        |value: Value| reply::bytes("CONFIG GET", value).ok().flatten().and_then(|text| String::from_utf8(text).ok());
    match answer {
        Value::Array(pair) => text(pair.into_iter().nth(1)?),
        Value::Map(pairs) => text(pairs.into_iter().next()?.1),
        _ => None,
    }
}

async fn info(link: &Link) -> Result<HashMap<String, String>, StoreError> {
    let text = match link.ask(cmd("INFO"), Stage::Reading).await? {
        Value::BulkString(text) => String::from_utf8_lossy(&text).into_owned(),
        Value::VerbatimString { text, .. } => text,
        // A cluster answers by node; any one speaks for all.
        Value::Map(nodes) => match nodes.into_iter().next() {
            Some((_, Value::BulkString(text))) => String::from_utf8_lossy(&text).into_owned(),
            other => return Err(StoreError::unreachable(format!("redis answered INFO with {other:?}"))),
        },
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

    use super::reached;

    fn counts(local: i64, replicas: i64) -> Value {
        Value::Array(vec![Value::Int(local), Value::Int(replicas)])
    }

    fn nodes(answers: Vec<Value>) -> Value {
        let name = |at: usize| Value::BulkString(format!("127.0.0.1:700{at}").into_bytes());
        Value::Map(answers.into_iter().enumerate().map(|(at, answer)| (name(at), answer)).collect())
    }

    #[test]
    fn a_single_server_s_answer_counts_its_disk_and_its_replicas() {
        assert_eq!(reached(&counts(1, 2)), Ok(2));
        assert_eq!(reached(&counts(0, 2)), Ok(-1), "its own disk comes first");
        assert_eq!(reached(&Value::Int(1)), Ok(1));
    }

    #[test]
    fn a_cluster_is_as_durable_as_its_worst_node() {
        assert_eq!(reached(&nodes(vec![counts(1, 2), counts(1, 1), counts(1, 3)])), Ok(1));
        assert_eq!(reached(&nodes(vec![counts(1, 2), counts(0, 2)])), Ok(-1));
        assert!(reached(&nodes(Vec::new())).is_err());
        let refused = redis::parse_redis_value(b"-ERR gone\r\n").expect("it is an answer");
        assert!(reached(&nodes(vec![counts(1, 2), refused])).is_err());
    }
}
