//! Putting a node together: the one place that names concrete stores and renderers.

pub(crate) mod cluster;
mod hooks;
mod place;
mod store;
mod terms;
mod tokens;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::web::Data;
use anyhow::Context;
use footlight_actors::{Node, NodeOptions, NodeParts, SpeakingSlots};
use footlight_api::{
    AdminToken, ApiOptions, ApiParts, ApiState, OperatorToken, PaymentOptions, PlanOffer, WebhookSecret,
};
use footlight_hooks::Hooks;
use footlight_jobs::{JobOptions, JobParts, Jobs};
use footlight_ledger::{AccountId, Microcredits, Timestamp};
use footlight_stage::{RendererKind, Stage, StageOptions};
use footlight_store::{DataDirLock, LedgerDesk, Store};
use footlight_wardrobe::{Wardrobe, WardrobeOptions, WardrobeParts};
use footlight_workshop::{Bench, Workshop, WorkshopOptions, WorkshopParts};
use uuid::Uuid;

use crate::avatars;
use crate::settings::{OperatorSettings, PlanSettings, Renderer, Settings};

use cluster::{ClusterSocket, Joined};
pub(crate) use place::{Place, Purpose};
pub(crate) use store::{OpenStore, open_store};
use store::{expect_whole, lock_data_dir};
pub(crate) use terms::{limits, plans, rate_card, terms};

/// Who everything is for that goes unmetered.
const DEVELOPMENT_ACCOUNT: AccountId = AccountId(Uuid::from_u128(0xdef));

/// A node with its parts, ready to be served or driven.
pub(crate) struct Assembly {
    pub(crate) node: Node,
    pub(crate) hooks: Hooks,
    pub(crate) jobs: Jobs,
    pub(crate) wardrobe: Wardrobe,
    pub(crate) workshop: Workshop,
    pub(crate) store: Arc<dyn Store>,
    /// The node among others, where there may be any.
    pub(crate) joined: Option<Joined>,
    registry: prometheus::Registry,
    /// Kept, not read.
    _data_dir: Option<DataDirLock>,
}

/// This machine's wall clock.
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// Opens the store, starts the stage, recovers what a crash left, and answers a node that takes sessions.
///
/// # Errors
/// When the data directory is in use, the store cannot be opened, or a thread cannot be started.
pub(crate) async fn assemble(settings: &Settings, socket: Option<&ClusterSocket>) -> anyhow::Result<Assembly> {
    let OpenStore { store, data_dir } = open_store(settings).await?;
    expect_whole(store.as_ref()).await?;
    let lock = lock_data_dir(settings)?;
    let desk = LedgerDesk::new(Arc::clone(&store), terms(settings), Arc::new(now), Arc::new(rand::random));
    let avatars = avatars::of_folder(&settings.stage.avatars_dir)?;
    let stage = Arc::new(Stage::start_with(stage_options(settings), avatars.clone()).context("starting the stage")?);
    if settings.unmetered {
        tracing::warn!("UNMETERED: every call is taken without a secret and nothing is charged; for development alone");
        desk.open_account(DEVELOPMENT_ACCOUNT, limits(settings)).await.context("opening the development account")?;
    }
    let registry = prometheus::Registry::new();
    let hooks = hooks::start(settings, &store, &desk, &registry).context("starting the webhooks")?;
    let wardrobe = Wardrobe::start(WardrobeParts {
        store: Arc::clone(&store),
        shared: avatars.clone(),
        clock: Arc::new(now),
        options: WardrobeOptions {
            avatars_max: settings.avatars.max_per_account,
            bytes_max: settings.avatars.max_bytes_per_account,
            picture_kept: settings.avatars.keep_pictures_for,
            ..WardrobeOptions::default()
        },
    });
    let jobs = Jobs::start(JobParts {
        store: Arc::clone(&store),
        desk: desk.clone(),
        clock: Arc::new(now),
        hooks: hooks.clone(),
        options: job_options(settings),
    });
    let node = Node::start(NodeParts {
        store: Arc::clone(&store),
        desk,
        stage,
        wardrobe: wardrobe.clone(),
        rate_card: if settings.unmetered { rate_card(settings).for_free() } else { rate_card(settings) },
        terms: terms(settings),
        options: node_options(settings),
        data_dir,
        registry: registry.clone(),
        announcer: Arc::new(hooks::Told(hooks.clone())),
        clock: Arc::new(now),
    })
    .await
    .context("starting the node")?;
    let joined = match socket {
        Some(socket) => Some(cluster::join(settings, socket, &node, &store, &registry).await?),
        None => None,
    };
    // After the node has measured what it can perform.
    let workshop = Workshop::start(WorkshopParts {
        jobs: jobs.clone(),
        wardrobe: wardrobe.clone(),
        craft: Arc::new(Bench),
        options: WorkshopOptions { workers: settings.jobs.workers, name: settings.node.name.clone() },
    });
    Ok(Assembly { node, hooks, jobs, wardrobe, workshop, store, joined, registry, _data_dir: lock })
}

