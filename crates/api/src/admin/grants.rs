//! Credits given by the operator, and taken back.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use footlight_actors::NodeError;
use footlight_ledger::{AccountId, GrantId, GrantKind, GrantName, Microcredits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::body::{AccountPath, JsonBody, path_id};
use crate::idempotency;
use crate::json::{AccountJson, Credits, Instant};
use crate::problem::{Code, Problem, ProblemSchema};
use crate::state::ApiState;

/// Credits to give.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GiveCredits, example = json!({"kind": "top_up", "credits": 100}))]
pub(crate) struct GrantBody {
    /// `top_up` (bought), `promo` (given, usually with an expiry) or `plan` (until its period ends, used first).
    #[schema(value_type = String, example = "top_up")]
    pub kind: GrantKind,
    /// How many; more than none, at most six decimals.
    pub credits: Credits,
    /// When what is left expires. Bought credits never do.
    pub expires_at: Option<Instant>,
}

/// Credits that were given.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Given)]
pub(crate) struct GrantedJson {
    /// The grant.
    #[schema(value_type = String)]
    pub id: GrantId,
    /// Whose.
    #[schema(value_type = String)]
    pub account_id: AccountId,
    /// What it is.
    #[schema(value_type = String, example = "top_up")]
    pub kind: GrantKind,
    /// How much was given.
    pub credits: Credits,
    /// When what is left expires.
    pub expires_at: Option<Instant>,
    /// The grant's own name: the idempotency key it was given under.
    pub name: String,
    /// Whether this name had been used before for the same thing: nothing was given now.
    pub replayed: bool,
    /// The account's balance with it.
    pub balance: Credits,
}

/// Give credits
///
/// The idempotency key becomes the grant's own name and is kept for ever: the same key gives once, whenever it comes
/// again. Durable before it is answered; sessions that wait for credits go on within a second.
#[utoipa::path(
    post, path = "/admin/v1/accounts/{account}/grants", tag = "accounts", operation_id = "give_credits",
    request_body = GrantBody,
    params(
        ("account" = String, Path, description = "The account's id"),
        ("idempotency-key" = Option<String>, Header, description = "The grant's name, for ever; one is made up without it"),
    ),
    responses(
        (status = 201, description = "The credits are there", body = GrantedJson),
        (status = 404, description = "`unknown_account`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_field`, `idempotency_key_reused`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn give(
    state: web::Data<ApiState>,
    request: HttpRequest,
    account: AccountPath,
    body: JsonBody<GrantBody>,
) -> Result<HttpResponse, Problem> {
    let GrantBody { kind, credits, expires_at } = body.value;
    if credits <= Credits::default() {
        return Err(Problem::field("/credits", "must be more than 0"));
    }
    // Whether the expiry fits is the ledger's to say: a repeated grant is answered even when it has expired since.
    let name = idempotency::key(&request)?.unwrap_or_else(|| format!("unnamed-{}", Uuid::now_v7().simple()));
    let (node, grant_name) = (state.node.clone(), GrantName(name.clone()));
    // A task of its own: a client that hangs up must not leave money half given.
    let granted = actix_web::rt::spawn(async move {
        node.grant(account.0, grant_name, kind, credits.0, expires_at.map(|at| at.0)).await
    })
    .await
    .map_err(Problem::internal)?
    .map_err(|error| name_taken(error, &name))?;
    let balance = AccountJson::of(&state.node.account(account.0).await?).balance;
    Ok(HttpResponse::build(StatusCode::CREATED).json(GrantedJson {
        id: granted.grant,
        account_id: account.0,
        kind,
        credits: granted.amount.into(),
        expires_at,
        name,
        replayed: granted.replayed,
        balance,
    }))
}

/// Credits to take back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = VoidCredits, example = json!({"credits": 40}))]
pub(crate) struct VoidBody {
    /// At most how many; everything that is available when left out.
    pub credits: Option<Credits>,
}

/// Credits that were taken back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Voided)]
pub(crate) struct VoidedJson {
    /// The grant.
    #[schema(value_type = String)]
    pub grant: GrantId,
    /// Whose.
    #[schema(value_type = String)]
    pub account_id: AccountId,
    /// How much was taken back: less than was asked for when the rest was used, or is set aside.
    pub credits: Credits,
    /// The operation's own name: the idempotency key it was done under.
    pub name: String,
    /// The account's balance without it.
    pub balance: Credits,
}

/// Take credits back
///
/// What is still available of a grant, for a refund or a mistake. The grant stays as it was given; a new entry of the
/// journal says what was taken back. What is used, or set aside by what runs, is not. The idempotency key becomes the
/// operation's own name and is kept for ever.
#[utoipa::path(
    post, path = "/admin/v1/accounts/{account}/grants/{grant}/void", tag = "accounts", operation_id = "void_credits",
    request_body = VoidBody,
    params(
        ("account" = String, Path, description = "The account's id"),
        ("grant" = String, Path, description = "The grant's id, `gra_...`"),
        ("idempotency-key" = Option<String>, Header, description = "The operation's name, for ever; one is made up without it"),
    ),
    responses(
        (status = 200, description = "What was taken back", body = VoidedJson),
        (status = 404, description = "`unknown_account`; `unknown_thing`: nothing is left of such a grant", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_field`, `idempotency_key_reused`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn void(
    state: web::Data<ApiState>,
    request: HttpRequest,
    account: AccountPath,
    body: JsonBody<VoidBody>,
) -> Result<web::Json<VoidedJson>, Problem> {
    let grant: GrantId = path_id(&request, "grant", Code::UnknownThing)?;
    let credits = body.value.credits.unwrap_or(Credits(EVERYTHING));
    if credits <= Credits::default() {
        return Err(Problem::field("/credits", "must be more than 0"));
    }
    let name = idempotency::key(&request)?.unwrap_or_else(|| format!("unnamed-{}", Uuid::now_v7().simple()));
    let (node, operation) = (state.node.clone(), GrantName(name.clone()));
    let voided = actix_web::rt::spawn(async move { node.void_grant(account.0, operation, grant, credits.0).await })
        .await
        .map_err(Problem::internal)?
        .map_err(|error| name_taken(error, &name))?;
    let balance = AccountJson::of(&state.node.account(account.0).await?).balance;
    Ok(web::Json(VoidedJson { grant, account_id: account.0, credits: voided.into(), name, balance }))
}

/// More than one grant can have: the ledger's own bound.
const EVERYTHING: Microcredits = Microcredits::from_credits(1_000_000_000);

/// Says which name was used before.
fn name_taken(error: NodeError, name: &str) -> Problem {
    match Problem::from(error) {
        problem if problem.code == Code::IdempotencyKeyReused => Problem::new(
            Code::IdempotencyKeyReused,
            format!("the name `{name}` was used for another operation of this account; a new one needs a new name"),
        ),
        problem => problem,
    }
}
