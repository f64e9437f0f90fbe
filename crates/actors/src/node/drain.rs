//! Draining, and going down.

use std::time::Duration;

use footlight_ledger::{EndReason, PauseReason};
use footlight_session::{Input, SessionState};
use tokio::time::Instant;

use super::Node;
use crate::health::{DrainMode, DrainReport};
use crate::session::Do;

/// How often a drain looks whether speech has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Node {
    /// Takes no new sessions and lets speech end, until all have fallen silent or `deadline` (the options' own when
    /// `None`) has passed. Sessions that are silent are paused as `node_draining`; [`Node::undrain`] takes it all back.
    pub async fn drain(&self, mode: DrainMode, deadline: Option<Duration>) -> DrainReport {
        let DrainMode::Wait = mode;
        let until = Instant::now() + deadline.unwrap_or(self.inner.parts.options.drain_deadline);
        self.inner.supervisor.set_draining(true).await;
        self.tell_all(|| Input::Hold(PauseReason::NodeDraining)).await;
        loop {
            let states = self.states();
            let speaking = states.iter().filter(|state| **state == SessionState::Running).count() as u64;
            let is_undrained = !self.inner.supervisor.is_draining();
            if speaking == 0 || is_undrained || Instant::now() >= until {
                let sessions = states.iter().filter(|state| **state != SessionState::Ended).count() as u64;
                return DrainReport { still_speaking: speaking, sessions };
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Takes sessions again, and lets go on those that the drain paused.
    pub async fn undrain(&self) {
        self.inner.supervisor.set_draining(false).await;
        self.tell_all(|| Input::Lift(PauseReason::NodeDraining)).await;
    }

    /// Ends every session as `node_lost`, settles and writes down what there is, and stops. Bounded by `deadline`: what is
    /// not settled by then is in the progress record, and is settled at the next start.
    pub async fn shutdown(&self, deadline: Duration) {
        let until = Instant::now() + deadline;
        let left = || until.saturating_duration_since(Instant::now());
        self.inner.supervisor.set_draining(true).await;
        self.tell_all(|| Input::End(EndReason::NodeLost)).await;
        if !self.inner.meter.settled(left()).await {
            tracing::warn!("some sessions could not be settled in time; they are settled at the next start");
        }
        self.inner.directory.flush(left()).await;
        self.inner.keeper.settled(left()).await;
        self.inner.meter.stop().await;
        self.inner.arbiters.stop();
    }

    async fn tell_all(&self, input: impl Fn() -> Input) {
        let addrs: Vec<_> = self.inner.cards.all().iter().filter_map(|card| card.addr()).collect();
        // One that is gone by now needs to hear nothing.
        futures_util::future::join_all(addrs.iter().map(|addr| addr.send(Do(input())))).await;
    }

    fn states(&self) -> Vec<SessionState> {
        // Engines elsewhere go on without this node, and report to whoever answers.
        let cards = self.inner.cards.all();
        cards.iter().filter(|card| card.engine().is_none()).map(|card| card.record().state).collect()
    }
}
