//! Accounts: open, read, suspend, close; limits.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use footlight_actors::NodeError;
use footlight_ledger::{AccountId, AccountStatus, Limits};
use futures_util::future::try_join_all;
use serde::Deserialize;
use utoipa::ToSchema;

use super::plans::offered;
use super::secrets;
use crate::body::{AccountPath, JsonBody, QueryOf};
use crate::idempotency::{self, Answer};
use crate::json::{AccountJson, AccountOpenedJson, Credits, EntryJson, Page, PageQuery};
use crate::operator::{self, Role};
use crate::options::PlanTerm;
use crate::problem::{Problem, ProblemSchema};
use crate::routes::journal::{self as public_journal, JournalQuery};
use crate::state::ApiState;

/// Idempotency keys of the operator, told from those of accounts.
pub(super) const SCOPE: &str = "operator";

/// What a new account is to be.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = OpenAccount, example = json!({"plan": "creator"}))]
pub(crate) struct OpenAccountBody {
    /// The plan's name; without one the account has no credits until it is given some.
    #[schema(example = "creator")]
    pub plan: Option<String>,
    /// Its term: `monthly` unless said otherwise.
    pub term: PlanTerm,
    /// The most debt that usage may make while the store cannot be reached, in credits.
    pub debt_limit: Option<Credits>,
    /// The most overage, in credits; none unless named.
    pub overage_limit: Option<Credits>,
}

/// Limits to set; those left out stay as they are.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = SetLimits, example = json!({"overage": 50}))]
pub(crate) struct LimitsBody {
    /// The most debt that usage may make while the store cannot be reached, in credits.
    pub debt: Option<Credits>,
    /// The most overage, in credits.
    pub overage: Option<Credits>,
}

/// Open an account
///
/// With its first API secret, which is shown here and never again.
#[utoipa::path(
    post, path = "/admin/v1/accounts", tag = "accounts", operation_id = "open_account", request_body = OpenAccountBody,
    params(("idempotency-key" = Option<String>, Header, description = "The same key opens once, for 24 hours. A repeated answer comes without the secret")),
    responses(
        (status = 201, description = "The account and its secret", body = AccountOpenedJson),
        (status = 422, description = "`unknown_plan`, `invalid_field`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn open(
    state: web::Data<ApiState>,
    request: HttpRequest,
    body: JsonBody<OpenAccountBody>,
) -> Result<HttpResponse, Problem> {
    let brings_money =
        body.value.plan.is_some() || body.value.debt_limit.is_some() || body.value.overage_limit.is_some();
    if brings_money {
        operator::require(&request, Role::Money)?;
    }
    let plan = match &body.value.plan {
        Some(name) => Some(offered(&state, name, body.value.term)?),
        None => None,
    };
    let defaults = state.options.account_limits;
    let limits = Limits {
        debt: amount("/debt_limit", body.value.debt_limit, defaults.debt.into())?.0,
        overage: amount("/overage_limit", body.value.overage_limit, defaults.overage.into())?.0,
    };
    let shared = state.clone();
    idempotency::once(&state, &request, SCOPE, body.digest, async move {
        let account = shared.node.open_account(plan, limits).await?;
        let secret = secrets::make(&shared, account.id, "first".to_owned()).await?;
        let mut opened =
            AccountOpenedJson { account: AccountJson::of(&account), api_secret: Some(secret.api_secret()) };
        let answer = Answer::json(StatusCode::CREATED, &opened)?;
        opened.api_secret = None;
        answer.remember(&opened)
    })
    .await
}

/// List accounts
#[utoipa::path(
    get, path = "/admin/v1/accounts", tag = "accounts", operation_id = "list_accounts", params(PageQuery),
    responses((status = 200, description = "One page", body = Page<AccountJson>)),
)]
pub(crate) async fn list(
    state: web::Data<ApiState>,
    query: QueryOf<PageQuery>,
) -> Result<web::Json<Page<AccountJson>>, Problem> {
    let limit = query.0.limit()?;
    let ids = state.node.store().list_accounts(query.0.cursor()?, limit + 1).await?;
    let page = Page::cut(ids, limit, ToString::to_string, |id| id);
    let accounts = try_join_all(page.data.into_iter().map(|id| state.node.account(id))).await?;
    Ok(web::Json(Page { data: accounts.iter().map(AccountJson::of).collect(), next_cursor: page.next_cursor }))
}

