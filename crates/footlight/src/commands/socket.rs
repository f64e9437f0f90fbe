//! A session's WebSocket, as a client reads it (the protocol is docs/websocket.md).

use anyhow::{Context, bail};
use footlight_media::wire::{HEADER_LEN, MediaHeader};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

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
        let (stream, _) = tokio_tungstenite::connect_async(request).await.context("attaching to the session")?;
        Ok(Self { stream })
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
