//! Calls on a node.

use std::time::Duration;

use footlight_ledger::{SessionId, Surface};
use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::{ApiError, innermost, problem};
use crate::http::{http_client, redirected};
use crate::shapes::{Heartbeat, HeartbeatAnswer, NewSession, Session, Token};

/// How long a call may take in all.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a heartbeat may: it is sent again, and who has grace goes on meanwhile.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read, in bytes.
const ANSWER_MAX: usize = 16 << 20;

/// A customer of a node. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    secret: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Client {
    /// The account of `api_secret`, at the node whose public listener is `url`.
    ///
    /// # Panics
    /// When the operating system gives no randomness or no memory for a client.
    #[must_use]
    pub fn new(url: &str, api_secret: &str) -> Self {
        let http = http_client(TIMEOUT).expect("a client without special settings");
        Self { http, url: url.trim_end_matches('/').to_owned(), secret: api_secret.to_owned() }
    }

    /// Where its node is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Creates a session, once for each `key` within 24 hours, however often it is asked.
    ///
    /// # Errors
    /// What the node says, or that it cannot be reached: then ask again under the same key.
    pub async fn create_session(&self, new: &NewSession, key: &str) -> Result<Session, ApiError> {
        let request = self.request(Method::POST, "/v1/sessions").header("idempotency-key", key).json(new);
        self.send(request).await
    }

    /// One session.
    ///
    /// # Errors
    /// What the node says, or that it cannot be reached.
    pub async fn session(&self, id: &str) -> Result<Session, ApiError> {
        self.send(self.request(Method::GET, &format!("/v1/sessions/{id}"))).await
    }

    /// Ends a session; one that is over stays as it ended.
    ///
    /// # Errors
    /// What the node says, or that it cannot be reached.
    pub async fn stop(&self, id: &str) -> Result<Session, ApiError> {
        self.send(self.request(Method::DELETE, &format!("/v1/sessions/{id}"))).await
    }

    /// Holds a session back.
    ///
    /// # Errors
    /// What the node says, or that it cannot be reached.
    pub async fn pause(&self, id: &str) -> Result<Session, ApiError> {
        self.send(self.request(Method::POST, &format!("/v1/sessions/{id}/pause"))).await
    }

    /// Lets go on what [`Client::pause`] held back.
    ///
    /// # Errors
    /// What the node says, or that it cannot be reached.
    pub async fn resume(&self, id: &str) -> Result<Session, ApiError> {
        self.send(self.request(Method::POST, &format!("/v1/sessions/{id}/resume"))).await
    }

    /// Says something: a WAV, FLAC, MP3 or Ogg file behind what is said already. Answers the utterance's id.
    ///
    /// # Errors
    /// What the node says, or that it cannot be reached.
    pub async fn speak(&self, id: &str, audio: Vec<u8>) -> Result<String, ApiError> {
        let request = self.request(Method::POST, &format!("/v1/sessions/{id}/audio"));
        let answer: Value = self.send(request.header("content-type", "application/octet-stream").body(audio)).await?;
        answer["utterance_id"].as_str().map(str::to_owned).ok_or_else(|| self.malformed("it has no `utterance_id`"))
    }

    /// Any call that answers JSON: the balance at `/v2/credit-summaries`, `/v1/usage`, `/v1/journal`, `/v1/pricing`.
    ///
    /// # Errors
    /// What the node says, or that it cannot be reached.
    pub async fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.send(self.request(Method::GET, path)).await
    }

    /// Turns the secret into a token for an engine, bound to a session if one is named.
    pub(crate) async fn runtime_token(&self, surface: Surface, session: Option<SessionId>) -> Result<Token, ApiError> {
        let body = json!({ "surface": surface, "session": session.map(|session| session.to_string()) });
        self.send(self.request(Method::POST, "/v1/runtime-tokens").json(&body).timeout(HEARTBEAT_TIMEOUT)).await
    }

    /// Creates a session as an engine, by its token.
    pub(crate) async fn begin(&self, token: &Token, new: &NewSession, key: &str) -> Result<Session, ApiError> {
        let request = self.bare(Method::POST, "/v1/sessions").bearer_auth(&token.token);
        self.send(request.header("idempotency-key", key).json(new)).await
    }

    /// Reports, as an engine.
    pub(crate) async fn heartbeat(
        &self,
        token: &Token,
        session: SessionId,
        heartbeat: Heartbeat,
    ) -> Result<HeartbeatAnswer, ApiError> {
        let request = self.bare(Method::POST, &format!("/v1/sessions/{session}/heartbeats"));
        self.send(request.bearer_auth(&token.token).json(&heartbeat).timeout(HEARTBEAT_TIMEOUT)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).header("api-secret", &self.secret)
    }

    fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ApiError> {
        let unreachable =
            |error: reqwest::Error| ApiError::Unreachable { url: self.url.clone(), detail: innermost(&error) };
        let mut response = request.send().await.map_err(unreachable)?;
        if let Some(location) = redirected(&response) {
            return Err(ApiError::Redirected { url: self.url.clone(), location });
        }
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > ANSWER_MAX {
                return Err(self.malformed("it is larger than any that a node gives"));
            }
            body.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            return Err(problem(status.as_u16(), &body));
        }
        serde_json::from_slice(&body).map_err(|error| self.malformed(&error.to_string()))
    }

    fn malformed(&self, detail: &str) -> ApiError {
        ApiError::Malformed { url: self.url.clone(), detail: detail.to_owned() }
    }
}
