//! What a node counts, as Prometheus sees it: base units, few label values, every series there from the start.

use footlight_ledger::{EndReason, PauseReason, Product};
use footlight_session::SessionState;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, exponential_buckets,
};
use serde::Serialize;

/// What a node counts. Series that are read from the stage and the desk at each scrape are in the `scrape` module.
#[derive(Debug)]
#[allow(missing_docs, reason = "each field's help text says it, where it is made")]
pub struct Metrics {
    pub sessions: IntGaugeVec,
    pub paused: IntGaugeVec,
    pub creates: IntCounter,
    pub refusals: IntCounterVec,
    pub ended: IntCounterVec,
    pub heartbeats: IntCounterVec,
    pub heartbeat_lag: Histogram,
    pub capacity: IntGaugeVec,
    pub restarts: IntCounterVec,
    pub store_up: IntGauge,
    pub store_errors: IntCounterVec,
    pub swept: IntCounter,
    pub trimmed: IntCounter,
    pub recovered: IntCounter,
    pub arbiter_lag: Histogram,
    pub mailbox_wait: Histogram,
    pub records_waiting: IntGauge,
    pub meter_waiting: IntGauge,
    pub meter_in_grace: IntGauge,
    pub draining: IntGauge,
    pub unmetered: IntGauge,
    pub payments_not_credited: IntCounter,
    pub fenced: IntCounterVec,
    pub speech_kept: Histogram,
    pub speech_not_kept: IntCounter,
}

/// The products, as label values.
pub(crate) const PRODUCTS: [Product; 8] = [
    Product::EssenceCloud,
    Product::EssenceSelfHosted,
    Product::ExpressionCloud,
    Product::ExpressionSelfHosted,
    Product::ExpressionOnDevice,
    Product::VoiceChat,
    Product::CameraChat,
    Product::AudioOnly,
];
/// States that a session on a node can be counted in; ended ones are counted as they end.
pub(crate) const STATES: [SessionState; 4] =
    [SessionState::Starting, SessionState::Running, SessionState::Idle, SessionState::Paused];
const PAUSE_REASONS: [PauseReason; 8] = [
    PauseReason::CreditsExhausted,
    PauseReason::ByRequest,
    PauseReason::StoreUnreachable,
    PauseReason::NodeDraining,
    PauseReason::KeyRevoked,
    PauseReason::AccountSuspended,
    PauseReason::SpendingLimit,
    PauseReason::Debt,
];
const END_REASONS: [EndReason; 10] = [
    EndReason::Stopped,
    EndReason::Cancelled,
    EndReason::IdleTimeout,
    EndReason::MaxDuration,
    EndReason::PausedTimeout,
    EndReason::RendererFailed,
    EndReason::NodeLost,
    EndReason::EngineLost,
    EndReason::KeyRevoked,
    EndReason::AccountSuspended,
];
/// What a former owner may try to write, as label values.
const FENCED: [&str; 2] = ["record", "speech"];
/// Why a create was refused, as label values.
pub(crate) const REFUSALS: [&str; 10] = [
    "capacity",
    "too_many_sessions",
    "credits_exhausted",
    "in_debt",
    "spending_limit",
    "suspended",
    "invalid",
    "store_unreachable",
    "draining",
    "internal",
];

/// The public word of one of the enums above.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "unknown".to_owned(),
    }
}

