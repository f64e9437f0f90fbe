//! Keeps the node's lease: renews it, asks the peers when the store is away, and falls silent when it is over.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use footlight_store::StoreError;
use footlight_store::nodes::{ABSORBED_MAX, Renewed};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until, timeout};

use crate::cluster::Inner;
use crate::lease::Standing;

/// Renewals that others wait for are no closer together than this.
const SOON: Duration = Duration::from_millis(100);

/// Renews until the node is gone.
pub(crate) async fn keep(cluster: Weak<Inner>) {
    loop {
        let Some(inner) = cluster.upgrade() else { return };
        let every = inner.parts.options.times().renew_every();
        let begun = Instant::now();
        if !inner.leaving.load(Ordering::Acquire) {
            inner.renew().await;
        }
        inner.publish();
        let renew_soon = Arc::clone(&inner.renew_soon);
        // Not held while waiting, so that the node can go.
        drop(inner);
        tokio::select! {
            () = sleep_until(begun + every) => {}
            () = renew_soon.notified() => sleep_until((begun + SOON).max(Instant::now())).await,
        }
    }
}

impl Inner {
    async fn renew(&self) {
        let absorbed: Vec<_> = {
            let mut waiting = self.absorbed.lock();
            let count = waiting.len().min(ABSORBED_MAX);
            waiting.drain(..count).collect()
        };
        // The clock is read before the room is: what is counted is never newer than the lease it came with.
        let sent = self.parts.host.moment();
        let within = self.parts.options.lease / 2;
        let renewal = self.renewal(absorbed.clone());
        let answer = timeout(within, self.parts.store.renew_node(renewal)).await;
        let answer = answer.unwrap_or_else(|_| Err(StoreError::unknown("it did not answer in time")));
        match answer {
            Ok(answer) => {
                self.note_store(true);
                self.answered(answer, sent).await;
            }
            Err(error) => {
                let is_new = self.note_store(!error.is_transport());
                self.absorbed.lock().extend(absorbed);
                if is_new || !error.is_transport() {
                    tracing::warn!(%error, "the node's lease could not be renewed; it is tried again");
                }
                self.doubt().await;
            }
        }
        self.parts.host.set_tenure(self.lease.lock().until());
    }

    async fn answered(&self, answer: Renewed, sent: footlight_session::Moment) {
        match answer {
            Renewed::Held => {
                let was = self.standing();
                self.lease.lock().renewed(sent);
                let begins = self.begins.swap(false, Ordering::AcqRel);
                if was == Standing::Lost && !begins {
                    tracing::warn!("the node's lease had ended, and nobody had claimed it: it goes on");
                }
            }
            Renewed::Claimed | Renewed::Gone => {
                self.lease.lock().ended();
                self.parts.host.set_tenure(self.lease.lock().until());
                let sessions = self.parts.host.hosted().len();
                if sessions > 0 {
                    tracing::error!(
                        sessions,
                        "the node's lease had ended and others took over; its sessions are dropped"
                    );
                }
                // Engines' sessions as well, which nobody hosts: other nodes may have them in hand.
                self.parts.host.disown_all().await;
                if answer == Renewed::Gone && self.parts.host.hosted().is_empty() {
                    self.begins.store(true, Ordering::Release);
                    self.renew_soon.notify_one();
                }
            }
            Renewed::NameTaken { address } => {
                tracing::error!(
                    address,
                    "another node has taken this node's name; this one falls silent when its lease ends"
                );
            }
        }
    }

    /// The store does not answer. If it answers none of the others either, nobody can claim anything, and sessions go on.
    async fn doubt(&self) {
        let (now, standing) = (self.parts.host.moment(), self.standing());
        let in_doubt = self.lease.lock().is_in_doubt(now);
        if !in_doubt || standing == Standing::Lost {
            return;
        }
        let peers = self.view.peers(self.parts.boot);
        let answers = join_all(peers.iter().map(|peer| self.parts.calls.pulse(peer))).await;
        let without_store = answers.iter().flatten().filter(|pulse| !pulse.store_up).count();
        // Alone, there is nobody who could claim anything.
        if self.view.is_alone(self.parts.boot) || without_store * 2 > peers.len() {
            self.lease.lock().goes_on(self.parts.host.moment());
        } else {
            tracing::error!(
                peers = peers.len(),
                without_store,
                "the store answers others and not this node; it falls silent when its lease ends"
            );
        }
    }

    /// Shows where the node stands.
    fn publish(&self) {
        self.metrics.lease_remaining.set(self.lease_left_ms() as f64 / 1_000.0);
        self.metrics.silent.set(i64::from(self.standing() == Standing::Lost));
    }
}
