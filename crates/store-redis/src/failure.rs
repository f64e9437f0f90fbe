//! What Redis' errors mean to a caller.

use footlight_store::StoreError;
use redis::{ErrorKind, RedisError, RedisResult, ServerError, Value};

/// The code that an error gets when a write was perhaps sent before, over a connection that was lost.
const PERHAPS_WRITTEN: &str = "PERHAPSWRITTEN";
/// The code of a read that one server of several did not answer.
const UNANSWERED: &str = "UNANSWERED";

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
        _ => {
            let mut detail = format!("redis: {error}");
            // It stays a failure of transport: a certificate that ran out must not end sessions at once.
            if detail.contains("certificate") {
                detail.push_str("; is redis.ca_file the authority of its certificate, and the host named in it?");
            }
            StoreError::Unreachable { detail, outcome_unknown: stage == Stage::Writing }
        }
    }
}

/// Explains an error that the server answered. Then nothing was written: scripts check before they write.
pub(crate) fn of_server(code: &str, detail: &str) -> StoreError {
    let refused = |advice: &str| StoreError::Refused { detail: format!("redis says {code} {detail}; {advice}") };
    match code {
        PERHAPS_WRITTEN => StoreError::unknown(format!("redis says {detail}")),
        "OOM" => refused("raise its maxmemory: it must never evict"),
        "MISCONF" => refused("it cannot write its files: is its disk full?"),
        "NOAUTH" | "WRONGPASS" => refused("give the right user and password (redis.username, redis.password)"),
        "NOPERM" => refused("give its user the rule in docs/redis.md"),
        // The slot is on its way to another node, and some of the keys are there already.
        "ERR" if detail.contains("non local key") => StoreError::unreachable(format!("redis says {code} {detail}")),
        "ERR" | "WRONGTYPE" | "CROSSSLOT" => refused("is another program writing keys fl:*?"),
        // It is starting, failing over, or busy: that passes.
        _ => StoreError::unreachable(format!("redis says {code} {detail}")),
    }
}

/// The same error for a write that was perhaps sent before. What does not pass by itself stays as it is.
pub(crate) fn perhaps_written(error: ServerError) -> ServerError {
    let detail = error.details().unwrap_or_default().to_owned();
    let passes =
        error.code() != "NOSCRIPT" && matches!(of_server(error.code(), &detail), StoreError::Unreachable { .. });
    if !passes {
        return error;
    }
    let coded = redis::make_extension_error(PERHAPS_WRITTEN.to_owned(), Some(format!("{} {detail}", error.code())));
    coded.into_server_errors().map_or(error, |errors| errors[0].1.clone())
}

/// The reply that stands for one server's silence among others' answers. What is no failure of transport stays an error.
pub(crate) fn unanswered(error: RedisError, stage: Stage) -> RedisResult<Value> {
    if !explain(&error, stage).is_transport() {
        return Err(error);
    }
    let code = if stage == Stage::Writing { PERHAPS_WRITTEN } else { UNANSWERED };
    let coded = redis::make_extension_error(code.to_owned(), Some(error.to_string()));
    match coded.into_server_errors() {
        Some(errors) if !errors.is_empty() => Ok(Value::ServerError(errors[0].1.clone())),
        _ => Err(error),
    }
}

/// Whether the connection should be made anew: the server is silent or gone.
pub(crate) fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error()
}

/// Whether the server says that it is no master any more, or that its replicas are gone, perhaps to another one: the next
/// connection should look for the new master.
pub(crate) fn is_left(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if matches!(error.code(), "READONLY" | "MASTERDOWN" | "LOADING" | "UNBLOCKED" | "NOREPLICAS"))
}

/// Whether the server did not know a script. Then it ran nothing.
pub(crate) fn is_no_script(reply: &Value) -> bool {
    matches!(reply, Value::ServerError(error) if error.code() == "NOSCRIPT")
}

#[cfg(test)]
mod tests {
    use footlight_store::StoreError;
    use redis::Value;

    use super::{of_server, perhaps_written};

    fn sent_before(reply: &str) -> StoreError {
        let Ok(Value::ServerError(error)) = redis::parse_redis_value(reply.as_bytes()) else { panic!("{reply}") };
        let error = perhaps_written(error);
        of_server(error.code(), error.details().unwrap_or_default())
    }

    #[test]
    fn an_error_that_passes_wrote_nothing_unless_the_write_was_sent_before() {
        for code in ["READONLY", "TRYAGAIN", "CLUSTERDOWN", "NOREPLICAS", "LOADING", "MASTERDOWN"] {
            let plain = of_server(code, "for now");
            assert!(plain.is_transport() && !plain.is_outcome_unknown(), "{plain}");
            let error = sent_before(&format!("-{code} for now\r\n"));
            assert!(error.is_outcome_unknown() && error.to_string().contains(code), "{error}");
        }
        assert!(matches!(sent_before("-OOM used memory > 'maxmemory'\r\n"), StoreError::Refused { .. }));
        assert!(matches!(sent_before("-NOPERM this user has no permissions\r\n"), StoreError::Refused { .. }));
    }
}
