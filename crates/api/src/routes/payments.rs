//! What payment providers tell us: Stripe's webhook.
//!
//! No secret of an account is asked for here: the signature says who calls. A payment is credited once under its event's
//! id, which becomes the grant's own name; Stripe repeats a call until it is answered with success.

use std::collections::BTreeMap;

use actix_web::web::Payload;
use actix_web::{HttpRequest, web};
use footlight_ledger::{AccountId, GrantKind, GrantName, Microcredits};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::body;
use crate::json::Credits;
use crate::problem::{Code, Problem, ProblemSchema};
use crate::signature;
use crate::state::ApiState;

/// The largest event taken, in bytes: Stripe's are a few kB.
const EVENT_MAX: u64 = 256 << 10;
/// The longest event id: it becomes a grant's name.
const EVENT_ID_MAX: usize = 255;
/// A checkout is over. Some ways of paying bring the money later: then the second one comes as well, when it has come.
const CHECKOUT_EVENTS: [&str; 2] = ["checkout.session.completed", "checkout.session.async_payment_succeeded"];

/// An event, as far as it is read.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StripeEvent)]
pub(crate) struct Event {
    /// Its id, `evt_...`.
    pub id: String,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "checkout.session.completed")]
    pub kind: String,
    /// To what.
    pub data: EventData,
}

/// What an event is about.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StripeEventData)]
pub(crate) struct EventData {
    /// A checkout session, in the events that are read; whatever it is in others.
    #[schema(value_type = Object)]
    pub object: Value,
}

/// A checkout session, as far as it is read.
#[derive(Debug, Deserialize)]
struct Checkout {
    payment_status: String,
    amount_total: Option<i64>,
    currency: Option<String>,
    client_reference_id: Option<String>,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

/// What became of an event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentReceived)]
pub(crate) struct ReceivedJson {
    /// Always true: what was not taken is a problem.
    pub received: bool,
    /// Credits that this event brought, now or when it came before; null for events that bring none.
    pub credits: Option<Credits>,
    /// Whether it had come before.
    pub replayed: bool,
}

impl ReceivedJson {
    const NOTHING: Self = Self { received: true, credits: None, replayed: false };
}

/// Take a payment from Stripe
///
/// The webhook for `checkout.session.completed`: a paid checkout in US dollars becomes a top-up of the account named by
/// `client_reference_id` or by `metadata.account`, once per event id, at the node's rate (100 credits for a dollar). The
/// call is believed by its `stripe-signature`. Other events are answered and left alone. Without a webhook secret in the
/// settings there is nothing at this path.
#[utoipa::path(
    post, path = "/v1/payments/stripe", tag = "payments", operation_id = "stripe_payment", request_body = Event,
    params(("stripe-signature" = String, Header, description = "`t=` and `v1=` of Stripe")),
    security(()),
    responses(
        (status = 200, description = "It was taken", body = ReceivedJson),
        (status = 400, description = "`signature_invalid`, `invalid_body`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 404, description = "`route_not_found`: no webhook secret is set; `unknown_account`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_field`, `idempotency_key_reused`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn stripe(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: Payload,
) -> Result<web::Json<ReceivedJson>, Problem> {
    let options = &state.options;
    let Some(secret) = &options.payments.stripe_webhook_secret else {
        return Err(Problem::new(Code::RouteNotFound, "this node takes no payments: it has no webhook secret"));
    };
    let body = body::read(&request, payload, EVENT_MAX, options.body_timeout(), |_| Ok(())).await?;
    let sent = request.headers().get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    signature::check(sent, &body, secret.bytes(), state.node.now())
        .map_err(|error| Problem::new(Code::SignatureInvalid, error.to_string()))?;

    let event: Event = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(Code::InvalidBody, format!("the body is not an event: {error}")))?;
    if !CHECKOUT_EVENTS.contains(&event.kind.as_str()) {
        return Ok(web::Json(ReceivedJson::NOTHING));
    }
    let checkout = Checkout::deserialize(event.data.object)
        .map_err(|error| Problem::field("/data/object", format!("is not a checkout session: {error}")))?;
    if checkout.payment_status != "paid" {
        return Ok(web::Json(ReceivedJson::NOTHING));
    }
    let account = checkout.account()?;
    let amount = checkout.credits(options.payments.credits_per_usd)?;
    if amount.is_zero() {
        return Ok(web::Json(ReceivedJson::NOTHING));
    }
    if !(1..=EVENT_ID_MAX).contains(&event.id.len()) {
        return Err(Problem::field("/id", format!("must be 1 to {EVENT_ID_MAX} bytes")));
    }
    let node = state.node.clone();
    // A task of its own: a caller that hangs up must not leave money half given.
    let granted =
        actix_web::rt::spawn(
            async move { node.grant(account, GrantName(event.id), GrantKind::TopUp, amount, None).await },
        )
        .await
        .map_err(Problem::internal)??;
    tracing::info!(%account, credits = %granted.amount, replayed = granted.replayed, "a payment was credited");
    let credits = Some(granted.amount.into());
    Ok(web::Json(ReceivedJson { received: true, credits, replayed: granted.replayed }))
}

impl Checkout {
    /// Who paid.
    fn account(&self) -> Result<AccountId, Problem> {
        const POINTER: &str = "/data/object/client_reference_id";
        let in_metadata = || self.metadata.as_ref().and_then(|metadata| metadata.get("account"));
        let named = self.client_reference_id.as_ref().or_else(in_metadata);
        let named = named.ok_or_else(|| Problem::field(POINTER, "is missing, and so is `metadata.account`"))?;
        named.parse().map_err(|error| Problem::field(POINTER, format!("names no account: {error}")))
    }

    /// What the payment buys.
    fn credits(&self, per_usd: u32) -> Result<Microcredits, Problem> {
        let currency = self.currency.as_deref().unwrap_or_default();
        if !currency.eq_ignore_ascii_case("usd") {
            let currency: String = currency.chars().take(16).collect();
            return Err(Problem::field("/data/object/currency", format!("is `{currency}`; only usd is taken")));
        }
        const CENTS_PER_USD: i64 = 100;
        let cents = self.amount_total.unwrap_or(0).max(0);
        let per_cent = i64::from(per_usd) * Microcredits::PER_CREDIT / CENTS_PER_USD;
        let amount = cents.checked_mul(per_cent);
        amount.map(Microcredits).ok_or_else(|| Problem::field("/data/object/amount_total", "is out of range"))
    }
}
