//! Webhooks: endpoints, their logs, replays, and what an account wants to be told of its credits.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use footlight_hooks::{Alerts, HookError, NewEndpoint};
use footlight_ledger::{EventId, HookId, Microcredits};

use crate::auth::Authenticated;
use crate::body::{JsonBody, QueryOf, path_id};
use crate::idempotency::{self, Answer};
use crate::json::{
    CreateWebhookJson, CreditAlertsJson, DeliveryJson, Page, PageQuery, ThresholdJson, WebhookCreatedJson, WebhookJson,
};
use crate::problem::{Code, Problem, ProblemSchema};
use crate::state::ApiState;

/// The longest description, in bytes.
const DESCRIPTION_LEN_MAX: usize = 200;
/// The most thresholds of one account.
const THRESHOLDS_MAX: usize = 8;
/// The longest runway that can be asked for.
const RUNWAY_MINUTES_MAX: u32 = 100_000;
/// The shortest and the longest cool-down, in seconds.
const COOL_DOWN_S: std::ops::RangeInclusive<u32> = 60..=2_592_000;
/// The most credits that a threshold or a request may name: what one operation may give.
const CREDITS_MAX: Microcredits = Microcredits::from_credits(1_000_000_000);

impl From<HookError> for Problem {
    fn from(error: HookError) -> Self {
        let detail = error.to_string();
        match error {
            HookError::InvalidUrl(why) => Self::field("/url", why),
            HookError::TooMany { limit } => Self::new(Code::TooManyWebhooks, detail).with("limit", limit),
            HookError::NotFound => Self::new(Code::UnknownWebhook, detail),
            HookError::Disabled => Self::new(Code::WebhookDisabled, detail),
            HookError::Store(error) => error.into(),
        }
    }
}

/// Make a webhook
///
/// Events are POSTed to it, signed with the secret that is shown here and never again.
#[utoipa::path(
    post, path = "/v1/webhooks", tag = "webhooks", operation_id = "create_webhook",
    request_body = CreateWebhookJson,
    params(("idempotency-key" = Option<String>, Header, description = "The same key makes once, for 24 hours. A repeated answer comes without the secret")),
    responses(
        (status = 201, description = "The webhook and its secret", body = WebhookCreatedJson),
        (status = 409, description = "`too_many_webhooks`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_field`: the address cannot be used", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn create(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Authenticated,
    body: JsonBody<CreateWebhookJson>,
) -> Result<HttpResponse, Problem> {
    let CreateWebhookJson { url, events, description } = body.value;
    if description.len() > DESCRIPTION_LEN_MAX {
        let detail = format!("must be at most {DESCRIPTION_LEN_MAX} bytes, not {}", description.len());
        return Err(Problem::field("/description", detail));
    }
    let hooks = state.hooks.clone();
    idempotency::once(&state, &request, &caller.account.to_string(), body.digest, async move {
        let endpoint = hooks.create(caller.account, NewEndpoint { url, events, description }).await?;
        let secret = Some(footlight_hooks::signature::secret_text(&endpoint.secret));
        let mut created = WebhookCreatedJson { secret, webhook: WebhookJson::of(endpoint) };
        let answer = Answer::json(StatusCode::CREATED, &created)?;
        created.secret = None;
        answer.remember(&created)
    })
    .await
}

/// List webhooks
///
/// Oldest first, disabled ones included.
#[utoipa::path(
    get, path = "/v1/webhooks", tag = "webhooks", operation_id = "list_webhooks",
    responses((status = 200, description = "All of them", body = Page<WebhookJson>)),
)]
pub(crate) async fn list(
    state: web::Data<ApiState>,
    caller: Authenticated,
) -> Result<web::Json<Page<WebhookJson>>, Problem> {
    let endpoints = state.hooks.list(caller.account).await?;
    Ok(web::Json(Page { data: endpoints.into_iter().map(WebhookJson::of).collect(), next_cursor: None }))
}

