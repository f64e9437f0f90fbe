//! API secrets: made, listed, limited, rotated, revoked.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use footlight_ledger::{Account, AccountId, SecretId, SpendingLimit, Timestamp};
use footlight_store::SecretRecord;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::accounts::{SCOPE, require};
use crate::body::{AccountPath, JsonBody, path_id};
use crate::idempotency::{self, Answer};
use crate::json::{Credits, Page, SecretCreatedJson, SecretJson, SpendingLimitJson};
use crate::problem::{Code, Problem, ProblemSchema};
use crate::secret::NewSecret;
use crate::state::ApiState;

/// The longest name of a secret, in bytes.
const NAME_LEN_MAX: usize = 100;
/// How long both secrets of a rotation work when nothing is said: a day, enough for a roll-out.
const OVERLAP_DEFAULT_S: u32 = 24 * 3_600;
/// The longest overlap: 90 days. Whoever wants two secrets for ever makes two.
const OVERLAP_MAX_S: u32 = 90 * 24 * 3_600;

/// How long the limit of a revoked secret is kept at least: every node has heard of it long before.
const LIMIT_OUTLIVES_MS: i64 = 10 * 60_000;

/// What a new secret is to be.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = CreateSecret, example = json!({"name": "production", "spending_limit": {"credits": 500, "per": "month"}}))]
pub(crate) struct CreateSecretBody {
    /// What to call it: 1 to 100 bytes.
    pub name: Option<String>,
    /// How much may be spent with it; no limit of its own without.
    pub spending_limit: Option<SpendingLimitJson>,
}

/// How a secret is rotated.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RotateSecret, example = json!({"overlap_s": 86400}))]
pub(crate) struct RotateSecretBody {
    /// How long the old secret still works, in seconds, 0 to 7 776 000 (90 days); a day unless said otherwise.
    pub overlap_s: Option<u32>,
}

/// The limit to set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SetSpendingLimit, example = json!({"spending_limit": {"credits": 500, "per": "month"}}))]
pub(crate) struct SpendingLimitBody {
    /// How much may be spent with the secret; null for no limit of its own.
    #[serde(deserialize_with = "Option::deserialize")]
    pub spending_limit: Option<SpendingLimitJson>,
}

/// A secret that was made and stored.
pub(super) struct Made {
    record: SecretRecord,
    text: String,
}

impl Made {
    /// The secret itself.
    pub(super) fn api_secret(&self) -> String {
        self.text.clone()
    }
}

/// Makes a secret and stores its hash.
pub(super) async fn make(state: &ApiState, account: AccountId, name: String) -> Result<Made, Problem> {
    make_as(state, account, SecretId(Uuid::now_v7()), name).await
}

async fn make_as(state: &ApiState, account: AccountId, id: SecretId, name: String) -> Result<Made, Problem> {
    let secret = NewSecret::generate();
    let record = SecretRecord {
        id,
        account,
        hash: secret.hash,
        name,
        hint: secret.hint,
        created_at: state.node.now(),
        revoked_at: None,
    };
    state.node.store().put_secret(record.clone()).await?;
    Ok(Made { record, text: secret.text })
}

