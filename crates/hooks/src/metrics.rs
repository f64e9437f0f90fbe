//! What the hooks count.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::event::{Event, EventType};
use crate::sender::Sent;

pub(crate) struct HookMetrics {
    pub(crate) waiting: IntGauge,
    pub(crate) lost: IntCounter,
    pub(crate) given_up: IntCounter,
    pub(crate) dropped: IntCounter,
    told: IntCounterVec,
    attempts: IntCounterVec,
    attempt_seconds: Histogram,
}

const OUTCOMES: [&str; 3] = ["delivered", "refused", "unreachable"];

impl HookMetrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            waiting: IntGauge::new("footlight_hook_events_waiting", "Events that wait to be written to the outbox.")?,
            lost: IntCounter::new(
                "footlight_hook_events_lost_total",
                "Events that could not be written, or were left out because far too many waited.",
            )?,
            given_up: IntCounter::new(
                "footlight_hook_deliveries_given_up_total",
                "Deliveries that were given up: tried for too long, or their endpoint is disabled or deleted.",
            )?,
            dropped: IntCounter::new(
                "footlight_hook_deliveries_dropped_total",
                "Deliveries that were dropped because far too many waited for one endpoint.",
            )?,
            told: IntCounterVec::new(
                Opts::new("footlight_hook_events_total", "Events written to the outbox, by type."),
                &["type"],
            )?,
            attempts: IntCounterVec::new(
                Opts::new("footlight_hook_attempts_total", "Attempts to deliver, by what became of them."),
                &["outcome"],
            )?,
            attempt_seconds: Histogram::with_opts(HistogramOpts::new(
                "footlight_hook_attempt_seconds",
                "How long an attempt to deliver took.",
            ))?,
        };
        for kind in EventType::ALL {
            metrics.told.with_label_values(&[kind.as_str()]);
        }
        for outcome in OUTCOMES {
            metrics.attempts.with_label_values(&[outcome]);
        }
        registry.register(Box::new(metrics.waiting.clone()))?;
        registry.register(Box::new(metrics.lost.clone()))?;
        registry.register(Box::new(metrics.given_up.clone()))?;
        registry.register(Box::new(metrics.dropped.clone()))?;
        registry.register(Box::new(metrics.told.clone()))?;
        registry.register(Box::new(metrics.attempts.clone()))?;
        registry.register(Box::new(metrics.attempt_seconds.clone()))?;
        Ok(metrics)
    }

    pub(crate) fn told(&self, events: &[Event]) {
        for event in events {
            self.told.with_label_values(&[event.kind().as_str()]).inc();
        }
    }

    pub(crate) fn attempted(&self, sent: &Sent) {
        let outcome = match sent.status {
            Some(_) if sent.is_success() => OUTCOMES[0],
            Some(_) => OUTCOMES[1],
            None => OUTCOMES[2],
        };
        self.attempts.with_label_values(&[outcome]).inc();
        self.attempt_seconds.observe(sent.took.as_secs_f64());
    }
}