/// Get a webhook
#[utoipa::path(
    get, path = "/v1/webhooks/{webhook}", tag = "webhooks", operation_id = "get_webhook",
    params(("webhook" = String, Path, description = "The webhook's id")),
    responses(
        (status = 200, description = "The webhook", body = WebhookJson),
        (status = 404, description = "`unknown_webhook`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Authenticated,
) -> Result<web::Json<WebhookJson>, Problem> {
    Ok(web::Json(WebhookJson::of(state.hooks.get(caller.account, hook(&request)?).await?)))
}

/// Remove a webhook
///
/// What is pending for it is not sent any more.
#[utoipa::path(
    delete, path = "/v1/webhooks/{webhook}", tag = "webhooks", operation_id = "delete_webhook",
    params(("webhook" = String, Path, description = "The webhook's id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "`unknown_webhook`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn delete(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Authenticated,
) -> Result<HttpResponse, Problem> {
    state.hooks.delete(caller.account, hook(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Enable a webhook
///
/// One that failed for days is disabled; this has it called again. What happened meanwhile is not sent.
#[utoipa::path(
    post, path = "/v1/webhooks/{webhook}/enable", tag = "webhooks", operation_id = "enable_webhook",
    params(("webhook" = String, Path, description = "The webhook's id")),
    responses(
        (status = 200, description = "The webhook, enabled", body = WebhookJson),
        (status = 404, description = "`unknown_webhook`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn enable(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Authenticated,
) -> Result<web::Json<WebhookJson>, Problem> {
    Ok(web::Json(WebhookJson::of(state.hooks.enable(caller.account, hook(&request)?).await?)))
}

/// List deliveries
///
/// The events that a webhook was or is to be told of, newest first, with their attempts. Kept for some days after they
/// are over.
#[utoipa::path(
    get, path = "/v1/webhooks/{webhook}/deliveries", tag = "webhooks", operation_id = "list_deliveries",
    params(("webhook" = String, Path, description = "The webhook's id"), PageQuery),
    responses(
        (status = 200, description = "One page", body = Page<DeliveryJson>),
        (status = 404, description = "`unknown_webhook`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn deliveries(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Authenticated,
    query: QueryOf<PageQuery>,
) -> Result<web::Json<Page<DeliveryJson>>, Problem> {
    let (before, limit) = (query.0.cursor::<EventId>()?, query.0.limit()?);
    let page = state.hooks.deliveries(caller.account, hook(&request)?, before, limit).await?;
    let next_cursor = page.next.map(|next| next.to_string());
    Ok(web::Json(Page { data: page.deliveries.into_iter().map(DeliveryJson::of).collect(), next_cursor }))
}

/// Send an event again
///
/// Under the same id, whatever became of it before.
#[utoipa::path(
    post, path = "/v1/webhooks/{webhook}/deliveries/{event}/replay", tag = "webhooks", operation_id = "replay_delivery",
    params(
        ("webhook" = String, Path, description = "The webhook's id"),
        ("event" = String, Path, description = "The event's id"),
    ),
    responses(
        (status = 202, description = "The delivery, pending", body = DeliveryJson),
        (status = 404, description = "`unknown_webhook`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 409, description = "`webhook_disabled`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn replay(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Authenticated,
) -> Result<HttpResponse, Problem> {
    let event: EventId = path_id(&request, "event", Code::UnknownWebhook)?;
    let delivery = state.hooks.replay(caller.account, hook(&request)?, event).await?;
    Ok(HttpResponse::Accepted().json(DeliveryJson::of(delivery)))
}

/// Get the credit alerts
#[utoipa::path(
    get, path = "/v1/credit-alerts", tag = "webhooks", operation_id = "credit_alerts",
    responses((status = 200, description = "What the account wants to be told of its credits", body = CreditAlertsJson)),
)]
pub(crate) async fn alerts(
    state: web::Data<ApiState>,
    caller: Authenticated,
) -> Result<web::Json<CreditAlertsJson>, Problem> {
    Ok(web::Json(state.hooks.alerts(caller.account).await?.into()))
}

/// Set the credit alerts
///
/// When `credits.low` and `credits.topup_requested` are sent to the account's webhooks. A request for money is made once
/// until a grant comes or the cool-down has passed.
#[utoipa::path(
    put, path = "/v1/credit-alerts", tag = "webhooks", operation_id = "set_credit_alerts",
    request_body = CreditAlertsJson,
    responses(
        (status = 200, description = "The alerts as they are now", body = CreditAlertsJson),
        (status = 422, description = "`invalid_field`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn set_alerts(
    state: web::Data<ApiState>,
    caller: Authenticated,
    body: JsonBody<CreditAlertsJson>,
) -> Result<web::Json<CreditAlertsJson>, Problem> {
    check(&body.value)?;
    let alerts = Alerts::from(body.value);
    state.hooks.set_alerts(caller.account, &alerts).await?;
    Ok(web::Json(alerts.into()))
}

fn check(alerts: &CreditAlertsJson) -> Result<(), Problem> {
    let count = alerts.thresholds.len();
    if count > THRESHOLDS_MAX {
        return Err(Problem::field("/thresholds", format!("has {count} entries; at most {THRESHOLDS_MAX} fit")));
    }
    let amount = |pointer: &str, amount: Microcredits| {
        if (Microcredits(1)..=CREDITS_MAX).contains(&amount) {
            return Ok(());
        }
        Err(Problem::field(pointer, format!("is {amount}; it must be above 0 and at most {CREDITS_MAX}")))
    };
    for (at, threshold) in alerts.thresholds.iter().enumerate() {
        match threshold {
            ThresholdJson::Percent(1..=100) | ThresholdJson::RunwayMinutes(1..=RUNWAY_MINUTES_MAX) => {}
            ThresholdJson::Percent(percent) => {
                let pointer = format!("/thresholds/{at}/percent");
                return Err(Problem::field(pointer, format!("is {percent}; it must be 1 to 100")));
            }
            ThresholdJson::RunwayMinutes(minutes) => {
                let pointer = format!("/thresholds/{at}/runway_minutes");
                return Err(Problem::field(pointer, format!("is {minutes}; it must be 1 to {RUNWAY_MINUTES_MAX}")));
            }
            ThresholdJson::Credits(credits) => amount(&format!("/thresholds/{at}/credits"), credits.0)?,
        }
    }
    let Some(rule) = &alerts.auto_top_up else { return Ok(()) };
    amount("/auto_top_up/below", rule.below.0)?;
    amount("/auto_top_up/credits", rule.credits.0)?;
    if !COOL_DOWN_S.contains(&rule.cool_down_s) {
        let (least, most) = (COOL_DOWN_S.start(), COOL_DOWN_S.end());
        let detail = format!("is {}; it must be {least} to {most}", rule.cool_down_s);
        return Err(Problem::field("/auto_top_up/cool_down_s", detail));
    }
    Ok(())
}

fn hook(request: &HttpRequest) -> Result<HookId, Problem> {
    path_id(request, "webhook", Code::UnknownWebhook)
}
