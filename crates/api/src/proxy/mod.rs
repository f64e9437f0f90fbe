//! Calls about sessions that live at another node, and for other nodes: any node takes them, and passes them on.
//!
//! What a call names is looked up in the directory; its method, path, query, headers and body go to the session's node as
//! they came, with a pass, and the answer comes back as it is. Bodies stream both ways, so that nothing is gathered here:
//! the session's node applies its limits to what arrives, and a slow reader slows its node down and nobody else.
//!
//! Short bodies are read first. Such a call can be sent a second time when the directory knew less than the node that was
//! asked, and can be answered here after all when that turns out to be right. Uploads alone are long: they have lines of
//! their own, and each account a few of them.

mod figures;
mod frames;
mod headers;
mod relay;
mod tunnel;

use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest as _, HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _, web};
use bytes::Bytes;
use footlight_cluster::{Peer, PeerAnswer, PeerError, Upgrade, Whereabouts};
use footlight_ledger::SessionId;

use crate::auth;
use crate::body;
use crate::cluster::Cluster;
use crate::problem::{Code, Problem};
use crate::state::ApiState;
use crate::turns::Turn;
use relay::Onward;

use figures::Passed;
pub use figures::ProxyFigures;
pub(crate) use relay::while_it_lives;

/// Bodies up to this length are read before they are passed on; as much as any call but an upload may bring.
const SHORT_BODY_MAX: u64 = 64 << 10;
/// How often a call is sent: once, and once more when the session had just moved.
const SENDS_MAX: usize = 2;
/// When to ask again while a session moves, in seconds.
const MOVING_RETRY_S: u64 = 1;

/// Stands before the sessions' routes, behind what knows the caller: a call about a session of another node goes there.
pub(crate) async fn to_owner<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    match pass_on(&mut request).await {
        None => Ok(next.call(request).await?.map_into_left_body()),
        Some(answer) => {
            let response = answer.unwrap_or_else(|problem| problem.error_response());
            Ok(request.into_response(response).map_into_right_body())
        }
    }
}

/// The session that a path names, on any listener.
pub(crate) fn session_in(path: &str) -> Option<SessionId> {
    let rest = path.strip_prefix("/v1/sessions/").or_else(|| path.strip_prefix("/admin/v1/sessions/"))?;
    rest.split('/').next()?.parse().ok()
}

/// The node that a path names, on the operators' listeners.
fn node_in(path: &str) -> Option<&str> {
    path.strip_prefix("/admin/v1/nodes/")?.split('/').next()
}

/// A session whose node does not answer.
pub(crate) fn moving(detail: impl Into<String>) -> Problem {
    Problem::new(Code::SessionMoving, detail).retry_after(MOVING_RETRY_S)
}

/// What a call brings.
enum Brought {
    /// All of its body.
    Short(Bytes),
    /// A body that is to be streamed.
    Long(web::Payload),
    /// What a WebSocket's client will send.
    Upgrade(web::Payload),
}

/// Passes a call on, if it is about a session of another node; `None`: it is to be answered here.
async fn pass_on(request: &mut ServiceRequest) -> Option<Result<HttpResponse, Problem>> {
    let state = ApiState::of(request.request()).clone();
    let cluster = state.cluster.as_ref()?;
    if let Some(peer) = node_in(request.path()).and_then(|name| state.members()?.peer_named(name)) {
        return Some(pass_to_node(request, &state, cluster, peer).await);
    }
    let session = session_in(request.path())?;
    if state.node.has(session) {
        return None;
    }
    let peer = match cluster.directory.whereabouts(session).await {
        Ok(Whereabouts::At(peer)) => peer,
        Ok(Whereabouts::Here | Whereabouts::Unknown) => return None,
        Ok(Whereabouts::Moving) => return Some(Err(no_owner(cluster))),
        // The routes ask the store as well, and say what it says.
        Err(error) => {
            tracing::debug!(%error, %session, "the directory does not say where a session is");
            return None;
        }
    };
    let brought = match take_body(request, &state).await {
        Ok(brought) => brought,
        Err(problem) => return Some(Err(problem)),
    };
    // Until its answer begins.
    let _turn = match upload_turn(request, &state).await {
        Ok(turn) => turn,
        Err(problem) => return Some(Err(problem)),
    };
    match brought {
        Brought::Short(body) => pass_short(request, cluster, session, peer, body).await,
        Brought::Long(payload) => {
            let sent = relay::send_long(Onward::of(request.request()), cluster, &peer, payload).await;
            Some(
                answered(cluster, &peer, sent)
                    .map(|answer| relay::respond(answer, Arc::clone(&cluster.directory), peer)),
            )
        }
        Brought::Upgrade(payload) => pass_upgrade(request, cluster, session, peer, payload).await,
    }
}

