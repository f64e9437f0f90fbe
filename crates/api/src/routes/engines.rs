//! Engines elsewhere: their tokens, and their heartbeats. Browsers' tokens are made here too.

use actix_web::http::StatusCode;
use actix_web::web;
use actix_web::{HttpResponse, http::Uri};
use footlight_actors::EngineReport;
use footlight_ledger::{Ask, PauseReason, SessionId, Surface, Timestamp};

use crate::auth::{Authenticated, EngineCaller};
use crate::body::{JsonBody, SessionPath};
use crate::json::{
    CreateClientTokenJson, CreateRuntimeTokenJson, HeartbeatAnswerJson, HeartbeatJson, RuntimeTokenJson, TokenJson,
};
use crate::problem::{Code, Problem, ProblemSchema};
use crate::state::ApiState;
use crate::token::{self, Claims, Usage};

/// Numbers beyond this are not exact in every client's JSON.
const NUMBER_MAX: u64 = (1 << 53) - 1;
/// The longest origin that a token is bound to.
const ORIGIN_LEN_MAX: usize = 255;

/// Get a runtime token
///
/// Turns the account's secret into a token for an engine elsewhere, so that the secret itself stays where it is. It begins
/// sessions on its surface, or, bound to one, reports for it.
#[utoipa::path(
    post, path = "/v1/runtime-tokens", tag = "engines", operation_id = "create_runtime_token",
    request_body = CreateRuntimeTokenJson,
    responses(
        (status = 201, description = "The token", body = RuntimeTokenJson),
        (status = 404, description = "`unknown_session`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_field`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create_token(
    state: web::Data<ApiState>,
    caller: Authenticated,
    body: JsonBody<CreateRuntimeTokenJson>,
) -> Result<HttpResponse, Problem> {
    let CreateRuntimeTokenJson { surface, session } = body.value;
    if surface == Surface::Cloud {
        return Err(Problem::field(
            "/surface",
            "must be `self_hosted`, `on_device` or `managed`: our own nodes need none",
        ));
    }
    let session = match session {
        None => None,
        Some(text) => Some(bindable(&state, caller, surface, &text).await?),
    };
    let engine = EngineCaller::from(caller);
    let token = runtime_token(&state, &engine, surface, session);
    Ok(HttpResponse::Created().json(RuntimeTokenJson { token, surface }))
}

/// The session that a token is to be bound to, if it is this account's and of this surface.
async fn bindable(state: &ApiState, caller: Authenticated, surface: Surface, text: &str) -> Result<SessionId, Problem> {
    let session: SessionId = text
        .parse()
        .map_err(|error: footlight_ledger::InvalidId| Problem::new(Code::UnknownSession, error.to_string()))?;
    let record = state.node.session(caller.into(), session).await?;
    if record.product.surface() == surface {
        return Ok(session);
    }
    Err(Problem::field("/surface", format!("is `{surface}`; the session's is `{}`", record.product.surface())))
}

/// Report and ask for the next slice
///
/// For engines elsewhere, once a minute while units are used, and sooner when a slice comes to its end. Never rate-limited.
/// An engine stops at `slice_end` by itself; only when this system cannot be reached may it go `grace_units` further.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/heartbeats", tag = "engines", operation_id = "heartbeat",
    params(("id" = String, Path, description = "The session's id")),
    request_body = HeartbeatJson,
    responses(
        (status = 200, description = "How far it may go", body = HeartbeatAnswerJson),
        (status = 404, description = "`unknown_session`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "`stale_request`, `fenced`, `session_ended` (settled for good), `engine_here`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_field`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn heartbeat(
    state: web::Data<ApiState>,
    caller: EngineCaller,
    session: SessionPath,
    body: JsonBody<HeartbeatJson>,
) -> Result<web::Json<HeartbeatAnswerJson>, Problem> {
    let (id, heartbeat) = (session.0, body.value);
    caller.check_session(id)?;
    for (field, value) in [("/request_number", heartbeat.request_number), ("/units", heartbeat.units)] {
        if value > NUMBER_MAX {
            return Err(Problem::field(field, format!("is {value}; at most {NUMBER_MAX} is exact in JSON")));
        }
    }
    if heartbeat.request_number == 0 {
        return Err(Problem::field("/request_number", "is 0; numbers begin at 1"));
    }
    let node = &state.node;
    let record = node.session(caller.caller(), id).await?;
    if caller.surface.is_some_and(|surface| surface != record.product.surface()) {
        return Err(Problem::new(Code::TokenNotEnough, "the token is for engines of another surface"));
    }
    if caller.is_revoked {
        // Found here sooner than by the round that looks for it.
        node.secret_revoked(caller.account, caller.secret).await;
    }
    let mut report: EngineReport = heartbeat.into();
    if caller.is_revoked {
        // Whichever secret the session was begun with: it reports, and gets nothing more.
        report.ask = Ask::Release;
    }
    let mut answer = node.heartbeat(caller.caller(), id, report).await?;
    if caller.is_revoked && answer.end_reason.is_none() {
        answer.pause_reasons.insert(PauseReason::KeyRevoked);
    }
    let is_over = answer.end_reason.is_some() || caller.is_revoked;
    let token = (!is_over).then(|| runtime_token(&state, &caller, record.product.surface(), Some(id)));
    Ok(web::Json(HeartbeatAnswerJson::of(heartbeat.request_number, answer, node.terms(), token)))
}

/// Get a client token
///
/// For a browser: it opens the session's stream and events, and nothing else. Browsers send it as the query value `token`,
/// or, for the stream, as the WebSocket subprotocol `footlight.token.TOKEN` beside `footlight`.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/client-tokens", tag = "sessions", operation_id = "create_client_token",
    params(("id" = String, Path, description = "The session's id")),
    request_body = CreateClientTokenJson,
    responses(
        (status = 201, description = "The token", body = TokenJson),
        (status = 404, description = "`unknown_session`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "`session_ended`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_field`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create_client_token(
    state: web::Data<ApiState>,
    caller: Authenticated,
    session: SessionPath,
    body: JsonBody<CreateClientTokenJson>,
) -> Result<HttpResponse, Problem> {
    let record = state.node.session(caller.into(), session.0).await?;
    if let Some(reason) = record.end_reason {
        return Err(footlight_actors::NodeError::Ended { reason }.into());
    }
    let origin = body.value.origin.as_deref().map(read_origin).transpose()?;
    let usage = Usage::Viewer { session: session.0, origin };
    let token = issue(&state, caller, usage, state.options.client_token_s);
    Ok(HttpResponse::build(StatusCode::CREATED).json(token))
}

/// An origin as browsers send it (RFC 6454): in small letters, and without the port that its scheme has anyway.
fn read_origin(origin: &str) -> Result<String, Problem> {
    let wrong = || Problem::field("/origin", "must be a scheme and a host, as in `https://example.org:8443`");
    let uri: Uri = origin.parse().map_err(|_| wrong())?;
    let is_web = uri.scheme_str().is_some_and(|scheme| matches!(scheme, "http" | "https"));
    let is_bare = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        && uri.path() == "/"
        && uri.query().is_none()
        && !origin.ends_with('/');
    if origin.len() > ORIGIN_LEN_MAX || !is_web || !is_bare {
        return Err(wrong());
    }
    let origin = origin.to_ascii_lowercase();
    let usual_port = if origin.starts_with("https:") { ":443" } else { ":80" };
    Ok(origin.strip_suffix(usual_port).unwrap_or(&origin).to_owned())
}

/// A token for the engine of this caller.
pub(crate) fn runtime_token(
    state: &ApiState,
    caller: &EngineCaller,
    surface: Surface,
    session: Option<SessionId>,
) -> TokenJson {
    let caller = Authenticated { account: caller.account, secret: caller.secret };
    issue(state, caller, Usage::Engine { surface, session }, state.options.runtime_token_s)
}

fn issue(state: &ApiState, caller: Authenticated, usage: Usage, lasts_s: u64) -> TokenJson {
    let lasts_ms = i64::try_from(lasts_s.saturating_mul(1_000)).unwrap_or(i64::MAX);
    let expires_at: Timestamp = state.node.now().plus_ms(lasts_ms);
    let claims = Claims { account: caller.account, secret: caller.secret, usage, expires_at };
    TokenJson { token: token::sign(&state.options.token_key, &claims), expires_at: expires_at.into() }
}
