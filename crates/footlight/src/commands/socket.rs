//! A session's WebSocket, as a client reads it (the protocol is docs/websocket.md).

use anyhow::{Context, bail};
use footlight_media::wire::{HEADER_LEN, MediaHeader};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::http::sent_elsewhere;

/// An attached client.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// What a session sends.
pub(crate) enum Incoming {
    /// An event, or the answer to a command.
    Text(Value),
    /// A frame or a packet.
    Media(MediaHeader, Vec<u8>),
    /// The other side has closed, with a code if it gave one.
    Closed { code: Option<u16> },
}

impl Socket {
    /// Attaches to a session; `query` is without its question mark.
    ///
    /// # Errors
    /// When the node cannot be reached or refuses.
    pub(crate) async fn attach(url: &str, api_secret: &str, session: &str, query: &str) -> anyhow::Result<Self> {
        let base = url.trim_end_matches('/').replacen("http", "ws", 1);
        let mut request = format!("{base}/v1/sessions/{session}/stream?{query}").into_client_request()?;
        request.headers_mut().insert("api-secret", api_secret.parse().context("the API secret is not a header value")?);
        let tls = Some(Connector::Rustls(footlight_client::tls()));
        match connect_async_tls_with_config(request, None, false, tls).await {
            Ok((stream, _)) => Ok(Self { stream }),
            Err(Error::Http(answer)) if answer.status().is_redirection() => {
                let location = answer.headers().get("location").map_or(&b"nowhere"[..], |location| location.as_bytes());
                Err(sent_elsewhere(url, &String::from_utf8_lossy(location)))
            }
            Err(error) => Err(error).context("attaching to the session"),
        }
    }

    /// The next event or unit of media.
    ///
    /// # Errors
    /// When the connection breaks or something comes that the protocol does not know.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Incoming> {
        loop {
            match self.stream.next().await {
                None => return Ok(Incoming::Closed { code: None }),
                Some(Ok(Message::Close(why))) => {
                    return Ok(Incoming::Closed { code: why.map(|why| u16::from(why.code)) });
                }
                Some(Ok(Message::Text(text))) => return Ok(Incoming::Text(serde_json::from_str(&text)?)),
                Some(Ok(Message::Binary(bytes))) => {
                    let Some((header, body)) = bytes.split_at_checked(HEADER_LEN) else {
                        bail!("a media message of {} bytes is shorter than its header", bytes.len());
                    };
                    return Ok(Incoming::Media(MediaHeader::decode(header)?.0, body.to_vec()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error).context("the connection to the session broke"),
            }
        }
    }

    /// Sends 16-bit samples.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(crate) async fn send_audio(&mut self, samples: &[i16]) -> anyhow::Result<()> {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        Ok(self.stream.send(Message::Binary(bytes.into())).await?)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::Socket;

    /// What a client says first to a server that answers `answer`, and why it did not attach.
    async fn attach(scheme: &str, answer: &str) -> (u8, String) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut said = [0; 4_096];
            assert!(stream.read(&mut said).await.unwrap() > 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
            said[0]
        };
        let (first, attached) = tokio::join!(server, Socket::attach(&url, "fl_live_secret", "ses_1", ""));
        (first, format!("{:#}", attached.err().expect("it is no node")))
    }

    #[tokio::test]
    async fn an_address_with_https_is_spoken_to_in_tls() {
        let (first, _) = attach("https", "what is no TLS").await;
        assert_eq!(first, 22, "a record of the handshake");
    }

    #[tokio::test]
    async fn a_redirect_is_told_by_its_address() {
        let answer = "HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n";
        let (first, why) = attach("http", answer).await;
        assert_eq!(first, b'G', "plain as its address says");
        assert!(why.contains("https://elsewhere.example/") && why.contains("secret was not sent"), "{why}");
    }
}