/// Whether a path takes uploads: bodies that may be long.
fn is_upload(path: &str) -> bool {
    path.ends_with("/audio")
}

/// The turn of an upload's account: with all lines to a node in its hands, one could keep everybody from it.
async fn upload_turn(request: &ServiceRequest, state: &ApiState) -> Result<Option<Turn>, Problem> {
    if !is_upload(request.path()) {
        return Ok(None);
    }
    let Some(account) = auth::account_of(request.request()) else { return Ok(None) };
    state.uploads.take(account).await.map(Some)
}

/// Passes on what is asked of another node itself.
async fn pass_to_node(
    request: &mut ServiceRequest,
    state: &ApiState,
    cluster: &Cluster,
    peer: Peer,
) -> Result<HttpResponse, Problem> {
    let body = match take_body(request, state).await? {
        Brought::Short(body) => body,
        Brought::Long(_) | Brought::Upgrade(_) => return Err(body::too_large(None, SHORT_BODY_MAX)),
    };
    match relay::send_short(Onward::of(request.request()), cluster, &peer, body).await {
        Ok(answer) => {
            cluster.figures.count(Passed::Answered);
            Ok(relay::respond(answer, Arc::clone(&cluster.directory), peer))
        }
        Err(error) => {
            cluster.figures.count(Passed::Unreachable);
            let detail = format!("{error}, and {}; ask again in a moment", outcome(&error));
            Err(Problem::new(Code::NodeUnreachable, detail).retry_after(MOVING_RETRY_S))
        }
    }
}

/// What is known of a call that failed.
const fn outcome(error: &PeerError) -> &'static str {
    if error.is_undone() { "nothing was done" } else { "what was asked may have been done" }
}

async fn pass_short(
    request: &mut ServiceRequest,
    cluster: &Cluster,
    session: SessionId,
    mut peer: Peer,
    body: Bytes,
) -> Option<Result<HttpResponse, Problem>> {
    let is_heartbeat = request.path().ends_with("/heartbeats");
    for _ in 0..SENDS_MAX {
        let sent = relay::send_short(Onward::of(request.request()), cluster, &peer, body.clone()).await;
        match sent {
            Ok(answer) if answer.is_not_here() => match where_now(cluster, session).await {
                Ok(Some(other)) => peer = other,
                Ok(None) => {
                    request.set_payload(Payload::from(body));
                    return None;
                }
                Err(problem) => return Some(Err(problem)),
            },
            // A report has a number: it may come twice, and any node takes it.
            Err(error) if is_heartbeat => {
                tracing::warn!(%error, %session, "a report is taken here, since its session's node does not answer");
                cluster.figures.count(Passed::Unreachable);
                request.set_payload(Payload::from(body));
                return None;
            }
            sent => {
                return Some(
                    answered(cluster, &peer, sent)
                        .map(|answer| relay::respond(answer, Arc::clone(&cluster.directory), peer)),
                );
            }
        }
    }
    Some(Err(no_owner(cluster)))
}

async fn pass_upgrade(
    request: &mut ServiceRequest,
    cluster: &Cluster,
    session: SessionId,
    mut peer: Peer,
    payload: web::Payload,
) -> Option<Result<HttpResponse, Problem>> {
    let directory = Arc::clone(&cluster.directory);
    for _ in 0..SENDS_MAX {
        match tunnel::ask(Onward::of(request.request()), cluster, &peer).await {
            Ok(Upgrade::Open(tunnel)) => {
                cluster.figures.count(Passed::Answered);
                return Some(Ok(tunnel::join(tunnel, payload, directory, peer)));
            }
            Ok(Upgrade::Declined(answer)) if answer.is_not_here() => match where_now(cluster, session).await {
                Ok(Some(other)) => peer = other,
                Ok(None) => {
                    request.set_payload(payload.into_inner());
                    return None;
                }
                Err(problem) => return Some(Err(problem)),
            },
            Ok(Upgrade::Declined(answer)) => {
                return Some(answered(cluster, &peer, Ok(answer)).map(|it| relay::respond(it, directory, peer)));
            }
            Err(error) => {
                return Some(answered(cluster, &peer, Err(error)).map(|it| relay::respond(it, directory, peer)));
            }
        }
    }
    Some(Err(no_owner(cluster)))
}

