//! Bodies: read with a limit, a patience, and a fault that points at the place.

use std::time::{Duration, Instant};

use actix_web::http::{Method, header};
use actix_web::web::{Payload, Query};
use actix_web::{FromRequest, HttpRequest, dev};
use bytes::{Bytes, BytesMut};
use footlight_ledger::AccountId;
use footlight_session::SessionId;
use futures_util::StreamExt as _;
use futures_util::future::{LocalBoxFuture, Ready, ready};
use serde::de::{DeserializeOwned, IgnoredAny};
use sha2::{Digest as _, Sha256};

use crate::problem::{Code, Problem};
use crate::state::ApiState;

/// A body that arrives more slowly than this, in bytes a second, holds its memory for too long.
const SLOWEST: u64 = 64 << 10;

/// The length that a request announces, if it does.
pub(crate) fn announced_length(request: &HttpRequest) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body that is too large, with both numbers if both are known.
pub(crate) fn too_large(announced: Option<u64>, limit: u64) -> Problem {
    let problem = match announced {
        Some(bytes) => Problem::new(Code::BodyTooLarge, format!("the body has {bytes} bytes and {limit} are taken")),
        None => Problem::new(Code::BodyTooLarge, format!("the body has more than the {limit} bytes that are taken")),
    };
    problem.with("max_bytes", limit)
}

/// Reads a body to its end. `grow` is asked before each further chunk is kept.
///
/// # Errors
/// A problem if it is larger than `limit` (at once, if it says so itself), stalls for `patience`, takes longer than
/// that and its length at the slowest rate, breaks off, or if `grow` refuses.
pub(crate) async fn read(
    request: &HttpRequest,
    mut payload: Payload,
    limit: u64,
    patience: Duration,
    mut grow: impl FnMut(usize) -> Result<(), Problem>,
) -> Result<Bytes, Problem> {
    let announced = announced_length(request);
    if announced.is_some_and(|bytes| bytes > limit) {
        return Err(too_large(announced, limit));
    }
    let mut body = BytesMut::new();
    let started = Instant::now();
    let time_max = patience + Duration::from_secs(announced.unwrap_or(limit) / SLOWEST);
    loop {
        let patience = patience.min(time_max.saturating_sub(started.elapsed()));
        let chunk = tokio::time::timeout(patience, payload.next()).await.map_err(|_| {
            Problem::new(
                Code::BodyTimeout,
                format!("the body stopped or was too slow: {} bytes in {} s", body.len(), started.elapsed().as_secs()),
            )
        })?;
        let Some(chunk) = chunk else { return Ok(body.freeze()) };
        let chunk = chunk.map_err(|error| {
            Problem::new(Code::InvalidBody, format!("the body broke off after {} bytes: {error}", body.len()))
        })?;
        if (body.len() + chunk.len()) as u64 > limit {
            return Err(too_large(announced, limit));
        }
        grow(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
}

/// A JSON body. Its content type is not looked at, since many clients forget it; an empty body counts as `{}`.
pub(crate) struct JsonBody<T> {
    /// What it says.
    pub value: T,
    /// SHA-256 of its bytes: what an idempotency key is compared by.
    pub digest: [u8; 32],
}

impl<T: DeserializeOwned> FromRequest for JsonBody<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let request = request.clone();
        let payload = Payload::from_request(&request, payload);
        Box::pin(async move {
            let payload = payload
                .await
                .map_err(|error| Problem::new(Code::InvalidBody, format!("the body cannot be read: {error}")))?;
            let options = &ApiState::of(&request).options;
            let body =
                read(&request, payload, options.max_json_bytes as u64, options.body_timeout(), |_| Ok(())).await?;
            let digest = Sha256::digest(&body).into();
            let is_blank = body.iter().all(u8::is_ascii_whitespace);
            if is_blank && request.method() == Method::PUT {
                // What it would put in the place of what is there is nothing: more likely it got lost.
                return Err(Problem::new(Code::InvalidBody, "there is no body, and it would replace what is there"));
            }
            let text: &[u8] = if is_blank { b"{}" } else { &body };
            if is_list(text) {
                let detail = "must be an object, not a list";
                return Err(Problem::new(Code::InvalidField, format!("the body {detail}")).at("", detail));
            }
            let mut json = serde_json::Deserializer::from_slice(text);
            let value = serde_path_to_error::deserialize(&mut json).map_err(|error| body_fault(&error))?;
            json.end().map_err(|error| {
                Problem::new(Code::InvalidBody, format!("the body is more than one value: {error}"))
            })?;
            Ok(Self { value, digest })
        })
    }
}

/// Whether a body is a list: serde would take its values for a structure's members, in their order.
fn is_list(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"[") && serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// Syntax is the whole body's fault; a value of the wrong kind is told with its place.
fn body_fault(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let cause = error.inner();
    if !cause.is_data() {
        return Problem::new(Code::InvalidBody, format!("the body is not JSON: {cause}"));
    }
    let pointer: String = error.path().iter().map(pointer_step).collect();
    let detail = without_position(&cause.to_string());
    let place = if pointer.is_empty() { "the body" } else { &pointer };
    Problem::new(Code::InvalidField, format!("{place}: {detail}")).at(pointer.clone(), detail)
}

fn pointer_step(segment: &serde_path_to_error::Segment) -> String {
    use serde_path_to_error::Segment;
    match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } | Segment::Enum { variant: key } => {
            format!("/{}", key.replace('~', "~0").replace('/', "~1"))
        }
        Segment::Unknown => String::new(),
    }
}

/// The pointer says the place better than line and column of a one-line body do.
fn without_position(message: &str) -> String {
    message.rfind(" at line ").map_or(message, |end| &message[..end]).to_owned()
}

/// The query of a URL.
pub(crate) struct QueryOf<T>(pub T);

impl<T: DeserializeOwned> FromRequest for QueryOf<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Query::<T>::from_query(request.query_string()).map(|query| Self(query.into_inner())).map_err(|error| {
            Problem::new(Code::InvalidQuery, format!("the query cannot be read: {}", query_fault(&error)))
        }))
    }
}

fn query_fault(error: &actix_web::error::QueryPayloadError) -> String {
    match error {
        actix_web::error::QueryPayloadError::Deserialize(cause) => cause.to_string(),
        other => other.to_string(),
    }
}

/// The session that a path names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionPath(pub SessionId);

impl FromRequest for SessionPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(path_id(request, "id", Code::UnknownSession).map(Self))
    }
}

/// The account that a path names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AccountPath(pub AccountId);

impl FromRequest for AccountPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(path_id(request, "account", Code::UnknownAccount).map(Self))
    }
}

/// Reads an id from the path. What cannot be an id names nothing: 404, with a word about how ids look.
pub(crate) fn path_id<T>(request: &HttpRequest, name: &str, code: Code) -> Result<T, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    request.match_info().query(name).parse().map_err(|error: T::Err| Problem::new(code, error.to_string()))
}
