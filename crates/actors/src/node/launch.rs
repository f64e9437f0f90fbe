//! Starting the actor of a session that is admitted, prepared, written down and begun.

use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use footlight_ledger::PauseReason;
use footlight_session::machine::SlotPolicy;
use footlight_session::{Input, RestartBudget, SessionRecord, SessionRules, SliceGate};
use footlight_stage::PerformanceSpec;

use super::Node;
use super::adopt::was_starting;
use crate::NodeError;
use crate::card::{Counter, SessionCard};
use crate::session::{Do, Ping, SessionActor, SessionParts};
use crate::speech::Inheritance;
use crate::supervisor::Seat;

/// How long a renderer may take to get ready; what it needs was prepared before.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A session that is to run here.
pub(super) struct Launch {
    pub(super) record: SessionRecord,
    pub(super) spec: PerformanceSpec,
    pub(super) seat: Seat,
    /// How long it may live from now on.
    pub(super) max_duration: Duration,
    /// What a former owner leaves; none of a new session.
    pub(super) former: Option<Former>,
}

/// What a former owner leaves.
pub(super) struct Former {
    /// Its last record.
    pub(super) record: SessionRecord,
    pub(super) inheritance: Inheritance,
}

impl Node {
    /// Starts it. Answers once its performance is open, so that whoever gets the session can speak to it and watch it at
    /// once.
    pub(super) async fn launch(&self, launch: Launch) -> Result<(), NodeError> {
        let Launch { record, spec, seat, max_duration, former } = launch;
        let inner = &self.inner;
        let gate = Arc::new(SliceGate::new(record.units));
        let counter = Counter::Gate(Arc::clone(&gate));
        let card = Arc::new(SessionCard::new(record.clone(), counter, Arc::clone(&inner.metrics)));
        let is_new = former.as_ref().is_none_or(|former| was_starting(&former.record));
        let (mut remainders, mut held) = (Vec::new(), Vec::new());
        if let Some(Former { record: former, inheritance }) = former {
            card.inherit(&former, inheritance.resend);
            remainders = inheritance.speak;
            held = former.held_by_people().collect();
        }
        inner.cards.insert(Arc::clone(&card), is_new);
        let options = &inner.parts.options;
        let rules = SessionRules {
            idle_timeout: Duration::from_secs(u64::from(record.idle_timeout_s)),
            max_duration,
            paused_timeout: options.paused_timeout,
            start_timeout: START_TIMEOUT,
            slots: if options.overcommit > 1.0 { SlotPolicy::OnDemand } else { SlotPolicy::Reserved },
            restarts: RestartBudget::new(options.restart_budget, options.restart_window),
        };
        let parts = SessionParts {
            card: Arc::clone(&card),
            gate,
            rules,
            spec,
            pricing: record.pricing,
            epoch: record.epoch,
            stage: Arc::clone(&inner.parts.stage),
            meter: inner.meter.clone(),
            supervisor: inner.supervisor.clone(),
            seat,
            directory: inner.directory.clone(),
            clock: inner.clock,
            wall: Arc::clone(&inner.parts.clock),
            metrics: Arc::clone(&inner.metrics),
            keeper: inner.keeper.clone(),
            remainders,
            held,
        };
        let addr = SessionActor::start_in_arbiter(&inner.arbiters.next(), |_| SessionActor::new(parts));
        let died = |_| NodeError::Internal { detail: "the session's actor did not start".to_owned() };
        addr.send(Ping).await.map_err(died)?;
        if inner.supervisor.is_draining() {
            // The drain began while this was under way, and did not see it.
            addr.do_send(Do(Input::Hold(PauseReason::NodeDraining)));
        }
        Ok(())
    }
}
