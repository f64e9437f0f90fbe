//! The public JSON, one type per shape. Nothing below this crate knows how it looks.

mod account;
mod credits;
mod engine;
mod event;
mod instant;
mod journal;
pub(crate) mod page;
mod pricing;
pub(crate) mod product;
mod session;
mod usage;
mod webhook;

pub use account::{
    AccountJson, AccountOpenedJson, CreditSummaryJson, GrantJson, LimitsJson, MeJson, MinutesEstimateJson,
    SecretCreatedJson, SecretJson, TotalsJson,
};
pub use credits::{Credits, InvalidCredits};
pub use engine::{
    CreateClientTokenJson, CreateRuntimeTokenJson, CreatedSessionJson, EngineJson, HeartbeatAnswerJson, HeartbeatJson,
    RuntimeTokenJson, TokenJson,
};
pub use event::{EventJson, EventKindJson};
pub use instant::{Instant, InvalidInstant};
pub use journal::{EntryJson, EntryKindJson, PartJson};
pub use page::{Page, PageQuery};
pub use pricing::{PlanPriceJson, PricingJson, ProductPriceJson};
pub use session::{CreateSessionJson, SessionJson};
pub use usage::UsageJson;
pub use webhook::{
    AttemptJson, AutoTopUpJson, CreateWebhookJson, CreditAlertsJson, CreditNewsJson, DeliveryJson, JobNewsJson,
    ThresholdJson, WebhookCreatedJson, WebhookDataJson, WebhookEventJson, WebhookJson,
};