pub(crate) fn stage_options(settings: &Settings) -> StageOptions {
    StageOptions {
        workers: settings.stage.workers,
        renderer: match settings.stage.renderer {
            Renderer::Essence => RendererKind::Essence,
            Renderer::Null => RendererKind::Null,
        },
        max_queued_audio_s: u32::try_from(settings.stage.max_queued_audio.as_secs()).unwrap_or(u32::MAX),
        max_queued_bytes: settings.stage.max_queued_bytes,
        ..StageOptions::default()
    }
}

/// The API over a node.
///
/// # Errors
/// When the key of the tokens can neither be read nor made, or metrics are named twice.
pub(crate) fn api_state(settings: &Settings, assembly: &Assembly) -> anyhow::Result<Data<ApiState>> {
    let plans = plans(settings);
    let offer = |(name, plan): (&String, &PlanSettings)| PlanOffer {
        terms: plans[name].clone(),
        price_usd: plan.price_usd,
        price_usd_year: plan.price_usd_year,
    };
    let operator = |(name, operator): (&String, &OperatorSettings)| OperatorToken {
        name: name.clone(),
        token: AdminToken::new(operator.token.0.clone()),
        roles: operator.roles.clone(),
    };
    let stripe = &settings.payments.stripe_webhook_secret.0;
    let token = &settings.admin_token.0;
    let options = ApiOptions {
        max_upload_bytes: settings.api.max_body as u64,
        max_utterance_s: u32::try_from(settings.api.max_utterance.as_secs()).unwrap_or(u32::MAX),
        runtime_token_s: settings.tokens.runtime_lifetime.as_secs(),
        client_token_s: settings.tokens.client_lifetime.as_secs(),
        token_key: tokens::key(settings)?,
        unmetered: settings.unmetered.then_some(DEVELOPMENT_ACCOUNT),
        operators: settings.admin_tokens.iter().map(operator).collect(),
        account_units_per_minute: settings.limits.account_units_per_minute,
        failures_per_minute: settings.limits.failures_per_minute,
        trusted_proxies: settings.limits.trusted_proxies.clone(),
        max_uploads_per_account: settings.limits.uploads_per_account,
        admin_token: (!token.is_empty()).then(|| AdminToken::new(token.clone())),
        plans: settings.plans.iter().map(offer).collect(),
        account_limits: limits(settings),
        payments: PaymentOptions {
            stripe_webhook_secret: (!stripe.is_empty()).then(|| WebhookSecret::new(stripe.clone())),
            credits_per_usd: settings.payments.credits_per_usd,
        },
        ..ApiOptions::default()
    };
    Ok(Data::new(ApiState::new(ApiParts {
        node: assembly.node.clone(),
        hooks: assembly.hooks.clone(),
        jobs: assembly.jobs.clone(),
        wardrobe: assembly.wardrobe.clone(),
        workshop: assembly.workshop.clone(),
        cluster: match &assembly.joined {
            Some(joined) => Some(cluster::api_parts(joined, &assembly.store, &assembly.registry)?),
            None => None,
        },
        options,
    })))
}

fn job_options(settings: &Settings) -> JobOptions {
    let jobs = &settings.jobs;
    let free = |price: Microcredits| if settings.unmetered { Microcredits::ZERO } else { price };
    JobOptions {
        prices: jobs.prices.iter().map(|(kind, price)| (*kind, free(price.0))).collect(),
        lease: jobs.lease,
        timeout: jobs.timeout,
        attempts_max: jobs.max_attempts,
        kept: jobs.keep_for,
        kept_max: jobs.max_kept_per_account,
    }
}

fn node_options(settings: &Settings) -> NodeOptions {
    NodeOptions {
        name: settings.node.name.clone(),
        max_sessions: settings.node.max_sessions,
        max_engines: settings.node.max_engines,
        speaking_slots: match settings.node.speaking_slots {
            0 => SpeakingSlots::Measured,
            slots => SpeakingSlots::Fixed(slots),
        },
        overcommit: settings.node.overcommit,
        slot_wait: settings.node.slot_wait,
        idle_timeout: settings.sessions.idle_timeout,
        max_idle_timeout: settings.sessions.max_idle_timeout,
        max_duration: settings.sessions.max_duration,
        max_max_duration: settings.sessions.max_max_duration,
        paused_timeout: settings.sessions.paused_timeout,
        hold_after_speech: settings.metering.hold_after_speech,
        restart_budget: settings.node.restart_budget,
        restart_window: settings.node.restart_window,
        drain_deadline: settings.node.drain_deadline,
        sweep_every: settings.metering.heartbeat / 2,
        journal_kept: Some(settings.metering.keep_journal_for).filter(|kept| !kept.is_zero()),
        max_kept_speech_bytes: settings.speech.max_kept_bytes,
        max_kept_speech_bytes_per_account: settings.speech.max_kept_bytes_per_account,
        is_shared: settings.cluster.is_on().then_some(true),
        ends_orphans: !settings.cluster.is_on(),
        ..NodeOptions::default()
    }
}
