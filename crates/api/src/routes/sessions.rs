//! Sessions: create, read, list, stop, pause, resume, interrupt.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use footlight_actors::node::SessionFilter;
use footlight_ledger::Product;
use footlight_session::{SessionId, SessionState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::{Authenticated, EngineCaller};
use crate::body::{JsonBody, QueryOf, SessionPath};
use crate::cluster;
use crate::idempotency::{self, Answer};
use crate::json::{CreateSessionJson, CreatedSessionJson, EngineJson, Page, SessionJson, page};
use crate::placing;
use crate::problem::{Code, Problem, ProblemSchema};
use crate::routes::engines::runtime_token;
use crate::state::ApiState;

/// Which sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SessionsQuery {
    /// Only sessions in this state: `starting`, `running`, `idle`, `paused` or `ended`.
    #[param(value_type = Option<String>)]
    pub state: Option<SessionState>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Entries on the page, 1 to 200.
    #[param(example = 50, minimum = 1, maximum = 200)]
    pub limit: Option<usize>,
}

impl SessionsQuery {
    /// The cursor, the limit and the filter.
    fn parts(&self) -> Result<(Option<SessionId>, usize, SessionFilter), Problem> {
        let filter = SessionFilter { state: self.state, account: None };
        Ok((page::cursor(self.cursor.as_deref())?, page::limit(self.limit)?, filter))
    }
}

/// What an interrupt cut off.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Interrupted)]
pub(crate) struct InterruptedJson {
    /// Frames of older generations are not handed out any more.
    pub generation: u32,
    /// How far the utterance had come, in milliseconds of its audio; 0 if nothing was being spoken.
    pub position_ms: u64,
    /// The utterance that was cut off; null if nothing was being spoken.
    #[schema(value_type = Option<String>)]
    pub utterance_id: Option<footlight_session::UtteranceId>,
}

/// Create a session
///
/// It is ready at once and free until it speaks. `{}` gives the default avatar at 512x512 and 25 frames a second.
#[utoipa::path(
    post, path = "/v1/sessions", tag = "sessions", operation_id = "create_session",
    request_body = CreateSessionJson,
    params(("idempotency-key" = Option<String>, Header, description = "The same key creates once, for 24 hours")),
    responses(
        (status = 201, description = "The session", body = CreatedSessionJson),
        (status = 402, description = "`credits_exhausted`, `debt`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_field`, `unknown_avatar`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_sessions`: the plan's cap, or that of accounts without one", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 503, description = "`capacity`, `node_draining`, with `Retry-After`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: EngineCaller,
    body: JsonBody<CreateSessionJson>,
) -> Result<HttpResponse, Problem> {
    caller.check_not_revoked()?;
    check_may_begin(&caller, body.value.product.unwrap_or(Product::EssenceCloud))?;
    let shared = state.clone();
    idempotency::once(&state, &request, &caller.account.to_string(), body.digest, async move {
        let order = body.value;
        let is_remote = order.product.unwrap_or(Product::EssenceCloud).is_remote();
        if let Some(cluster) = shared.cluster.as_ref().filter(|_| !is_remote) {
            return placing::create(&shared, cluster, &caller, order).await;
        }
        placing::check_labels(&order, false)?;
        let record = shared.node.create_session(caller.caller(), order.into()).await?;
        let token = is_remote.then(|| runtime_token(&shared, &caller, record.product.surface(), Some(record.id)));
        let mut engine = EngineJson::of(&record, shared.node.rate_card(), shared.node.terms(), token);
        let session = SessionJson::of(record);
        let answer = Answer::json(
            StatusCode::CREATED,
            &CreatedSessionJson { session: session.clone(), engine: engine.clone() },
        )?;
        let Some(engine) = &mut engine else { return Ok(answer) };
        // No token is kept, not even for a repeat.
        engine.token = None;
        answer.remember(&CreatedSessionJson { session, engine: Some(engine.clone()) })
    })
    .await
}

/// An engine begins sessions of its own surface alone, and none with a token that is bound to one.
fn check_may_begin(caller: &EngineCaller, product: Product) -> Result<(), Problem> {
    let not_enough = |why: String| Err(Problem::new(Code::TokenNotEnough, why));
    match caller {
        EngineCaller { session: Some(_), .. } => {
            not_enough("the token is bound to a session; a new one needs a token that is not".to_owned())
        }
        EngineCaller { surface: Some(surface), .. } if *surface != product.surface() => {
            not_enough(format!("the token begins sessions of `{surface}` products, and `{product}` is none"))
        }
        _ => Ok(()),
    }
}

/// List sessions
///
/// Newest first, ended ones included.
#[utoipa::path(
    get, path = "/v1/sessions", tag = "sessions", operation_id = "list_sessions", params(SessionsQuery),
    responses((status = 200, description = "One page", body = Page<SessionJson>)),
)]
pub(crate) async fn list(
    state: web::Data<ApiState>,
    caller: Authenticated,
    query: QueryOf<SessionsQuery>,
) -> Result<web::Json<Page<SessionJson>>, Problem> {
    let (before, limit, filter) = query.0.parts()?;
    let _turn = match filter.state {
        Some(_) => Some(state.searches.take(caller.account).await?),
        None => None,
    };
    let mut found = state.node.list_sessions(caller.into(), before, limit, filter).await?;
    cluster::freshen(&state, &mut found.records).await;
    let next_cursor = found.next.map(|next| next.to_string());
    Ok(web::Json(Page { data: found.records.into_iter().map(SessionJson::of).collect(), next_cursor }))
}

