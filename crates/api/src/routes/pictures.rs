//! Pictures that avatars are made from.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use footlight_wardrobe::PictureId;
use footlight_wardrobe::pictures::PICTURE_MAX;

use crate::auth::Authenticated;
use crate::body::{self, path_id};
use crate::idempotency::{self, Answer};
use crate::json::{Page, PictureJson};
use crate::problem::{Code, Problem, ProblemSchema};
use crate::state::ApiState;

/// Upload a picture
///
/// PNG or JPEG, at most 16 MiB, for a job of the kind `agent`. It is kept for a day, unless the operator has set another time.
#[utoipa::path(
    post, path = "/v1/pictures", tag = "avatars", operation_id = "upload_picture",
    params(("idempotency-key" = Option<String>, Header, description = "The same key uploads once, for 24 hours")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The picture"),
    responses(
        (status = 201, description = "The picture's id", body = PictureJson),
        (status = 409, description = "`too_many_kept`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 415, description = "`picture_unsupported`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 503, description = "`capacity`, `store_unreachable`, with `Retry-After`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn upload(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Authenticated,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let limit = (PICTURE_MAX as u64).min(state.options.max_upload_bytes);
    let turn = state.uploads.take(caller.account).await?;
    let mut memory = state.upload_memory(caller.account);
    let picture =
        body::read(&request, payload, limit, state.options.body_timeout(), |bytes| memory.grow(bytes)).await?;
    drop(turn);
    let digest = idempotency::digest_of_upload(&request, &picture, "").await?;
    let wardrobe = state.wardrobe.clone();
    idempotency::once(&state, &request, &caller.account.to_string(), digest, async move {
        // Held until it is kept.
        let _memory = memory;
        let kept = wardrobe.put_picture(caller.account, Vec::from(picture)).await?;
        Answer::json(StatusCode::CREATED, &PictureJson::of(kept))
    })
    .await
}

/// List pictures
///
/// Those that are still there, oldest first.
#[utoipa::path(
    get, path = "/v1/pictures", tag = "avatars", operation_id = "list_pictures",
    responses((status = 200, description = "All of them", body = Page<PictureJson>)),
)]
pub(crate) async fn list(
    state: web::Data<ApiState>,
    caller: Authenticated,
) -> Result<web::Json<Page<PictureJson>>, Problem> {
    let pictures = state.wardrobe.pictures(caller.account).await?;
    Ok(web::Json(Page { data: pictures.into_iter().map(PictureJson::of).collect(), next_cursor: None }))
}

/// Remove a picture
///
/// Before its time is over.
#[utoipa::path(
    delete, path = "/v1/pictures/{picture}", tag = "avatars", operation_id = "remove_picture",
    params(("picture" = String, Path, description = "The picture's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "`unknown_thing`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Authenticated,
) -> Result<HttpResponse, Problem> {
    let picture: PictureId = path_id(&request, "picture", Code::UnknownThing)?;
    state.wardrobe.remove_picture(caller.account, picture).await?;
    Ok(HttpResponse::NoContent().finish())
}
