//! What services and operators do, over HTTP.

use std::time::Duration;

use anyhow::{Context, ensure};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::Watcher;

/// How long a call may take in all.
const PATIENCE: Duration = Duration::from_secs(60);

/// A customer of a node: one account, one API secret.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// The node's public address.
    pub url: String,
    /// `acc_…`
    pub account: String,
    /// The account's API secret.
    pub secret: String,
}

impl Client {
    /// A customer of the node at `url`.
    #[must_use]
    pub fn new(url: &str, account: &str, secret: &str) -> Self {
        Self { http: http(), url: url.to_owned(), account: account.to_owned(), secret: secret.to_owned() }
    }

    /// The same customer, at a node that was started again elsewhere.
    #[must_use]
    pub fn moved_to(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// One call; the answer whatever its status.
    ///
    /// # Errors
    /// When the node cannot be reached.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).header("api-secret", &self.secret);
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request.send().await?).await
    }

    /// One call that must succeed.
    ///
    /// # Errors
    /// With the problem that the node answered.
    pub async fn expect(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let (status, answer) = self.call(method.clone(), path, body).await?;
        ensure!(status.is_success(), "{method} {path} answered {status}: {answer}");
        Ok(answer)
    }

    /// Opens a session and answers its id.
    ///
    /// # Errors
    /// With the problem that the node answered.
    pub async fn create(&self, body: Value) -> anyhow::Result<String> {
        let session = self.expect(Method::POST, "/v1/sessions", Some(body)).await?;
        Ok(session["id"].as_str().context("a session has an id")?.to_owned())
    }

    /// A session as it is now.
    ///
    /// # Errors
    /// With the problem that the node answered.
    pub async fn session(&self, id: &str) -> anyhow::Result<Value> {
        self.expect(Method::GET, &format!("/v1/sessions/{id}"), None).await
    }

    /// Waits until a session is as `wanted` says.
    ///
    /// # Errors
    /// With its last state when `limit` has passed.
    pub async fn wait_until(
        &self,
        id: &str,
        limit: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let session = self.session(id).await?;
            if wanted(&session) {
                return Ok(session);
            }
            ensure!(tokio::time::Instant::now() < deadline, "after {limit:?} the session is still {session}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends an audio file to speak; answers the utterance's id.
    ///
    /// # Errors
    /// With the problem that the node answered.
    pub async fn speak(&self, id: &str, audio: Vec<u8>) -> anyhow::Result<String> {
        let (status, answer) = self.upload(id, audio, "audio/wav", "append").await?;
        ensure!(status == StatusCode::ACCEPTED, "audio was answered with {status}: {answer}");
        Ok(answer["utterance_id"].as_str().context("an utterance has an id")?.to_owned())
    }

    /// Sends any body as audio; the answer whatever its status.
    ///
    /// # Errors
    /// When the node cannot be reached.
    pub async fn upload(&self, id: &str, body: Vec<u8>, kind: &str, mode: &str) -> anyhow::Result<(StatusCode, Value)> {
        let request = self
            .http
            .post(format!("{}/v1/sessions/{id}/audio?mode={mode}", self.url))
            .header("api-secret", &self.secret)
            .header("content-type", kind)
            .body(body);
        answer(request.send().await?).await
    }

    /// Sends bytes of any kind somewhere; the answer whatever its status.
    ///
    /// # Errors
    /// When the node cannot be reached.
    pub async fn send(&self, path: &str, kind: &str, body: Vec<u8>) -> anyhow::Result<(StatusCode, Value)> {
        let request = self.http.post(format!("{}{path}", self.url)).header("api-secret", &self.secret);
        answer(request.header("content-type", kind).body(body).send().await?).await
    }

    /// Gets bytes of any kind, and what they are said to be.
    ///
    /// # Errors
    /// When they are refused.
    pub async fn fetch(&self, path: &str) -> anyhow::Result<(String, Vec<u8>)> {
        let answer = self.http.get(format!("{}{path}", self.url)).header("api-secret", &self.secret).send().await?;
        ensure!(answer.status().is_success(), "GET {path} answered {}", answer.status());
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        Ok((kind.to_owned(), answer.bytes().await?.to_vec()))
    }

    /// Attaches a WebSocket that reads all that the session sends.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn watch(&self, id: &str) -> anyhow::Result<Watcher> {
        Watcher::attach(&self.url, &self.secret, id).await
    }

    /// The balance, in microcredits.
    ///
    /// # Errors
    /// With the problem that the node answered.
    pub async fn balance(&self) -> anyhow::Result<i64> {
        let summary = self.expect(Method::GET, "/v2/credit-summaries", None).await?;
        micro(&summary["data"]["balance"])
    }
}

