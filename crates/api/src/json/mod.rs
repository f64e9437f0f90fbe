//! The public JSON, one type per shape. Nothing below this crate knows how it looks.

mod account;
mod avatar;
mod balance;
mod credits;
mod engine;
mod event;
mod instant;
mod job;
pub(crate) mod journal;
mod node;
pub(crate) mod page;
mod plan;
mod pricing;
pub(crate) mod product;
mod secret;
mod session;
mod usage;
mod webhook;

pub use account::{
    AccountJson, AccountOpenedJson, CreditSummaryJson, GrantJson, LimitsJson, MeJson, MinutesEstimateJson, TotalsJson,
};
pub use avatar::{AvatarJson, PictureJson};
pub use balance::BalanceJson;
pub use credits::{Credits, InvalidCredits};
pub use engine::{
    CreateClientTokenJson, CreateRuntimeTokenJson, CreatedSessionJson, EngineJson, HeartbeatAnswerJson, HeartbeatJson,
    RuntimeTokenJson, TokenJson,
};
pub use event::{EventJson, EventKindJson};
pub use instant::{Instant, InvalidInstant};
pub use job::{ClaimJobJson, ClaimedJobJson, CompleteJobJson, CreateJobJson, FailJobJson, JobJson, JobProgressJson};
pub use journal::{EntryJson, EntryKindJson, PartJson};
pub use node::{MeterJson, NodeJson, RoomJson};
pub use page::{Page, PageQuery};
pub use plan::{NextPlanJson, PlanChangeJson};
pub use pricing::{AnnualPriceJson, PlanPriceJson, PricingJson, ProductPriceJson};
pub use secret::{BudgetJson, SecretCreatedJson, SecretJson, SpendingLimitJson};
pub use session::{CreateSessionJson, SessionJson};
pub use usage::UsageJson;
pub use webhook::{
    AttemptJson, AutoTopUpJson, CreateWebhookJson, CreditAlertsJson, CreditNewsJson, DeliveryJson, JobNewsJson,
    ThresholdJson, WebhookCreatedJson, WebhookDataJson, WebhookEventJson, WebhookJson,
};
