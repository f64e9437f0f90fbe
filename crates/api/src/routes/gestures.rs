//! Gestures: what an avatar does beside speaking.

use actix_web::http::StatusCode;
use actix_web::web;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Authenticated;
use crate::body::{JsonBody, SessionPath};
use crate::problem::{Problem, ProblemSchema};
use crate::state::ApiState;

/// Which gesture.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlayGesture)]
pub(crate) struct PlayGestureJson {
    /// One of the avatar's gestures, by its name.
    #[schema(example = "nod")]
    pub gesture: String,
}

/// What was begun.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GestureBegun)]
pub(crate) struct GestureBegunJson {
    /// Its name.
    #[schema(example = "nod")]
    pub gesture: String,
    /// How long it takes, in milliseconds, without the time that it is held for.
    #[schema(example = 1400)]
    pub duration_ms: u32,
    /// Whether it holds its pose: until speech begins, an interrupt, another gesture, or for 30 seconds.
    pub holds: bool,
}

/// Play a gesture
///
/// Over rest and over speech, free of charge; a gesture that plays makes way for it. While the session is paused or nobody
/// watches, nothing is played, now or later; the event `gesture_started` tells of its first frame.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/gestures", tag = "speech", operation_id = "play_gesture",
    params(("id" = String, Path, description = "The session's id")),
    request_body = PlayGestureJson,
    responses(
        (status = 202, description = "It was taken", body = GestureBegunJson),
        (status = 404, description = "`unknown_session`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "`session_ended`, `engine_elsewhere`, `wrong_state`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`unknown_gesture`: `known` lists those there are", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn play(
    state: web::Data<ApiState>,
    caller: Authenticated,
    session: SessionPath,
    body: JsonBody<PlayGestureJson>,
) -> Result<(web::Json<GestureBegunJson>, StatusCode), Problem> {
    let begun = state.node.gesture(caller.into(), session.0, &body.value.gesture).await?;
    let told = GestureBegunJson {
        gesture: begun.name.clone(),
        duration_ms: begun.duration_ms,
        holds: begun.hold_at_ms.is_some(),
    };
    Ok((web::Json(told), StatusCode::ACCEPTED))
}
