//! Plans: what is offered, and what an account is put on.

use actix_web::{HttpRequest, web};
use footlight_ledger::{Account, GrantId, PlanChange, PlanTerms};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::body::{AccountPath, JsonBody};
use crate::idempotency;
use crate::json::{AccountJson, Credits, Page, PlanChangeJson, PlanPriceJson, PricingJson};
use crate::options::PlanTerm;
use crate::problem::{Code, Problem, ProblemSchema};
use crate::state::ApiState;

/// The longest name of a custom plan, in bytes.
const NAME_LEN_MAX: usize = 64;

/// The plan to go over to. Without `plan` and `custom`: none.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = SetPlan, example = json!({"plan": "pro", "term": "annual"}))]
pub(crate) struct PlanBody {
    /// The name of a plan that is offered; null for none.
    pub plan: Option<String>,
    /// A plan of this account's own, instead.
    pub custom: Option<CustomPlan>,
    /// `monthly` unless said otherwise.
    pub term: PlanTerm,
    /// `fair` unless said otherwise.
    pub when: When,
}

/// A plan of one account's own.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CustomPlan, example = json!({"name": "acme", "credits": 75000, "max_sessions": 80}))]
pub(crate) struct CustomPlan {
    /// What to call it: 1 to 64 bytes.
    pub name: String,
    /// Credits a month; a year's term grants twelve times as many at once.
    pub credits: Credits,
    /// The most sessions at once.
    pub max_sessions: u32,
}

/// When a change of plan comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    /// More comes at once, less when the present period ends. From a plan that costs nothing a new period begins at once.
    #[default]
    Fair,
    /// A new period begins now, whatever is left of the present one expires.
    Now,
}

/// A change of plan, looked at before it is made.
struct Considered {
    plan: Option<PlanTerms>,
    change: PlanChange,
    /// Whether it is to begin anew though it need not.
    anew: bool,
}

impl Considered {
    fn of(state: &ApiState, account: &Account, body: PlanBody) -> Result<Self, Problem> {
        let plan = match (body.plan, body.custom) {
            (Some(_), Some(_)) => {
                return Err(Problem::field("/custom", "stands beside `plan`: name one of them"));
            }
            (Some(name), None) => Some(offered(state, &name, body.term)?),
            (None, Some(custom)) => Some(custom_terms(custom, body.term)?),
            (None, None) => None,
        };
        let change = account.plan_change(plan.as_ref());
        let anew = match change {
            PlanChange::Anew { .. } => false,
            PlanChange::Stays => body.when == When::Now && plan.is_some(),
            PlanChange::Upgrade { .. } => body.when == When::Now || costs_nothing(state, account),
            // Without a plan nothing would begin, and what the free one gave would be lost for nothing.
            PlanChange::Later { .. } => body.when == When::Now || (plan.is_some() && costs_nothing(state, account)),
        };
        let change = if anew { account.plan_anew(plan.as_ref()) } else { change };
        Ok(Self { plan, change, anew })
    }
}

