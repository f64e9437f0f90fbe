//! A node among others: the handle, and what its tasks share.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use footlight_ledger::{BootId, SessionId};
use footlight_session::{Heirloom, Moment};
use footlight_store::nodes::{NodeCard, NodeEntry, Renewal, Renewed};
use footlight_store::{Store, StoreError};
use parking_lot::Mutex;
use prometheus::Registry;
use tokio::sync::{Notify, Semaphore};

use crate::calls::Calls;
use crate::directory::Peer;
use crate::lease::{LeaseClock, Standing};
use crate::metrics::Metrics;
use crate::{ClusterOptions, Host, View, heirs, keeper};

/// What a cluster is made of, on one node.
pub struct ClusterParts {
    /// The store that the nodes share.
    pub store: Arc<dyn Store>,
    /// The node.
    pub host: Arc<dyn Host>,
    /// The way to the others.
    pub calls: Arc<dyn Calls>,
    /// This run of the node.
    pub boot: BootId,
    /// How it takes part.
    pub options: ClusterOptions,
    /// Where metrics are registered.
    pub registry: Registry,
    /// Random numbers.
    pub dice: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// Why a node cannot take part.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Another node of the same name lives.
    #[error("a node called `{name}` lives at {address}; give each node a name of its own (node.name)")]
    NameTaken {
        /// The name.
        name: String,
        /// Where it lives.
        address: String,
    },
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Metrics of these names are registered already.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// A node among others. Clones are the same one.
#[derive(Clone)]
pub struct Cluster(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) parts: ClusterParts,
    pub(crate) metrics: Metrics,
    pub(crate) view: View,
    pub(crate) lease: Mutex<LeaseClock>,
    /// Sessions that have taken their places since the last renewal.
    pub(crate) absorbed: Mutex<Vec<SessionId>>,
    /// Something changed that others should know: renew soon.
    pub(crate) renew_soon: Arc<Notify>,
    /// Since when the store has answered without a failure; [`Moment::NEVER`] while it does not.
    pub(crate) store_up_since: Mutex<Moment>,
    /// The node has no sessions and begins.
    pub(crate) begins: AtomicBool,
    /// What this node's own files prove of sessions of its former runs: more than what was mirrored.
    pub(crate) left_behind: Mutex<HashMap<SessionId, Heirloom>>,
    /// It goes down in order: it is renewed no more.
    pub(crate) leaving: AtomicBool,
    /// Sessions that are being moved away.
    pub(crate) moving: Mutex<HashSet<SessionId>>,
    /// One turn at handing out what lost nodes left.
    pub(crate) inheriting: Arc<Semaphore>,
    /// Turns at waiting for room.
    pub(crate) queue: Semaphore,
}

impl Cluster {
    /// Takes part: gets the first lease, and begins to renew it and to look after the others.
    ///
    /// # Errors
    /// [`ClusterError::NameTaken`] when a node of this name lives elsewhere, and goes on living for longer than a lease;
    /// [`ClusterError::Store`] when the store does not answer.
    pub async fn join(parts: ClusterParts) -> Result<Self, ClusterError> {
        let metrics = Metrics::register(&parts.registry)?;
        let (times, queue) = (parts.options.times(), parts.options.queue);
        let inner = Arc::new(Inner {
            metrics,
            view: View::default(),
            lease: Mutex::new(LeaseClock::new(times)),
            absorbed: Mutex::default(),
            renew_soon: Arc::default(),
            store_up_since: Mutex::new(parts.host.moment()),
            begins: AtomicBool::new(true),
            leaving: AtomicBool::new(false),
            moving: Mutex::default(),
            inheriting: Arc::new(Semaphore::new(1)),
            left_behind: Mutex::default(),
            queue: Semaphore::new(queue),
            parts,
        });
        inner.take_first_lease().await?;
        let nodes = inner.look().await?;
        let left_behind = inner.parts.host.left_behind().into_iter();
        *inner.left_behind.lock() = left_behind.map(|heirloom| (heirloom.record.id, heirloom)).collect();
        tokio::spawn(heirs::hand_out_unlisted(Arc::clone(&inner), nodes));
        tokio::spawn(keeper::keep(Arc::downgrade(&inner)));
        tokio::spawn(heirs::watch(Arc::downgrade(&inner)));
        Ok(Self(inner))
    }

    /// Goes down in order: takes the node off the list, if it `is_empty`. Else its lease ends at once, and heirs take over
    /// what it left; nothing may run here any more.
    pub async fn leave(&self, is_empty: bool) {
        let inner = &self.0;
        inner.leaving.store(true, Ordering::Release);
        let left = if is_empty {
            inner.parts.store.leave_node(inner.parts.boot).await
        } else {
            let last = Renewal { lease: Duration::ZERO, ..inner.renewal(Vec::new()) };
            inner.parts.store.renew_node(last).await.map(drop)
        };
        if let Err(error) = left {
            tracing::warn!(%error, "the other nodes could not be told; the node's lease ends by itself");
        }
    }

