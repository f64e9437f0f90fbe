//! WebSockets of sessions that live elsewhere: bytes there and back, unread but for where frames end.
//!
//! When the session's node breaks off between two frames the client is closed as 1012, "moved", so that it connects again;
//! in the middle of one the connection is dropped, since a close frame there would be taken for media.

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BodyStream;
use actix_web::rt::task::JoinHandle;
use actix_web::{HttpResponse, web};
use bytes::{Bytes, BytesMut};
use footlight_cluster::http::Tunnel;
use footlight_cluster::{Directory, Peer, PeerBody, PeerError, Upgrade};
use futures_util::{Stream, StreamExt as _, stream};
use hyper::header::{HeaderValue, UPGRADE};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument as _;

use super::frames::{Frames, close_frame};
use super::headers;
use super::relay::{self, Onward};
use crate::cluster::Cluster;

/// How long an upgrade may take: its node waits up to 10 s for a session to start.
const OPEN_WITHIN: Duration = Duration::from_secs(15);
/// Read at once.
const READ_BYTES: usize = 16 * 1024;
/// "Service restart" (IANA's registry of close codes): connect again.
const CLOSE_RESTART: u16 = 1012;
/// How long a client that was told of the end may take to hang up. Hung up on with its words unread it might never see why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Asks the session's node for a WebSocket.
pub(super) async fn ask(mut onward: Onward, cluster: &Cluster, peer: &Peer) -> Result<Upgrade, PeerError> {
    onward.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let call = onward.call(PeerBody::empty(), Some(OPEN_WITHIN));
    relay::while_it_lives(&*cluster.directory, peer, cluster.client.upgrade(peer, call)).await
}

/// Joins the client's WebSocket to the one at the session's node.
pub(super) fn join(tunnel: Tunnel, payload: web::Payload, directory: Arc<dyn Directory>, peer: Peer) -> HttpResponse {
    let Tunnel { headers, stream, read, line } = tunnel;
    let (from_node, to_node) = stream.into_split();
    let up = actix_web::rt::spawn(up(payload, to_node).in_current_span());
    let down = Down {
        from_node,
        read,
        buffer: BytesMut::new(),
        frames: Frames::default(),
        up: Aborted(up),
        directory,
        peer,
        _line: line,
    };
    let mut response = HttpResponse::SwitchingProtocols();
    response.upgrade("websocket");
    for (name, value) in headers::back(&headers) {
        response.append_header((name, value));
    }
    response.body(BodyStream::new(down.bytes()))
}

/// From the client to the node, no faster than the node takes it. When the client has said everything, the node is told so;
/// when the node has gone, what the client still says is let fall, so that the close frame reaches it.
async fn up(mut payload: web::Payload, mut to_node: OwnedWriteHalf) {
    let (mut frames, mut is_open) = (Frames::default(), true);
    while let Some(Ok(bytes)) = payload.next().await {
        if is_open && to_node.write_all(&bytes).await.is_err() {
            is_open = false;
        }
        frames.pass(&bytes);
        if frames.is_closed() {
            // Left open: the node still has to answer it.
            to_node.forget();
            return;
        }
    }
    let _ = to_node.shutdown().await;
}

/// From the node to the client.
struct Down {
    from_node: OwnedReadHalf,
    /// What was read with the head of the answer.
    read: Bytes,
    buffer: BytesMut,
    frames: Frames,
    up: Aborted,
    directory: Arc<dyn Directory>,
    peer: Peer,
    _line: OwnedSemaphorePermit,
}

/// The other direction, which ends with this one.
struct Aborted(JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Where a connection stands.
enum Stage {
    Passing(Down),
    /// The client was told of the end.
    Told(Down),
    Over,
}

impl Down {
    fn bytes(self) -> impl Stream<Item = Result<Bytes, std::io::Error>> + 'static {
        stream::unfold(Stage::Passing(self), |stage| async move {
            match stage {
                Stage::Passing(mut down) => match down.next().await {
                    Some(bytes) => Some((Ok(bytes), Stage::Passing(down))),
                    None if down.frames.is_closed() => down.last_words().await,
                    None if down.frames.is_between() => {
                        tracing::info!(peer = %down.peer, "a WebSocket's node is gone: its client is told to connect again");
                        let close = Bytes::from(close_frame(CLOSE_RESTART, "moved"));
                        Some((Ok(close), Stage::Told(down)))
                    }
                    None => {
                        Some((Err(std::io::Error::other("the node is gone in the middle of a frame")), Stage::Over))
                    }
                },
                Stage::Told(mut down) => down.last_words().await,
                Stage::Over => None,
            }
        })
    }

    /// What the node sends next; `None` when it sends nothing more.
    async fn next(&mut self) -> Option<Bytes> {
        if self.frames.is_closed() {
            // Nothing may follow; how the node's connection ends is nobody's concern.
            return None;
        }
        let bytes = if self.read.is_empty() {
            self.buffer.reserve(READ_BYTES);
            tokio::select! {
                read = self.from_node.read_buf(&mut self.buffer) => read.ok().filter(|read| *read > 0)?,
                () = relay::loss(&*self.directory, self.peer.boot) => return None,
            };
            self.buffer.split().freeze()
        } else {
            std::mem::take(&mut self.read)
        };
        self.frames.pass(&bytes);
        Some(bytes)
    }

    /// Lets the client hang up first.
    async fn last_words<T>(&mut self) -> Option<T> {
        let _ = tokio::time::timeout(LAST_WORDS, &mut self.up.0).await;
        None
    }
}
