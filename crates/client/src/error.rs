//! What a call comes back with when it does not come back well.

use serde::Deserialize;

/// Why a call did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The node says no, in the words of RFC 9457. Match on `code`, never on the prose.
    #[error("the node refuses ({status} {code}): {detail}")]
    Problem {
        /// The HTTP status.
        status: u16,
        /// The problem's stable name: `credits_exhausted`.
        code: String,
        /// This occurrence, in a sentence.
        detail: String,
        /// When to try again, in seconds, if the node says so.
        retry_after_s: Option<u64>,
        /// The last request number, with `stale_request`.
        last: Option<u64>,
        /// Why the session is over, with `session_ended`.
        end_reason: Option<String>,
    },
    /// The node cannot be reached, or did not answer in time: whether the call was done is not known.
    #[error("no node answers at {url}: {detail}")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What happened.
        detail: String,
    },
    /// Who answers sends the call on to another address. It was not followed: the secret would have gone along.
    #[error("{url} redirects to {location}, and the secret was not sent there; if that is the node, use its address")]
    Redirected {
        /// Who answered.
        url: String,
        /// Where it sends the call.
        location: String,
    },
    /// The answer is not what this client knows.
    #[error("the answer of {url} cannot be read: {detail}")]
    Malformed {
        /// Who answered.
        url: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl ApiError {
    /// The problem's stable name, if the node said no.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem { code, .. } => Some(code),
            Self::Unreachable { .. } | Self::Redirected { .. } | Self::Malformed { .. } => None,
        }
    }

    /// Whether the same call may well succeed later: nothing answered, or the node is busy or away from its store.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Problem { status, .. } => *status >= 500 || *status == 429 || *status == 408,
            Self::Unreachable { .. } => true,
            Self::Redirected { .. } | Self::Malformed { .. } => false,
        }
    }
}

/// A problem as it is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sent {
    code: String,
    detail: String,
    retry_after_s: Option<u64>,
    last: Option<u64>,
    end_reason: Option<String>,
}

/// Reads an answer that is not a success.
pub(crate) fn problem(status: u16, body: &[u8]) -> ApiError {
    // Who answers without a problem is not the node but something before it.
    let sent: Sent = serde_json::from_slice(body).unwrap_or_default();
    let Sent { code, detail, retry_after_s, last, end_reason } = sent;
    let code = if code.is_empty() { "unknown".to_owned() } else { code };
    let detail = if detail.is_empty() { "it says no more".to_owned() } else { detail };
    ApiError::Problem { status, code, detail, retry_after_s, last, end_reason }
}

/// What happened, by the innermost cause: the outer ones of a failed request repeat its address.
#[must_use]
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
