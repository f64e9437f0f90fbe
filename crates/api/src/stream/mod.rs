//! The WebSocket of a session: audio and commands in, events and media out. The protocol is docs/websocket.md.
//!
//! Each connection is one task of its own with two halves: [`inbound`] reads, [`outbound`] writes; when either is
//! done, so is the connection. Everything between them is bounded, and a client that reads slowly loses frames in its
//! outlet, never anybody's memory.

mod command;
mod formats;
mod inbound;
mod outbound;
mod pace;
mod seats;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{CloseCode, CloseReason};
use footlight_actors::{Caller, Node, NodeError};
use footlight_media::decode::PcmFormat;
use footlight_session::SessionId;
use footlight_stage::{Outlet, OutletKind, OutletOptions};
use serde::Deserialize;
use tokio::sync::mpsc;
use tracing::Instrument as _;
use utoipa::{IntoParams, ToSchema};

use crate::auth::{self, ViewerCaller};
use crate::body::{QueryOf, SessionPath};
use crate::problem::{Code, Problem, ProblemSchema};
use crate::speech;
use crate::state::ApiState;
use inbound::Inbound;
use outbound::Outbound;

pub(crate) use seats::{Follower, Seat, Seats};

/// Replies that wait for a client. One that sends commands and reads no answers is closed beyond it.
const REPLIES_MAX: usize = 64;

/// How long an upgrade waits for its session to start, and how often it looks.
const START_PATIENCE: Duration = Duration::from_secs(10);
const START_POLL: Duration = Duration::from_millis(2);

/// Which media a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Media {
    /// Video and audio.
    #[default]
    All,
    /// Video alone.
    Video,
    /// Audio alone.
    Audio,
    /// None: such a client does not count as watching.
    None,
}

/// What a WebSocket carries.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamQuery {
    /// `all` (the default), `video`, `audio` or `none`. With `none` the client does not count as watching.
    #[param(inline)]
    pub media: Media,
    /// Whether events are sent.
    pub events: bool,
    /// Only active frames, re-timed without gaps: for recordings.
    pub recording: bool,
    /// Sampling rate of the audio that this client sends.
    #[param(example = 16000)]
    pub rate: u32,
    /// Channels of the audio that this client sends.
    #[param(example = 1)]
    pub channels: u16,
    /// A client token, from browsers, which cannot send headers here.
    pub token: Option<String>,
}

impl Default for StreamQuery {
    fn default() -> Self {
        Self { media: Media::All, events: true, recording: false, rate: 16_000, channels: 1, token: None }
    }
}

impl StreamQuery {
    pub(crate) const fn input(&self) -> PcmFormat {
        PcmFormat { rate: self.rate, channels: self.channels }
    }
}

/// Open the WebSocket
///
/// Binary messages in are 16-bit little-endian samples; text messages in are commands. Binary messages out are media,
/// each behind a 24-byte header; text messages out are events and answers. The protocol is written down in
/// `docs/websocket.md`.
#[utoipa::path(
    get, path = "/v1/sessions/{id}/stream", tag = "speech", operation_id = "stream",
    params(("id" = String, Path, description = "The session's id"), StreamQuery),
    responses(
        (status = 101, description = "The WebSocket is open"),
        (status = 404, description = "`unknown_session`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "`session_ended`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 426, description = "`websocket_expected`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_streams`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn open(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: ViewerCaller,
    session: SessionPath,
    query: QueryOf<StreamQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (who, session, query) = (caller.for_session(session.0)?, session.0, query.0);
    // The session first: for a client without a session an upgrade is the smaller trouble, and a stranger must not
    // learn from a lack of seats that there is one.
    let events = state.node.events(who, session).await?;
    let seat = state.seats.take(session.0, caller.follower(), state.options.max_streams_per_session)?;
    let ear = speech::ear(query.rate, query.channels).await?;
    let outlet_options = OutletOptions {
        kind: if query.recording { OutletKind::ActiveOnly } else { OutletKind::Live },
        max_queued: Some(state.options.stream_queue_units),
    };
    if !is_upgrade(&request) {
        return Err(Problem::new(
            Code::WebsocketExpected,
            "send a WebSocket upgrade: `connection: upgrade`, `upgrade: websocket` and its key",
        ));
    }
    let outlet = match query.media {
        Media::None => None,
        Media::All | Media::Video | Media::Audio => {
            Some(attach_when_started(&state.node, who, session, outlet_options).await?)
        }
    };
    let (mut response, socket, messages) = actix_ws::handle(&request, payload)
        .map_err(|error| Problem::new(Code::WebsocketExpected, format!("the upgrade is not valid: {error}")))?;

    if auth::offers_subprotocol(&request) {
        let spoken = header::HeaderValue::from_static(auth::SUBPROTOCOL);
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, spoken);
    }
    let max_message = state.options.max_message_bytes;
    let messages = messages.max_frame_size(max_message).aggregate_continuations().max_continuation_size(max_message);
    let (replies, waiting_replies) = mpsc::channel(REPLIES_MAX);
    let heard_at = Rc::new(Cell::new(Instant::now()));
    let inbound = Inbound::new(
        state.node.clone(),
        who,
        caller.may_control,
        session,
        query.input(),
        ear,
        replies,
        Rc::clone(&heard_at),
    );
    let outbound = Outbound {
        node: state.node.clone(),
        who,
        session,
        media: query.media,
        outlet_options,
        outlet,
        events: query.events.then_some(events),
        replies: waiting_replies,
        heard_at,
        ping_every: state.options.ping_interval(),
    };
    let revoked = auth::until_revoked(state.clone(), who);
    actix_web::rt::spawn(serve(seat, socket, messages, inbound, outbound, revoked).in_current_span());
    Ok(response)
}

/// Attaches to a session, waiting for one that was created a moment ago to be ready.
async fn attach_when_started(
    node: &Node,
    who: Caller,
    session: SessionId,
    options: OutletOptions,
) -> Result<Outlet, NodeError> {
    let deadline = Instant::now() + START_PATIENCE;
    loop {
        match node.attach(who, session, options).await {
            Err(NodeError::WrongState { .. }) if Instant::now() < deadline => tokio::time::sleep(START_POLL).await,
            attached => return attached,
        }
    }
}

async fn serve(
    seat: Seat,
    socket: actix_ws::Session,
    messages: actix_ws::AggregatedMessageStream,
    inbound: Inbound,
    outbound: Outbound,
    revoked: impl Future<Output = ()>,
) {
    let reason = tokio::select! {
        () = revoked => Some(close(CloseCode::Policy, "the secret that opened this was revoked")),
        reason = inbound.run(messages) => reason,
        reason = outbound.run(socket.clone()) => reason,
    };
    // A client that reads nothing does not read the close either: it is given a moment, then dropped.
    if let Some(reason) = reason {
        let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(Some(reason))).await;
    }
    drop(seat);
}

/// A reason to close with, cut to what a close frame holds.
fn close(code: CloseCode, description: impl Into<String>) -> CloseReason {
    CloseReason { code, description: Some(description.into()) }
}

fn is_upgrade(request: &HttpRequest) -> bool {
    let upgrade = request.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
}
