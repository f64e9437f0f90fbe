//! The avatars there are.

use std::sync::Arc;

use actix_web::web;
use footlight_avatar::bundle::{DEFAULT_AVATAR, Manifest};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Authenticated;
use crate::body::QueryOf;
use crate::json::{Page, PageQuery};
use crate::problem::Problem;
use crate::state::ApiState;

/// One avatar.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Avatar)]
pub(crate) struct AvatarJson {
    /// Its name: what a session asks for.
    #[schema(example = "ada")]
    pub name: String,
    /// Its name for people.
    #[schema(example = "Ada")]
    pub title: String,
    /// The licence of its pictures, as an SPDX expression.
    #[schema(example = "Apache-2.0")]
    pub licence: String,
    /// The size it is drawn at, in pixels; sessions may ask for others.
    pub width: u32,
    /// See `width`.
    pub height: u32,
    /// Whether a session that names no avatar gets this one.
    pub default: bool,
}

impl AvatarJson {
    fn of(manifest: Manifest) -> Self {
        Self {
            default: manifest.name == DEFAULT_AVATAR,
            name: manifest.name,
            title: manifest.title,
            licence: manifest.licence,
            width: manifest.width,
            height: manifest.height,
        }
    }
}

/// List avatars
#[utoipa::path(
    get, path = "/v1/avatars", tag = "avatars", operation_id = "list_avatars", params(PageQuery),
    responses((status = 200, description = "One page", body = Page<AvatarJson>)),
)]
pub(crate) async fn list(
    state: web::Data<ApiState>,
    _: Authenticated,
    query: QueryOf<PageQuery>,
) -> Result<web::Json<Page<AvatarJson>>, Problem> {
    let limit = query.0.limit()?;
    let after = query.0.cursor.unwrap_or_default();
    let stage = Arc::clone(state.node.stage());
    let manifests = web::block(move || {
        let avatars = stage.avatars();
        let found = avatars.names().filter(|name| *name > after.as_str()).take(limit + 1);
        found.map(|name| avatars.manifest(name)).collect::<Result<Vec<Manifest>, _>>()
    });
    let manifests = manifests.await.map_err(Problem::internal)?.map_err(Problem::internal)?;
    Ok(web::Json(Page::cut(manifests, limit, |manifest| manifest.name.clone(), AvatarJson::of)))
}