/// Put an account on a plan
///
/// An upgrade within the same term comes at once: the present period goes on, and the difference of the two plans is
/// granted for the part of it that is left. From a month to a year of no less, or from a plan that costs nothing, a new
/// period begins at once. Everything else, an end of the plan included, comes when the present period ends; the present
/// plan again takes that back. `"when": "now"` begins a new period at once in any case, on the present plan as well: each
/// call without a key of its own grants a period's credits. A key changes once: what comes under it again, for the same
/// plan, changes nothing.
#[utoipa::path(
    put, path = "/admin/v1/accounts/{account}/plan", tag = "accounts", operation_id = "set_plan", request_body = PlanBody,
    params(
        ("account" = String, Path, description = "The account's id"),
        ("idempotency-key" = Option<String>, Header, description = "The change's own name, for ever: the same key changes once"),
    ),
    responses(
        (status = 200, description = "The account", body = AccountJson),
        (status = 404, description = "`unknown_account`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`unknown_plan`, `invalid_field`, `idempotency_key_reused`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn set(
    state: web::Data<ApiState>,
    request: HttpRequest,
    account: AccountPath,
    body: JsonBody<PlanBody>,
) -> Result<web::Json<AccountJson>, Problem> {
    let present = state.node.account(account.0).await?;
    let Considered { plan, anew, .. } = Considered::of(&state, &present, body.value)?;
    let grant = match idempotency::key(&request)? {
        Some(key) => GrantId(Uuid::new_v5(&account.0.0, format!("change of plan {key}").as_bytes())),
        None => GrantId(Uuid::now_v7()),
    };
    let node = state.node.clone();
    // A task of its own: a client that hangs up must not leave money half given.
    let changed = actix_web::rt::spawn(async move {
        if anew { node.set_plan(account.0, plan, grant).await } else { node.change_plan(account.0, plan, grant).await }
    })
    .await
    .map_err(Problem::internal)??;
    Ok(web::Json(AccountJson::of(&changed)))
}

/// Preview a change of plan
///
/// What `PUT` with the same body would do now: when it comes, what it grants and what expires. Changes nothing.
#[utoipa::path(
    post, path = "/admin/v1/accounts/{account}/plan/preview", tag = "accounts", operation_id = "preview_plan",
    request_body = PlanBody, params(("account" = String, Path, description = "The account's id")),
    responses(
        (status = 200, description = "What it would mean", body = PlanChangeJson),
        (status = 404, description = "`unknown_account`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`unknown_plan`, `invalid_field`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn preview(
    state: web::Data<ApiState>,
    account: AccountPath,
    body: JsonBody<PlanBody>,
) -> Result<web::Json<PlanChangeJson>, Problem> {
    let present = state.node.account(account.0).await?;
    let Considered { plan, change, .. } = Considered::of(&state, &present, body.value)?;
    Ok(web::Json(PlanChangeJson::of(plan.as_ref(), change, present.now)))
}

/// Take a change of plan back
///
/// The present plan goes on; a change that was to come when its period ends is dropped.
#[utoipa::path(
    delete, path = "/admin/v1/accounts/{account}/plan/next", tag = "accounts", operation_id = "keep_plan",
    params(("account" = String, Path, description = "The account's id")),
    responses(
        (status = 200, description = "The account", body = AccountJson),
        (status = 404, description = "`unknown_account`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn keep(state: web::Data<ApiState>, account: AccountPath) -> Result<web::Json<AccountJson>, Problem> {
    Ok(web::Json(AccountJson::of(&state.node.keep_plan(account.0).await?)))
}

/// List plans
#[utoipa::path(
    get, path = "/admin/v1/plans", tag = "accounts", operation_id = "list_plans",
    responses((status = 200, description = "All plans", body = Page<PlanPriceJson>)),
)]
pub(crate) async fn list(state: web::Data<ApiState>) -> web::Json<Page<PlanPriceJson>> {
    let pricing = PricingJson::of(state.node.rate_card(), &state.options);
    web::Json(Page { data: pricing.plans, next_cursor: None })
}

/// The terms of a plan that is offered.
pub(super) fn offered(state: &ApiState, name: &str, term: PlanTerm) -> Result<PlanTerms, Problem> {
    let offers = &state.options.plans;
    let offer = offers.iter().find(|offer| offer.terms.name == name).ok_or_else(|| {
        let known: Vec<&str> = offers.iter().map(|offer| offer.terms.name.as_str()).collect();
        let name: String = name.chars().take(64).collect();
        Problem::new(Code::UnknownPlan, format!("there is no plan `{name}`; there are {}", known.join(", ")))
            .at("/plan", "no such plan")
            .with("known", known)
    })?;
    offer.for_term(term).ok_or_else(|| Problem::field("/term", format!("is not offered for the plan `{name}`")))
}

fn custom_terms(custom: CustomPlan, term: PlanTerm) -> Result<PlanTerms, Problem> {
    let CustomPlan { name, credits, max_sessions } = custom;
    if !(1..=NAME_LEN_MAX).contains(&name.len()) {
        return Err(Problem::field("/custom/name", format!("must be 1 to {NAME_LEN_MAX} bytes, not {}", name.len())));
    }
    if credits < Credits::default() {
        return Err(Problem::field("/custom/credits", "must not be negative"));
    }
    Ok(term.applied_to(&PlanTerms { name, credits: credits.0, months: 1, max_sessions }))
}

/// Whether the account is on an offered plan whose price is nothing. By its name: what it gives may have been set otherwise
/// since the account took it.
fn costs_nothing(state: &ApiState, account: &Account) -> bool {
    let Some(present) = &account.plan else { return false };
    state.options.plans.iter().any(|offer| offer.price_usd == 0 && offer.terms.name == present.name)
}
