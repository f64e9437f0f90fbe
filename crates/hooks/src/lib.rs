//! Webhooks: an account is told, over HTTP, of what happens to its sessions and its credits.
//!
//! An event is written to a durable outbox, as one delivery for each endpoint that wants it, and delivered at least once
//! under one id: in order within its session (or among the account's own events), tried again with growing waits for days,
//! signed by the Standard Webhooks specification. Endpoints do not wait for each other.
//!
//! Events of sessions are told by whoever runs them ([`Hooks::tell`], which never waits). Events of credits are read from
//! the journal and the account, so that none is lost or told twice whatever crashes.
//!
//! Suggested reading order: [`event`], `documents` (what is kept), `outbox`, `intake`, `courier`, `lane`, `sender`,
//! `backlog` (what is dropped),
//! `address` (what may be called), `look` (what is said of credits), `watching`.

mod address;
mod backlog;
mod book;
mod courier;
mod documents;
pub mod error;
pub mod event;
mod intake;
mod janitor;
mod lane;
mod look;
mod metrics;
pub mod options;
mod outbox;
mod receivers;
mod sender;
mod service;
pub mod signature;
mod watching;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use footlight_ledger::{AccountId, EventId, Timestamp};
use footlight_store::desk::Clock;
use footlight_store::{LedgerDesk, Store, StoreError};
use prometheus::Registry;
use uuid::Uuid;

use crate::address::Policy;
use crate::book::Book;
use crate::courier::Courier;
use crate::intake::Intake;
use crate::metrics::HookMetrics;
use crate::receivers::Receivers;
use crate::sender::Sender;

pub use documents::{Alerts, Attempt, AutoTopUp, Delivery, DeliveryState, Endpoint};
pub use error::HookError;
pub use event::{Event, EventType, News, Standing, Threshold};
pub use options::HookOptions;
pub use service::{DeliveryPage, NewEndpoint};

/// Writes an event as what is sent: the same bytes in every attempt.
pub type Encode = Arc<dyn Fn(&Event) -> Vec<u8> + Send + Sync>;

/// What the hooks are made of.
pub struct HookParts {
    /// Where endpoints and the outbox are kept.
    pub store: Arc<dyn Store>,
    /// The door to the accounts; over the same store.
    pub desk: LedgerDesk,
    /// The wall clock.
    pub clock: Clock,
    /// How an event looks outside.
    pub encode: Encode,
    /// How webhooks are delivered.
    pub options: HookOptions,
    /// Where metrics are registered.
    pub registry: Registry,
}

/// A handle on the hooks. Clones share them; they end when the last one is gone.
#[derive(Clone)]
pub struct Hooks {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    store: Arc<dyn Store>,
    desk: LedgerDesk,
    clock: Clock,
    encode: Encode,
    options: HookOptions,
    policy: Policy,
    book: Book,
    intake: Intake,
    courier: Courier,
    receivers: Receivers,
    sender: Sender,
    metrics: HookMetrics,
    stopping: AtomicBool,
}

impl Hooks {
    /// Starts writing and delivering, on the runtime that this is called in: what a former run left is delivered too.
    ///
    /// # Errors
    /// When `registry` holds metrics of these names.
    pub fn start(parts: HookParts) -> Result<Self, prometheus::Error> {
        let HookParts { store, desk, clock, encode, options, registry } = parts;
        let policy = Policy { allow_http: options.allow_http, allow_private: options.allow_private };
        let inner = Arc::new(Inner {
            book: Book::new(Arc::clone(&store)),
            intake: Intake::new(),
            courier: Courier::new(),
            receivers: Receivers::default(),
            sender: Sender::new(policy, options.timeout),
            metrics: HookMetrics::register(&registry)?,
            stopping: AtomicBool::new(false),
            store,
            desk,
            clock,
            encode,
            options,
            policy,
        });
        tokio::spawn(intake::run(Arc::downgrade(&inner)));
        tokio::spawn(courier::run(Arc::downgrade(&inner)));
        tokio::spawn(watching::run(Arc::downgrade(&inner)));
        tokio::spawn(janitor::run(Arc::downgrade(&inner)));
        Ok(Self { inner })
    }

    /// Tells an account something. Never waits: it is written soon, and in the order of the calls.
    pub fn tell(&self, account: AccountId, at: Timestamp, news: News) {
        let event = Event { id: EventId(Uuid::now_v7()), account, at, news };
        if self.inner.intake.tell(event, self.inner.options.max_waiting) {
            self.inner.metrics.lost.inc();
        }
    }

    /// Answers once everything that was told so far is in the outbox. Waits for as long as the store is away.
    pub async fn written(&self) {
        self.inner.intake.written().await;
    }

    /// Begins no more deliveries and waits for those under way, but no longer than `deadline`. What is left is delivered
    /// by the next run.
    pub async fn stop(&self, deadline: Duration) {
        self.inner.stopping.store(true, Ordering::Release);
        self.inner.courier.wake();
        let quiet = async {
            while self.inner.courier.under_way() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(deadline, quiet).await;
    }
}

impl Inner {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Events that the store refuses, for good.
    fn lose(&self, count: usize, error: &StoreError) {
        self.metrics.lost.inc_by(count as u64);
        tracing::error!(%error, count, "events could not be written and are lost");
    }
}
