//! A node: everything that a listener, a command or a test asks of this process.

mod accounts;
mod adopt;
mod arbiters;
mod chores;
mod create;
mod drain;
mod engines;
mod launch;
mod moving;
mod opening;
mod recovery;
mod sessions;
mod trimming;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use footlight_avatar::bundle::DEFAULT_AVATAR;
use footlight_ledger::{AccountId, BootId, Command, Microcredits, Outcome, RateCard, SessionId, Terms, Timestamp};
use footlight_session::meter::SliceClockOptions;
use footlight_session::{Heirloom, SessionState, WhenUnwatched};
use footlight_stage::room::Room;
use footlight_stage::{PerformanceSpec, Stage};
use footlight_store::desk::Clock;
use footlight_store::nodes::NodeRoom;
use footlight_store::progress::ProgressWriter;
use footlight_store::{LedgerDesk, Store};
use footlight_wardrobe::Wardrobe;
use parking_lot::Mutex;
use prometheus::{Registry, TextEncoder};
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use self::arbiters::Arbiters;
use crate::announce::Announcer;
use crate::card::Cards;
use crate::directory::DirectoryWriter;
use crate::health::{Capacity, Readiness, UnreadyReason};
use crate::meter::{MeterFigures, MeterHandle, MeterOptions, MeterParts, ProgressRecord};
use crate::metrics::Metrics;
use crate::scrape::Scrape;
use crate::speech::SpeechKeeper;
use crate::supervisor::{RoomLimits, SupervisorHandle};
use crate::time::NodeClock;
use crate::{NodeError, NodeOptions, SpeakingSlots};

pub use accounts::Granted;
pub use engines::{EngineAnswer, EngineReport};
pub use sessions::{SessionFilter, SessionList, SpeechRoom};

/// What a node is made of.
pub struct NodeParts {
    /// Where accounts and sessions are kept.
    pub store: Arc<dyn Store>,
    /// The door to the accounts; over the same store.
    pub desk: LedgerDesk,
    /// Where sessions perform.
    pub stage: Arc<Stage>,
    /// The avatars that accounts have of their own.
    pub wardrobe: Wardrobe,
    /// What sessions cost.
    pub rate_card: RateCard,
    /// The ledger's timings; the same as the desk's.
    pub terms: Terms,
    /// How the node is set up.
    pub options: NodeOptions,
    /// Where the progress record lives. One node per directory.
    pub data_dir: PathBuf,
    /// Where metrics are registered.
    pub registry: Registry,
    /// Who tells accounts of their sessions.
    pub announcer: Arc<dyn Announcer>,
    /// The wall clock, for labels; usage is never measured with it.
    pub clock: Clock,
}

/// A node. Clones are handles on the same one.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    parts: NodeParts,
    boot: BootId,
    clock: NodeClock,
    cards: Arc<Cards>,
    directory: DirectoryWriter,
    supervisor: SupervisorHandle,
    meter: MeterHandle,
    arbiters: Arbiters,
    metrics: Arc<Metrics>,
    store_up: AtomicBool,
    /// Turns at loading avatars.
    preparing: Arc<Semaphore>,
    keeper: SpeechKeeper,
    /// Sessions that are being adopted: as many as are asked for at once.
    adopting: Mutex<HashSet<SessionId>>,
    /// Told whenever one of them is done with.
    adopted: Notify,
    /// What former runs of this node left for heirs.
    left_behind: Mutex<Vec<Heirloom>>,
}

/// Avatars that are loaded, and idle loops that are made, at once.
const PREPARING_MAX: usize = 2;
/// How long the speaking slots are measured at start.
const MEASURE_FOR: Duration = Duration::from_millis(600);

