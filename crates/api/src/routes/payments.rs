//! What payment providers tell us: Stripe's webhook.
//!
//! No secret of an account is asked for here: the signature says who calls. A checkout is credited once, under its own id,
//! which becomes the grant's name: so an event that comes again, or two events of one checkout, credit once. Stripe repeats a
//! call until it is answered with success, and turns the webhook off when that never comes. So what will never be credited
//! is answered with success too, and written where an operator sees it.

use std::collections::BTreeMap;

use actix_web::web::Payload;
use actix_web::{HttpRequest, web};
use footlight_actors::{Granted, NodeError};
use footlight_ledger::{AccountId, GrantKind, GrantName, Microcredits, Touched};
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
/// Events up to this length, in bytes, find room always: it is no more than a connection holds anyhow, and Stripe's own are smaller.
/// Whether a call is Stripe's is known at its end only, so strangers who fill a room would keep Stripe out of it.
const SMALL_EVENT: usize = 16 << 10;
/// Larger ones at once.
pub(crate) const LARGE_EVENTS_MAX: usize = 8;
/// When a large one that found no room should come back, in seconds.
const LARGE_RETRY_S: u64 = 5;
/// The longest id of a checkout: it becomes a grant's name.
const CHECKOUT_ID_MAX: usize = 255;
/// The longest part of an event's id that is logged.
const LOGGED_MAX: usize = 64;
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
    id: Option<String>,
    /// `payment`, `subscription` or `setup`.
    mode: Option<String>,
    payment_status: String,
    /// What the goods cost, before discounts, taxes and shipping.
    amount_subtotal: Option<i64>,
    /// What was paid.
    amount_total: Option<i64>,
    total_details: Option<TotalDetails>,
    currency: Option<String>,
    client_reference_id: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
}

/// What a checkout's total is made of.
#[derive(Debug, Deserialize)]
struct TotalDetails {
    amount_discount: Option<i64>,
}

/// What became of an event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentReceived)]
pub(crate) struct ReceivedJson {
    /// Always true: what was not taken is a problem.
    pub received: bool,
    /// Credits that its checkout brought, now or before; null for events that bring none.
    pub credits: Option<Credits>,
    /// Whether its checkout had been credited before.
    pub replayed: bool,
    /// Why a payment brings no credits and never will; null when it brought some, or when the event is about no payment.
    /// Nobody has to send it again, but somebody has to look.
    pub reason: Option<NotCredited>,
}

/// Why a payment will never be credited as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentNotCredited)]
pub(crate) enum NotCredited {
    /// The event's object is not a checkout session.
    NotACheckout,
    /// Neither `metadata.account` nor `client_reference_id` is an account's id.
    NoAccountNamed,
    /// There is no such account.
    UnknownAccount,
    /// The account is closed.
    AccountClosed,
    /// It was not paid in US dollars.
    NotUsd,
    /// There is no amount to credit.
    NoAmount,
    /// The amount is beyond what can be counted.
    AmountOutOfRange,
}

/// Why a payment was not credited.
enum Failure {
    /// It never will be.
    Never(NotCredited),
    /// It may be when Stripe tries again.
    Now(Problem),
}

impl ReceivedJson {
    const NOTHING: Self = Self { received: true, credits: None, replayed: false, reason: None };
}

