//! A small client of peers: signed calls over kept connections, streamed both ways, and upgrades.
//!
//! Everything is bounded by peer, so that one that hangs takes no lines from the others; and by what it is for, so that what
//! customers take their time over holds up neither other calls nor the nodes' own.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use footlight_ledger::BootId;
use footlight_store::desk::Clock;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::directory::Peer;
use crate::pass::{ClusterKey, PASS_HEADER, Pass, sign};

/// How long a connection may take to open: nodes are neighbours.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// How long a call waits for one of its peer's lines.
const LINE_WITHIN: Duration = Duration::from_secs(1);
/// What nodes ask of one peer for themselves at once: a few calls that are answered within seconds.
const NODE_CALLS_MAX: usize = 64;
/// Calls of customers and operators to one peer at once.
const CALLS_MAX: usize = 512;
/// Uploads to one peer at once: each lasts for as long as its sender takes.
const UPLOADS_MAX: usize = 256;
/// Streams (WebSockets, events) to one peer at once.
const STREAMS_MAX: usize = 8_192;
/// Idle connections kept to one peer.
const IDLE_PER_PEER: usize = 64;
/// How long they are kept: less than [`KEEP_ALIVE`], so that nobody calls into a connection that the other end closes.
const IDLE_FOR: Duration = Duration::from_secs(20);
/// How long the cluster listener keeps an idle connection.
pub const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// Peers whose lines are counted; beyond it those of idle peers are forgotten.
const PEERS_MAX: usize = 1_024;
/// What a tunnel's kernel buffer takes at this end. The default grows to megabytes: video that a slow viewer would get late
/// instead of not at all, since its node could not see that it is slow.
const TUNNEL_BUFFER: u32 = 64 * 1024;
/// The largest plain answer of a peer: a page of records.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Pieces of a body that wait between its sender and the connection.
const BODY_PIECES: usize = 4;

/// By this header a node tells another, not its client, why a call is not for it.
pub const NOTE_HEADER: HeaderName = HeaderName::from_static("footlight-note");
/// The pass opens nothing here.
pub const NOTE_PASS_REFUSED: &str = "pass_refused";
/// The session is not at this node.
pub const NOTE_NOT_HERE: &str = "not_here";

/// Calls peers. Clones share its connections.
#[derive(Clone)]
pub struct PeerClient(Arc<Inner>);

struct Inner {
    http: Client<HttpConnector, PeerBody>,
    key: ClusterKey,
    own: BootId,
    clock: Clock,
    lines: Mutex<HashMap<String, Arc<Lines>>>,
}

/// How many calls to one peer may be under way.
struct Lines {
    nodes: Arc<Semaphore>,
    calls: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

/// Which of its peer's lines a call takes. Those of one kind never wait for those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Line {
    /// Nodes' own: what a customer asks is never sent on it.
    Nodes,
    /// Somebody's call, answered and over.
    #[default]
    Call,
    /// A body that comes as slowly as its sender likes.
    Upload,
    /// It lasts for as long as somebody follows.
    Stream,
}

/// One call to a peer.
#[derive(Debug, Default)]
pub struct PeerCall {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Headers, without `host` and the pass.
    pub headers: HeaderMap,
    /// The body.
    pub body: PeerBody,
    /// From where it first came.
    pub client: Option<IpAddr>,
    /// The operator behind it.
    pub operator: Option<String>,
    /// Which line it takes.
    pub line: Line,
    /// How long its answer's head may take; for ever if nothing is said: then the caller watches.
    pub patience: Option<Duration>,
}

/// Why a peer did not answer.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It cannot be connected to. Nothing was sent.
    #[error("{peer} cannot be reached: {detail}")]
    Unreachable {
        /// Which.
        peer: Peer,
        /// Why.
        detail: String,
    },
    /// It is another run now, or of another cluster, or its clock is off: the pass opens nothing. Nothing was done.
    #[error("{peer} refuses our pass")]
    Refused {
        /// Which.
        peer: Peer,
    },
    /// Too many calls to it are under way. Nothing was sent.
    #[error("too many calls to {peer} are under way")]
    Busy {
        /// Which.
        peer: Peer,
    },
    /// The call was sent, and no answer came: it may have been done.
    #[error("{peer} did not answer: {detail}")]
    Unanswered {
        /// Which.
        peer: Peer,
        /// Why.
        detail: String,
    },
    /// It answered a plain call with something else than success.
    #[error("{peer} answered {status}")]
    Answered {
        /// Which.
        peer: Peer,
        /// With which status.
        status: StatusCode,
        /// And what.
        body: Bytes,
    },
    /// It answered something that is not understood.
    #[error("{peer} answered what is not understood: {detail}")]
    Strange {
        /// Which.
        peer: Peer,
        /// What is wrong with it.
        detail: String,
    },
}

