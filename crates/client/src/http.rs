//! How nodes are called: encrypted where their address says so, and nowhere else than there.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Response, header};
use rustls::{ClientConfig, RootCertStore};

/// TLS that trusts whom this machine trusts, or the files that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
static TLS: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let mut authorities = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        tracing::debug!(errors = ?found.errors, "no certificate authorities are installed: calls to https addresses fail");
    }
    authorities.add_parsable_certificates(found.certs);
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows the protocol's versions");
    Arc::new(config.with_root_certificates(authorities).with_no_client_auth())
});

/// TLS for other connections to a node: whom this machine trusts is read once.
#[must_use]
pub fn tls() -> Arc<ClientConfig> {
    Arc::clone(&TLS)
}

/// A client of a node whose calls may take `timeout` in all. It follows no redirect: the secret would go along to wherever
/// that leads. What came instead of an answer is told by [`redirected`].
///
/// # Errors
/// When the operating system gives no randomness or no memory for a client.
pub fn http_client(timeout: Duration) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(timeout)
        .redirect(Policy::none())
        .tls_backend_preconfigured(ClientConfig::clone(&TLS))
        .build()
}

/// Where an answer sends the caller, if it is a redirect.
#[must_use]
pub fn redirected(response: &Response) -> Option<String> {
    let location = response.headers().get(header::LOCATION);
    let location = || location.map_or("nowhere".into(), |to| String::from_utf8_lossy(to.as_bytes()).into_owned());
    response.status().is_redirection().then(location)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use crate::{ApiError, Client};

    /// The first byte of TLS: a record of the handshake.
    const HANDSHAKE: u8 = 22;

    async fn listener() -> (TcpListener, String) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, address)
    }

    #[tokio::test]
    async fn an_address_with_https_is_spoken_to_in_tls() {
        let (listener, address) = listener().await;
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap()
        };
        let client = Client::new(&format!("https://{address}"), "fl_live_secret");
        let (first, answer) = tokio::join!(server, client.get("/v1/me"));
        assert_eq!(first, HANDSHAKE);
        assert!(matches!(answer, Err(ApiError::Unreachable { .. })), "{answer:?}");
    }

    #[tokio::test]
    async fn a_redirect_is_told_and_not_followed() {
        let (front, address) = listener().await;
        let (elsewhere, other) = listener().await;
        let location = format!("http://{other}/v1/me");
        let answer = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let server = async {
            let (mut stream, _) = front.accept().await.unwrap();
            let mut asked = [0; 1_024];
            assert!(stream.read(&mut asked).await.unwrap() > 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let client = Client::new(&format!("http://{address}"), "fl_live_secret");
        let ((), refused) = tokio::join!(server, client.get("/v1/me"));
        let refused = refused.expect_err("there is no answer");
        assert!(refused.to_string().contains(&location) && !refused.is_passing(), "{refused}");
        let secret_came = tokio::time::timeout(std::time::Duration::from_millis(50), elsewhere.accept()).await;
        assert!(secret_came.is_err(), "the secret went elsewhere");
    }
}
