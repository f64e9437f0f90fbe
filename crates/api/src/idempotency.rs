//! The same POST twice does its work once.
//!
//! A key is claimed in the store before the work begins and remembered with the answer when it succeeded. Work
//! that failed is forgotten, so that the same key may try again.

use std::future::Future;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use footlight_store::Remembered;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;

use crate::problem::{Code, PROBLEM_TYPE, Problem};
use crate::state::ApiState;

/// The header that names a request.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Tells an answer from memory from a fresh one.
const REPLAYED: &str = "idempotent-replayed";
/// The longest key, as long as the name of a money operation.
const KEY_LEN_MAX: usize = 255;
/// How often the claim of a key is renewed while its work goes on: three times as often as it would lapse.
const RENEW_EVERY: Duration = Duration::from_secs(20);

/// The answer of work that succeeded, or of another node.
pub(crate) struct Answer {
    status: StatusCode,
    body: Bytes,
    remembered: Memory,
    /// When to try again, if it is a problem that says so.
    retry_after: Option<HeaderValue>,
}

/// What of an answer is remembered under its key.
enum Memory {
    /// Its body.
    Body,
    /// Something else: a secret is shown once.
    Other(Vec<u8>),
    /// Nothing: the work was not done, and the same key may try again.
    Nothing,
}

impl Answer {
    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Self, Problem> {
        let body = to_json(value)?.into();
        Ok(Self { status, body, remembered: Memory::Body, retry_after: None })
    }

    /// What another node has answered, to be passed back byte for byte.
    pub(crate) fn relayed(status: StatusCode, body: Bytes, retry_after: Option<HeaderValue>) -> Self {
        let remembered = if status.is_success() { Memory::Body } else { Memory::Nothing };
        Self { status, body, remembered, retry_after }
    }

    /// Remembers `value` in the place of the body.
    pub(crate) fn remember(mut self, value: &impl Serialize) -> Result<Self, Problem> {
        self.remembered = Memory::Other(to_json(value)?);
        Ok(self)
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn respond(self) -> HttpResponse {
        let mut response = json_response(self.status);
        if !self.status.is_success() {
            response.content_type(PROBLEM_TYPE);
        }
        if let Some(retry_after) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, retry_after));
        }
        response.body(self.body)
    }

    /// The status and the body that are remembered, if any are.
    fn memory(&self) -> Option<(u16, Vec<u8>)> {
        let body = match &self.remembered {
            Memory::Body => self.body.to_vec(),
            Memory::Other(body) => body.clone(),
            Memory::Nothing => return None,
        };
        Some((self.status.as_u16(), body))
    }
}

/// Reads the request's key, if it has one.
///
/// # Errors
/// A problem if it is empty, too long or not visible ASCII.
pub(crate) fn key(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let bytes = value.as_bytes();
    let usable = (1..=KEY_LEN_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(text) if usable => Ok(Some(text.to_owned())),
        _ => Err(Problem::new(
            Code::IdempotencyKeyInvalid,
            format!("an idempotency key is 1 to {KEY_LEN_MAX} visible ASCII characters; a UUID is a good one"),
        )
        .at(IDEMPOTENCY_KEY, "not usable as a key")),
    }
}

/// What an upload is compared by under its key. Of a large one that takes a tenth of a second, so it is made where blocking is
/// allowed, and only for a key. `how` is what else was asked.
pub(crate) async fn digest_of_upload(request: &HttpRequest, upload: &Bytes, how: &str) -> Result<[u8; 32], Problem> {
    if key(request)?.is_none() {
        return Ok([0; 32]);
    }
    let (upload, how) = (upload.clone(), how.to_owned());
    let hash = move || Sha256::new().chain_update(&upload).chain_update(how).finalize();
    Ok(web::block(hash).await.map_err(Problem::internal)?.into())
}

/// Does `work` once for each key within `scope` (an account or the operator) and route; without a key, every time.
/// `digest` is the SHA-256 of everything that the work depends on.
///
/// The work runs as a task of its own: a client that hangs up does not leave it half done.
///
/// # Errors
/// The problem of the work itself, or of a key that is in use or was used for something else.
pub(crate) async fn once<F>(
    state: &ApiState,
    request: &HttpRequest,
    scope: &str,
    digest: [u8; 32],
    work: F,
) -> Result<HttpResponse, Problem>
where
    F: Future<Output = Result<Answer, Problem>> + 'static,
{
    let Some(key) = key(request)? else { return Ok(run(work).await?.respond()) };
    let scope = format!("{scope} {} {} {key}", request.method(), request.path());
    let store = state.node.store().clone();
    match store.begin_request(&scope, &digest, state.node.now()).await? {
        Remembered::Fresh => {}
        Remembered::InProgress => {
            return Err(Problem::new(
                Code::IdempotencyInProgress,
                format!("the first request under the key `{key}` is still being worked on"),
            )
            .retry_after(1));
        }
        Remembered::Done(status, body) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            return Ok(json_response(status).insert_header((REPLAYED, "true")).body(body));
        }
        Remembered::Mismatch => {
            return Err(Problem::new(
                Code::IdempotencyKeyReused,
                format!("the key `{key}` came before with another request; a new request needs a new key"),
            )
            .at(IDEMPOTENCY_KEY, "used before"));
        }
    }
    let node = state.node.clone();
    let work = async move {
        let renewed = async {
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                if let Err(error) = store.renew_request(&scope, node.now()).await {
                    tracing::debug!(%error, "the claim of an idempotency key could not be renewed; it is tried again");
                }
            }
        };
        let done = tokio::select! {
            done = work => done,
            () = renewed => unreachable!("it is renewed until the work is done"),
        };
        let remembered = done.as_ref().ok().and_then(Answer::memory);
        // The work is done either way: losing the memory of it must not turn it into an error.
        if let Err(error) = store.finish_request(&scope, remembered, node.now()).await {
            tracing::warn!(%error, "an idempotency key could not be finished; it lapses in a minute");
        }
        done
    };
    Ok(run(work).await?.respond())
}

async fn run<F>(work: F) -> Result<Answer, Problem>
where
    F: Future<Output = Result<Answer, Problem>> + 'static,
{
    actix_web::rt::spawn(work.in_current_span())
        .await
        .unwrap_or_else(|error| Err(Problem::internal(format!("the task of a request failed: {error}"))))
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|error| Problem::internal(format!("an answer cannot be written: {error}")))
}

fn json_response(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.content_type("application/json");
    response
}
