//! Two nodes, and a cable between them that can be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use footlight_api::{ApiOptions, ClusterParts, ProxyFigures};
use footlight_avatar::bundle::Catalogue;
use footlight_cluster::{ClusterKey, HereAlone, Peer, PeerClient, Placement, RecordDirectory, StandingPeers};
use footlight_ledger::{BootId, Timestamp};
use footlight_store::{SessionDirectory, Store};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::harness::{Served, memory, now, serve_on};

pub(crate) const SECRET: &str = "the secret of all nodes of this test";

/// Two nodes on one store. `far` is reached by `near` over `cable`.
pub(crate) struct Pair {
    pub near: Served,
    pub far: Served,
    pub cable: Cable,
    pub store: Arc<dyn Store>,
    /// Whom `near` and `far` know.
    pub peers: Arc<StandingPeers>,
}

impl Pair {
    /// The far node as a peer, over the cable.
    pub(crate) fn far_peer(&self) -> Peer {
        Peer { boot: self.far.node.boot(), name: "far".to_owned(), address: self.cable.address.clone() }
    }

    /// Some numbers of `near`'s metrics page.
    pub(crate) fn passed(&self, result: &str) -> u64 {
        let line = format!("footlight_proxied_requests_total{{result=\"{result}\"}} ");
        let page = self.near.node.metrics();
        let found = page.lines().find_map(|it| it.strip_prefix(&line)).expect("the metric is there");
        found.parse().expect("a number")
    }
}

pub(crate) fn key() -> ClusterKey {
    ClusterKey::of_secret(SECRET)
}

pub(crate) fn client(own: BootId) -> PeerClient {
    PeerClient::new(key(), own, Arc::new(now))
}

pub(crate) async fn pair() -> Pair {
    pair_with(|_| {}, |own| Arc::new(HereAlone(own))).await
}

/// Two nodes with what is special about them both, and how the near one places sessions.
pub(crate) async fn pair_with(
    change: impl Fn(&mut ApiOptions),
    placement: impl FnOnce(BootId) -> Arc<dyn Placement>,
) -> Pair {
    let (store, peers) = (memory(), Arc::new(StandingPeers::default()));
    let parts = |own: BootId, registry: &prometheus::Registry, placement: Arc<dyn Placement>| {
        let records: Arc<dyn SessionDirectory> = store.clone();
        Some(ClusterParts {
            directory: Arc::new(RecordDirectory::new(records, own, peers.clone())),
            placement,
            adopter: None,
            cluster: None,
            key: key(),
            client: client(own),
            figures: ProxyFigures::register(registry).expect("metrics"),
        })
    };
    // Tokens of one node open the other.
    let change = |options: &mut ApiOptions| {
        options.token_key = footlight_api::TokenKey::new([7; 32]);
        change(options);
    };
    let far = serve_on(store.clone(), "far", Catalogue::default(), change, |node, registry, _| {
        parts(node.boot(), registry, Arc::new(HereAlone(node.boot())))
    })
    .await;
    let near = serve_on(store.clone(), "near", Catalogue::default(), change, |node, registry, address| {
        peers.add(Peer { boot: node.boot(), name: "near".to_owned(), address: address.to_owned() });
        parts(node.boot(), registry, placement(node.boot()))
    })
    .await;
    let cable = Cable::to(&far.cluster).await;
    let pair = Pair { near, far, cable, store, peers };
    pair.peers.add(pair.far_peer());
    pair
}

/// A connection between two nodes, as a network would have it.
pub(crate) struct Cable {
    pub address: String,
    links: Arc<Mutex<Vec<JoinHandle<()>>>>,
    is_frozen: Arc<AtomicBool>,
    accepts: JoinHandle<()>,
}

impl Cable {
    pub(crate) async fn to(target: &str) -> Self {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = socket.local_addr().expect("it is bound").to_string();
        let (links, is_frozen) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (target, kept, frozen) = (target.to_owned(), Arc::clone(&links), Arc::clone(&is_frozen));
        let accepts = tokio::spawn(async move {
            while let Ok((near, _)) = socket.accept().await {
                let (target, frozen) = (target.clone(), Arc::clone(&frozen));
                kept.lock().push(tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(&target).await else { return };
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    tokio::join!(carry(near_in, far_out, &frozen), carry(far_in, near_out, &frozen));
                }));
            }
        });
        Self { address, links, is_frozen, accepts }
    }

    /// Breaks every connection, and takes no further one.
    pub(crate) fn cut(&self) {
        self.accepts.abort();
        for link in self.links.lock().drain(..) {
            link.abort();
        }
    }

    /// Keeps every connection, and carries nothing: as for a process that was stopped.
    pub(crate) fn freeze(&self) {
        self.is_frozen.store(true, Ordering::Release);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_frozen: &AtomicBool) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(read) = from.read(&mut buffer).await else { return };
        while is_frozen.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// A pass for one call, as a peer would sign it.
pub(crate) fn pass(from: BootId, to: BootId, method: &str, target: &str, at: Timestamp, nonce: u128) -> String {
    let pass = footlight_cluster::Pass { from, client: None, operator: Some("test".to_owned()) };
    footlight_cluster::pass::sign(&key(), &pass, (method, target, to), at, nonce)
}