/// Get an account
#[utoipa::path(
    get, path = "/admin/v1/accounts/{account}", tag = "accounts", operation_id = "get_account",
    params(("account" = String, Path, description = "The account's id")),
    responses(
        (status = 200, description = "The account", body = AccountJson),
        (status = 404, description = "`unknown_account`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(state: web::Data<ApiState>, account: AccountPath) -> Result<web::Json<AccountJson>, Problem> {
    Ok(web::Json(AccountJson::of(&state.node.account(account.0).await?)))
}

/// Suspend an account
///
/// Nothing starts any more; what runs pauses at its next heartbeat.
#[utoipa::path(
    post, path = "/admin/v1/accounts/{account}/suspend", tag = "accounts", operation_id = "suspend_account",
    params(("account" = String, Path, description = "The account's id")),
    responses((status = 200, description = "The account", body = AccountJson)),
)]
pub(crate) async fn suspend(
    state: web::Data<ApiState>,
    account: AccountPath,
) -> Result<web::Json<AccountJson>, Problem> {
    set_status(&state, account.0, AccountStatus::Suspended).await
}

/// Resume an account
#[utoipa::path(
    post, path = "/admin/v1/accounts/{account}/resume", tag = "accounts", operation_id = "resume_account",
    params(("account" = String, Path, description = "The account's id")),
    responses((status = 200, description = "The account", body = AccountJson)),
)]
pub(crate) async fn resume(
    state: web::Data<ApiState>,
    account: AccountPath,
) -> Result<web::Json<AccountJson>, Problem> {
    set_status(&state, account.0, AccountStatus::Open).await
}

/// Close an account
///
/// For good. It can still be read.
#[utoipa::path(
    post, path = "/admin/v1/accounts/{account}/close", tag = "accounts", operation_id = "close_account",
    params(("account" = String, Path, description = "The account's id")),
    responses((status = 200, description = "The account", body = AccountJson)),
)]
pub(crate) async fn close(state: web::Data<ApiState>, account: AccountPath) -> Result<web::Json<AccountJson>, Problem> {
    set_status(&state, account.0, AccountStatus::Closed).await
}

async fn set_status(
    state: &ApiState,
    account: AccountId,
    status: AccountStatus,
) -> Result<web::Json<AccountJson>, Problem> {
    Ok(web::Json(AccountJson::of(&state.node.set_status(account, status).await?)))
}

/// Set an account's limits
#[utoipa::path(
    put, path = "/admin/v1/accounts/{account}/limits", tag = "accounts", operation_id = "set_limits",
    request_body = LimitsBody, params(("account" = String, Path, description = "The account's id")),
    responses((status = 200, description = "The account", body = AccountJson)),
)]
pub(crate) async fn set_limits(
    state: web::Data<ApiState>,
    account: AccountPath,
    body: JsonBody<LimitsBody>,
) -> Result<web::Json<AccountJson>, Problem> {
    let present = state.node.account(account.0).await?.limits;
    let limits = Limits {
        debt: amount("/debt", body.value.debt, present.debt.into())?.0,
        overage: amount("/overage", body.value.overage, present.overage.into())?.0,
    };
    Ok(web::Json(AccountJson::of(&state.node.set_limits(account.0, limits).await?)))
}

/// List an account's journal
#[utoipa::path(
    get, path = "/admin/v1/accounts/{account}/journal", tag = "accounts", operation_id = "account_journal",
    params(("account" = String, Path, description = "The account's id"), JournalQuery),
    responses((status = 200, description = "One page", body = Page<EntryJson>)),
)]
pub(crate) async fn journal(
    state: web::Data<ApiState>,
    account: AccountPath,
    query: QueryOf<JournalQuery>,
) -> Result<web::Json<Page<EntryJson>>, Problem> {
    require(&state, account.0).await?;
    public_journal::journal_page(&state, account.0, &query.0).await
}

/// A problem unless there is such an account.
pub(crate) async fn require(state: &ApiState, account: AccountId) -> Result<(), NodeError> {
    state.node.account(account).await.map(drop)
}

/// An amount that may be zero and is never negative.
fn amount(pointer: &str, asked: Option<Credits>, otherwise: Credits) -> Result<Credits, Problem> {
    let amount = asked.unwrap_or(otherwise);
    if amount < Credits::default() {
        return Err(Problem::field(pointer, "must not be negative"));
    }
    Ok(amount)
}
