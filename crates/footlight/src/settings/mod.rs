//! The settings: one typed value, loaded in one place, refused when a key is unknown or a value out of range.
//!
//! `config/default.toml` is both the documentation and the defaults: it is compiled in and read first.

mod amount;
mod check;
mod load;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use footlight_api::{Network, Role};
use footlight_jobs::JobKind;
use footlight_ledger::{Counting, Product, Rounding};
use serde::{Deserialize, Serialize};

pub(crate) use amount::Amount;
pub(crate) use load::{Loaded, flag, load, usual_file};
pub(crate) use text::{Secret, StoreUrl};

/// Everything that can be set. Each key is described in `config/default.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) environment: Environment,
    #[serde(deserialize_with = "text::read")]
    pub(crate) listen: String,
    #[serde(deserialize_with = "text::read")]
    pub(crate) admin_listen: String,
    pub(crate) admin_token: Secret,
    #[serde(deserialize_with = "text::read_switch")]
    pub(crate) unmetered: bool,
    #[serde(deserialize_with = "text::read_path")]
    pub(crate) data_dir: PathBuf,
    pub(crate) store: StoreUrl,
    pub(crate) redis: RedisSettings,
    pub(crate) log: Log,
    pub(crate) node: NodeSettings,
    pub(crate) cluster: ClusterSettings,
    pub(crate) sessions: Sessions,
    pub(crate) metering: Metering,
    pub(crate) limits: LimitSettings,
    pub(crate) admin_tokens: BTreeMap<String, OperatorSettings>,
    pub(crate) tokens: TokenSettings,
    pub(crate) stage: StageSettings,
    pub(crate) speech: SpeechSettings,
    pub(crate) api: ApiSettings,
    pub(crate) webhooks: WebhookSettings,
    pub(crate) jobs: JobSettings,
    pub(crate) avatars: AvatarSettings,
    pub(crate) rate_card: BTreeMap<Product, TariffSettings>,
    pub(crate) plans: BTreeMap<String, PlanSettings>,
    pub(crate) payments: Payments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Environment {
    Development,
    Production,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    #[serde(deserialize_with = "text::read")]
    pub(crate) filter: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedisSettings {
    #[serde(deserialize_with = "text::read")]
    pub(crate) username: String,
    pub(crate) password: Secret,
    #[serde(deserialize_with = "text::read_path")]
    pub(crate) password_file: PathBuf,
    #[serde(deserialize_with = "text::read")]
    pub(crate) sentinel_username: String,
    pub(crate) sentinel_password: Secret,
    #[serde(deserialize_with = "text::read_path")]
    pub(crate) ca_file: PathBuf,
    #[serde(deserialize_with = "text::read_path")]
    pub(crate) cert_file: PathBuf,
    #[serde(deserialize_with = "text::read_path")]
    pub(crate) key_file: PathBuf,
    pub(crate) replicas: u32,
    pub(crate) allow_unsafe: bool,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeSettings {
    #[serde(deserialize_with = "text::read")]
    pub(crate) name: String,
    pub(crate) max_sessions: u32,
    pub(crate) max_engines: u32,
    pub(crate) speaking_slots: u32,
    pub(crate) overcommit: f32,
    #[serde(with = "humantime_serde")]
    pub(crate) slot_wait: Duration,
    pub(crate) restart_budget: u32,
    #[serde(with = "humantime_serde")]
    pub(crate) restart_window: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) drain_deadline: Duration,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClusterSettings {
    pub(crate) secret: Secret,
    #[serde(deserialize_with = "text::read")]
    pub(crate) listen: String,
    #[serde(deserialize_with = "text::read")]
    pub(crate) address: String,
    #[serde(with = "humantime_serde")]
    pub(crate) lease: Duration,
    pub(crate) placement: PlacementChoice,
    pub(crate) queue: usize,
    #[serde(with = "humantime_serde")]
    pub(crate) queue_deadline: Duration,
    pub(crate) labels: BTreeMap<String, String>,
}

impl ClusterSettings {
    /// Whether there may be other nodes.
    pub(crate) fn is_on(&self) -> bool {
        !self.secret.0.is_empty()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PlacementChoice {
    TwoChoice,
    Packed,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sessions {
    #[serde(with = "humantime_serde")]
    pub(crate) idle_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) max_idle_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) max_duration: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) max_max_duration: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) paused_timeout: Duration,
    pub(crate) max_without_plan: u32,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metering {
    #[serde(with = "humantime_serde")]
    pub(crate) heartbeat: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) grace: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) min_slice: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) hold_after_speech: Duration,
    pub(crate) debt_limit: Amount,
    #[serde(with = "humantime_serde")]
    pub(crate) keep_journal_for: Duration,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitSettings {
    pub(crate) account_units_per_minute: u32,
    pub(crate) failures_per_minute: u32,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) uploads_per_account: usize,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperatorSettings {
    pub(crate) token: Secret,
    pub(crate) roles: BTreeSet<Role>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenSettings {
    pub(crate) key: Secret,
    #[serde(with = "humantime_serde")]
    pub(crate) runtime_lifetime: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) client_lifetime: Duration,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageSettings {
    pub(crate) workers: usize,
    pub(crate) renderer: Renderer,
    #[serde(with = "humantime_serde")]
    pub(crate) max_queued_audio: Duration,
    pub(crate) max_queued_bytes: u64,
    #[serde(deserialize_with = "text::read_path")]
    pub(crate) avatars_dir: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Renderer {
    Essence,
    Null,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpeechSettings {
    pub(crate) max_kept_bytes: u64,
    pub(crate) max_kept_bytes_per_account: u64,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiSettings {
    pub(crate) max_body: usize,
    pub(crate) max_connections: usize,
    #[serde(with = "humantime_serde")]
    pub(crate) max_utterance: Duration,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookSettings {
    pub(crate) max_per_account: usize,
    pub(crate) concurrency: usize,
    #[serde(with = "humantime_serde")]
    pub(crate) timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) first_retry: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) last_retry: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) give_up_after: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) disable_after: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) keep_log_for: Duration,
    pub(crate) allow_private_addresses: bool,
    pub(crate) pace: f64,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobSettings {
    pub(crate) prices: BTreeMap<JobKind, Amount>,
    pub(crate) workers: usize,
    #[serde(with = "humantime_serde")]
    pub(crate) lease: Duration,
    #[serde(with = "humantime_serde")]
    pub(crate) timeout: Duration,
    pub(crate) max_attempts: u32,
    #[serde(with = "humantime_serde")]
    pub(crate) keep_for: Duration,
    pub(crate) max_kept_per_account: usize,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AvatarSettings {
    pub(crate) max_per_account: usize,
    pub(crate) max_bytes_per_account: u64,
    #[serde(with = "humantime_serde")]
    pub(crate) keep_pictures_for: Duration,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TariffSettings {
    pub(crate) rate: Amount,
    pub(crate) counting: Counting,
    pub(crate) rounding: Rounding,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanSettings {
    pub(crate) credits: Amount,
    pub(crate) max_sessions: u32,
    pub(crate) price_usd: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) price_usd_year: Option<u32>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payments {
    pub(crate) stripe_webhook_secret: Secret,
    pub(crate) credits_per_usd: u32,
}
