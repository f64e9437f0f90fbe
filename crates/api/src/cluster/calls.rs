//! What nodes ask of each other.

use std::collections::HashMap;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use footlight_actors::{Caller, UnreadyReason};
use footlight_cluster::Peer;
use footlight_cluster::http::Line;
use footlight_cluster::wire::{self, Adopted, Create, Look, Looked, NotAdopted, Pulse};
use footlight_ledger::SessionId;
use footlight_session::{Heirloom, SessionRecord, SessionState};
use futures_util::future::join_all;

use crate::body::JsonBody;
use crate::idempotency::Answer;
use crate::json::{CreateSessionJson, CreatedSessionJson, SessionJson};
use crate::problem::Problem;
use crate::state::ApiState;

/// How long a list waits for what other nodes know better than the directory.
const FRESHEN_WITHIN: Duration = Duration::from_millis(500);

/// Are you there, and do you reach the store?
pub(crate) async fn pulse(state: web::Data<ApiState>) -> web::Json<Pulse> {
    let by_readiness = || !state.node.readiness().reasons.contains(&UnreadyReason::StoreUnreachable);
    web::Json(Pulse {
        boot: state.node.boot(),
        name: state.node.name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        store_up: state.members().map_or_else(by_readiness, footlight_cluster::Cluster::store_is_up),
    })
}

/// Creates a session that another node has placed here. That node has checked who asks, and remembers the answer where a
/// key asks for that.
pub(crate) async fn create(
    state: web::Data<ApiState>,
    body: JsonBody<Create<CreateSessionJson>>,
) -> Result<HttpResponse, Problem> {
    let Create { session, account, secret, order } = body.value;
    // A task of its own: a node that hangs up does not leave it half done.
    let created = actix_web::rt::spawn(async move {
        let who = Caller::Account { account, secret };
        let created = state.node.create_session_as(who, session, order.into()).await;
        if let (Ok(_), Some(cluster)) = (&created, &state.cluster) {
            cluster.placement.taken(session);
        }
        created
    });
    let record = created.await.map_err(Problem::internal)??;
    let json = CreatedSessionJson { session: SessionJson::of(record), engine: None };
    Ok(Answer::json(StatusCode::CREATED, &json)?.respond())
}

/// How do these sessions of yours stand now?
pub(crate) async fn records(state: web::Data<ApiState>, body: JsonBody<Look>) -> Result<web::Json<Looked>, Problem> {
    let sessions = body.value.sessions;
    if sessions.len() > wire::RECORDS_MAX {
        return Err(Problem::field("/sessions", format!("must be {} at most", wire::RECORDS_MAX)));
    }
    Ok(web::Json(Looked { records: state.node.records_of(&sessions) }))
}

/// Take this session over.
pub(crate) async fn adopt(state: web::Data<ApiState>, body: JsonBody<Heirloom>) -> Result<HttpResponse, Problem> {
    let refused = |refusal: &NotAdopted| {
        let status = match refusal {
            NotAdopted::Full => StatusCode::SERVICE_UNAVAILABLE,
            NotAdopted::Gone { .. } => StatusCode::CONFLICT,
            NotAdopted::Failed { .. } | NotAdopted::Unclear { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        HttpResponse::build(status).json(refusal)
    };
    let adopter = state.cluster.as_ref().and_then(|cluster| cluster.adopter.clone());
    let Some(adopter) = adopter else {
        return Ok(refused(&NotAdopted::Failed { detail: "this node takes no sessions over".to_owned() }));
    };
    // A task of its own: half a take-over would be nobody's session.
    let adopted = actix_web::rt::spawn(async move { adopter.adopt(body.value).await }).await;
    match adopted.map_err(Problem::internal)? {
        Ok(Adopted { record }) => Ok(HttpResponse::Ok().json(Adopted { record })),
        Err(refusal) => Ok(refused(&refusal)),
    }
}

/// Shows sessions of other nodes as those have them now: the directory is written when a state changes, not with every
/// frame. A node that does not answer in time leaves what the directory says.
pub(crate) async fn freshen(state: &ApiState, records: &mut [SessionRecord]) {
    let Some(cluster) = &state.cluster else { return };
    let mut by_peer: HashMap<Peer, Vec<SessionId>> = HashMap::new();
    for record in records.iter().filter(|it| it.state != SessionState::Ended && it.boot != state.node.boot()) {
        if let Some(peer) = cluster.directory.peer(record.boot) {
            by_peer.entry(peer).or_default().push(record.id);
        }
    }
    let asked = by_peer.into_iter().map(|(peer, sessions)| async move {
        let look = Look { sessions };
        let records = (hyper::Method::POST, wire::RECORDS);
        // Somebody's list: none of the nodes' own lines.
        cluster.client.ask::<Looked>(&peer, Line::Call, records, Some(&look), FRESHEN_WITHIN).await
    });
    let mut fresh = HashMap::new();
    for looked in join_all(asked).await {
        match looked {
            Ok(looked) => fresh.extend(looked.records.into_iter().map(|record| (record.id, record))),
            Err(error) => tracing::debug!(%error, "a list shows what the directory says"),
        }
    }
    for record in records {
        if let Some(newer) = fresh.remove(&record.id)
            && newer.account == record.account
        {
            *record = newer;
        }
    }
}
