//! Creating a session where there is room for it: here, or at another node.
//!
//! Room is set aside in the step that chooses the node. A node that refuses all the same, or cannot be reached, is left out
//! of the next choice. When an answer gets lost the directory is asked whether the session exists: whoever places it has
//! drawn its id. If it does not, another is created elsewhere, and the first is ended should it appear after all.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use actix_web::web;
use footlight_actors::NodeError;
use footlight_cluster::http::Line;
use footlight_cluster::wire::{self, Create};
use footlight_cluster::{Peer, PeerBody, PeerCall, PeerError, Place, PlaceError, Wish};
use footlight_ledger::{BootId, SessionId};
use serde::Deserialize;
use uuid::Uuid;

use crate::auth::EngineCaller;
use crate::cluster::Cluster;
use crate::idempotency::Answer;
use crate::json::{CreateSessionJson, CreatedSessionJson, SessionJson};
use crate::problem::{Code, Problem};
use crate::proxy;
use crate::state::ApiState;

/// Nodes tried for one session.
const TRIES_MAX: usize = 3;
/// How long another node may take to create a session: loading an avatar and its idle loop takes a second or two.
/// All tries together must fit into the minute after which an idempotency key's claim lapses.
const CREATE_WITHIN: Duration = Duration::from_secs(15);
/// How long after a lost answer it is looked whether its session appeared after all.
const LOOK_AFTER: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];
/// How long a session that nobody knows of may take to be ended.
const END_WITHIN: Duration = Duration::from_secs(5);
/// In whose name it is ended.
const PLACER: &str = "placement";
/// The most labels that are asked for.
const LABELS_MAX: usize = 8;
/// The longest name and value of a label.
const LABEL_BYTES_MAX: usize = 64;

/// What became of one try.
enum Tried {
    /// That is the answer.
    Answered(Answer),
    /// The node has no room, or is gone: try another. With its own words, if it is this one.
    NotThere(BootId, Option<Problem>),
}

/// Creates a session at whichever node has room.
///
/// # Errors
/// Why there is none.
pub(crate) async fn create(
    state: &web::Data<ApiState>,
    cluster: &Cluster,
    caller: &EngineCaller,
    order: CreateSessionJson,
) -> Result<Answer, Problem> {
    check_labels(&order, true)?;
    // Here, so that no room is set aside for what no node would take.
    let weight_milli = state.node.weight_of(&order.clone().into())?;
    let mut wish = Wish {
        session: SessionId(Uuid::nil()),
        weight_milli,
        avatar: order.avatar.clone(),
        labels: order.labels.clone(),
        except: Vec::new(),
    };
    let mut refused = None;
    for _ in 0..TRIES_MAX {
        wish.session = SessionId(Uuid::now_v7());
        let place = match cluster.placement.place(&wish).await {
            // There is no node but this one, which says it better.
            Err(PlaceError::Full { total: 0, .. }) if refused.is_some() => break,
            place => place?,
        };
        let tried = match place {
            Place::Here => create_here(state, cluster, caller, wish.session, &order).await?,
            Place::At(peer) => create_at(state, cluster, caller, peer, wish.session, &order).await?,
        };
        match tried {
            Tried::Answered(answer) => return Ok(answer),
            Tried::NotThere(boot, why) => {
                wish.except.push(boot);
                refused = why.or(refused);
            }
        }
    }
    Err(refused.unwrap_or_else(|| {
        Problem::new(Code::Capacity, format!("{TRIES_MAX} nodes that had room did not take the session; try again"))
            .retry_after(1)
            .with("what", "sessions")
    }))
}

async fn create_here(
    state: &web::Data<ApiState>,
    cluster: &Cluster,
    caller: &EngineCaller,
    session: SessionId,
    order: &CreateSessionJson,
) -> Result<Tried, Problem> {
    let error = match state.node.create_session_as(caller.caller(), session, order.clone().into()).await {
        Ok(record) => {
            cluster.placement.taken(session);
            return answer(SessionJson::of(record)).map(Tried::Answered);
        }
        Err(error) => error,
    };
    cluster.placement.give_back(session).await;
    match error {
        NodeError::Capacity { .. } | NodeError::Draining => Ok(Tried::NotThere(state.node.boot(), Some(error.into()))),
        error => Err(error.into()),
    }
}