impl PeerError {
    /// Whether it is certain that nothing was done.
    #[must_use]
    pub const fn is_undone(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Refused { .. } | Self::Busy { .. })
    }
}

/// A body on its way to a peer.
#[derive(Debug)]
pub enum PeerBody {
    /// All of it.
    Whole(Option<Bytes>),
    /// Piece by piece.
    Pieces(mpsc::Receiver<Result<Bytes, BodyBroke>>),
}

/// The body did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body broke off")]
pub struct BodyBroke;

impl PeerBody {
    /// No body.
    #[must_use]
    pub const fn empty() -> Self {
        Self::Whole(None)
    }

    /// A whole one.
    #[must_use]
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()))
    }

    /// One that is sent piece by piece, and where its pieces are put. Few wait, so that whoever sends it goes no faster than
    /// the connection.
    #[must_use]
    pub fn pieces() -> (mpsc::Sender<Result<Bytes, BodyBroke>>, Self) {
        let (sender, receiver) = mpsc::channel(BODY_PIECES);
        (sender, Self::Pieces(receiver))
    }
}

impl Default for PeerBody {
    fn default() -> Self {
        Self::empty()
    }
}

impl Body for PeerBody {
    type Data = Bytes;
    type Error = BodyBroke;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyBroke>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Pieces(pieces) => pieces.poll_recv(context).map(|piece| piece.map(|it| it.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}

/// A peer's answer. It keeps its line until it is dropped.
#[derive(Debug)]
pub struct PeerAnswer {
    /// The status.
    pub status: StatusCode,
    /// The headers, as they came.
    pub headers: HeaderMap,
    body: Incoming,
    peer: Peer,
    _line: OwnedSemaphorePermit,
}

impl PeerAnswer {
    fn new(response: Response<Incoming>, peer: &Peer, line: OwnedSemaphorePermit) -> Result<Self, PeerError> {
        let (head, body) = response.into_parts();
        let answer = Self { status: head.status, headers: head.headers, body, peer: peer.clone(), _line: line };
        if answer.notes(NOTE_PASS_REFUSED) { Err(PeerError::Refused { peer: answer.peer }) } else { Ok(answer) }
    }

    /// Whether the peer says that the session is not there.
    #[must_use]
    pub fn is_not_here(&self) -> bool {
        self.notes(NOTE_NOT_HERE)
    }

    fn notes(&self, note: &str) -> bool {
        self.headers.get(NOTE_HEADER).is_some_and(|value| value.as_bytes() == note.as_bytes())
    }

    /// How long the body is, if that is known.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn piece(&mut self) -> Option<Result<Bytes, PeerError>> {
        loop {
            match self.body.frame().await? {
                Ok(frame) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Some(Ok(bytes));
                    }
                }
                Err(error) => return Some(Err(unanswered(&self.peer, &error))),
            }
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// The connection broke, or there is more than a plain answer has.
    pub async fn whole(mut self) -> Result<Bytes, PeerError> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await {
            body.extend_from_slice(&piece?);
            if body.len() > ANSWER_BYTES_MAX {
                let detail = format!("more than {ANSWER_BYTES_MAX} bytes");
                return Err(PeerError::Strange { peer: self.peer, detail });
            }
        }
        Ok(body.into())
    }
}

/// What came of asking for an upgrade.
#[derive(Debug)]
pub enum Upgrade {
    /// Both ends speak something else from here on.
    Open(Tunnel),
    /// The peer did not change over.
    Declined(PeerAnswer),
}

/// A connection that changed over. It keeps its line until it is dropped.
#[derive(Debug)]
pub struct Tunnel {
    /// The headers of the answer.
    pub headers: HeaderMap,
    /// The connection.
    pub stream: TcpStream,
    /// What was read from it already.
    pub read: Bytes,
    /// Held for as long as the tunnel lasts.
    pub line: OwnedSemaphorePermit,
}

