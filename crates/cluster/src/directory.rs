//! Where a session lives.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use footlight_ledger::{BootId, SessionId};
use footlight_session::{SessionRecord, SessionState};
use footlight_store::{SessionDirectory, StoreError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// How long an answer of the store is used again: within a second nobody fails over.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// Answers remembered at most. Beyond it all are forgotten at once, which costs one look-up each.
const REMEMBERED_MAX: usize = 50_000;

/// A node as others reach it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// This run of it.
    pub boot: BootId,
    /// Its name.
    pub name: String,
    /// Host and port of its cluster listener.
    pub address: String,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.address)
    }
}

/// Where a session lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// At this node, or it is over, or any node may answer for it: nobody else is to be asked.
    Here,
    /// At another node.
    At(Peer),
    /// Its node is lost, and an heir is on its way.
    Moving,
    /// There is no such session.
    Unknown,
}

/// Finds sessions.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// Where a session lives, as of a second ago at most.
    ///
    /// # Errors
    /// What the store said.
    async fn whereabouts(&self, session: SessionId) -> Result<Whereabouts, StoreError>;

    /// As [`Self::whereabouts`], as of now: the answer before was wrong.
    ///
    /// # Errors
    /// What the store said.
    async fn look_again(&self, session: SessionId) -> Result<Whereabouts, StoreError>;

    /// The live node of this run, if there is one; from memory.
    fn peer(&self, boot: BootId) -> Option<Peer>;
}

/// What is known of a run of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerState {
    /// It holds its lease.
    Live(Peer),
    /// It held one, or it is not known at all: somebody inherits from it.
    Lost,
}

/// The nodes that are known now. Answers from memory.
pub trait Peers: Send + Sync + 'static {
    /// What is known of a run.
    fn find(&self, boot: BootId) -> PeerState;
}

/// Nodes that never come and go: for tests, and for a node that stands alone.
#[derive(Debug, Default)]
pub struct StandingPeers(Mutex<HashMap<BootId, Peer>>);

impl StandingPeers {
    /// Adds one.
    pub fn add(&self, peer: Peer) {
        self.0.lock().insert(peer.boot, peer);
    }

    /// Takes one away: it is lost.
    pub fn remove(&self, boot: BootId) {
        self.0.lock().remove(&boot);
    }
}

impl Peers for StandingPeers {
    fn find(&self, boot: BootId) -> PeerState {
        self.0.lock().get(&boot).cloned().map_or(PeerState::Lost, PeerState::Live)
    }
}

/// A directory over the sessions' records: whoever is named there has the session, if that node is alive.
pub struct RecordDirectory {
    records: Arc<dyn SessionDirectory>,
    own: BootId,
    peers: Arc<dyn Peers>,
    known: Mutex<HashMap<SessionId, Known>>,
}

/// What a record said, and when. Whether its node is alive is asked each time.
#[derive(Clone, Copy)]
struct Known {
    owner: Option<Owner>,
    read: Instant,
}

#[derive(Clone, Copy)]
struct Owner {
    boot: BootId,
    is_over: bool,
    /// Whether its engine is elsewhere: then any node takes it in hand when its own is lost.
    is_remote: bool,
}

impl RecordDirectory {
    /// For the run `own`.
    #[must_use]
    pub fn new(records: Arc<dyn SessionDirectory>, own: BootId, peers: Arc<dyn Peers>) -> Self {
        Self { records, own, peers, known: Mutex::default() }
    }

    async fn read(&self, session: SessionId) -> Result<Whereabouts, StoreError> {
        let owner = self.records.get_session(session).await?.as_ref().map(Owner::of);
        let mut known = self.known.lock();
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(session, Known { owner, read: Instant::now() });
        Ok(self.place(owner))
    }

    fn place(&self, owner: Option<Owner>) -> Whereabouts {
        let Some(owner) = owner else { return Whereabouts::Unknown };
        if owner.is_over || owner.boot == self.own {
            return Whereabouts::Here;
        }
        match self.peers.find(owner.boot) {
            PeerState::Live(peer) => Whereabouts::At(peer),
            PeerState::Lost if owner.is_remote => Whereabouts::Here,
            PeerState::Lost => Whereabouts::Moving,
        }
    }
}

impl Owner {
    fn of(record: &SessionRecord) -> Self {
        Self {
            boot: record.boot,
            is_over: record.state == SessionState::Ended,
            is_remote: record.product.is_remote(),
        }
    }
}

#[async_trait]
impl Directory for RecordDirectory {
    async fn whereabouts(&self, session: SessionId) -> Result<Whereabouts, StoreError> {
        let known = self.known.lock().get(&session).copied();
        match known.filter(|known| known.read.elapsed() < FRESH_FOR) {
            Some(known) => Ok(self.place(known.owner)),
            None => self.read(session).await,
        }
    }

    async fn look_again(&self, session: SessionId) -> Result<Whereabouts, StoreError> {
        self.read(session).await
    }

    fn peer(&self, boot: BootId) -> Option<Peer> {
        match self.peers.find(boot) {
            PeerState::Live(peer) => Some(peer),
            PeerState::Lost => None,
        }
    }
}
