//! Sessions of all accounts.

use actix_web::web;
use footlight_actors::Caller;
use footlight_actors::node::SessionFilter;
use footlight_ledger::AccountId;
use footlight_session::SessionState;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::body::{QueryOf, SessionPath};
use crate::cluster;
use crate::json::{Page, SessionJson, page};
use crate::problem::{Problem, ProblemSchema};
use crate::state::ApiState;

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