async fn create_at(
    state: &web::Data<ApiState>,
    cluster: &Cluster,
    caller: &EngineCaller,
    peer: Peer,
    session: SessionId,
    order: &CreateSessionJson,
) -> Result<Tried, Problem> {
    let create = Create { session, account: caller.account, secret: Some(caller.secret), order: order.clone() };
    let body = serde_json::to_vec(&create).map_err(Problem::internal)?;
    let tried = match ask(cluster, &peer, body).await {
        Ok((status, answer)) if status == StatusCode::CREATED => return Ok(Tried::Answered(answer)),
        Ok((_, answer)) if is_for_another_node(answer.body()) => Tried::NotThere(peer.boot, None),
        Ok((_, answer)) => Tried::Answered(answer),
        Err(error) if error.is_undone() => {
            tracing::warn!(%error, "a session is placed at another node");
            Tried::NotThere(peer.boot, None)
        }
        Err(error) => {
            tracing::warn!(%error, %session, "whether a session was created is looked up");
            let record = state.node.store().get_session(session).await?;
            if let Some(record) = record.filter(|record| record.end_reason.is_none()) {
                return answer(SessionJson::of(record)).map(Tried::Answered);
            }
            actix_web::rt::spawn(end_if_it_appears(state.clone(), peer.clone(), session));
            return Ok(Tried::NotThere(peer.boot, None));
        }
    };
    cluster.placement.give_back(session).await;
    Ok(tried)
}

/// Asks another node to create a session; its answer, whatever it is.
async fn ask(cluster: &Cluster, peer: &Peer, body: Vec<u8>) -> Result<(StatusCode, Answer), PeerError> {
    let mut call = PeerCall {
        method: hyper::Method::POST,
        target: wire::SESSIONS.to_owned(),
        body: PeerBody::whole(body),
        line: Line::Call,
        patience: Some(CREATE_WITHIN),
        ..PeerCall::default()
    };
    let json = hyper::header::HeaderValue::from_static("application/json");
    call.headers.insert(hyper::header::CONTENT_TYPE, json);
    let answer = proxy::while_it_lives(&*cluster.directory, peer, cluster.client.send(peer, call)).await?;
    let status = StatusCode::from_u16(answer.status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let retry_after = answer.headers.get(hyper::header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
    Ok((status, Answer::relayed(status, answer.whole().await?, retry_after)))
}

/// Ends a session that was created though its answer got lost and another was created for it: it costs nothing, but takes
/// room and counts against the account's plan until it idles out.
async fn end_if_it_appears(state: web::Data<ApiState>, peer: Peer, session: SessionId) {
    let Some(cluster) = &state.cluster else { return };
    for wait in LOOK_AFTER {
        tokio::time::sleep(wait).await;
        let Ok(Some(_)) = state.node.store().get_session(session).await else { continue };
        let call = PeerCall {
            method: hyper::Method::DELETE,
            target: format!("/admin/v1/sessions/{session}"),
            operator: Some(PLACER.to_owned()),
            patience: Some(END_WITHIN),
            ..PeerCall::default()
        };
        match cluster.client.send(&peer, call).await {
            Ok(answer) if answer.status.is_success() => return,
            Ok(answer) => tracing::debug!(status = %answer.status, %session, "a session nobody knows of goes on"),
            Err(error) => tracing::debug!(%error, %session, "a session nobody knows of goes on"),
        }
    }
}

fn answer(session: SessionJson) -> Result<Answer, Problem> {
    Answer::json(StatusCode::CREATED, &CreatedSessionJson { session, engine: None })
}

/// Whether a node's problem is its own, and another might take the session.
fn is_for_another_node(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Coded {
        code: String,
    }
    let coded: Option<Coded> = serde_json::from_slice(body).ok();
    coded.is_some_and(|it| it.code == Code::Capacity.as_str() || it.code == Code::NodeDraining.as_str())
}

/// Labels are of nodes among others.
pub(crate) fn check_labels(order: &CreateSessionJson, has_nodes: bool) -> Result<(), Problem> {
    let labels = &order.labels;
    if labels.is_empty() {
        return Ok(());
    }
    if !has_nodes {
        return Err(Problem::field("/labels", "cannot be chosen by: this node stands alone, or an engine elsewhere"));
    }
    if labels.len() > LABELS_MAX {
        return Err(Problem::field("/labels", format!("has {} entries; at most {LABELS_MAX} fit", labels.len())));
    }
    let is_long = |text: &String| text.len() > LABEL_BYTES_MAX;
    if labels.iter().any(|(name, value)| is_long(name) || is_long(value)) {
        return Err(Problem::field("/labels", format!("has an entry of more than {LABEL_BYTES_MAX} bytes")));
    }
    Ok(())
}

impl From<PlaceError> for Problem {
    fn from(error: PlaceError) -> Self {
        let detail = error.to_string();
        match error {
            PlaceError::Full { used, total, retry_after_s } => Self::new(Code::Capacity, detail)
                .retry_after(u64::from(retry_after_s).max(1))
                .with("what", "sessions")
                .with("used", used)
                .with("total", total)
                .with("available", total.saturating_sub(used)),
            PlaceError::Store(error) => error.into(),
        }
    }
}
