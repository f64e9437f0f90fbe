//! The avatars there are.

use actix_web::web;
use footlight_avatar::bundle::{DEFAULT_AVATAR, Manifest, shipped, shipped_names};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Authenticated;
use crate::body::QueryOf;
use crate::json::{Page, PageQuery};
use crate::problem::Problem;

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
pub(crate) async fn list(_: Authenticated, query: QueryOf<PageQuery>) -> Result<web::Json<Page<AvatarJson>>, Problem> {
    // A handful, and part of the program: one page holds them.
    let limit = query.0.limit()?;
    let after = query.0.cursor.as_deref().unwrap_or_default();
    let mut names: Vec<&str> = shipped_names().collect();
    names.sort_unstable();
    let found: Vec<_> = names.into_iter().filter(|name| *name > after).take(limit + 1).collect();
    let manifests =
        web::block(move || found.into_iter().map(|name| shipped(name).map(|bundle| bundle.manifest)).collect())
            .await
            .map_err(Problem::internal)?;
    let manifests: Result<Vec<Manifest>, _> = manifests;
    let manifests = manifests.map_err(Problem::internal)?;
    Ok(web::Json(Page::cut(manifests, limit, |manifest| manifest.name.clone(), AvatarJson::of)))
}
