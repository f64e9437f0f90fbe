//! Server-sent events of a session.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use footlight_actors::EventStream;
use futures_util::{StreamExt as _, stream};

use crate::auth::{self, ViewerCaller};
use crate::body::SessionPath;
use crate::json::EventJson;
use crate::problem::{Problem, ProblemSchema};
use crate::state::ApiState;
use crate::stream::Seat;

/// Follow a session's events
///
/// Server-sent events. The first one tells the present state, so a client that connects again has missed nothing that
/// still matters. The stream ends with the session.
#[utoipa::path(
    get, path = "/v1/sessions/{id}/events", tag = "sessions", operation_id = "session_events",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "Events, until the session is over", body = EventJson, content_type = "text/event-stream"),
        (status = 404, description = "`unknown_session`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_streams`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn follow(
    state: web::Data<ApiState>,
    caller: ViewerCaller,
    session: SessionPath,
) -> Result<HttpResponse, Problem> {
    // In this order: a stranger must not learn from a lack of seats that there is such a session.
    let who = caller.for_session(session.0)?;
    let events = state.node.events(who, session.0).await?;
    let seat = state.seats.take(session.0.0, caller.follower(), state.options.max_streams_per_session)?;
    let keep_alive = state.options.keep_alive();
    let revoked = auth::until_revoked(state.clone(), who);
    let lines = stream::unfold((events, seat), move |(mut events, seat): (EventStream, Seat)| async move {
        let line = match tokio::time::timeout(keep_alive, events.next()).await {
            Ok(Some(event)) => line(&event.into()),
            Ok(None) => return None,
            Err(_) => Bytes::from_static(b": still here\n\n"),
        };
        Some((Ok::<_, Problem>(line), (events, seat)))
    });
    let lines = lines.take_until(Box::pin(revoked));
    let mut response = HttpResponse::Ok();
    match caller.origin {
        // The page that the token is bound to may read what it asked for.
        Some(origin) => {
            response.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin));
            response.insert_header((header::VARY, "origin"));
        }
        // A token that is bound to none is for pages of any.
        None if !caller.may_control => {
            response.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
        }
        None => {}
    }
    Ok(response
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Proxies that gather answers would gather this one for ever.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(lines))
}

fn line(event: &EventJson) -> Bytes {
    let data = serde_json::to_string(event).expect("events are strings and numbers");
    format!("id: {}\nevent: {}\ndata: {data}\n\n", event.sequence, event.kind.name()).into()
}