/// Where a session is that was not where the directory had said: `None` is here, if anywhere.
async fn where_now(cluster: &Cluster, session: SessionId) -> Result<Option<Peer>, Problem> {
    match cluster.directory.look_again(session).await? {
        Whereabouts::At(peer) => Ok(Some(peer)),
        Whereabouts::Here | Whereabouts::Unknown => Ok(None),
        Whereabouts::Moving => Err(no_owner(cluster)),
    }
}

/// Counts how it went, and says what to do if it went wrong.
fn answered(cluster: &Cluster, peer: &Peer, sent: Result<PeerAnswer, PeerError>) -> Result<PeerAnswer, Problem> {
    match sent {
        Ok(answer) if answer.is_not_here() => Err(no_owner(cluster)),
        Ok(answer) => {
            cluster.figures.count(Passed::Answered);
            Ok(answer)
        }
        Err(error) => {
            if let Some(others) = cluster.warnings.may(Instant::now()) {
                tracing::warn!(%error, others, "a call about a session of another node failed");
            }
            cluster.figures.count(Passed::Unreachable);
            let outcome = outcome(&error);
            Err(match error {
                PeerError::Busy { .. } => {
                    let detail = format!("too many calls to the session's node, {}, are under way", peer.name);
                    Problem::new(Code::Capacity, detail).retry_after(MOVING_RETRY_S).with("what", "calls to a node")
                }
                _ => moving(format!(
                    "the session's node, {}, does not answer, and {outcome}; ask again in a moment",
                    peer.name
                )),
            })
        }
    }
}

fn no_owner(cluster: &Cluster) -> Problem {
    cluster.figures.count(Passed::NoOwner);
    moving("the session is on its way to another node, and nothing was done; ask again in a moment")
}

/// Takes the body out of a request: whole, unless it is that of an upload that does not say itself that it is short.
async fn take_body(request: &mut ServiceRequest, state: &ApiState) -> Result<Brought, Problem> {
    let mut taken = request.take_payload();
    let request = request.request();
    let payload = web::Payload::from_request(request, &mut taken).await.map_err(Problem::internal)?;
    if is_websocket(request) {
        return Ok(Brought::Upgrade(payload));
    }
    let announced = body::announced_length(request);
    let has_body =
        announced.is_some_and(|length| length > 0) || request.headers().contains_key(header::TRANSFER_ENCODING);
    if !has_body {
        return Ok(Brought::Short(Bytes::new()));
    }
    let options = &state.options;
    let is_short = announced.is_some_and(|length| length <= SHORT_BODY_MAX);
    if is_short || !is_upload(request.path()) {
        let read = body::read(request, payload, SHORT_BODY_MAX, options.body_timeout(), |_| Ok(()));
        return read.await.map(Brought::Short);
    }
    // Refused by the session's node as well; but not after it was sent there.
    if announced.is_some_and(|length| length > options.max_upload_bytes) {
        return Err(body::too_large(announced, options.max_upload_bytes));
    }
    Ok(Brought::Long(payload))
}

fn is_websocket(request: &HttpRequest) -> bool {
    let upgrade = request.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok());
    request.head().upgrade() && upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_their_session() {
        let id = "ses_0193b5f2a7c87d1e8f3a9b2c4d5e6f70";
        let session: SessionId = id.parse().expect("an id");
        for path in [
            format!("/v1/sessions/{id}"),
            format!("/v1/sessions/{id}/audio"),
            format!("/admin/v1/sessions/{id}"),
            format!("/admin/v1/sessions/{id}/migrate"),
        ] {
            assert_eq!(session_in(&path), Some(session), "{path}");
        }
        for path in ["/v1/sessions", "/v1/sessions/", "/v1/sessions/ses_1/audio", "/v1/jobs/job_1", "/admin/v1/nodes"] {
            assert_eq!(session_in(path), None, "{path}");
        }
    }
}
