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
    /// Where a session lives, as of a second ago at most; as of when it was last read while the store is away.
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

    /// Whoever has a session of this node in hand does not ask where it is: it has gone since.
    fn is_ours(&self, known: &Known) -> bool {
        known.owner.is_some_and(|owner| owner.boot == self.own && !owner.is_over)
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
        Self { boot: record.boot, is_over: record.state == SessionState::Ended, is_remote: record.product.is_remote() }
    }
}

#[async_trait]
impl Directory for RecordDirectory {
    async fn whereabouts(&self, session: SessionId) -> Result<Whereabouts, StoreError> {
        let known = self.known.lock().get(&session).copied();
        if let Some(known) = known.filter(|known| known.read.elapsed() < FRESH_FOR && !self.is_ours(known)) {
            return Ok(self.place(known.owner));
        }
        match (self.read(session).await, known) {
            // Running sessions stay reachable while the store is away.
            (Err(error), Some(known)) if error.is_transport() => Ok(self.place(known.owner)),
            (read, _) => read,
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

#[cfg(test)]
mod tests {
    use footlight_ledger::{AccountId, Microcredits, Pricing, Product, Rounding, Timestamp};
    use footlight_session::WhenUnwatched;
    use footlight_store::SessionPut;
    use uuid::Uuid;

    use super::*;

    /// Records that can be changed, and may be away.
    #[derive(Default)]
    struct Records {
        record: Mutex<Option<SessionRecord>>,
        is_away: Mutex<bool>,
        reads: Mutex<u32>,
    }

    #[async_trait]
    impl SessionDirectory for Records {
        async fn put_session(&self, _: SessionRecord) -> Result<SessionPut, StoreError> {
            unreachable!("a directory writes nothing")
        }

        async fn get_session(&self, _: SessionId) -> Result<Option<SessionRecord>, StoreError> {
            *self.reads.lock() += 1;
            if *self.is_away.lock() {
                return Err(StoreError::unreachable("away"));
            }
            Ok(self.record.lock().clone())
        }

        async fn list_sessions(
            &self,
            _: Option<AccountId>,
            _: Option<SessionId>,
            _: usize,
        ) -> Result<Vec<SessionRecord>, StoreError> {
            unreachable!("a directory lists nothing")
        }

        async fn list_owned(&self, _: &str, _: BootId) -> Result<Vec<SessionRecord>, StoreError> {
            unreachable!("a directory lists nothing")
        }

        async fn list_orphans(&self, _: &str, _: BootId) -> Result<Vec<SessionRecord>, StoreError> {
            unreachable!("a directory lists nothing")
        }
    }

    fn boot(number: u128) -> BootId {
        BootId(Uuid::from_u128(number))
    }

    fn record(owner: BootId, product: Product) -> SessionRecord {
        SessionRecord {
            id: SessionId(Uuid::from_u128(9)),
            account: AccountId(Uuid::from_u128(1)),
            secret: None,
            state: SessionState::Idle,
            pause_reasons: Default::default(),
            end_reason: None,
            product,
            pricing: Pricing { rate: Microcredits::ZERO, units_per_minute: 1_500, rounding: Rounding::Exact },
            avatar: "ada".to_owned(),
            fps: 25,
            width: 512,
            height: 512,
            background: None,
            when_unwatched: WhenUnwatched::Wait,
            idle_timeout_s: 1,
            max_duration_s: 1,
            units: 0,
            stalls: 0,
            credits_used: Microcredits::ZERO,
            epoch: 1,
            node: "other".to_owned(),
            boot: owner,
            created_at: Timestamp(0),
            ended_at: None,
            metadata: Default::default(),
            labels: Default::default(),
        }
    }

    fn directory() -> (Arc<Records>, Arc<StandingPeers>, RecordDirectory, Peer) {
        let (records, peers) = (Arc::new(Records::default()), Arc::new(StandingPeers::default()));
        let peer = Peer { boot: boot(2), name: "other".to_owned(), address: "other:7080".to_owned() };
        peers.add(peer.clone());
        let directory = RecordDirectory::new(records.clone(), boot(1), peers.clone());
        (records, peers, directory, peer)
    }

    #[tokio::test]
    async fn a_session_is_where_its_record_says_while_that_node_lives() {
        let (records, peers, directory, peer) = directory();
        let id = SessionId(Uuid::from_u128(9));
        let look = async |record: Option<SessionRecord>| {
            *records.record.lock() = record;
            directory.look_again(id).await.expect("a store")
        };
        let (ours, theirs) = (record(boot(1), Product::EssenceCloud), record(boot(2), Product::EssenceCloud));
        assert_eq!(look(None).await, Whereabouts::Unknown);
        assert_eq!(look(Some(ours)).await, Whereabouts::Here);
        assert_eq!(look(Some(theirs.clone())).await, Whereabouts::At(peer.clone()));
        let over = SessionRecord { state: SessionState::Ended, ..theirs.clone() };
        assert_eq!(look(Some(over)).await, Whereabouts::Here, "what is over is read from the store");
        peers.remove(boot(2));
        assert_eq!(look(Some(theirs)).await, Whereabouts::Moving);
        let elsewhere = record(boot(2), Product::EssenceSelfHosted);
        assert_eq!(look(Some(elsewhere)).await, Whereabouts::Here, "any node hears an engine whose own is lost");
    }

    #[tokio::test]
    async fn the_store_is_asked_once_a_second_and_nodes_are_looked_at_each_time() {
        let (records, peers, directory, peer) = directory();
        let id = SessionId(Uuid::from_u128(9));
        *records.record.lock() = Some(record(boot(2), Product::EssenceCloud));
        for _ in 0..100 {
            assert_eq!(directory.whereabouts(id).await.expect("a store"), Whereabouts::At(peer.clone()));
        }
        assert_eq!(*records.reads.lock(), 1);
        peers.remove(boot(2));
        assert_eq!(directory.whereabouts(id).await.expect("a store"), Whereabouts::Moving);
        peers.add(peer.clone());
        *records.is_away.lock() = true;
        tokio::time::sleep(FRESH_FOR + Duration::from_millis(50)).await;
        let known = directory.whereabouts(id).await.expect("it was known");
        assert_eq!((known, *records.reads.lock()), (Whereabouts::At(peer), 2));
        let stranger = SessionId(Uuid::from_u128(8));
        assert!(directory.whereabouts(stranger).await.is_err(), "what was never known is not made up");
    }
}
