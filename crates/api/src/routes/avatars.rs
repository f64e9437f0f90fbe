//! The avatars there are: those that all may show, and an account's own.

use std::convert::Infallible;
use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::Bytes;
use footlight_avatar::bundle::{BundleLimits, OwnBundle};
use footlight_wardrobe::{NewAvatar, Replace, WardrobeError};
use futures_util::{Stream, stream};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::auth::Authenticated;
use crate::body::{self, QueryOf};
use crate::idempotency::{self, Answer};
use crate::json::{AvatarJson, Page, PageQuery};
use crate::problem::{Code, Problem, ProblemSchema};
use crate::state::ApiState;

/// What a connection is handed of a bundle at once.
const SLICE_BYTES: usize = 64 << 10;

impl From<WardrobeError> for Problem {
    fn from(error: WardrobeError) -> Self {
        let detail = error.to_string();
        match error {
            WardrobeError::UnknownAvatar | WardrobeError::UnknownPicture => Self::new(Code::UnknownThing, detail),
            WardrobeError::Taken { .. } | WardrobeError::Reserved { .. } => Self::new(Code::AvatarTaken, detail),
            WardrobeError::TooMany { limit, .. } => Self::new(Code::TooManyKept, detail).with("limit", limit),
            WardrobeError::NoRoom { limit, .. } => Self::new(Code::TooManyKept, detail).with("limit", limit),
            WardrobeError::Bundle(_) => Self::new(Code::InvalidAvatar, detail),
            WardrobeError::NoPicture => Self::new(Code::PictureUnsupported, detail),
            WardrobeError::Store(error) => error.into(),
            WardrobeError::Broken(_) => Self::internal(detail),
        }
    }
}

/// List avatars
///
/// Those that all may show, and the account's own, by name.
#[utoipa::path(
    get, path = "/v1/avatars", tag = "avatars", operation_id = "list_avatars", params(PageQuery),
    responses((status = 200, description = "One page", body = Page<AvatarJson>)),
)]
pub(crate) async fn list(
    state: web::Data<ApiState>,
    caller: Authenticated,
    query: QueryOf<PageQuery>,
) -> Result<web::Json<Page<AvatarJson>>, Problem> {
    let limit = query.0.limit()?;
    let after = query.0.cursor.unwrap_or_default();
    let own = state.wardrobe.list(caller.account).await?;
    let shared = state.wardrobe.shared().clone();
    // What ships has to be unpacked the first time.
    let found = web::block(move || {
        let mut avatars: Vec<_> = shared
            .names()
            // An operator may have added one since: the account's own is the one that is meant.
            .filter(|name| *name > after.as_str() && own.iter().all(|kept| kept.name != **name))
            .take(limit + 1)
            .filter_map(|name| shared.summary(name).cloned().map(AvatarJson::shared))
            .collect();
        avatars.extend(own.into_iter().filter(|kept| kept.name > after).map(AvatarJson::own));
        avatars.sort_by(|a, b| a.name.cmp(&b.name));
        avatars
    });
    let found = found.await.map_err(Problem::internal)?;
    Ok(web::Json(Page::cut(found, limit, |avatar| avatar.name.clone(), |avatar| avatar)))
}

/// Get an avatar
#[utoipa::path(
    get, path = "/v1/avatars/{avatar}", tag = "avatars", operation_id = "get_avatar",
    params(("avatar" = String, Path, description = "The avatar's name")),
    responses(
        (status = 200, description = "The avatar", body = AvatarJson),
        (status = 404, description = "`unknown_thing`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    state: web::Data<ApiState>,
    caller: Authenticated,
    name: web::Path<String>,
) -> Result<web::Json<AvatarJson>, Problem> {
    if let Some(kept) = state.wardrobe.get(caller.account, &name).await? {
        return Ok(web::Json(AvatarJson::own(kept)));
    }
    let shared = state.wardrobe.shared().clone();
    let found = web::block(move || shared.summary(&name).cloned()).await.map_err(Problem::internal)?;
    found.map(|summary| web::Json(AvatarJson::shared(summary))).ok_or_else(unknown)
}

/// What may happen to another avatar of the name.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UploadQuery {
    /// Whether it may take the place of another of yours. Sessions that show that one go on with it.
    #[serde(default)]
    #[param(inline)]
    pub replace: bool,
}