/// Make an API secret
///
/// It is shown here and never again. An account may have several, each with a name and, if wanted, a spending limit.
#[utoipa::path(
    post, path = "/admin/v1/accounts/{account}/secrets", tag = "secrets", operation_id = "create_secret",
    request_body = CreateSecretBody,
    params(
        ("account" = String, Path, description = "The account's id"),
        ("idempotency-key" = Option<String>, Header, description = "The same key makes once, for 24 hours. A repeated answer comes without the secret"),
    ),
    responses(
        (status = 201, description = "The secret", body = SecretCreatedJson),
        (status = 404, description = "`unknown_account`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_field`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    state: web::Data<ApiState>,
    request: HttpRequest,
    account: AccountPath,
    body: JsonBody<CreateSecretBody>,
) -> Result<HttpResponse, Problem> {
    let name = body.value.name.unwrap_or_else(|| "unnamed".to_owned());
    if !(1..=NAME_LEN_MAX).contains(&name.len()) {
        return Err(Problem::field("/name", format!("must be 1 to {NAME_LEN_MAX} bytes, not {}", name.len())));
    }
    let limit = checked(body.value.spending_limit)?;
    require(&state, account.0).await?;
    let shared = state.clone();
    idempotency::once(&state, &request, SCOPE, body.digest, async move {
        let id = SecretId(Uuid::now_v7());
        // The limit first: a secret must never work without the one it was asked for with.
        if limit.is_some() {
            limit_spending(&shared, account.0, id, limit.map(Into::into)).await?;
        }
        let made = make_or_unlimit(&shared, account.0, id, name).await?;
        show_once(&shared, made).await
    })
    .await
}

/// Rotate a secret
///
/// Makes a new secret of the same name, with the same spending limit, of which as much is spent as of the old one's; from
/// then on each counts its own. The old one works for `overlap_s` more; what was opened with it pauses as `key_revoked` then.
#[utoipa::path(
    post, path = "/admin/v1/accounts/{account}/secrets/{secret}/rotate", tag = "secrets",
    operation_id = "rotate_secret", request_body = RotateSecretBody,
    params(
        ("account" = String, Path, description = "The account's id"),
        ("secret" = String, Path, description = "The id of the secret to replace, `sec_...`"),
        ("idempotency-key" = Option<String>, Header, description = "The same key rotates once, for 24 hours. A repeated answer comes without the secret"),
    ),
    responses(
        (status = 201, description = "The new secret", body = SecretCreatedJson),
        (status = 404, description = "`unknown_secret`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "`wrong_state`: it is revoked or rotated already", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_field`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn rotate(
    state: web::Data<ApiState>,
    request: HttpRequest,
    account: AccountPath,
    body: JsonBody<RotateSecretBody>,
) -> Result<HttpResponse, Problem> {
    let id: SecretId = path_id(&request, "secret", Code::UnknownSecret)?;
    let overlap_s = body.value.overlap_s.unwrap_or(OVERLAP_DEFAULT_S);
    if overlap_s > OVERLAP_MAX_S {
        return Err(Problem::field("/overlap_s", format!("is {overlap_s}; it may be 0 to {OVERLAP_MAX_S}")));
    }
    let shared = state.clone();
    idempotency::once(&state, &request, SCOPE, body.digest, async move {
        let old = find(&shared, account.0, id).await?;
        if old.revoked_at.is_some() {
            return Err(Problem::new(Code::WrongState, format!("{id} is revoked or rotated already")));
        }
        let fresh = SecretId(Uuid::now_v7());
        forget_limits(&shared, account.0).await?;
        shared.node.carry_spending_limit(account.0, id, fresh).await?;
        let made = make_or_unlimit(&shared, account.0, fresh, old.name.clone()).await?;
        // The old one last: a crash before leaves two that work, a crash after would leave none that anyone knows.
        end(&shared, old, shared.node.now().plus_ms(i64::from(overlap_s) * 1_000)).await?;
        show_once(&shared, made).await
    })
    .await
}

/// Set a secret's spending limit
///
/// Counts from now on, and what runs from its next heartbeat on. What is opened with the secret stops at the frame where
/// the limit ends, as `spending_limit`, and goes on when it is raised or a new month begins.
#[utoipa::path(
    put, path = "/admin/v1/accounts/{account}/secrets/{secret}/spending-limit", tag = "secrets",
    operation_id = "set_spending_limit", request_body = SpendingLimitBody,
    params(
        ("account" = String, Path, description = "The account's id"),
        ("secret" = String, Path, description = "The secret's id, `sec_...`"),
    ),
    responses(
        (status = 200, description = "The secret", body = SecretJson),
        (status = 404, description = "`unknown_secret`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_field`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn set_spending_limit(
    state: web::Data<ApiState>,
    request: HttpRequest,
    account: AccountPath,
    body: JsonBody<SpendingLimitBody>,
) -> Result<web::Json<SecretJson>, Problem> {
    let id: SecretId = path_id(&request, "secret", Code::UnknownSecret)?;
    let limit = checked(body.value.spending_limit)?;
    let record = find(&state, account.0, id).await?;
    let account = limit_spending(&state, account.0, id, limit.map(Into::into)).await?;
    Ok(web::Json(SecretJson::of(record, &account)))
}

/// List an account's secrets
///
/// Without the secrets themselves; revoked ones included.
#[utoipa::path(
    get, path = "/admin/v1/accounts/{account}/secrets", tag = "secrets", operation_id = "list_secrets",
    params(("account" = String, Path, description = "The account's id")),
    responses((status = 200, description = "All of them", body = Page<SecretJson>)),
)]
pub(crate) async fn list(
    state: web::Data<ApiState>,
    account: AccountPath,
) -> Result<web::Json<Page<SecretJson>>, Problem> {
    let owner = state.node.account(account.0).await?;
    let secrets = state.node.store().list_secrets(account.0).await?;
    let data = secrets.into_iter().map(|record| SecretJson::of(record, &owner)).collect();
    Ok(web::Json(Page { data, next_cursor: None }))
}

/// Revoke a secret
///
/// Refused everywhere within seconds; sessions opened with it pause as `key_revoked`. Revoking it again changes
/// nothing; one that is being rotated is revoked at once.
#[utoipa::path(
    delete, path = "/admin/v1/accounts/{account}/secrets/{secret}", tag = "secrets", operation_id = "revoke_secret",
    params(
        ("account" = String, Path, description = "The account's id"),
        ("secret" = String, Path, description = "The secret's id, `sec_...`"),
    ),
    responses(
        (status = 200, description = "The secret, revoked", body = SecretJson),
        (status = 404, description = "`unknown_secret`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn revoke(
    state: web::Data<ApiState>,
    request: HttpRequest,
    account: AccountPath,
) -> Result<web::Json<SecretJson>, Problem> {
    let id: SecretId = path_id(&request, "secret", Code::UnknownSecret)?;
    let record = find(&state, account.0, id).await?;
    // Also on a repeat: the first attempt may have failed between the store and here.
    let record = end(&state, record, state.node.now()).await?;
    let account = state.node.account(account.0).await?;
    Ok(web::Json(SecretJson::of(record, &account)))
}

/// Makes a secret whose limit is set already, and takes the limit back when that fails. What failed by half may be there,
/// but nobody was shown it.
async fn make_or_unlimit(state: &ApiState, account: AccountId, id: SecretId, name: String) -> Result<Made, Problem> {
    let made = make_as(state, account, id, name).await;
    if made.is_err()
        && let Err(error) = state.node.set_spending_limit(account, id, None).await
    {
        tracing::warn!(%account, secret = %id, %error, "a spending limit is left of a secret that was not made");
    }
    made
}

/// Sets a secret's limit, where there is room for it.
async fn limit_spending(
    state: &ApiState,
    account: AccountId,
    id: SecretId,
    limit: Option<SpendingLimit>,
) -> Result<Account, Problem> {
    forget_limits(state, account).await?;
    Ok(state.node.set_spending_limit(account, id, limit).await?)
}

/// Forgets the limits of secrets that have ended, once nothing is held in them: an account has room for a hundred.
async fn forget_limits(state: &ApiState, account: AccountId) -> Result<(), Problem> {
    let a_while_ago = state.node.now().plus_ms(-LIMIT_OUTLIVES_MS);
    let limited = state.node.account(account).await?;
    if limited.budgets.is_empty() {
        return Ok(());
    }
    for record in state.node.store().list_secrets(account).await? {
        let is_idle = limited.budget(record.id).is_some_and(|budget| budget.held.is_zero());
        if is_idle && record.is_revoked(a_while_ago) {
            state.node.set_spending_limit(account, record.id, None).await?;
        }
    }
    Ok(())
}

/// A secret of an account.
async fn find(state: &ApiState, account: AccountId, id: SecretId) -> Result<SecretRecord, Problem> {
    let secrets = state.node.store().list_secrets(account).await?;
    let found = secrets.into_iter().find(|record| record.id == id);
    found.ok_or_else(|| Problem::new(Code::UnknownSecret, format!("the account has no secret {id}")))
}

/// Lets a secret work until `at` and no longer, or as long as it was to. Written also when it has ended already: the first
/// attempt may have been written by half.
async fn end(state: &ApiState, mut record: SecretRecord, at: Timestamp) -> Result<SecretRecord, Problem> {
    record.revoked_at = Some(record.revoked_at.map_or(at, |earlier| earlier.min(at)));
    state.node.store().put_secret(record.clone()).await?;
    state.secrets.forget(&record.hash, record.id);
    if record.is_revoked(state.node.now()) {
        state.node.secret_revoked(record.account, record.id).await;
    }
    Ok(record)
}

/// The answer that shows a secret, and what is remembered of it.
async fn show_once(state: &ApiState, made: Made) -> Result<Answer, Problem> {
    let account = state.node.account(made.record.account).await?;
    let mut created =
        SecretCreatedJson { api_secret: Some(made.api_secret()), secret: SecretJson::of(made.record, &account) };
    let answer = Answer::json(StatusCode::CREATED, &created)?;
    created.api_secret = None;
    answer.remember(&created)
}

fn checked(limit: Option<SpendingLimitJson>) -> Result<Option<SpendingLimitJson>, Problem> {
    match limit {
        Some(limit) if limit.credits < Credits::default() => {
            Err(Problem::field("/spending_limit/credits", "must not be negative"))
        }
        limit => Ok(limit),
    }
}