    /// The nodes as this one last saw them.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.0.view
    }

    /// All nodes, as the store has them now.
    ///
    /// # Errors
    /// What the store said.
    pub async fn nodes(&self) -> Result<Vec<NodeEntry>, StoreError> {
        self.0.look().await
    }

    /// Notes that a lost node is given up, so that its sessions are taken over even if most nodes look lost. Answers
    /// whether it is there.
    ///
    /// # Errors
    /// What the store said.
    pub async fn give_up(&self, lost: BootId) -> Result<bool, StoreError> {
        self.0.parts.store.give_up_node(lost).await
    }

    /// This run of the node.
    #[must_use]
    pub fn boot(&self) -> BootId {
        self.0.parts.boot
    }

    /// How the node takes part.
    #[must_use]
    pub fn options(&self) -> &ClusterOptions {
        &self.0.parts.options
    }

    /// Another node, by its name, if its lease was not over a second ago.
    #[must_use]
    pub fn peer_named(&self, name: &str) -> Option<Peer> {
        self.0.view.peers(self.0.parts.boot).into_iter().find(|peer| peer.name == name)
    }

    /// Whether the store answers, be it with a refusal. A node that it refuses for its clock can claim others' sessions all
    /// the same, so readiness does not tell this.
    #[must_use]
    pub fn store_is_up(&self) -> bool {
        *self.0.store_up_since.lock() != Moment::NEVER
    }

    /// How long the lease still lasts by the node's own clock, in milliseconds; negative since it ended.
    #[must_use]
    pub fn lease_left_ms(&self) -> i64 {
        self.0.lease_left_ms()
    }

    /// Where the node stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.0.standing()
    }
}

impl Inner {
    pub(crate) fn lease_left_ms(&self) -> i64 {
        let ms = |moment: Moment| i64::try_from(moment.0).unwrap_or(i64::MAX);
        ms(self.lease.lock().until()) - ms(self.parts.host.moment())
    }

    pub(crate) fn standing(&self) -> Standing {
        self.lease.lock().standing(self.parts.host.moment())
    }

    /// A session has taken the place that was reserved for it here.
    pub(crate) fn absorb(&self, session: SessionId) {
        self.absorbed.lock().push(session);
        self.renew_soon.notify_one();
    }

    /// Reads the list of nodes.
    pub(crate) async fn look(&self) -> Result<Vec<NodeEntry>, StoreError> {
        let nodes = self.parts.store.list_nodes().await?;
        self.view.set(nodes.clone());
        Ok(nodes)
    }

    /// What this node says of itself.
    pub(crate) fn renewal(&self, absorbed: Vec<SessionId>) -> Renewal {
        let options = &self.parts.options;
        Renewal {
            card: NodeCard {
                boot: self.parts.boot,
                name: options.name.clone(),
                address: options.address.clone(),
                version: options.version.clone(),
                draining: self.parts.host.is_draining() || self.leaving.load(Ordering::Acquire),
                labels: options.labels.clone(),
                avatars: self.parts.host.avatars(),
            },
            room: self.parts.host.room(),
            absorbed,
            begins: self.begins.load(Ordering::Acquire),
            lease: options.lease,
        }
    }

    async fn take_first_lease(&self) -> Result<(), ClusterError> {
        let options = &self.parts.options;
        let patience = options.lease + Duration::from_secs(2);
        let until = self.parts.host.moment().plus(patience);
        loop {
            let sent = self.parts.host.moment();
            match self.parts.store.renew_node(self.renewal(Vec::new())).await? {
                Renewed::Held => {
                    self.begins.store(false, Ordering::Release);
                    self.lease.lock().renewed(sent);
                    self.parts.host.set_tenure(self.lease.lock().until());
                    return Ok(());
                }
                Renewed::NameTaken { address } if sent >= until => {
                    return Err(ClusterError::NameTaken { name: options.name.clone(), address });
                }
                Renewed::NameTaken { address } => {
                    tracing::warn!(address, "a node of this name had a lease a moment ago; waiting for it to end");
                }
                // A boot id is new with every run, so nobody has claimed it.
                Renewed::Claimed | Renewed::Gone => {}
            }
            tokio::time::sleep(options.times().renew_every()).await;
        }
    }

    /// The store answered, or did not. Answers whether that is new.
    pub(crate) fn note_store(&self, is_up: bool) -> bool {
        let now = self.parts.host.moment();
        let mut since = self.store_up_since.lock();
        let was_up = *since != Moment::NEVER;
        if is_up != was_up {
            *since = if is_up { now } else { Moment::NEVER };
        }
        is_up != was_up
    }

    /// Nobody is given up for a while: those who cannot be heard now, or could not, get their chance to renew.
    pub(crate) fn begin_quarantine(&self) {
        let mut since = self.store_up_since.lock();
        if *since != Moment::NEVER {
            *since = self.parts.host.moment();
        }
    }

    /// Whether the store has been there for long enough that whoever lives has been heard.
    pub(crate) fn may_claim(&self) -> bool {
        let since = *self.store_up_since.lock();
        since != Moment::NEVER && self.parts.host.moment() >= since.plus(self.parts.options.times().quarantine())
    }
}
