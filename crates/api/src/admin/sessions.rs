//! Sessions of all accounts.

use actix_web::web;
use footlight_actors::node::SessionFilter;
use footlight_actors::{Caller, NodeError};
use footlight_cluster::MoveError;
use footlight_ledger::AccountId;
use footlight_session::SessionState;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::node;
use crate::body::{JsonBody, QueryOf, SessionPath};
use crate::json::{Page, SessionJson, page};
use crate::problem::{Code, Problem, ProblemSchema};
use crate::state::ApiState;
use crate::{cluster, proxy};

/// When a session that was not moved may be, in seconds.
const MOVE_RETRY_S: u64 = 5;

/// Which sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SessionsQuery {
    /// Only sessions in this state: `starting`, `running`, `idle`, `paused` or `ended`.
    #[param(value_type = Option<String>)]
    pub state: Option<SessionState>,
    /// Only sessions of this account.
    #[param(value_type = Option<String>)]
    pub account: Option<AccountId>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Entries on the page, 1 to 200.
    #[param(example = 50, minimum = 1, maximum = 200)]
    pub limit: Option<usize>,
}

/// List sessions of all accounts
#[utoipa::path(
    get, path = "/admin/v1/sessions", tag = "sessions", operation_id = "list_all_sessions", params(SessionsQuery),
    responses((status = 200, description = "One page", body = Page<SessionJson>)),
)]
pub(crate) async fn list(
    state: web::Data<ApiState>,
    query: QueryOf<SessionsQuery>,
) -> Result<web::Json<Page<SessionJson>>, Problem> {
    let query = query.0;
    let limit = page::limit(query.limit)?;
    let before = page::cursor(query.cursor.as_deref())?;
    let filter = SessionFilter { state: query.state, account: query.account };
    let mut found = state.node.list_sessions(Caller::Operator, before, limit, filter).await?;
    cluster::freshen(&state, &mut found.records).await;
    let next_cursor = found.next.map(|next| next.to_string());
    Ok(web::Json(Page { data: found.records.into_iter().map(SessionJson::with_account).collect(), next_cursor }))
}

/// Get any session
#[utoipa::path(
    get, path = "/admin/v1/sessions/{id}", tag = "sessions", operation_id = "get_any_session",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The session", body = SessionJson),
        (status = 404, description = "`unknown_session`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(state: web::Data<ApiState>, session: SessionPath) -> Result<web::Json<SessionJson>, Problem> {
    Ok(web::Json(SessionJson::with_account(state.node.session(Caller::Operator, session.0).await?)))
}

/// Stop any session
#[utoipa::path(
    delete, path = "/admin/v1/sessions/{id}", tag = "sessions", operation_id = "stop_any_session",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The session, ended", body = SessionJson),
        (status = 404, description = "`unknown_session`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn stop(state: web::Data<ApiState>, session: SessionPath) -> Result<web::Json<SessionJson>, Problem> {
    Ok(web::Json(SessionJson::with_account(state.node.stop(Caller::Operator, session.0).await?)))
}

/// Where a session shall go.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Migrate, example = json!({"to": "node-2"}))]
pub(crate) struct MigrateBody {
    /// The node's name; the one that has most room, unless named.
    pub to: Option<String>,
}

/// Move a session to another node
///
/// It goes on there as it stands here, with what it has still to say. Those who watch are told, and come again through any
/// node. Answers when it is there.
#[utoipa::path(
    post, path = "/admin/v1/sessions/{id}/migrate", tag = "sessions", operation_id = "migrate_session",
    params(("id" = String, Path, description = "The session's id")), request_body = MigrateBody,
    responses(
        (status = 200, description = "The session, at its new node", body = SessionJson),
        (status = 404, description = "`unknown_session`, `unknown_node`", body = ProblemSchema,
            content_type = "application/problem+json"),
        (status = 409, description = "`session_ended`, `stands_alone`", body = ProblemSchema,
            content_type = "application/problem+json"),
        (status = 503, description = "`capacity`, `not_moved`", body = ProblemSchema,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn migrate(
    state: web::Data<ApiState>,
    session: SessionPath,
    body: JsonBody<MigrateBody>,
) -> Result<web::Json<SessionJson>, Problem> {
    let session = session.0;
    // One that is over, or is not known, says so.
    let record = state.node.session(Caller::Operator, session).await?;
    if let Some(reason) = record.end_reason {
        return Err(NodeError::Ended { reason }.into());
    }
    let members = state.members().ok_or_else(node::stands_alone)?.clone();
    let to = match body.value.to {
        None => None,
        Some(name) if name == record.node => return Ok(web::Json(SessionJson::with_account(record))),
        Some(name) => Some(node::lookup(&state, &name).await?.card.boot),
    };
    // A task of its own: half a move would be nobody's session.
    let moved = actix_web::rt::spawn(async move { members.migrate(session, to).await });
    moved.await.map_err(Problem::internal)??;
    Ok(web::Json(SessionJson::with_account(state.node.session(Caller::Operator, session).await?)))
}

impl From<MoveError> for Problem {
    fn from(error: MoveError) -> Self {
        let detail = error.to_string();
        match error {
            MoveError::NoRoom => Self::new(Code::Capacity, detail).retry_after(MOVE_RETRY_S).with("what", "sessions"),
            MoveError::NotHere => proxy::moving("the session has just left this node; ask again in a moment"),
            MoveError::OnItsWay | MoveError::Failed(_) => Self::new(Code::NotMoved, detail).retry_after(MOVE_RETRY_S),
        }
    }
}
