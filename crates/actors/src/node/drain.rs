//! Draining, and going down.

use std::time::Duration;

use actix::{Handler, Message};
use footlight_ledger::{EndReason, PauseReason};
use footlight_session::{Input, SessionState};
use futures_util::future::join_all;
use tokio::time::Instant;

use super::Node;
use crate::health::DrainReport;
use crate::session::{Do, Ping, SessionActor};

/// How often a drain looks whether speech has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long sessions that were admitted already may take to begin.
const ARRIVALS_WITHIN: Duration = Duration::from_secs(5);

impl Node {
    /// Takes no new sessions; those that are here go on. [`Node::undrain`] takes it back.
    pub async fn close(&self) {
        self.inner.supervisor.set_draining(true).await;
    }

    /// Returns once the sessions that were on their way in when the node was closed are here or were given up, so that whoever empties
    /// it then finds them; or after some seconds, or when it is open again.
    pub async fn arrivals(&self) {
        let arrived = async {
            while self.inner.supervisor.is_draining() && self.capacity().sessions.reserved > 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        if tokio::time::timeout(ARRIVALS_WITHIN, arrived).await.is_err() {
            tracing::warn!("some sessions are still being created or taken over");
        }
    }

    /// Takes no new sessions and lets speech end, until all have fallen silent or `deadline` has passed. Sessions that are
    /// silent are paused as `node_draining`; [`Node::undrain`] takes it all back.
    pub async fn drain(&self, deadline: Duration) -> DrainReport {
        let until = Instant::now() + deadline;
        self.close().await;
        self.arrivals().await;
        if !self.inner.supervisor.is_draining() {
            return self.drained();
        }
        self.tell_all(|| Input::Hold(PauseReason::NodeDraining)).await;
        loop {
            let report = self.drained();
            let is_undrained = !self.inner.supervisor.is_draining();
            if report.still_speaking == 0 || is_undrained || Instant::now() >= until {
                return report;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// How far a drain has come.
    #[must_use]
    pub fn drained(&self) -> DrainReport {
        let states = self.states();
        DrainReport {
            still_speaking: states.iter().filter(|state| **state == SessionState::Running).count() as u64,
            sessions: states.iter().filter(|state| **state != SessionState::Ended).count() as u64,
        }
    }

    /// Takes sessions again, and lets go on those that the drain paused.
    pub async fn undrain(&self) {
        self.inner.supervisor.set_draining(false).await;
        self.tell_all(|| Input::Lift(PauseReason::NodeDraining)).await;
    }

    /// Ends every session as `node_lost`, settles and writes down what there is, and stops. Bounded by `deadline`: what is
    /// not settled by then is in the progress record, and is settled at the next start, or by an heir. Answers whether all was.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        let until = Instant::now() + deadline;
        let left = || until.saturating_duration_since(Instant::now());
        self.close().await;
        self.arrivals().await;
        self.tell_all(|| Input::End(EndReason::NodeLost)).await;
        let is_settled = self.inner.meter.settled(left()).await;
        if !is_settled {
            tracing::warn!("some sessions could not be settled in time; they are settled at the next start");
        }
        // The meter tells a session that it is settled just before it says so here: the session writes its last record then.
        let heard = self.send_all(|| Ping);
        if tokio::time::timeout(left(), heard).await.is_err() {
            tracing::warn!("some sessions' last records could not be written in time; they are at the next start");
        }
        let is_written = self.inner.directory.flush(left()).await;
        self.inner.keeper.settled(left()).await;
        self.inner.meter.stop().await;
        self.inner.supervisor.stop();
        self.inner.arbiters.stop();
        is_settled && is_written
    }

    async fn tell_all(&self, input: impl Fn() -> Input) {
        self.send_all(|| Do(input())).await;
    }

    /// Returns once every session has come to its message.
    async fn send_all<M>(&self, message: impl Fn() -> M)
    where
        M: Message<Result = ()> + Send + 'static,
        SessionActor: Handler<M>,
    {
        let addrs: Vec<_> = self.inner.cards.all().iter().filter_map(|card| card.addr()).collect();
        // One that is gone by now needs to hear nothing.
        join_all(addrs.iter().map(|addr| addr.send(message()))).await;
    }

    fn states(&self) -> Vec<SessionState> {
        // Engines elsewhere go on without this node, and report to whoever answers.
        let cards = self.inner.cards.all();
        cards.iter().filter(|card| card.engine().is_none()).map(|card| card.record().state).collect()
    }
}