impl Node {
    /// Recovers what a crash left, measures the speaking slots if so set up, and serves. Must be called within an actix
    /// system.
    ///
    /// # Errors
    /// [`NodeError::StoreUnreachable`] when the store does not answer within the options' patience; [`NodeError::Store`]
    /// when the progress record cannot be used; [`NodeError::Internal`] when `registry` holds metrics of these names.
    pub async fn start(parts: NodeParts) -> Result<Self, NodeError> {
        let internal = |detail: String| NodeError::Internal { detail };
        let metrics = Arc::new(Metrics::register(&parts.registry).map_err(|error| internal(error.to_string()))?);
        let scrape = Scrape::new(parts.desk.clone(), Arc::clone(&parts.stage));
        parts.registry.register(Box::new(scrape)).map_err(|error| internal(error.to_string()))?;

        let boot = BootId(Uuid::now_v7());
        let left = recovery::recover(&parts, boot, &metrics).await?;

        let limits = RoomLimits {
            sessions: u64::from(parts.options.max_sessions),
            slots_milli: speaking_slots_milli(&parts).await?,
            overcommit_milli: (f64::from(parts.options.overcommit.clamp(1.0, 1000.0)) * 1000.0).round() as u64,
        };
        let clock = NodeClock::start();
        let arbiters = Arbiters::start();
        let cards = Arc::new(Cards::new(Arc::clone(&parts.announcer)));
        let directory = DirectoryWriter::start(Arc::clone(&parts.store), Arc::clone(&cards), Arc::clone(&metrics));
        let supervisor = SupervisorHandle::start(
            limits,
            parts.options.slot_wait,
            directory.clone(),
            clock,
            Arc::clone(&parts.clock),
            Arc::clone(&metrics),
            &arbiters.supervisor.handle(),
        );
        // The meter notes and the writer writes, each at its own time: with both at the same pace a crash could lose two
        // turns. The writer's is half as long, so that it loses one and a half at most.
        let progress = ProgressWriter::start(&parts.data_dir, boot, parts.options.progress_every / 2)?;
        let is_shared = parts.options.is_shared.unwrap_or_else(|| parts.store.rises().is_some());
        if is_shared {
            // An heir finds the record there. At the writer's pace, for the same reason.
            tokio::spawn(progress.mirror(Arc::clone(&parts.store), boot, parts.options.progress_every / 2));
        }
        let (store, wall) = (Arc::clone(&parts.store), Arc::clone(&parts.clock));
        let kept = Room::new(parts.options.max_kept_speech_bytes, parts.options.max_kept_speech_bytes_per_account);
        let keeper = SpeechKeeper::start(store, wall, Arc::clone(&metrics), is_shared.then_some(kept));
        let meter_parts = MeterParts {
            desk: parts.desk.clone(),
            options: meter_options(&parts),
            clock,
            progress: Box::new(ProgressRecord::new(progress)),
            metrics: Arc::clone(&metrics),
        };
        let meter = MeterHandle::start(meter_parts, &arbiters.meter.handle());
        metrics.store_up.set(1);
        metrics.unmetered.set(i64::from(parts.rate_card.is_free()));
        let inner = Arc::new(Inner {
            parts,
            boot,
            clock,
            cards,
            directory,
            supervisor,
            meter,
            arbiters,
            metrics,
            store_up: AtomicBool::new(true),
            preparing: Arc::new(Semaphore::new(PREPARING_MAX)),
            keeper,
            adopting: Mutex::default(),
            adopted: Notify::new(),
            left_behind: Mutex::new(left.heirlooms),
        });
        for record in left.engines {
            inner.adopt_engine(record);
        }
        chores::start(&inner);
        Ok(Self { inner })
    }