/// Upload an avatar
///
/// A bundle: a zip of at most 16 MiB with a manifest, layers, a displacement lattice and banks of mouths and lids. It is
/// unpacked and checked, and is yours alone.
#[utoipa::path(
    post, path = "/v1/avatars", tag = "avatars", operation_id = "upload_avatar",
    params(
        UploadQuery,
        ("idempotency-key" = Option<String>, Header, description = "The same key uploads once, for 24 hours"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The bundle: a zip"),
    responses(
        (status = 201, description = "The avatar", body = AvatarJson),
        (status = 409, description = "`avatar_taken`, `too_many_kept`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_avatar`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 503, description = "`capacity`, `store_unreachable`, with `Retry-After`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn upload(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Authenticated,
    query: QueryOf<UploadQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let limit = BundleLimits::CUSTOMER.archive_bytes_max.min(state.options.max_upload_bytes);
    let turn = state.uploads.take(caller.account).await?;
    let mut memory = state.upload_memory(caller.account);
    let bundle = body::read(&request, payload, limit, state.options.body_timeout(), |bytes| memory.grow(bytes)).await?;
    drop(turn);
    let replace = if query.0.replace { Replace::Whichever } else { Replace::Nothing };
    let digest = idempotency::digest_of_upload(&request, &bundle, &format!("{replace:?}")).await?;
    let shared = state.clone();
    idempotency::once(&state, &request, &caller.account.to_string(), digest, async move {
        let new = NewAvatar { bundle: Vec::from(bundle), preview: None, job: None, is_copy: false, replace };
        // Unpacking takes a core, as decoding does.
        let turn = shared.decoders.take(caller.account).await?;
        let checked = shared.wardrobe.check(new).await?;
        drop(turn);
        let kept = shared.wardrobe.put(caller.account, checked).await?;
        drop(memory);
        Answer::json(StatusCode::CREATED, &AvatarJson::own(kept))
    })
    .await
}

/// Remove an avatar
///
/// One of your own. Sessions that show it go on.
#[utoipa::path(
    delete, path = "/v1/avatars/{avatar}", tag = "avatars", operation_id = "remove_avatar",
    params(("avatar" = String, Path, description = "The avatar's name")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "`unknown_thing`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove(
    state: web::Data<ApiState>,
    caller: Authenticated,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    state.wardrobe.remove(caller.account, &name).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Get an avatar's preview
///
/// What the job that made it drew of it. Uploaded avatars have none.
#[utoipa::path(
    get, path = "/v1/avatars/{avatar}/preview", tag = "avatars", operation_id = "get_avatar_preview",
    params(("avatar" = String, Path, description = "The avatar's name")),
    responses(
        (status = 200, description = "A PNG", body = Vec<u8>, content_type = "image/png"),
        (status = 404, description = "`unknown_thing`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn preview(
    state: web::Data<ApiState>,
    caller: Authenticated,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let preview = state.wardrobe.preview(caller.account, &name).await?.ok_or_else(unknown)?;
    Ok(private("image/png").body(preview))
}

/// Get an avatar's bundle
///
/// One of your own, as it is shown: for engines of your own. Copies of avatars that all may show are not given out.
#[utoipa::path(
    get, path = "/v1/avatars/{avatar}/bundle", tag = "avatars", operation_id = "get_avatar_bundle",
    params(("avatar" = String, Path, description = "The avatar's name")),
    responses(
        (status = 200, description = "A zip", body = Vec<u8>, content_type = "application/zip"),
        (status = 404, description = "`unknown_thing`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn bundle(
    state: web::Data<ApiState>,
    caller: Authenticated,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    // A copy of an operator's avatar is shown, not given away.
    let kept = state.wardrobe.get(caller.account, &name).await?.filter(|kept| !kept.is_copy);
    kept.ok_or_else(unknown)?;
    let own = state.wardrobe.open(caller.account, &name).await?.ok_or_else(unknown)?;
    let length = own.bytes.len() as u64;
    Ok(private("application/zip").body(SizedStream::new(length, slices(own))))
}

/// A bundle, slice by slice: a connection keeps what it is handed until its client has read it. As long as one is on its way the
/// wardrobe knows it, so that whoever asks meanwhile shares its bytes.
fn slices(own: Arc<OwnBundle>) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let starts = (0..own.bytes.len()).step_by(SLICE_BYTES);
    let slice = move |start: usize| own.bytes.slice(start..own.bytes.len().min(start + SLICE_BYTES));
    stream::iter(starts.map(move |start| Ok(slice(start))))
}

fn unknown() -> Problem {
    Problem::new(Code::UnknownThing, "there is no such avatar of yours, or it has no such part")
}

/// Somebody's own bytes: not for caches that others share.
fn private(content_type: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type(content_type).insert_header((header::CACHE_CONTROL, "private, no-store"));
    response
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    #[actix_web::test]
    async fn a_bundle_on_its_way_is_handed_out_in_slices_and_shared_with_whoever_asks() {
        let bytes = Bytes::from(vec![7; 2 * SLICE_BYTES + 5]);
        let own = Arc::new(OwnBundle { name: "mine".to_owned(), edition: 1, bytes });
        let known = Arc::downgrade(&own);
        let mut slices = slices(own);
        let mut lengths = Vec::new();
        while let Some(Ok(slice)) = slices.next().await {
            lengths.push(slice.len());
            assert!(known.upgrade().is_some_and(|own| own.bytes.slice_ref(&slice) == slice), "it is no copy");
        }
        assert_eq!(lengths, [SLICE_BYTES, SLICE_BYTES, 5]);
        drop(slices);
        assert!(known.upgrade().is_none(), "nobody holds it any more");
    }
}