impl PeerClient {
    /// A client that signs as the run `own`.
    #[must_use]
    pub fn new(key: ClusterKey, own: BootId, clock: Clock) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_WITHIN));
        let http = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_PER_PEER)
            .pool_idle_timeout(IDLE_FOR)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self(Arc::new(Inner { http, key, own, clock, lines: Mutex::default() }))
    }

    /// The run that it signs as.
    #[must_use]
    pub fn own(&self) -> BootId {
        self.0.own
    }

    /// Sends a call; answers when the head of the answer is there.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn send(&self, peer: &Peer, call: PeerCall) -> Result<PeerAnswer, PeerError> {
        let line = self.line(peer, call.line).await?;
        let patience = call.patience;
        let uri = format!("http://{}{}", peer.address, call.target);
        let request = self.request(peer, call, &uri)?;
        let response = within(patience, peer, self.0.http.request(request)).await?.map_err(|error| {
            if error.is_connect() {
                PeerError::Unreachable { peer: peer.clone(), detail: causes(&error) }
            } else {
                unanswered(peer, &error)
            }
        })?;
        PeerAnswer::new(response, peer, line)
    }

    /// One plain call on a line of this kind: JSON there and back, within `patience`.
    ///
    /// # Errors
    /// Why there is no such answer.
    pub async fn ask<A: DeserializeOwned>(
        &self,
        peer: &Peer,
        line: Line,
        (method, target): (Method, &str),
        question: Option<&(impl Serialize + Sync)>,
        patience: Duration,
    ) -> Result<A, PeerError> {
        let strange = |error: serde_json::Error| PeerError::Strange { peer: peer.clone(), detail: error.to_string() };
        let target = target.to_owned();
        let mut call = PeerCall { method, target, line, patience: Some(patience), ..PeerCall::default() };
        if let Some(question) = question {
            call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            call.body = PeerBody::whole(serde_json::to_vec(question).map_err(strange)?);
        }
        let answer = self.send(peer, call).await?;
        let status = answer.status;
        let body = within(Some(patience), peer, answer.whole()).await??;
        if !status.is_success() {
            return Err(PeerError::Answered { peer: peer.clone(), status, body });
        }
        serde_json::from_slice(&body).map_err(strange)
    }

    /// Asks for an upgrade on a connection of its own. The call's headers say to what.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn upgrade(&self, peer: &Peer, call: PeerCall) -> Result<Upgrade, PeerError> {
        let line = self.line(peer, Line::Stream).await?;
        let patience = call.patience;
        let target = call.target.clone();
        let mut request = self.request(peer, call, &target)?;
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Ok(host) = HeaderValue::from_str(&peer.address) {
            headers.insert(HOST, host);
        }
        let stream = tokio::time::timeout(CONNECT_WITHIN, connect(&peer.address)).await;
        let stream = stream.map_err(|_| format!("no connection within {CONNECT_WITHIN:?}"));
        let stream = stream.and_then(|stream| stream.map_err(|error| error.to_string()));
        let stream = stream.map_err(|detail| PeerError::Unreachable { peer: peer.clone(), detail })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| PeerError::Unreachable { peer: peer.clone(), detail: causes(&error) })?;
        // It ends with the upgrade, with the answer, or with whoever waits for either.
        tokio::spawn(connection.with_upgrades());
        let response = within(patience, peer, sender.send_request(request)).await?;
        let response = response.map_err(|error| unanswered(peer, &error))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Upgrade::Declined(PeerAnswer::new(response, peer, line)?));
        }
        let headers = response.headers().clone();
        let upgraded = hyper::upgrade::on(response).await.map_err(|error| unanswered(peer, &error))?;
        let parts = upgraded.downcast::<TokioIo<TcpStream>>().map_err(|_| PeerError::Strange {
            peer: peer.clone(),
            detail: "the connection that changed over is not the one that was opened".to_owned(),
        })?;
        Ok(Upgrade::Open(Tunnel { headers, stream: parts.io.into_inner(), read: parts.read_buf, line }))
    }

    /// One of the peer's lines.
    async fn line(&self, peer: &Peer, line: Line) -> Result<OwnedSemaphorePermit, PeerError> {
        let lines = {
            let mut all = self.0.lines.lock();
            if all.len() >= PEERS_MAX && !all.contains_key(&peer.address) {
                all.retain(|_, lines| lines.is_busy());
            }
            Arc::clone(all.entry(peer.address.clone()).or_default())
        };
        let free = Arc::clone(match line {
            Line::Nodes => &lines.nodes,
            Line::Call => &lines.calls,
            Line::Upload => &lines.uploads,
            Line::Stream => &lines.streams,
        });
        match tokio::time::timeout(LINE_WITHIN, free.acquire_owned()).await {
            Ok(Ok(line)) => Ok(line),
            _ => Err(PeerError::Busy { peer: peer.clone() }),
        }
    }

    fn request(&self, peer: &Peer, call: PeerCall, uri: &str) -> Result<Request<PeerBody>, PeerError> {
        let inner = &self.0;
        let pass = Pass { from: inner.own, client: call.client, operator: call.operator };
        let signed =
            sign(&inner.key, &pass, (call.method.as_str(), &call.target, peer.boot), (inner.clock)(), rand::random());
        let mut headers = call.headers;
        headers.insert(PASS_HEADER, HeaderValue::from_str(&signed).expect("letters, digits and semicolons"));
        if matches!(&call.body, PeerBody::Whole(_)) {
            headers.remove(CONTENT_LENGTH);
        }
        let mut request = Request::new(call.body);
        *request.method_mut() = call.method;
        *request.uri_mut() = uri.parse().map_err(|error: hyper::http::uri::InvalidUri| PeerError::Unreachable {
            peer: peer.clone(),
            detail: error.to_string(),
        })?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl fmt::Debug for PeerClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerClient").field("own", &self.0.own).finish_non_exhaustive()
    }
}

