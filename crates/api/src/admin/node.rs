//! The nodes: how full they are, emptying one, and giving one up.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use footlight_actors::{DrainReport, Node};
use footlight_cluster::Cluster;
use footlight_store::nodes::NodeEntry;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::body::JsonBody;
use crate::json::{MeterJson, NodeJson, Page};
use crate::problem::{Code, Problem, ProblemSchema};
use crate::state::ApiState;

/// The longest deadline of a drain, in seconds.
const DRAIN_MAX_S: u64 = 3_600;

/// What a drain does with the sessions that are there.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DrainMode {
    /// Lets speech end; a session that is silent is paused as `node_draining`.
    #[default]
    Wait,
    /// Moves every session to another node, as it stands. Those for which there is no room go on here.
    Migrate,
}

/// How to drain.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Drain, example = json!({"mode": "wait", "deadline_s": 60}))]
pub(crate) struct DrainBody {
    /// What becomes of the sessions: `wait` unless named.
    #[schema(inline)]
    pub mode: DrainMode,
    /// How long to go on trying, in seconds, 3600 at most; the node's own deadline unless named.
    #[schema(maximum = 3600)]
    pub deadline_s: Option<u64>,
}

/// What a drain came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DrainReport)]
pub(crate) struct DrainReportJson {
    /// Sessions that still speak.
    pub still_speaking: u64,
    /// Sessions that are still on the node.
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
    if let Some(members) = state.members() {
        let others = members.nodes().await?.into_iter().filter(|node| node.card.boot != members.boot());
        nodes.extend(others.map(|node| describe_other(&state, node)));
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Ok(web::Json(Page { data: nodes, next_cursor: None }))
}

/// Get a node
///
/// Any node answers; one that is alive is asked itself, and says how its meter stands.
#[utoipa::path(
    get, path = "/admin/v1/nodes/{name}", tag = "node", operation_id = "get_node",
    params(("name" = String, Path, description = "The node's name")),
    responses(
        (status = 200, description = "The node", body = NodeJson),
        (status = 404, description = "`unknown_node`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(state: web::Data<ApiState>, name: web::Path<String>) -> Result<web::Json<NodeJson>, Problem> {
    if *name == state.node.name() {
        let meter = MeterJson::of(&state.node.meter_figures().await?, state.node.burn());
        return Ok(web::Json(NodeJson { meter: Some(meter), ..describe(&state) }));
    }
    let node = lookup(&state, &name).await?;
    Ok(web::Json(describe_other(&state, node)))
}

/// Drain this node
///
/// It takes nothing new and is emptied. Answers when that is done, or at the deadline. The node stays up; `undrain` takes
/// it back.
#[utoipa::path(
    post, path = "/admin/v1/drain", tag = "node", operation_id = "drain", request_body = DrainBody,
    responses(
        (status = 200, description = "What it came to", body = DrainReportJson),
        (status = 409, description = "`stands_alone`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn drain(
    state: web::Data<ApiState>,
    body: JsonBody<DrainBody>,
) -> Result<web::Json<DrainReportJson>, Problem> {
    let drain = Drain::ordered(&state, &body.value)?;
    // A task of its own: a drain goes on when whoever asked for it hangs up.
    let report = actix_web::rt::spawn(drain.run()).await.map_err(Problem::internal)?;
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

/// Drain a node
///
/// As `POST /admin/v1/drain`, asked of any node, and answered when the drain has begun: `GET` the node to see how far it is.
#[utoipa::path(
    post, path = "/admin/v1/nodes/{name}/drain", tag = "node", operation_id = "drain_node", request_body = DrainBody,
    params(("name" = String, Path, description = "The node's name")),
    responses(
        (status = 202, description = "It is being emptied", body = NodeJson),
        (status = 404, description = "`unknown_node`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "`node_lost`, `stands_alone`", body = ProblemSchema,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn drain_named(
    state: web::Data<ApiState>,
    name: web::Path<String>,
    body: JsonBody<DrainBody>,
) -> Result<HttpResponse, Problem> {
    only_here(&state, &name).await?;
    let drain = Drain::ordered(&state, &body.value)?;
    state.node.close().await;
    actix_web::rt::spawn(drain.run());
    Ok(HttpResponse::Accepted().json(describe(&state)))
}

/// Let a node take sessions again
#[utoipa::path(
    post, path = "/admin/v1/nodes/{name}/undrain", tag = "node", operation_id = "undrain_node",
    params(("name" = String, Path, description = "The node's name")),
    responses(
        (status = 200, description = "The node", body = NodeJson),
        (status = 404, description = "`unknown_node`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "`node_lost`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn undrain_named(
    state: web::Data<ApiState>,
    name: web::Path<String>,
) -> Result<web::Json<NodeJson>, Problem> {
    only_here(&state, &name).await?;
    Ok(undrain(state).await)
}

/// Give a lost node up
///
/// Its sessions are taken over even while most nodes look lost at once, when nothing else is. Be sure that it is gone: a
/// node that still runs falls silent by itself at the end of its lease.
#[utoipa::path(
    delete, path = "/admin/v1/nodes/{name}", tag = "node", operation_id = "give_up_node",
    params(("name" = String, Path, description = "The node's name")),
    responses(
        (status = 200, description = "The node", body = NodeJson),
        (status = 404, description = "`unknown_node`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "`node_alive`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn give_up(
    state: web::Data<ApiState>,
    name: web::Path<String>,
) -> Result<web::Json<NodeJson>, Problem> {
    let alive = || {
        let detail = format!("{name} holds its lease; drain it, or stop it, and its lease ends");
        Problem::new(Code::NodeAlive, detail)
    };
    let Some(members) = state.members() else {
        return Err(if *name == state.node.name() { alive() } else { unknown(&name) });
    };
    // A run of this name that was started since may live.
    let named = members.nodes().await?.into_iter().filter(|node| node.card.name == *name);
    let (lost, living): (Vec<_>, Vec<_>) = named.partition(NodeEntry::is_lost);
    let Some(mut node) = lost.into_iter().next() else {
        return Err(if living.is_empty() { unknown(&name) } else { alive() });
    };
    node.given_up = members.give_up(node.card.boot).await?;
    tracing::warn!(node = *name, "an operator has given a lost node up");
    Ok(web::Json(describe_other(&state, node)))
}

/// A drain that was asked for.
struct Drain {
    node: Node,
    /// The others, where sessions are to move.
    members: Option<Cluster>,
    deadline: Duration,
}

impl Drain {
    fn ordered(state: &ApiState, order: &DrainBody) -> Result<Self, Problem> {
        if order.deadline_s.is_some_and(|seconds| seconds > DRAIN_MAX_S) {
            return Err(Problem::field("/deadline_s", format!("must be at most {DRAIN_MAX_S}")));
        }
        let members = match order.mode {
            DrainMode::Wait => None,
            DrainMode::Migrate => Some(state.members().cloned().ok_or_else(stands_alone)?),
        };
        let deadline = order.deadline_s.map_or(state.node.options().drain_deadline, Duration::from_secs);
        Ok(Self { node: state.node.clone(), members, deadline })
    }

    async fn run(self) -> DrainReport {
        let Self { node, members, deadline } = self;
        let Some(members) = members else { return node.drain(deadline).await };
        node.close().await;
        node.arrivals().await;
        // Nothing moves any more where it was opened again meanwhile.
        members.migrate_all(Instant::now() + deadline).await;
        node.drained()
    }
}

pub(super) fn stands_alone() -> Problem {
    Problem::new(Code::StandsAlone, "there is no other node that could take a session")
}

fn unknown(name: &str) -> Problem {
    Problem::new(Code::UnknownNode, format!("there is no node `{name}`; `GET /admin/v1/nodes` lists them"))
}

/// Passes what is asked of this node. A call for another that is alive was passed on before.
async fn only_here(state: &ApiState, name: &str) -> Result<(), Problem> {
    if name == state.node.name() {
        return Ok(());
    }
    let node = lookup(state, name).await?;
    Err(if node.is_lost() {
        let detail = format!("the lease of {name} is over; its sessions go on elsewhere");
        Problem::new(Code::NodeLost, detail)
    } else {
        Problem::new(Code::NodeUnreachable, format!("{name} cannot be asked from here just now; ask again in a moment"))
            .retry_after(1)
    })
}

/// The node of this name as the store has it: the run that lives, if there is one.
pub(super) async fn lookup(state: &ApiState, name: &str) -> Result<NodeEntry, Problem> {
    let members = state.members().ok_or_else(|| unknown(name))?;
    let named = members.nodes().await?.into_iter().filter(|node| node.card.name == name);
    named.max_by_key(|node| node.lease_left_ms).ok_or_else(|| unknown(name))
}

fn describe(state: &ApiState) -> NodeJson {
    let (readiness, capacity) = (state.node.readiness(), state.node.capacity());
    let members = state.members();
    NodeJson {
        name: state.node.name().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        address: members.map(|members| members.options().address.clone()),
        ready: readiness.ready,
        reasons: readiness.reasons,
        lease_left_ms: members.map(Cluster::lease_left_ms),
        given_up: false,
        labels: members.map(|members| members.options().labels.clone()).unwrap_or_default(),
        avatars: state.node.stage().loaded_avatars(),
        store: state.node.store().kind(),
        sessions: capacity.sessions.into(),
        speaking_slots_milli: capacity.speaking_slots_milli.into(),
        meter: None,
    }
}

fn describe_other(state: &ApiState, node: NodeEntry) -> NodeJson {
    NodeJson::of_entry(node, state.node.store().kind())
}
