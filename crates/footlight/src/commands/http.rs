//! Talking to a node's two listeners.

use std::time::Duration;

use footlight_client::{http_client, innermost, redirected};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::cli::{Customer, Operator};
use crate::exit::{Failure, coded};

/// How long a call may take in all.
const TIMEOUT: Duration = Duration::from_secs(60);

/// One call at a time to one listener.
pub(crate) struct Http {
    client: reqwest::Client,
    base: String,
    credential: Credential,
}

enum Credential {
    ApiSecret(String),
    AdminToken(String),
}

impl Http {
    /// As a customer.
    pub(crate) fn customer(customer: &Customer) -> anyhow::Result<Self> {
        Self::new(&customer.url, Credential::ApiSecret(customer.api_secret.clone()))
    }

    /// As the operator.
    pub(crate) fn operator(operator: &Operator) -> anyhow::Result<Self> {
        Self::new(&operator.admin_url, Credential::AdminToken(operator.admin_token.clone()))
    }

    fn new(base: &str, credential: Credential) -> anyhow::Result<Self> {
        Ok(Self { client: http_client(TIMEOUT)?, base: base.trim_end_matches('/').to_owned(), credential })
    }

    /// A request with the caller's credential.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.credential {
            Credential::ApiSecret(secret) => request.header("api-secret", secret),
            Credential::AdminToken(token) => request.bearer_auth(token),
        }
    }

    /// Sends a request and answers its JSON.
    ///
    /// # Errors
    /// With the problem's own words, and exit code 3 or 4 where it is about credits or reaching the node.
    pub(crate) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let body = self.send_for_bytes(request).await?;
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Sends a request and answers its body as it came.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub(crate) async fn send_for_bytes(&self, request: RequestBuilder) -> anyhow::Result<Vec<u8>> {
        let response = request.send().await.map_err(|error| {
            coded(
                Failure::Unreachable,
                format!("no node answers at {}: {}; is `footlight serve` running?", self.base, innermost(&error)),
            )
        })?;
        if let Some(location) = redirected(&response) {
            return Err(sent_elsewhere(&self.base, &location));
        }
        let status = response.status();
        let bytes = response.bytes().await?.to_vec();
        if status.is_success() {
            return Ok(bytes);
        }
        let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let detail = body["detail"].as_str().unwrap_or("it says no more");
        let code = body["code"].as_str().unwrap_or("unknown");
        let failure = match status.as_u16() {
            402 => Failure::Credits,
            503 => Failure::Unreachable,
            _ => Failure::Failed,
        };
        Err(coded(failure, format!("the node refuses ({} {code}): {detail}", status.as_u16())))
    }

    /// Follows a paged list to its end, up to `limit` items.
    pub(crate) async fn list(&self, path: &str, limit: usize) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        while items.len() < limit {
            // Cursors are made of letters, digits, dashes and underscores: nothing to escape.
            let joint = if path.contains('?') { '&' } else { '?' };
            let page_path =
                cursor.as_ref().map_or_else(|| path.to_owned(), |cursor| format!("{path}{joint}cursor={cursor}"));
            let page = self.send(self.request(Method::GET, &page_path)).await?;
            let data = page["data"].as_array().cloned().unwrap_or_default();
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            let done = data.is_empty() || cursor.is_none();
            items.extend(data);
            if done {
                break;
            }
        }
        items.truncate(limit);
        Ok(items)
    }
}

/// Who answers at `base` sends callers on. They do not go: the secret would go along.
pub(super) fn sent_elsewhere(base: &str, location: &str) -> anyhow::Error {
    let detail = "the secret was not sent there; if that is the node, use its address";
    coded(Failure::Failed, format!("{base} redirects to {location}, and {detail}"))
}
