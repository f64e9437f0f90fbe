//! Webhooks: endpoints, the log, alerts, and what is sent.

use std::collections::BTreeSet;

use footlight_hooks::{
    Alerts, Attempt, AutoTopUp, Delivery, DeliveryState, Endpoint, Event, EventType, News, Standing, Threshold,
};
use footlight_ledger::{EventId, GrantId, GrantKind, HookId, JobId, Microcredits, SessionId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Credits, Instant, SessionJson};

/// A webhook that is to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateWebhook, example = json!({"url": "https://example.com/footlight", "events": ["session.ended", "credits.low"]}))]
pub struct CreateWebhookJson {
    /// Where events are sent: an https address on the public internet.
    pub url: String,
    /// Which events; all of them when this is left out or empty.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub events: BTreeSet<EventType>,
    /// Your own words, at most 200 bytes.
    #[serde(default)]
    pub description: String,
}

/// A webhook: an address that is told of an account's events.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookJson {
    /// Its name.
    #[schema(value_type = String, example = "whk_0193b5f2a7c87d1e8f3a9b2c4d5e6f70")]
    pub id: HookId,
    /// Where events are sent.
    #[schema(example = "https://example.com/footlight")]
    pub url: String,
    /// Which events; empty: all of them.
    #[schema(value_type = Vec<String>)]
    pub events: BTreeSet<EventType>,
    /// The owner's own words.
    pub description: String,
    /// Whether it is called.
    pub enabled: bool,
    /// Why it is not called any more; null while it is.
    pub disabled_reason: Option<String>,
    /// Since when nothing has got through; null while it works.
    pub failing_since: Option<Instant>,
    /// When it was made.
    pub created_at: Instant,
}

impl WebhookJson {
    /// A webhook, without its secret.
    #[must_use]
    pub fn of(endpoint: Endpoint) -> Self {
        Self {
            id: endpoint.id,
            url: endpoint.url,
            events: endpoint.events,
            description: endpoint.description,
            enabled: endpoint.disabled.is_none(),
            disabled_reason: endpoint.disabled.map(|(_, reason)| reason),
            failing_since: endpoint.failing_since.map(Instant),
            created_at: endpoint.created_at.into(),
        }
    }
}

/// A webhook that was just made, with its secret: the only time it is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = WebhookCreated)]
pub struct WebhookCreatedJson {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: WebhookJson,
    /// What deliveries are signed with. Left out where the answer is repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    pub secret: Option<String>,
}

/// One attempt to deliver an event.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
pub struct AttemptJson {
    /// When.
    pub at: Instant,
    /// The answer's status; null when there was none.
    pub status: Option<u16>,
    /// Why there was none.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

impl From<Attempt> for AttemptJson {
    fn from(attempt: Attempt) -> Self {
        Self { at: attempt.at.into(), status: attempt.status, error: attempt.error, ms: attempt.ms }
    }
}

/// An event at one webhook.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryJson {
    /// The event's id: the header `webhook-id` of every attempt.
    #[schema(value_type = String, example = "evt_0193b5f2a7c87d1e8f3a9b2c4d5e6f70")]
    pub id: EventId,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "session.ended")]
    pub kind: EventType,
    /// The session it is about; null for events of the account.
    #[schema(value_type = Option<String>)]
    pub session_id: Option<SessionId>,
    /// When it happened.
    pub at: Instant,
    /// `pending`, `delivered` or `failed`.
    #[schema(value_type = String, example = "delivered")]
    pub state: DeliveryState,
    /// How many attempts there were.
    pub attempt_count: u32,
    /// The first and the last of them.
    pub attempts: Vec<AttemptJson>,
}

impl DeliveryJson {
    /// A delivery, without what was sent.
    #[must_use]
    pub fn of(delivery: Delivery) -> Self {
        Self {
            id: delivery.event,
            kind: delivery.kind,
            session_id: delivery.session,
            at: delivery.at.into(),
            state: delivery.state,
            attempt_count: delivery.attempt_count,
            attempts: delivery.attempts.into_iter().map(AttemptJson::from).collect(),
        }
    }
}

