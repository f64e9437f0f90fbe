//! What Redis' errors mean to a caller.

use footlight_store::StoreError;
use redis::{ErrorKind, RedisError, Value};

/// Whether a request had been sent when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// No: nothing happened.
    Connecting,
    /// It may have been: a write may have happened.
    Writing,
    /// It may have been, but it only reads.
    Reading,
}

/// Explains an error of a request or a connection.
pub(crate) fn explain(error: &RedisError, stage: Stage) -> StoreError {
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => {
            of_server(error.code().unwrap_or_default(), error.detail().unwrap_or_default())
        }
        ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig | ErrorKind::RESP3NotSupported => {
            StoreError::Refused { detail: format!("redis: {error}") }
        }
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
            StoreError::Corrupt { place: "a reply of redis".to_owned(), detail: error.to_string() }
        }
        _ => StoreError::Unreachable { detail: format!("redis: {error}"), outcome_unknown: stage == Stage::Writing },
    }
}

/// Explains an error that the server answered. Then nothing was written: scripts check before they write.
pub(crate) fn of_server(code: &str, detail: &str) -> StoreError {
    let refused = |advice: &str| StoreError::Refused { detail: format!("redis says {code} {detail}; {advice}") };
    match code {
        "OOM" => refused("raise its maxmemory: it must never evict"),
        "MISCONF" => refused("it cannot write its files: is its disk full?"),
        "NOAUTH" | "WRONGPASS" => refused("give the right user and password in the store's address"),
        "NOPERM" => refused("allow its user everything on keys fl:* and the channel fl:rises"),
        "ERR" | "WRONGTYPE" | "CROSSSLOT" => refused("is another program writing keys fl:*?"),
        // It is starting, failing over, or busy: that passes.
        _ => StoreError::unreachable(format!("redis says {code} {detail}")),
    }
}

/// Whether the connection should be made anew: the server is silent or gone.
pub(crate) fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error()
}

/// Whether the server says that it is no master any more, so that the next connection should look for the new one.
pub(crate) fn is_left(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if matches!(error.code(), "READONLY" | "MASTERDOWN" | "LOADING"))
}