    /// May the node take new sessions?
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let mut reasons = Vec::new();
        if self.inner.supervisor.is_draining() {
            reasons.push(UnreadyReason::Draining);
        }
        if !self.inner.store_up.load(Ordering::Acquire) {
            reasons.push(UnreadyReason::StoreUnreachable);
        }
        if !self.tenure().holds_now() {
            reasons.push(UnreadyReason::LeaseOver);
        }
        if self.inner.supervisor.is_full() {
            reasons.push(UnreadyReason::AtCapacity);
        }
        Readiness { ready: reasons.is_empty(), reasons }
    }

    /// How full is it?
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        self.inner.supervisor.capacity()
    }

    /// How full it is for other nodes: what is being created is reserved in their books, and not counted here.
    #[must_use]
    pub fn room(&self) -> NodeRoom {
        self.inner.supervisor.for_others()
    }

    /// Whether it takes no new sessions because it drains.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.inner.supervisor.is_draining()
    }

    /// How the meter stands.
    ///
    /// # Errors
    /// [`NodeError::Internal`] once the node has stopped.
    pub async fn meter_figures(&self) -> Result<MeterFigures, NodeError> {
        self.inner.meter.figures().await
    }

    /// What the sessions that speak here cost in a minute, together.
    #[must_use]
    pub fn burn(&self) -> Microcredits {
        let records = self.inner.cards.all().into_iter().map(|card| card.record());
        let speaking = records.filter(|record| record.state == SessionState::Running);
        Microcredits(speaking.map(|record| record.pricing.rate.0).sum())
    }

    /// The metrics page, in Prometheus' text format.
    #[must_use]
    pub fn metrics(&self) -> String {
        let families = self.inner.parts.registry.gather();
        TextEncoder::new().encode_to_string(&families).unwrap_or_else(|error| {
            tracing::error!(%error, "the metrics page could not be written");
            String::new()
        })
    }

    /// The node's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.parts.options.name
    }

    /// This run of the node.
    #[must_use]
    pub fn boot(&self) -> BootId {
        self.inner.boot
    }

    /// The door to the accounts.
    #[must_use]
    pub fn desk(&self) -> &LedgerDesk {
        &self.inner.parts.desk
    }

    /// Where accounts, secrets and sessions are kept.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.parts.store
    }

    /// Where sessions perform.
    #[must_use]
    pub fn stage(&self) -> &Arc<Stage> {
        &self.inner.parts.stage
    }

    /// What sessions cost.
    #[must_use]
    pub fn rate_card(&self) -> &RateCard {
        &self.inner.parts.rate_card
    }

    /// The ledger's timings.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.inner.parts.terms
    }

    /// How the node is set up.
    #[must_use]
    pub fn options(&self) -> &NodeOptions {
        &self.inner.parts.options
    }

    /// The wall clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.inner.parts.clock)()
    }

    /// Applies a command; a refusal is an error here.
    async fn submit(&self, account: AccountId, command: Command) -> Result<Outcome, NodeError> {
        match self.inner.parts.desk.submit(account, command).await {
            Ok(Outcome::Refused(refusal)) => Err(refusal.into()),
            Ok(outcome) => Ok(outcome),
            Err(error) => {
                self.inner.metrics.store_failed(&error);
                Err(error.into())
            }
        }
    }
}

fn meter_options(parts: &NodeParts) -> MeterOptions {
    let ms = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    MeterOptions {
        clock: SliceClockOptions {
            heartbeat: ms(parts.terms.heartbeat_ms),
            min_slice: ms(parts.terms.min_slice_ms),
            grace: ms(parts.terms.grace_ms),
        },
        hold_after_speech: parts.options.hold_after_speech,
        tick: parts.options.meter_tick,
        first_beat_least: parts.options.first_beat_least,
        progress_every: parts.options.progress_every,
    }
}

/// The speaking slots as set up, or as measured: in thousandths of a 512x512 stream at 25 frames a second.
async fn speaking_slots_milli(parts: &NodeParts) -> Result<u64, NodeError> {
    match parts.options.speaking_slots {
        SpeakingSlots::Fixed(slots) => Ok(u64::from(slots) * 1000),
        SpeakingSlots::Measured => {
            let stage = Arc::clone(&parts.stage);
            let spec = PerformanceSpec {
                session: SessionId(Uuid::nil()),
                account: AccountId(Uuid::nil()),
                avatar: DEFAULT_AVATAR.into(),
                fps: 25,
                width: 512,
                height: 512,
                background: None,
                when_unwatched: WhenUnwatched::Wait,
            };
            let measured = tokio::task::spawn_blocking(move || stage.measure_capacity(&spec, MEASURE_FOR)).await;
            let measured =
                measured.map_err(|error| NodeError::Internal { detail: format!("measuring failed: {error}") })??;
            tracing::info!(
                streams = measured.slots_milli / 1000,
                frame_time_us = measured.frame_time.as_micros() as u64,
                "speaking slots were measured"
            );
            // A machine too slow for one clean stream still gets one: refusing everybody helps nobody.
            Ok(measured.slots_milli.max(1000))
        }
    }
}