impl Default for Lines {
    fn default() -> Self {
        let lines = |count: usize| Arc::new(Semaphore::new(count));
        Self {
            nodes: lines(NODE_CALLS_MAX),
            calls: lines(CALLS_MAX),
            uploads: lines(UPLOADS_MAX),
            streams: lines(STREAMS_MAX),
        }
    }
}

impl Lines {
    fn is_busy(&self) -> bool {
        self.nodes.available_permits() < NODE_CALLS_MAX
            || self.calls.available_permits() < CALLS_MAX
            || self.uploads.available_permits() < UPLOADS_MAX
            || self.streams.available_permits() < STREAMS_MAX
    }
}

async fn connect(address: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("the address has no numbers");
    for address in lookup_host(address).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_recv_buffer_size(TUNNEL_BUFFER)?;
        socket.set_nodelay(true)?;
        match socket.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn within<T>(patience: Option<Duration>, peer: &Peer, work: impl Future<Output = T>) -> Result<T, PeerError> {
    let Some(patience) = patience else { return Ok(work.await) };
    tokio::time::timeout(patience, work)
        .await
        .map_err(|_| PeerError::Unanswered { peer: peer.clone(), detail: format!("nothing within {patience:?}") })
}

fn unanswered(peer: &Peer, error: &dyn std::error::Error) -> PeerError {
    PeerError::Unanswered { peer: peer.clone(), detail: causes(error) }
}

/// An error with what is behind it: the first one alone says `client error (Connect)`.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use footlight_ledger::Timestamp;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn uploads_that_take_all_their_lines_leave_those_of_calls_and_nodes() {
        let own = BootId(Uuid::from_u128(1));
        let client = PeerClient::new(ClusterKey::of_secret("a secret"), own, Arc::new(|| Timestamp(0)));
        let peer = |number: u128| Peer {
            boot: BootId(Uuid::from_u128(number)),
            name: format!("peer-{number}"),
            address: format!("127.0.0.1:{number}"),
        };
        let mut taken = Vec::new();
        for _ in 0..UPLOADS_MAX {
            taken.push(client.line(&peer(2), Line::Upload).await.expect("a line"));
        }
        let refused = client.line(&peer(2), Line::Upload).await;
        assert!(matches!(&refused, Err(PeerError::Busy { .. })), "{refused:?}");
        for line in [Line::Nodes, Line::Call, Line::Stream] {
            assert!(client.line(&peer(2), line).await.is_ok(), "{line:?}");
        }
        assert!(client.line(&peer(3), Line::Upload).await.is_ok(), "the other peer has its own");
        taken.pop();
        assert!(client.line(&peer(2), Line::Upload).await.is_ok(), "it was given back");
    }
}
