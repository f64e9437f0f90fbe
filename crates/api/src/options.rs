//! How the HTTP surface is set up.

use std::fmt;
use std::time::Duration;

use footlight_ledger::{AccountId, Limits, Microcredits, PlanTerms};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::forwarded::Network;
use crate::operator::OperatorToken;
use crate::token::TokenKey;

/// Limits of the API. `footlight` sets some of them from its settings; the others are these defaults.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// The largest audio upload, in bytes. Higher takes longer speech in one call and as much memory per upload.
    pub max_upload_bytes: u64,
    /// The memory that all uploads together may fill, in bytes. Beyond it uploads are told to come back.
    pub max_upload_memory_bytes: u64,
    /// The most uploads of one account that are under way at this node at once. Further ones wait a moment, and are then told to
    /// come back.
    pub max_uploads_per_account: usize,
    /// The longest utterance, in seconds of speech.
    pub max_utterance_s: u32,
    /// The largest JSON body, in bytes.
    pub max_json_bytes: usize,
    /// How long a body may make no progress before its request is given up, in seconds.
    pub body_timeout_s: u64,
    /// How many uploads are decoded at the same time, half of them of one account; 0 is one for two cores.
    pub decoders: usize,
    /// How long a secret that was found valid is not looked up again, in seconds: what a revocation waits for at most.
    pub secret_cache_s: u64,
    /// How long known secrets go on being accepted while the store cannot be reached, in seconds.
    pub secret_grace_s: u64,
    /// The most WebSockets and event streams of one session.
    pub max_streams_per_session: usize,
    /// Encoded units (frames and packets) queued for one WebSocket before some are dropped.
    pub stream_queue_units: usize,
    /// The largest WebSocket message taken from a client, in bytes.
    pub max_message_bytes: usize,
    /// How often a silent WebSocket is pinged, in seconds; one that answers nothing for twice as long is closed.
    pub ping_interval_s: u64,
    /// How often an event stream sends a comment so that proxies keep it open, in seconds.
    pub keep_alive_s: u64,
    /// How long a token of an engine elsewhere is good, in seconds. Every heartbeat brings a fresh one; it should outlast the
    /// grace, so that an engine that was cut off can report when it is back.
    pub runtime_token_s: u64,
    /// How long a browser's token opens a session's stream and events, in seconds. What is open stays open.
    pub client_token_s: u64,
    /// What tokens are signed with: the same on all nodes of a store. By default one that is gone with the process.
    pub token_key: TokenKey,
    /// Takes every call without a secret, as this account. For development alone.
    pub unmetered: Option<AccountId>,
    /// What opens `/admin/v1`. Without it that part of the admin listener answers 403.
    pub admin_token: Option<AdminToken>,
    /// Further operators' tokens, each with its roles. `admin_token` has all roles.
    pub operators: Vec<OperatorToken>,
    /// What an account may ask of this node in a minute, in units; 0 is without limit. Most calls cost 1, those that make work 5, and heartbeats nothing.
    pub account_units_per_minute: u32,
    /// Failed guesses at secrets and tokens that one address has in a minute; 0 is without limit.
    pub failures_per_minute: u32,
    /// The reverse proxies whose `x-forwarded-for` says who called.
    pub trusted_proxies: Vec<Network>,
    /// The plans that accounts can be opened on. Part of the price list, not of this section of the settings.
    pub plans: Vec<PlanOffer>,
    /// The limits of accounts that are opened without any of their own.
    pub account_limits: Limits,
    /// Payments. A section of its own in the settings.
    pub payments: PaymentOptions,
}

/// A plan as it is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanOffer {
    /// What the ledger knows of it by the month.
    pub terms: PlanTerms,
    /// What a month costs, in US dollars. Shown to people; payment itself is elsewhere.
    pub price_usd: u32,
    /// What a year costs; `None` when it is not offered by the year.
    pub price_usd_year: Option<u32>,
}

/// For how long a plan is bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanTerm {
    /// A month's credits each month.
    #[default]
    Monthly,
    /// Twelve months' credits at once, each year.
    Annual,
}