/// A node's operator.
#[derive(Debug, Clone)]
pub struct Operator {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Operator {
    /// The operator of the node whose admin listener is at `url`.
    #[must_use]
    pub fn new(url: &str, token: &str) -> Self {
        Self { http: http(), url: url.to_owned(), token: token.to_owned() }
    }

    /// One call; the answer whatever its status.
    ///
    /// # Errors
    /// When the node cannot be reached.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        key: Option<&str>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        answer(request.send().await?).await
    }

    /// Opens an account; answers its id and API secret.
    ///
    /// # Errors
    /// With the problem that the node answered.
    pub async fn open_account(&self, plan: Option<&str>) -> anyhow::Result<(String, String)> {
        let body = plan.map_or_else(|| json!({}), |plan| json!({ "plan": plan }));
        let (status, answer) = self.call(Method::POST, "/admin/v1/accounts", Some(body), None).await?;
        ensure!(status == StatusCode::CREATED, "opening an account answered {status}: {answer}");
        let field =
            |name: &str| answer[name].as_str().map(str::to_owned).with_context(|| format!("no `{name}` in {answer}"));
        Ok((field("id")?, field("api_secret")?))
    }

    /// Gives bought credits under a name.
    ///
    /// # Errors
    /// With the problem that the node answered.
    pub async fn grant(&self, account: &str, credits: &str, name: &str) -> anyhow::Result<Value> {
        let body: Value = serde_json::from_str(&format!(r#"{{"kind":"top_up","credits":{credits}}}"#))?;
        let path = format!("/admin/v1/accounts/{account}/grants");
        let (status, answer) = self.call(Method::POST, &path, Some(body), Some(name)).await?;
        ensure!(status.is_success(), "a grant answered {status}: {answer}");
        Ok(answer)
    }

    /// The audit of all accounts; an error when it does not balance.
    ///
    /// # Errors
    /// With the audit's own words.
    pub async fn expect_balanced(&self) -> anyhow::Result<Value> {
        let (status, audit) = self.call(Method::GET, "/admin/v1/audit", None, None).await?;
        ensure!(status.is_success(), "the audit answered {status}: {audit}");
        ensure!(audit["balanced"] == json!(true), "the audit does not balance: {audit}");
        Ok(audit)
    }

    /// Revokes every secret of an account.
    ///
    /// # Errors
    /// With the problem that the node answered.
    pub async fn revoke_secrets(&self, account: &str) -> anyhow::Result<()> {
        let path = format!("/admin/v1/accounts/{account}/secrets");
        let (_, secrets) = self.call(Method::GET, &path, None, None).await?;
        for secret in secrets["data"].as_array().context("a list of secrets")? {
            let id = secret["id"].as_str().context("a secret has an id")?;
            let (status, answer) = self.call(Method::DELETE, &format!("{path}/{id}"), None, None).await?;
            ensure!(status.is_success(), "revoking was answered {status}: {answer}");
        }
        Ok(())
    }

    /// Status of a health route.
    ///
    /// # Errors
    /// When the node cannot be reached.
    pub async fn status_of(&self, path: &str) -> anyhow::Result<StatusCode> {
        Ok(self.http.get(format!("{}{path}", self.url)).send().await?.status())
    }

    /// The metrics page.
    ///
    /// # Errors
    /// When the node cannot be reached.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        Ok(self.http.get(format!("{}/metrics", self.url)).send().await?.text().await?)
    }
}

/// The price of active frames of `essence_cloud` at 25 a second: 2 credits a minute over 1 500 frames, in microcredits.
#[must_use]
pub const fn cost(frames: i64) -> i64 {
    frames * 2_000_000 / 1_500
}

/// Microcredits of a JSON number with at most six decimals, read from its text.
///
/// # Errors
/// When it is no such number.
pub fn micro(credits: &Value) -> anyhow::Result<i64> {
    let mut text = credits.to_string();
    if text.contains('e') {
        // A millionth is printed as 1e-6 by what has read it, not by whoever sent it.
        text = format!("{:.6}", credits.as_f64().context("a number")?);
    }
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |digits| (-1, digits));
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    ensure!(decimals.len() <= 6, "{text} has more than six decimals");
    Ok(sign * (whole.parse::<i64>()? * 1_000_000 + format!("{decimals:0<6}").parse::<i64>()?))
}

fn http() -> reqwest::Client {
    footlight_client::http_client(PATIENCE).expect("the client's options are constant")
}

async fn answer(response: Response) -> anyhow::Result<(StatusCode, Value)> {
    let status = response.status();
    let text = response.text().await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
}