impl Metrics {
    /// Makes every series and registers it.
    ///
    /// # Errors
    /// When `registry` holds a metric of the same name already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            sessions: gauges(
                "footlight_sessions",
                "Sessions on this node, by state and product.",
                &["state", "product"],
            )?,
            paused: gauges(
                "footlight_sessions_paused",
                "Sessions held back, by reason; one may have several.",
                &["reason"],
            )?,
            creates: counter("footlight_session_creates_total", "Sessions created on this node.")?,
            refusals: counters("footlight_session_refusals_total", "Creates refused, by reason.", &["reason"])?,
            ended: counters("footlight_sessions_ended_total", "Sessions ended, by reason.", &["reason"])?,
            heartbeats: counters("footlight_heartbeats_total", "Heartbeats answered, by result.", &["result"])?,
            heartbeat_lag: histogram(
                "footlight_heartbeat_lag_seconds",
                "How long after they were due heartbeats were settled.",
                exponential_buckets(0.001, 2.0, 14)?,
            )?,
            capacity: gauges(
                "footlight_capacity",
                "Room on this node; speaking slots count streams of 512x512 at 25 frames a second.",
                &["kind", "what"],
            )?,
            restarts: counters("footlight_actor_restarts_total", "Things started again after they failed.", &["what"])?,
            store_up: gauge("footlight_store_up", "Whether the store answered the last time it was asked.")?,
            store_errors: counters("footlight_store_errors_total", "Failed calls of the store, by kind.", &["kind"])?,
            swept: counter("footlight_sessions_swept_total", "Overdue sessions of lost engines ended by this node.")?,
            trimmed: counter("footlight_journal_entries_trimmed_total", "Journal entries that were kept long enough.")?,
            recovered: counter("footlight_sessions_recovered_total", "Sessions of a former run settled at start.")?,
            arbiter_lag: histogram(
                "footlight_arbiter_lag_seconds",
                "How late timers fire on the threads that carry sessions.",
                exponential_buckets(0.0005, 2.0, 14)?,
            )?,
            mailbox_wait: histogram(
                "footlight_mailbox_wait_seconds",
                "How long a message waits in a mailbox of the meter.",
                exponential_buckets(0.00005, 4.0, 9)?,
            )?,
            records_waiting: gauge(
                "footlight_records_waiting",
                "Session records that wait to be written to the store.",
            )?,
            meter_waiting: gauge("footlight_sessions_waiting", "Sessions on this node that wait in line for credit.")?,
            meter_in_grace: gauge(
                "footlight_sessions_in_grace",
                "Sessions on this node that go on past their slice because the store does not answer.",
            )?,
            draining: gauge("footlight_draining", "Whether this node takes no new sessions because it drains.")?,
            unmetered: gauge("footlight_unmetered", "Whether nothing is charged here: for development alone.")?,
            payments_not_credited: counter(
                "footlight_payments_not_credited_total",
                "Payments told of by a payment provider that bring no credits and never will: the log says which.",
            )?,
            fenced: counters(
                "footlight_fenced_records_total",
                "Session records and kept speech that a former owner could not write any more, by which of them.",
                &["what"],
            )?,
            speech_kept: histogram(
                "footlight_speech_kept_seconds",
                "How long it took until uploaded speech was in the store, for an heir.",
                exponential_buckets(0.001, 2.0, 12)?,
            )?,
            speech_not_kept: counter(
                "footlight_speech_not_kept_total",
                "Uploads that were taken and not kept in the store in time, for it was slow or away, or as much was kept as may be: no heir could speak them.",
            )?,
        };
        metrics.export_zeros();
        metrics.add_to(registry)?;
        Ok(metrics)
    }

    /// A series that is there before its first event can be told from one that is missing.
    fn export_zeros(&self) {
        for product in &PRODUCTS {
            for state in &STATES {
                self.sessions.with_label_values(&[word(state), word(product)]).set(0);
            }
        }
        for reason in &PAUSE_REASONS {
            self.paused.with_label_values(&[word(reason)]).set(0);
        }
        for reason in &END_REASONS {
            self.ended.with_label_values(&[word(reason)]).reset();
        }
        for reason in REFUSALS {
            self.refusals.with_label_values(&[reason]).reset();
        }
        for result in ["settled", "refused", "unreachable"] {
            self.heartbeats.with_label_values(&[result]).reset();
        }
        for kind in ["sessions", "speaking_slots"] {
            for what in ["total", "used", "reserved"] {
                self.capacity.with_label_values(&[kind, what]).set(0);
            }
        }
        for what in ["renderer", "session_actor"] {
            self.restarts.with_label_values(&[what]).reset();
        }
        for what in FENCED {
            self.fenced.with_label_values(&[what]).reset();
        }
        for kind in ["unreachable", "refused", "corrupt", "clock_skew", "contended"] {
            self.store_errors.with_label_values(&[kind]).reset();
        }
    }

    fn add_to(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.sessions.clone()))?;
        registry.register(Box::new(self.paused.clone()))?;
        registry.register(Box::new(self.creates.clone()))?;
        registry.register(Box::new(self.refusals.clone()))?;
        registry.register(Box::new(self.ended.clone()))?;
        registry.register(Box::new(self.heartbeats.clone()))?;
        registry.register(Box::new(self.heartbeat_lag.clone()))?;
        registry.register(Box::new(self.capacity.clone()))?;
        registry.register(Box::new(self.restarts.clone()))?;
        registry.register(Box::new(self.store_up.clone()))?;
        registry.register(Box::new(self.store_errors.clone()))?;
        registry.register(Box::new(self.swept.clone()))?;
        registry.register(Box::new(self.trimmed.clone()))?;
        registry.register(Box::new(self.recovered.clone()))?;
        registry.register(Box::new(self.arbiter_lag.clone()))?;
        registry.register(Box::new(self.mailbox_wait.clone()))?;
        registry.register(Box::new(self.records_waiting.clone()))?;
        registry.register(Box::new(self.meter_waiting.clone()))?;
        registry.register(Box::new(self.meter_in_grace.clone()))?;
        registry.register(Box::new(self.draining.clone()))?;
        registry.register(Box::new(self.unmetered.clone()))?;
        registry.register(Box::new(self.payments_not_credited.clone()))?;
        registry.register(Box::new(self.fenced.clone()))?;
        registry.register(Box::new(self.speech_kept.clone()))?;
        registry.register(Box::new(self.speech_not_kept.clone()))
    }

    /// Counts a write that was refused because the session has another owner; `what` is one of [`FENCED`].
    pub(crate) fn fenced(&self, what: &'static str) {
        debug_assert!(FENCED.contains(&what));
        self.fenced.with_label_values(&[what]).inc();
    }

    /// Counts a failed call of the store.
    pub fn store_failed(&self, error: &footlight_store::StoreError) {
        use footlight_store::StoreError;
        let kind = match error {
            StoreError::Unreachable { .. } => "unreachable",
            StoreError::Refused { .. } => "refused",
            StoreError::Corrupt { .. } => "corrupt",
            StoreError::ClockSkew { .. } => "clock_skew",
            // A caller's mistake, not the store's.
            StoreError::NoAccount { .. } => return,
            StoreError::Contended { .. } => "contended",
        };
        self.store_errors.with_label_values(&[kind]).inc();
    }
}

fn gauge(name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    IntGauge::new(name, help)
}

fn gauges(name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
    IntGaugeVec::new(Opts::new(name, help), labels)
}

fn counter(name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    IntCounter::new(name, help)
}

fn counters(name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(Opts::new(name, help), labels)
}

fn histogram(name: &str, help: &str, buckets: Vec<f64>) -> Result<Histogram, prometheus::Error> {
    Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))
}