/// Take a payment from Stripe
///
/// The webhook for `checkout.session.completed` and `checkout.session.async_payment_succeeded`: a checkout that is paid, once
/// and in US dollars, becomes a top-up of the account named by `metadata.account` or by `client_reference_id`, at the node's
/// rate (100 credits for a dollar). It is credited once, whatever is repeated, and for what the goods cost: discounts are
/// taken off, taxes and shipping buy no credits. The call is believed by its `stripe-signature`. Other events, and checkouts
/// of subscriptions, are answered and left alone; a payment that can never be credited is answered with the `reason`. Without
/// a webhook secret in the settings there is nothing at this path.
#[utoipa::path(
    post, path = "/v1/payments/stripe", tag = "payments", operation_id = "stripe_payment", request_body = Event,
    params(("stripe-signature" = String, Header, description = "`t=` and `v1=` of Stripe")),
    security(()),
    responses(
        (status = 200, description = "It was taken", body = ReceivedJson),
        (status = 400, description = "`signature_invalid`, `invalid_body`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 404, description = "`route_not_found`: no webhook secret is set", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 503, description = "`capacity`, `store_unreachable`, with `Retry-After`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`invalid_field`: the account has no room for one more grant", body = ProblemSchema, content_type = "application/problem+json"),
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
    let (mut bytes, mut place) = (0, None);
    let grow = |more: usize| {
        bytes += more;
        if bytes > SMALL_EVENT && place.is_none() {
            place = Some(state.large_events.try_acquire().map_err(|_| too_many_large())?);
        }
        Ok(())
    };
    let body = body::read(&request, payload, EVENT_MAX, options.body_timeout(), grow).await?;
    let sent = request.headers().get("stripe-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    signature::check(sent, &body, secret.bytes(), state.node.now())
        .map_err(|error| Problem::new(Code::SignatureInvalid, error.to_string()))?;

    let event: Event = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(Code::InvalidBody, format!("the body is not an event: {error}")))?;
    if !CHECKOUT_EVENTS.contains(&event.kind.as_str()) {
        return Ok(web::Json(ReceivedJson::NOTHING));
    }
    match credit(&state, &event.id, event.data.object).await {
        Ok(None) => Ok(web::Json(ReceivedJson::NOTHING)),
        Ok(Some(granted)) => {
            let credits = Some(granted.amount.into());
            Ok(web::Json(ReceivedJson { credits, replayed: granted.replayed, ..ReceivedJson::NOTHING }))
        }
        Err(Failure::Never(reason)) => {
            let id: String = event.id.chars().take(LOGGED_MAX).collect();
            tracing::error!(event = id, ?reason, "a payment was made that is not credited: look for it at Stripe");
            state.node.count_payment_not_credited();
            Ok(web::Json(ReceivedJson { reason: Some(reason), ..ReceivedJson::NOTHING }))
        }
        Err(Failure::Now(problem)) => Err(problem),
    }
}

fn too_many_large() -> Problem {
    let detail = format!("{LARGE_EVENTS_MAX} events of over {SMALL_EVENT} bytes are arriving; try again in a moment");
    Problem::new(Code::Capacity, detail).retry_after(LARGE_RETRY_S).with("what", "large events")
}

/// Credits a checkout that is paid; `None` for one that is not, or that buys something else.
async fn credit(state: &ApiState, event: &str, object: Value) -> Result<Option<Granted>, Failure> {
    let checkout = Checkout::deserialize(object).map_err(|_| Failure::Never(NotCredited::NotACheckout))?;
    if checkout.mode.as_deref().is_some_and(|mode| mode != "payment") || checkout.payment_status != "paid" {
        return Ok(None);
    }
    let name = checkout.id.as_deref().unwrap_or(event);
    if !(1..=CHECKOUT_ID_MAX).contains(&name.len()) {
        return Err(Failure::Never(NotCredited::NotACheckout));
    }
    let name = GrantName(name.to_owned());
    let account = checkout.account().ok_or(Failure::Never(NotCredited::NoAccountNamed))?;
    let amount = checkout.credits(state.options.payments.credits_per_usd).map_err(Failure::Never)?;
    let node = state.node.clone();
    let asked = name.clone();
    // A task of its own: a caller that hangs up must not leave money half given.
    let granting =
        actix_web::rt::spawn(async move { node.grant(account, asked, GrantKind::TopUp, amount, None).await });
    match granting.await.map_err(|error| Failure::Now(Problem::internal(error)))? {
        Ok(granted) => {
            tracing::info!(%account, credits = %granted.amount, replayed = granted.replayed, "a payment was credited");
            Ok(Some(granted))
        }
        Err(NodeError::NotFound { .. }) => Err(Failure::Never(NotCredited::UnknownAccount)),
        Err(NodeError::Closed) => Err(Failure::Never(NotCredited::AccountClosed)),
        // It was credited when the rate was another one.
        Err(NodeError::NameTaken) => credited(state, account, name).await.map(Some).map_err(Failure::Now),
        Err(error) => Err(Failure::Now(error.into())),
    }
}

/// What was credited under a name before.
async fn credited(state: &ApiState, account: AccountId, name: GrantName) -> Result<Granted, Problem> {
    let touched = Touched { names: vec![name.clone()], ..Touched::default() };
    let books = state.node.desk().inspect(account, touched).await?;
    let earlier = books.and_then(|books| books.names.get(&name).cloned());
    let earlier = earlier.ok_or_else(|| Problem::internal(format!("the grant {name:?} is taken and not there")))?;
    Ok(Granted { grant: earlier.grant, amount: earlier.amount, replayed: true })
}

impl Checkout {
    /// Who paid. What is in the metadata was put there for us; the reference may be something else's.
    fn account(&self) -> Option<AccountId> {
        let in_metadata = self.metadata.as_ref().and_then(|metadata| metadata.get("account"));
        in_metadata.into_iter().chain(&self.client_reference_id).find_map(|named| named.parse().ok())
    }

    /// What the payment buys: the price of the goods less discounts. Taxes are not ours to give credits for.
    fn credits(&self, per_usd: u32) -> Result<Microcredits, NotCredited> {
        if !self.currency.as_deref().is_some_and(|currency| currency.eq_ignore_ascii_case("usd")) {
            return Err(NotCredited::NotUsd);
        }
        const CENTS_PER_USD: i64 = 100;
        let discount = self.total_details.as_ref().and_then(|details| details.amount_discount).unwrap_or(0);
        let of_goods = self.amount_subtotal.map(|subtotal| subtotal.saturating_sub(discount));
        let cents = of_goods.or(self.amount_total).filter(|cents| *cents > 0).ok_or(NotCredited::NoAmount)?;
        let per_cent = i64::from(per_usd) * Microcredits::PER_CREDIT / CENTS_PER_USD;
        cents.checked_mul(per_cent).map(Microcredits).ok_or(NotCredited::AmountOutOfRange)
    }
}