/// How low credits are told to be: one of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CreditThreshold)]
pub enum ThresholdJson {
    /// Below this percentage of what the plan's period grants: 1 to 100.
    #[schema(example = 20)]
    Percent(u8),
    /// Below this many credits.
    Credits(Credits),
    /// The balance lasts for fewer minutes than this at the rate at which credits were spent lately: 1 to 100 000.
    RunwayMinutes(u32),
}

impl From<Threshold> for ThresholdJson {
    fn from(threshold: Threshold) -> Self {
        match threshold {
            Threshold::Percent(percent) => Self::Percent(percent),
            Threshold::Credits(credits) => Self::Credits(credits.into()),
            Threshold::RunwayMinutes(minutes) => Self::RunwayMinutes(minutes),
        }
    }
}

impl From<ThresholdJson> for Threshold {
    fn from(threshold: ThresholdJson) -> Self {
        match threshold {
            ThresholdJson::Percent(percent) => Self::Percent(percent),
            ThresholdJson::Credits(credits) => Self::Credits(credits.0),
            ThresholdJson::RunwayMinutes(minutes) => Self::RunwayMinutes(minutes),
        }
    }
}

/// When to ask for money.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AutoTopUp)]
pub struct AutoTopUpJson {
    /// Ask when the balance is below this.
    pub below: Credits,
    /// Ask for this many credits.
    pub credits: Credits,
    /// Ask again when no grant came for this long, in seconds: 60 to 2 592 000; an hour unless named.
    #[serde(default = "an_hour")]
    #[schema(example = 3600)]
    pub cool_down_s: u32,
}

const fn an_hour() -> u32 {
    3_600
}

/// What an account wants to be told of its credits.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreditAlerts, example = json!({"thresholds": [{"percent": 20}, {"credits": 100}, {"runway_minutes": 30}], "auto_top_up": {"below": 50, "credits": 1000}}))]
pub struct CreditAlertsJson {
    /// `credits.low` is sent when the balance falls below one of these: once, until it was above again. At most 8.
    #[serde(default)]
    pub thresholds: Vec<ThresholdJson>,
    /// `credits.topup_requested` is sent by this rule; null: never.
    #[serde(default)]
    pub auto_top_up: Option<AutoTopUpJson>,
}

impl From<Alerts> for CreditAlertsJson {
    fn from(alerts: Alerts) -> Self {
        let rule = |rule: AutoTopUp| AutoTopUpJson {
            below: rule.below.into(),
            credits: rule.amount.into(),
            cool_down_s: rule.cool_down_s,
        };
        Self {
            thresholds: alerts.thresholds.into_iter().map(ThresholdJson::from).collect(),
            auto_top_up: alerts.auto_top_up.map(rule),
        }
    }
}

impl From<CreditAlertsJson> for Alerts {
    fn from(json: CreditAlertsJson) -> Self {
        let rule = |rule: AutoTopUpJson| AutoTopUp {
            below: rule.below.0,
            amount: rule.credits.0,
            cool_down_s: rule.cool_down_s,
        };
        Self {
            thresholds: json.thresholds.into_iter().map(Threshold::from).collect(),
            auto_top_up: json.auto_top_up.map(rule),
        }
    }
}

/// What is sent to a webhook, by the Standard Webhooks specification: the id and time of the attempt are headers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEvent)]
pub struct WebhookEventJson {
    /// The event's id, as in the header `webhook-id`.
    #[schema(value_type = String, example = "evt_0193b5f2a7c87d1e8f3a9b2c4d5e6f70")]
    pub id: EventId,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "session.ended")]
    pub kind: EventType,
    /// When it happened.
    pub timestamp: Instant,
    /// A session as it was then, or the figures of the account.
    pub data: WebhookDataJson,
}