impl PlanTerm {
    /// The term of a plan that an account is on.
    #[must_use]
    pub const fn of(plan: &PlanTerms) -> Self {
        if plan.months == 12 { Self::Annual } else { Self::Monthly }
    }

    /// A month's plan for this term.
    #[must_use]
    pub fn applied_to(self, monthly: &PlanTerms) -> PlanTerms {
        match self {
            Self::Monthly => monthly.clone(),
            Self::Annual => {
                PlanTerms { credits: Microcredits(monthly.credits.0.saturating_mul(12)), months: 12, ..monthly.clone() }
            }
        }
    }
}

impl PlanOffer {
    /// The plan for a term, if it is offered for that.
    #[must_use]
    pub fn for_term(&self, term: PlanTerm) -> Option<PlanTerms> {
        let offered = term == PlanTerm::Monthly || self.price_usd_year.is_some();
        offered.then(|| term.applied_to(&self.terms))
    }

    /// The plans that ship.
    #[must_use]
    pub fn shipped() -> Vec<Self> {
        [
            ("free", 99, 3, 0, None),
            ("creator", 1_800, 5, 20, Some(204)),
            ("pro", 10_000, 10, 99, Some(1_010)),
            ("business", 50_000, 50, 299, Some(2_990)),
            ("enterprise", 250_000, 200, 999, Some(9_990)),
        ]
        .into_iter()
        .map(|(name, credits, max_sessions, price_usd, price_usd_year)| Self {
            terms: PlanTerms {
                name: name.to_owned(),
                credits: Microcredits::from_credits(credits),
                months: 1,
                max_sessions,
            },
            price_usd,
            price_usd_year,
        })
        .collect()
    }
}

/// How payments made elsewhere become credits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentOptions {
    /// What Stripe signs its webhook calls with; without one the webhook is not there.
    pub stripe_webhook_secret: Option<WebhookSecret>,
    /// Credits for one US dollar.
    pub credits_per_usd: u32,
}

impl Default for PaymentOptions {
    fn default() -> Self {
        Self { stripe_webhook_secret: None, credits_per_usd: 100 }
    }
}

/// What a payment provider signs with. It prints as dots.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(String);

impl WebhookSecret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            max_upload_bytes: 64 << 20,
            max_upload_memory_bytes: 512 << 20,
            max_uploads_per_account: 16,
            max_utterance_s: 600,
            max_json_bytes: 64 << 10,
            body_timeout_s: 30,
            decoders: 0,
            secret_cache_s: 5,
            secret_grace_s: 300,
            max_streams_per_session: 32,
            stream_queue_units: 64,
            max_message_bytes: 1 << 20,
            ping_interval_s: 15,
            keep_alive_s: 15,
            runtime_token_s: 600,
            client_token_s: 300,
            token_key: TokenKey::generate(),
            unmetered: None,
            admin_token: None,
            operators: Vec::new(),
            account_units_per_minute: 12_000,
            failures_per_minute: 60,
            trusted_proxies: Vec::new(),
            plans: PlanOffer::shipped(),
            account_limits: Limits::default(),
            payments: PaymentOptions::default(),
        }
    }
}

impl ApiOptions {
    /// How often a silent WebSocket is pinged.
    pub(crate) const fn ping_interval(&self) -> Duration {
        Duration::from_secs(if self.ping_interval_s == 0 { 1 } else { self.ping_interval_s })
    }

    /// How often an event stream sends a comment.
    pub(crate) const fn keep_alive(&self) -> Duration {
        Duration::from_secs(if self.keep_alive_s == 0 { 1 } else { self.keep_alive_s })
    }

    /// How long a body may make no progress.
    pub(crate) const fn body_timeout(&self) -> Duration {
        Duration::from_secs(if self.body_timeout_s == 0 { 1 } else { self.body_timeout_s })
    }
}

/// The operator's token. It prints as dots.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminToken(String);

impl AdminToken {
    /// Wraps a token.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// Whether an operator set anything at all: an empty variable is no token.
    pub(crate) fn is_set(&self) -> bool {
        !self.0.trim().is_empty()
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}
