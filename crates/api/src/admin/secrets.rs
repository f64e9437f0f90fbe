//! API secrets: made, listed, revoked.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use footlight_ledger::{AccountId, SecretId};
use footlight_store::SecretRecord;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::accounts::{SCOPE, require};
use crate::body::{AccountPath, JsonBody, path_id};
use crate::idempotency::{self, Answer};
use crate::json::{Page, SecretCreatedJson, SecretJson};
use crate::problem::{Code, Problem, ProblemSchema};
use crate::secret::NewSecret;
use crate::state::ApiState;

/// The longest name of a secret, in bytes.
const NAME_LEN_MAX: usize = 100;

/// What a new secret is to be.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = CreateSecret, example = json!({"name": "production"}))]
pub(crate) struct CreateSecretBody {
    /// What to call it: 1 to 100 bytes.
    pub name: Option<String>,
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
    let secret = NewSecret::generate();
    let record = SecretRecord {
        id: SecretId(Uuid::now_v7()),
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
/// It is shown here and never again.
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
    require(&state, account.0).await?;
    let shared = state.clone();
    idempotency::once(&state, &request, SCOPE, body.digest, async move {
        let made = make(&shared, account.0, name).await?;
        let mut created =
            SecretCreatedJson { api_secret: Some(made.api_secret()), secret: SecretJson::of(made.record) };
        let answer = Answer::json(StatusCode::CREATED, &created)?;
        created.api_secret = None;
        answer.remember(&created)
    })
    .await
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
    require(&state, account.0).await?;
    let secrets = state.node.store().list_secrets(account.0).await?;
    Ok(web::Json(Page { data: secrets.into_iter().map(SecretJson::of).collect(), next_cursor: None }))
}

/// Revoke a secret
///
/// Refused everywhere within seconds; sessions opened with it pause as `key_revoked`. Revoking it again changes
/// nothing.
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
    let secrets = state.node.store().list_secrets(account.0).await?;
    let mut record = secrets
        .into_iter()
        .find(|record| record.id == id)
        .ok_or_else(|| Problem::new(Code::UnknownSecret, format!("the account has no secret {id}")))?;
    if record.revoked_at.is_none() {
        record.revoked_at = Some(state.node.now());
        state.node.store().put_secret(record.clone()).await?;
    }
    // Also on a repeat: the first attempt may have failed between the store and here.
    state.secrets.forget(&record.hash, id);
    state.node.secret_revoked(account.0, id).await;
    Ok(web::Json(SecretJson::of(record)))
}
