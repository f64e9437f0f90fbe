//! Passing a call on, and its answer back.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BodyStream, SizedStream};
use actix_web::http::StatusCode;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use footlight_cluster::http::{BodyBroke, Line};
use footlight_cluster::{Directory, Peer, PeerAnswer, PeerBody, PeerCall, PeerError};
use footlight_ledger::BootId;
use futures_util::{Stream, StreamExt as _, stream};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use tokio::sync::mpsc;
use tracing::Instrument as _;

use super::headers;
use crate::auth;
use crate::cluster::Cluster;
use crate::operator::Operator;
use crate::trace::RequestId;

/// How long the head of an answer may take whose question is short. Nothing that is asked of a session takes longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How often it is looked whether a node that says nothing still lives.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What of a request travels on.
pub(super) struct Onward {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) client: Option<IpAddr>,
    pub(super) operator: Option<String>,
    line: Line,
}

impl Onward {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let mut headers = headers::onward(request.headers());
        let extensions = request.extensions();
        // The log of both nodes has the call under one id.
        if let Some(id) = extensions.get::<RequestId>()
            && let Ok(id) = HeaderValue::from_str(&id.0)
        {
            headers.insert(HeaderName::from_static("x-request-id"), id);
        }
        let operator = extensions.get::<Operator>().map(|operator| operator.name.clone());
        drop(extensions);
        if operator.is_some() {
            // It was checked here, and stays here.
            headers.remove(hyper::header::AUTHORIZATION);
        }
        let line = match request.path().rsplit('/').next() {
            Some("events" | "stream") => Line::Stream,
            // Short ones too: they wait for a decoder.
            _ if super::is_upload(request.path()) => Line::Upload,
            _ => Line::Call,
        };
        Self {
            method: Method::from_bytes(request.method().as_str().as_bytes()).unwrap_or_default(),
            target: request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            headers,
            client: auth::client_address(request),
            operator,
            line,
        }
    }

    pub(super) fn call(self, body: PeerBody, patience: Option<Duration>) -> PeerCall {
        let Self { method, target, headers, client, operator, line } = self;
        PeerCall { method, target, headers, body, client, operator, line, patience }
    }
}

/// Passes a call on whose body is there.
pub(super) async fn send_short(
    onward: Onward,
    cluster: &Cluster,
    peer: &Peer,
    body: Bytes,
) -> Result<PeerAnswer, PeerError> {
    let body = if body.is_empty() { PeerBody::empty() } else { PeerBody::whole(body) };
    let call = onward.call(body, Some(ANSWER_WITHIN));
    while_it_lives(&*cluster.directory, peer, cluster.client.send(peer, call)).await
}

/// Passes a call on whose body is still to come. The session's node says how long it may take.
pub(super) async fn send_long(
    onward: Onward,
    cluster: &Cluster,
    peer: &Peer,
    payload: web::Payload,
) -> Result<PeerAnswer, PeerError> {
    let (pieces, body) = PeerBody::pieces();
    actix_web::rt::spawn(pump(payload, pieces).in_current_span());
    while_it_lives(&*cluster.directory, peer, cluster.client.send(peer, onward.call(body, None))).await
}

/// Puts a body's pieces onto the connection as it takes them.
async fn pump(mut payload: web::Payload, pieces: mpsc::Sender<Result<Bytes, BodyBroke>>) {
    loop {
        let piece = tokio::select! {
            // Answered before all of it was read, or broken.
            () = pieces.closed() => return,
            piece = payload.next() => piece,
        };
        let Some(piece) = piece else { return };
        let (piece, is_last) = match piece {
            Ok(piece) => (Ok(piece), false),
            // Without this the node there would take half a body for a whole one.
            Err(_) => (Err(BodyBroke), true),
        };
        if pieces.send(piece).await.is_err() || is_last {
            return;
        }
    }
}

/// Waits for a node's answer for as long as the node lives: one that was stopped keeps its connections.
pub(crate) async fn while_it_lives<T>(
    directory: &dyn Directory,
    peer: &Peer,
    answer: impl Future<Output = Result<T, PeerError>>,
) -> Result<T, PeerError> {
    tokio::select! {
        answer = answer => answer,
        () = loss(directory, peer.boot) => Err(lost(peer)),
    }
}

/// Comes when a node is lost.
pub(super) async fn loss(directory: &dyn Directory, boot: BootId) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if directory.peer(boot).is_none() {
            return;
        }
    }
}

pub(super) fn lost(peer: &Peer) -> PeerError {
    PeerError::Unanswered { peer: peer.clone(), detail: "it has lost its lease".to_owned() }
}

/// Passes an answer back, piece by piece as it comes.
pub(super) fn respond(answer: PeerAnswer, directory: Arc<dyn Directory>, peer: Peer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    for (name, value) in headers::back(&answer.headers) {
        response.append_header((name, value));
    }
    let length = answer.length();
    let pieces = pieces(answer, directory, peer);
    match length {
        Some(length) => response.body(SizedStream::new(length, pieces)),
        None => response.body(BodyStream::new(pieces)),
    }
}

/// The pieces of an answer; an error when its node is lost before its end, so that nobody takes half for all.
fn pieces(
    answer: PeerAnswer,
    directory: Arc<dyn Directory>,
    peer: Peer,
) -> impl Stream<Item = Result<Bytes, PeerError>> + 'static {
    stream::unfold(Some((answer, directory, peer)), |state| async move {
        let (mut answer, directory, peer) = state?;
        let piece = tokio::select! {
            piece = answer.piece() => piece?,
            () = loss(&*directory, peer.boot) => Err(lost(&peer)),
        };
        match piece {
            Ok(piece) => Some((Ok(piece), Some((answer, directory, peer)))),
            Err(error) => {
                tracing::debug!(%error, "the answer of another node broke off");
                Some((Err(error), None))
            }
        }
    })
}
