//! One attempt: a POST with the event, signed; no redirects, no proxies, bounded in time and in what is read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

use crate::address::{GuardedResolver, Policy};
use crate::signature::sign;

/// What is read of an answer, so that its connection can be used again. Nobody looks at it.
const ANSWER_READ_MAX: usize = 16 << 10;

/// How long the rest of an answer is waited for, once its status is there.
const ANSWER_READ_FOR: Duration = Duration::from_secs(1);

/// Connections kept open to one receiver.
const IDLE_PER_HOST: usize = 4;

/// How long they are kept.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// The longest description of a failure that is kept.
const ERROR_LEN_MAX: usize = 200;

/// Makes attempts.
pub(crate) struct Sender {
    client: Client<HttpsConnector<HttpConnector<GuardedResolver>>, Full<Bytes>>,
    policy: Policy,
    timeout: Duration,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The answer's status, if there was one.
    pub(crate) status: Option<u16>,
    /// Why there was none.
    pub(crate) error: Option<String>,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Sent {
    /// Whether the receiver has it.
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the receiver says that it wants nothing more, ever.
    pub(crate) fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

impl Sender {
    pub(crate) fn new(policy: Policy, timeout: Duration) -> Self {
        let mut http = HttpConnector::new_with_resolver(GuardedResolver { allow_private: policy.allow_private });
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(timeout));
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls());
        let connector = if policy.allow_http { connector.https_or_http() } else { connector.https_only() };
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .pool_idle_timeout(IDLE_FOR)
            .pool_timer(TokioTimer::new())
            .build(connector.enable_http1().wrap_connector(http));
        Self { client, policy, timeout }
    }

    /// Sends one event. Its id and time are part of what is signed.
    pub(crate) async fn send(&self, url: &str, secret: &[u8], id: &str, now_s: i64, body: Vec<u8>) -> Sent {
        let started = Instant::now();
        let attempt = tokio::time::timeout(self.timeout, self.attempt(url, secret, id, now_s, body)).await;
        let (status, error) = match attempt {
            Ok(Ok(answer)) => {
                let status = answer.status().as_u16();
                // The status is the answer, whatever becomes of the rest.
                let rest = Limited::new(answer.into_body(), ANSWER_READ_MAX).collect();
                let _ = tokio::time::timeout(ANSWER_READ_FOR, rest).await;
                (Some(status), None)
            }
            Ok(Err(error)) => (None, Some(error.chars().take(ERROR_LEN_MAX).collect())),
            Err(_) => (None, Some(format!("no answer within {:?}", self.timeout))),
        };
        Sent { status, error, took: started.elapsed() }
    }

    /// Answers when the status is there.
    async fn attempt(
        &self,
        url: &str,
        secret: &[u8],
        id: &str,
        now_s: i64,
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, String> {
        // Checked again: settings may be stricter now than when the endpoint was made.
        let uri = self.policy.check(url).map_err(|why| format!("the address {why}"))?;
        let signature = sign(secret, id, now_s, &body);
        let request = Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, HeaderValue::from_static(concat!("footlight/", env!("CARGO_PKG_VERSION"))))
            .header("webhook-id", id)
            .header("webhook-timestamp", now_s)
            .header("webhook-signature", signature)
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        self.client.request(request).await.map_err(|error| causes(&error))
    }
}

/// TLS that trusts whom this machine trusts.
fn tls() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows the protocol's versions");
    match builder.clone().with_native_roots() {
        Ok(builder) => builder.with_no_client_auth(),
        Err(error) => {
            tracing::warn!(%error, "no certificate authorities are installed: webhooks to https addresses fail");
            builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
    }
}

/// An error with what is behind it: the first one alone says `client error (Connect)`.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
