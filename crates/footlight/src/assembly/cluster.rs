//! One node of many: the node as the cluster sees it, and what the API needs of the other nodes.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use async_trait::async_trait;
use footlight_actors::{Node, NodeError};
use footlight_api::ProxyFigures;
use footlight_cluster::{
    Cluster, ClusterKey, ClusterOptions, ClusterParts, Host, NotAdopted, PeerClient, RecordDirectory,
};
use footlight_ledger::SessionId;
use footlight_session::{Heirloom, Moment, SessionRecord};
use footlight_store::nodes::{NodeRoom, Strategy};
use footlight_store::{SessionDirectory, Store};

use super::now;
use crate::settings::{PlacementChoice, Settings};

/// The listener between nodes, bound before the node takes part: others reach it from then on.
pub(crate) struct ClusterSocket {
    pub(crate) listener: TcpListener,
    /// Where others reach it.
    address: String,
}

/// Binds the listener between nodes; nothing where there are none.
///
/// # Errors
/// When the address is taken.
pub(crate) fn bind(settings: &Settings) -> anyhow::Result<Option<ClusterSocket>> {
    if !settings.cluster.is_on() {
        return Ok(None);
    }
    let listen = &settings.cluster.listen;
    let listener = crate::commands::serve::bind(listen)
        .with_context(|| format!("`cluster.listen` is {listen}, and the node cannot listen there"))?;
    let address = match settings.cluster.address.as_str() {
        "" => listener.local_addr()?.to_string(),
        address => address.to_owned(),
    };
    Ok(Some(ClusterSocket { listener, address }))
}

/// A node among others, and the way to them.
pub(crate) struct Joined {
    pub(crate) cluster: Cluster,
    pub(crate) key: ClusterKey,
    pub(crate) client: PeerClient,
}

/// Takes part.
///
/// # Errors
/// When another node has the name, or the store does not answer.
pub(super) async fn join(
    settings: &Settings,
    socket: &ClusterSocket,
    node: &Node,
    store: &Arc<dyn Store>,
    registry: &prometheus::Registry,
) -> anyhow::Result<Joined> {
    let key = ClusterKey::of_secret(&settings.cluster.secret.0);
    let client = PeerClient::new(key.clone(), node.boot(), Arc::new(now));
    let chosen = &settings.cluster;
    // Nothing is handed out before the first lease.
    node.tenure().end();
    let cluster = Cluster::join(ClusterParts {
        store: Arc::clone(store),
        host: Arc::new(ClusterHost { node: node.clone(), origin: Instant::now() }),
        calls: Arc::new(client.clone()),
        boot: node.boot(),
        options: ClusterOptions {
            name: settings.node.name.clone(),
            address: socket.address.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            labels: chosen.labels.clone(),
            lease: chosen.lease,
            strategy: match chosen.placement {
                PlacementChoice::TwoChoice => Strategy::TwoChoice,
                PlacementChoice::Packed => Strategy::Packed,
            },
            queue: chosen.queue,
            queue_deadline: chosen.queue_deadline,
        },
        registry: registry.clone(),
        dice: Arc::new(rand::random),
    })
    .await
    .context("taking part in the cluster")?;
    Ok(Joined { cluster, key, client })
}

/// What the API needs of the other nodes.
///
/// # Errors
/// When metrics are named twice.
pub(super) fn api_parts(
    joined: &Joined,
    store: &Arc<dyn Store>,
    registry: &prometheus::Registry,
) -> anyhow::Result<footlight_api::ClusterParts> {
    let Joined { cluster, key, client } = joined;
    let records: Arc<dyn SessionDirectory> = Arc::clone(store) as _;
    Ok(footlight_api::ClusterParts {
        directory: Arc::new(RecordDirectory::new(records, cluster.boot(), Arc::new(cluster.view().clone()))),
        placement: Arc::new(cluster.clone()),
        adopter: Some(Arc::new(cluster.clone())),
        cluster: Some(cluster.clone()),
        client: client.clone(),
        key: key.clone(),
        figures: ProxyFigures::register(registry).context("registering the metrics of passed on calls")?,
    })
}

/// The node as the cluster sees it.
struct ClusterHost {
    node: Node,
    /// What its moments count from.
    origin: Instant,
}

impl ClusterHost {
    fn instant(&self, moment: Moment) -> Instant {
        self.origin + Duration::from_millis(moment.0)
    }
}

fn not_adopted(error: NodeError) -> NotAdopted {
    let detail = error.to_string();
    match error {
        NodeError::Capacity { .. } | NodeError::Draining => NotAdopted::Full,
        NodeError::Ended { .. } | NodeError::Moving | NodeError::NotFound { what: "session" } => {
            NotAdopted::Gone { detail }
        }
        _ => NotAdopted::Failed { detail },
    }
}

#[async_trait]
impl Host for ClusterHost {
    fn moment(&self) -> Moment {
        Moment::default().plus(self.origin.elapsed())
    }

    fn set_tenure(&self, until: Moment) {
        self.node.tenure().extend_to(self.instant(until));
    }

    fn room(&self) -> NodeRoom {
        self.node.room()
    }

    fn is_draining(&self) -> bool {
        self.node.is_draining()
    }

    fn avatars(&self) -> BTreeSet<String> {
        self.node.stage().loaded_avatars()
    }

    fn hosted(&self) -> Vec<SessionId> {
        self.node.hosted()
    }

    fn record(&self, session: SessionId) -> Option<SessionRecord> {
        self.node.records_of(&[session]).pop()
    }

    fn weight_milli(&self, record: &SessionRecord) -> u64 {
        self.node.weight_of_record(record)
    }

    fn left_behind(&self) -> Vec<Heirloom> {
        self.node.left_behind()
    }

    fn forget_former_runs(&self) {
        if let Err(error) = self.node.forget_former_runs() {
            tracing::warn!(%error, "progress files of former runs could not be removed");
        }
    }

    async fn adopt(&self, heirloom: Heirloom) -> Result<SessionRecord, NotAdopted> {
        self.node.adopt(heirloom).await.map_err(not_adopted)
    }

    async fn give_up(&self, heirloom: Heirloom) -> Result<(), NotAdopted> {
        self.node.give_up(heirloom).await.map(drop).map_err(not_adopted)
    }

    async fn disown_all(&self) {
        self.node.disown_all().await;
    }

    async fn let_go(&self, session: SessionId) -> Result<Heirloom, NotAdopted> {
        self.node.let_go(session).await.map_err(not_adopted)
    }

    async fn take_back(&self, session: SessionId) {
        self.node.take_back(session).await;
    }

    async fn forget_moved(&self, session: SessionId) {
        self.node.forget_moved(session).await;
    }
}
