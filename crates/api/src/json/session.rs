//! A session, as clients see and order it.

use std::collections::{BTreeMap, BTreeSet};

use footlight_actors::CreateSession;
use footlight_ledger::{AccountId, EndReason, PauseReason, Product};
use footlight_session::{SessionId, SessionRecord, SessionState, WhenUnwatched};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Credits, Instant, product};

/// One session.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionJson {
    /// Its name, `ses_...`.
    #[schema(value_type = String, example = "ses_0193b5f2a7c87d1e8f3a9b2c4d5e6f70")]
    pub id: SessionId,
    /// `starting`, `running` (speaking), `idle`, `paused` or `ended`.
    #[schema(value_type = String, example = "idle")]
    pub state: SessionState,
    /// Why it is held back. It runs only when this is empty. Treat words you do not know as paused.
    #[schema(value_type = Vec<String>, example = json!([]))]
    pub pause_reasons: BTreeSet<PauseReason>,
    /// Why it is over; null until then.
    #[schema(value_type = Option<String>)]
    pub end_reason: Option<EndReason>,
    /// What it is sold as.
    #[schema(value_type = String, example = "essence_cloud")]
    pub product: Product,
    /// The product's model: `essence` or `expression`; null where a product has none.
    pub model: Option<&'static str>,
    /// Where its frames are made: `cloud`, `self_hosted` or `on_device`; null where a product has none.
    pub surface: Option<&'static str>,
    /// The avatar's name.
    #[schema(example = "ada")]
    pub avatar: String,
    /// Frames a second.
    #[schema(example = 25)]
    pub fps: u32,
    /// Pixels.
    #[schema(example = 512)]
    pub width: u32,
    /// Pixels.
    #[schema(example = 512)]
    pub height: u32,
    /// What one active minute costs, in credits.
    pub rate_credits_per_minute: Credits,
    /// Active time so far, in milliseconds.
    pub active_ms: u64,
    /// Active frames so far: driven by submitted audio and handed out. Only these are billed.
    pub frames: u64,
    /// Frames for which live audio came too late. They are free.
    pub stalls: u64,
    /// What it has cost so far, in credits.
    pub credits_used: Credits,
    /// The node that runs it.
    pub node: String,
    /// When it was created.
    pub created_at: Instant,
    /// When it ended; null until then.
    pub ended_at: Option<Instant>,
    /// A plain colour in place of the avatar's own background.
    pub background: Option<String>,
    /// What speech does while nobody watches: `wait` or `continue`.
    #[schema(value_type = String, example = "wait")]
    pub when_unwatched: WhenUnwatched,
    /// Ends it when silent for this long, in seconds.
    pub idle_timeout_s: u32,
    /// Ends it at this age, in seconds.
    pub max_duration_s: u32,
    /// The caller's own words.
    pub metadata: BTreeMap<String, String>,
    /// Who pays. Only in the operator's lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub account: Option<AccountId>,
}

impl SessionJson {
    /// A session, for the account that owns it.
    #[must_use]
    pub fn of(record: SessionRecord) -> Self {
        let (model, surface) = product::parts(record.product);
        // Connected products count milliseconds: as many units a minute as it has milliseconds.
        let active_ms = u128::from(record.units) * 60_000 / u128::from(record.pricing.units_per_minute.max(1));
        Self {
            id: record.id,
            state: record.state,
            pause_reasons: record.pause_reasons,
            end_reason: record.end_reason,
            product: record.product,
            model,
            surface,
            avatar: record.avatar,
            fps: record.fps,
            width: record.width,
            height: record.height,
            rate_credits_per_minute: record.pricing.rate.into(),
            active_ms: u64::try_from(active_ms).unwrap_or(u64::MAX),
            frames: record.units,
            stalls: record.stalls,
            credits_used: record.credits_used.into(),
            node: record.node,
            created_at: record.created_at.into(),
            ended_at: record.ended_at.map(Instant),
            background: record.background,
            when_unwatched: record.when_unwatched,
            idle_timeout_s: record.idle_timeout_s,
            max_duration_s: record.max_duration_s,
            metadata: record.metadata,
            account: None,
        }
    }

    /// A session, for the operator.
    #[must_use]
    pub fn with_account(record: SessionRecord) -> Self {
        let account = record.account;
        Self { account: Some(account), ..Self::of(record) }
    }
}

/// What a new session is to be. Every field has a default: `{}` is a good order.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = CreateSession, example = json!({"avatar": "ada", "fps": 25, "metadata": {"caller": "42"}}))]
pub struct CreateSessionJson {
    /// What it is sold as; `essence_cloud` unless named.
    #[schema(value_type = Option<String>, example = "essence_cloud")]
    pub product: Option<Product>,
    /// The avatar; `ada` unless named. `GET /v1/avatars` lists them.
    #[schema(example = "ada")]
    pub avatar: Option<String>,
    /// Frames a second: 20, 25, 30 or 50 where a node makes them, 1 to 240 where an engine elsewhere does; 25 unless named.
    #[schema(example = 25, minimum = 1, maximum = 240)]
    pub fps: Option<u32>,
    /// Pixels, even; 512 unless named.
    #[schema(example = 512, minimum = 64, maximum = 1920, multiple_of = 2)]
    pub width: Option<u32>,
    /// Pixels, even; 512 unless named.
    #[schema(example = 512, minimum = 64, maximum = 1920, multiple_of = 2)]
    pub height: Option<u32>,
    /// A plain colour in place of the avatar's own background: `#rrggbb`.
    #[schema(example = "#203040", pattern = "^#[0-9a-fA-F]{6}$")]
    pub background: Option<String>,
    /// End it when it was silent or unwatched for this long, in seconds.
    #[schema(example = 300, minimum = 1, maximum = 3600)]
    pub idle_timeout_s: Option<u32>,
    /// End it at this age, in seconds.
    #[schema(example = 3600, minimum = 1, maximum = 86400)]
    pub max_duration_s: Option<u32>,
    /// What speech does while nobody watches: `wait` (the default) or `continue`, unseen and uncharged.
    #[schema(value_type = Option<String>, example = "wait")]
    pub when_unwatched: Option<WhenUnwatched>,
    /// Your own words, given back with the session: at most 16 keys of 64 bytes, values of 512 bytes.
    pub metadata: BTreeMap<String, String>,
    /// Labels that its node must have, as its operator names them: at most 8.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({"zone": "a"}))]
    pub labels: BTreeMap<String, String>,
}

impl From<CreateSessionJson> for CreateSession {
    fn from(json: CreateSessionJson) -> Self {
        Self {
            product: json.product,
            avatar: json.avatar,
            fps: json.fps,
            width: json.width,
            height: json.height,
            background: json.background,
            idle_timeout_s: json.idle_timeout_s,
            max_duration_s: json.max_duration_s,
            when_unwatched: json.when_unwatched,
            metadata: json.metadata,
            labels: json.labels,
        }
    }
}
