//! The node: how full it is, and emptying it.

use std::time::Duration;

use actix_web::web;
use footlight_actors::{DrainMode, DrainReport, Room, UnreadyReason};
use footlight_store::nodes::{NodeEntry, NodeRoom};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::JsonBody;
use crate::json::Page;
use crate::problem::Problem;
use crate::state::ApiState;

/// The longest wait for a drain in one call, in seconds.
const DRAIN_WAIT_MAX_S: u64 = 3_600;

/// One node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub(crate) struct NodeJson {
    /// Its name.
    pub name: String,
    /// The version it runs.
    pub version: String,
    /// Whether it takes new sessions.
    pub ready: bool,
    /// Why not: `draining`, `store_unreachable`, `lease_over`, `at_capacity`.
    #[schema(value_type = Vec<String>)]
    pub reasons: Vec<UnreadyReason>,
    /// The store it stands on: `sqlite`, `redis`.
    pub store: &'static str,
    /// Room for sessions.
    pub sessions: RoomJson,
    /// Room for speech, in thousandths of a 512x512 stream at 25 frames a second.
    pub speaking_slots_milli: RoomJson,
}

/// One kind of room.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Room)]
pub(crate) struct RoomJson {
    /// How much there is.
    pub total: u64,
    /// How much is in use.
    pub used: u64,
    /// How much is promised and not in use.
    pub reserved: u64,
    /// What is neither.
    pub free: u64,
}

impl From<Room> for RoomJson {
    fn from(room: Room) -> Self {
        Self { total: room.total, used: room.used, reserved: room.reserved, free: room.free() }
    }
}

/// How to drain.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Drain, example = json!({"deadline_s": 60}))]
pub(crate) struct DrainBody {
    /// How long to wait for speech to end, in seconds; the node's own deadline unless named.
    pub deadline_s: Option<u64>,
}

/// What a drain came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DrainReport)]
pub(crate) struct DrainReportJson {
    /// Sessions that still speak; 0 unless the deadline has passed.
    pub still_speaking: u64,
    /// Sessions on the node, paused as `node_draining`.
    pub sessions: u64,
}

impl From<DrainReport> for DrainReportJson {
    fn from(report: DrainReport) -> Self {
        Self { still_speaking: report.still_speaking, sessions: report.sessions }
    }
}

/// List nodes
///
/// This one, and the others that share its store, as the store has them.
#[utoipa::path(
    get, path = "/admin/v1/nodes", tag = "node", operation_id = "list_nodes",
    responses((status = 200, description = "All nodes", body = Page<NodeJson>)),
)]
pub(crate) async fn list(state: web::Data<ApiState>) -> Result<web::Json<Page<NodeJson>>, Problem> {
    let mut nodes = vec![describe(&state)];
    if let Some(members) = state.cluster.as_ref().and_then(|cluster| cluster.members.as_ref()) {
        let own = members.boot();
        let others = members.nodes().await?.into_iter().filter(|node| node.card.boot != own);
        nodes.extend(others.map(|node| describe_other(&state, node)));
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Ok(web::Json(Page { data: nodes, next_cursor: None }))
}

/// Drain the node
///
/// It takes nothing new and lets speech end. Answers when the last one has fallen silent, or at the deadline. The node
/// stays up; `undrain` takes it back.
#[utoipa::path(
    post, path = "/admin/v1/drain", tag = "node", operation_id = "drain", request_body = DrainBody,
    responses((status = 200, description = "What it came to", body = DrainReportJson)),
)]
pub(crate) async fn drain(
    state: web::Data<ApiState>,
    body: JsonBody<DrainBody>,
) -> Result<web::Json<DrainReportJson>, Problem> {
    if body.value.deadline_s.is_some_and(|seconds| seconds > DRAIN_WAIT_MAX_S) {
        return Err(Problem::field("/deadline_s", format!("must be at most {DRAIN_WAIT_MAX_S}")));
    }
    let (node, deadline) = (state.node.clone(), body.value.deadline_s.map(Duration::from_secs));
    // A task of its own: a drain goes on when whoever asked for it hangs up.
    let report = actix_web::rt::spawn(async move { node.drain(DrainMode::Wait, deadline).await })
        .await
        .map_err(Problem::internal)?;
    Ok(web::Json(report.into()))
}

/// Take sessions again
#[utoipa::path(
    post, path = "/admin/v1/undrain", tag = "node", operation_id = "undrain",
    responses((status = 200, description = "The node", body = NodeJson)),
)]
pub(crate) async fn undrain(state: web::Data<ApiState>) -> web::Json<NodeJson> {
    state.node.undrain().await;
    web::Json(describe(&state))
}

fn describe(state: &ApiState) -> NodeJson {
    let (readiness, capacity) = (state.node.readiness(), state.node.capacity());
    NodeJson {
        name: state.node.name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ready: readiness.ready,
        reasons: readiness.reasons,
        store: state.node.store().kind(),
        sessions: capacity.sessions.into(),
        speaking_slots_milli: capacity.speaking_slots_milli.into(),
    }
}

/// A node as the store has it.
fn describe_other(state: &ApiState, node: NodeEntry) -> NodeJson {
    let is_lost = node.is_lost() || node.heir.is_some();
    let room = |total: u64, used: u64, reserved: u64| RoomJson::from(Room { total, used, reserved });
    let NodeRoom { sessions_total, sessions_used, slots_milli_total, slots_milli_used } = node.room;
    let sessions = room(sessions_total, sessions_used, node.reserved.0);
    let speaking_slots_milli = room(slots_milli_total, slots_milli_used, node.reserved.1);
    let is_full = sessions.free == 0 || speaking_slots_milli.free == 0;
    let why = [
        (node.card.draining, UnreadyReason::Draining),
        (is_lost, UnreadyReason::LeaseOver),
        (is_full, UnreadyReason::AtCapacity),
    ];
    let reasons: Vec<UnreadyReason> = why.into_iter().filter_map(|(is_so, reason)| is_so.then_some(reason)).collect();
    NodeJson {
        name: node.card.name,
        version: node.card.version,
        ready: reasons.is_empty(),
        reasons,
        store: state.node.store().kind(),
        sessions,
        speaking_slots_milli,
    }
}