/// What an event is about.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = WebhookData)]
pub enum WebhookDataJson {
    /// `session.*`.
    Session(Box<SessionJson>),
    /// `credits.*` and `period.rolled`.
    Credits(Box<CreditNewsJson>),
    /// `job.finished`.
    Job(JobNewsJson),
}

/// The account's credits when an event happened, and what the event adds.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = CreditNews)]
pub struct CreditNewsJson {
    /// Available and held credits.
    pub balance: Credits,
    /// Of them, from the plan.
    pub plan_credits: Credits,
    /// What was spent lately, in credits a minute.
    pub burn_per_minute: Credits,
    /// `credits.low`: which threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<ThresholdJson>,
    /// `credits.topped_up`: the grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub grant_id: Option<GrantId>,
    /// `credits.topped_up`: `top_up` or `promo`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub kind: Option<GrantKind>,
    /// `credits.topup_requested`: use it as the idempotency key of the payment, so that one request is paid once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// `credits.topped_up`, `credits.topup_requested`, `period.rolled`: how many credits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credits: Option<Credits>,
    /// `period.rolled`: the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// `period.rolled`: when the period began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_starts_at: Option<Instant>,
    /// `period.rolled`: when it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_ends_at: Option<Instant>,
}

/// A job that is over.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JobNews)]
pub struct JobNewsJson {
    /// Which.
    #[schema(value_type = String)]
    pub job_id: JobId,
    /// `agent`, `dynamics` or `book`.
    pub kind: String,
    /// `done`, `failed` or `cancelled`.
    pub state: String,
    /// What it cost.
    pub credits_used: Credits,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl CreditNewsJson {
    fn standing(standing: Standing) -> Self {
        Self {
            balance: standing.balance.into(),
            plan_credits: standing.plan.into(),
            burn_per_minute: standing.burn_per_minute.into(),
            ..Self::default()
        }
    }
}

impl WebhookEventJson {
    /// An event, as it is sent.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let credits = |amount: Microcredits| Some(Credits(amount));
        let data = match &event.news {
            News::Session { record, .. } => WebhookDataJson::Session(Box::new(SessionJson::of((**record).clone()))),
            News::JobFinished { job, kind, state, charged, error } => WebhookDataJson::Job(JobNewsJson {
                job_id: *job,
                kind: kind.clone(),
                state: state.clone(),
                credits_used: (*charged).into(),
                error: error.clone(),
            }),
            News::CreditsLow { threshold, standing } => WebhookDataJson::Credits(Box::new(CreditNewsJson {
                threshold: Some((*threshold).into()),
                ..CreditNewsJson::standing(*standing)
            })),
            News::CreditsExhausted { standing } => {
                WebhookDataJson::Credits(Box::new(CreditNewsJson::standing(*standing)))
            }
            News::ToppedUp { grant, kind, amount, standing } => WebhookDataJson::Credits(Box::new(CreditNewsJson {
                grant_id: Some(*grant),
                kind: Some(*kind),
                credits: credits(*amount),
                ..CreditNewsJson::standing(*standing)
            })),
            News::TopUpRequested { request, amount, standing } => WebhookDataJson::Credits(Box::new(CreditNewsJson {
                request_id: Some(request.clone()),
                credits: credits(*amount),
                ..CreditNewsJson::standing(*standing)
            })),
            News::PeriodRolled { plan, starts_at, ends_at, credits: granted, standing } => {
                WebhookDataJson::Credits(Box::new(CreditNewsJson {
                    plan: Some(plan.clone()),
                    period_starts_at: Some(Instant(*starts_at)),
                    period_ends_at: Some(Instant(*ends_at)),
                    credits: credits(*granted),
                    ..CreditNewsJson::standing(*standing)
                }))
            }
        };
        Self { id: event.id, kind: event.kind(), timestamp: event.at.into(), data }
    }
}
