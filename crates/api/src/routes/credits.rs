//! The balance and the price list.

use actix_web::web;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Authenticated;
use crate::json::{BalanceJson, CreditSummaryJson, PricingJson};
use crate::problem::Problem;
use crate::state::ApiState;

/// The balance, wrapped as existing clients expect it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreditSummaries)]
pub(crate) struct CreditSummariesJson {
    /// Always true: what fails is a problem.
    pub success: bool,
    /// The balance.
    pub data: CreditSummaryJson,
}

/// Get the balance
#[utoipa::path(
    get, path = "/v2/credit-summaries", tag = "credits", operation_id = "credit_summaries",
    responses((status = 200, description = "The balance", body = CreditSummariesJson)),
)]
pub(crate) async fn summary(
    state: web::Data<ApiState>,
    caller: Authenticated,
) -> Result<web::Json<CreditSummariesJson>, Problem> {
    let account = state.node.account(caller.account).await?;
    Ok(web::Json(CreditSummariesJson { success: true, data: CreditSummaryJson::of(&account, state.node.rate_card()) }))
}

/// Get the balance in full
///
/// By what it came from, with what is owed, how fast it is used now and how long it lasts at that rate.
#[utoipa::path(
    get, path = "/v1/balance", tag = "credits", operation_id = "balance",
    responses((status = 200, description = "The balance", body = BalanceJson)),
)]
pub(crate) async fn balance(
    state: web::Data<ApiState>,
    caller: Authenticated,
) -> Result<web::Json<BalanceJson>, Problem> {
    let account = state.node.account(caller.account).await?;
    Ok(web::Json(BalanceJson::of(&account, account.now)))
}

/// Get the price list
#[utoipa::path(
    get, path = "/v1/pricing", tag = "credits", operation_id = "pricing",
    responses((status = 200, description = "The price list", body = PricingJson)),
)]
pub(crate) async fn pricing(state: web::Data<ApiState>, _: Authenticated) -> web::Json<PricingJson> {
    web::Json(PricingJson::of(state.node.rate_card(), &state.options))
}