/// Get a session
#[utoipa::path(
    get, path = "/v1/sessions/{id}", tag = "sessions", operation_id = "get_session",
    params(("id" = String, Path, description = "The session's id", example = "ses_0193b5f2a7c87d1e8f3a9b2c4d5e6f70")),
    responses(
        (status = 200, description = "The session", body = SessionJson),
        (status = 404, description = "`unknown_session`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    state: web::Data<ApiState>,
    caller: EngineCaller,
    session: SessionPath,
) -> Result<web::Json<SessionJson>, Problem> {
    caller.check_session(session.0)?;
    caller.check_not_revoked()?;
    let record = state.node.session(caller.caller(), session.0).await?;
    Ok(web::Json(SessionJson::of(record)))
}

/// Stop a session
///
/// What was used is settled within a second. Stopping a session that is over changes nothing and answers it as it
/// is; one that is still starting is cancelled.
#[utoipa::path(
    delete, path = "/v1/sessions/{id}", tag = "sessions", operation_id = "stop_session",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The session, ended", body = SessionJson),
        (status = 404, description = "`unknown_session`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn stop(
    state: web::Data<ApiState>,
    caller: EngineCaller,
    session: SessionPath,
) -> Result<web::Json<SessionJson>, Problem> {
    caller.check_session(session.0)?;
    caller.check_not_revoked()?;
    let record = state.node.stop(caller.caller(), session.0).await?;
    Ok(web::Json(SessionJson::of(record)))
}

/// Pause a session
///
/// It falls silent and costs nothing until it is resumed. Speech keeps its place. A top-up does not resume it.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/pause", tag = "sessions", operation_id = "pause_session",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The session, paused", body = SessionJson),
        (status = 404, description = "`unknown_session`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "`session_ended`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn pause(
    state: web::Data<ApiState>,
    caller: Authenticated,
    session: SessionPath,
) -> Result<web::Json<SessionJson>, Problem> {
    let record = state.node.pause(caller.into(), session.0).await?;
    Ok(web::Json(SessionJson::of(record)))
}

/// Resume a session
///
/// Takes back the pause that was asked for. If it is held back for another reason as well, it stays paused; see
/// `pause_reasons`.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/resume", tag = "sessions", operation_id = "resume_session",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "The session", body = SessionJson),
        (status = 404, description = "`unknown_session`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "`session_ended`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn resume(
    state: web::Data<ApiState>,
    caller: Authenticated,
    session: SessionPath,
) -> Result<web::Json<SessionJson>, Problem> {
    let record = state.node.resume(caller.into(), session.0).await?;
    Ok(web::Json(SessionJson::of(record)))
}

/// Interrupt
///
/// Stops what is being spoken and forgets what was waiting. After the answer no frame of the old generation is handed
/// out.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/interrupt", tag = "sessions", operation_id = "interrupt_session",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "What was cut off, and where", body = InterruptedJson),
        (status = 404, description = "`unknown_session`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "`session_ended`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn interrupt(
    state: web::Data<ApiState>,
    caller: Authenticated,
    session: SessionPath,
) -> Result<web::Json<InterruptedJson>, Problem> {
    let cut = state.node.interrupt(caller.into(), session.0).await?;
    Ok(web::Json(InterruptedJson {
        generation: cut.generation,
        position_ms: cut.position_ms,
        utterance_id: cut.utterance,
    }))
}
