//! Who am I?

use actix_web::web;

use crate::auth::Authenticated;
use crate::json::MeJson;
use crate::problem::Problem;
use crate::state::ApiState;

/// Get the account behind the secret
#[utoipa::path(
    get, path = "/v1/me", tag = "credits", operation_id = "me",
    responses((status = 200, description = "The account", body = MeJson)),
)]
pub(crate) async fn me(state: web::Data<ApiState>, caller: Authenticated) -> Result<web::Json<MeJson>, Problem> {
    let account = state.node.account(caller.account).await?;
    Ok(web::Json(MeJson::of(&account, caller.secret, state.options.unmetered.is_some())))
}
