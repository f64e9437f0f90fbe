//! Which nodes there are, how long each may run sessions, where a new session goes, and who inherits from whom.
//!
//! A node has one *lease*, which ends by itself; all its sessions inherit it. Everything here is one atomic step in the
//! store: a node is either renewed or claimed, and a place is reserved in the step that chooses the node. What a node
//! does about its own lease it decides by its own monotonic clock, which is always the earlier of the two.

mod local;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use footlight_ledger::{BootId, SessionId};
use serde::{Deserialize, Serialize};

use crate::StoreError;

pub use local::LocalNodes;

/// How long a place stays promised when nobody comes to take it: far over what creating a session may take, and short
/// enough that a node that died in between is not missed.
pub const RESERVATION: Duration = Duration::from_secs(30);

/// The most reservations that one renewal turns into use. The others wait for the next.
pub const ABSORBED_MAX: usize = 1_024;

/// How much emptier a node must be to be taken before one that has the avatar loaded, in thousandths of its room.
pub const AVATAR_WORTH_MILLI: u64 = 100;

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeCard {
    /// This run of it.
    pub boot: BootId,
    /// Its name, unique among those that live.
    pub name: String,
    /// Where other nodes reach it, `host:port`.
    pub address: String,
    /// The version that it runs.
    pub version: String,
    /// It takes no new sessions.
    pub draining: bool,
    /// What it runs on, and where: a wish may ask for these.
    pub labels: BTreeMap<String, String>,
    /// Avatars that are loaded: sessions that show one of them start sooner here.
    pub avatars: BTreeSet<String>,
}

/// How much room a node has, as it says itself: sessions and speaking slots (in thousandths).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the words of the type's docs")]
pub struct NodeRoom {
    pub sessions_total: u64,
    pub sessions_used: u64,
    pub slots_milli_total: u64,
    pub slots_milli_used: u64,
}

/// A node asks for its lease.
#[derive(Debug, Clone)]
pub struct Renewal {
    /// Who.
    pub card: NodeCard,
    /// How full it is; everything that `absorbed` names is in there.
    pub room: NodeRoom,
    /// Sessions that have taken the place that was reserved for them; at most [`ABSORBED_MAX`].
    pub absorbed: Vec<SessionId>,
    /// It has no sessions and begins: the first time, or after it was told that it is [`Renewed::Gone`].
    pub begins: bool,
    /// How long the lease is to last.
    pub lease: Duration,
}

/// What becomes of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    /// It lasts anew, from when the store was asked at the earliest.
    Held,
    /// It had ended, and another node is taking over what ran here.
    Claimed,
    /// It had ended, and everything that ran here runs elsewhere or is over.
    Gone,
    /// Another node of the same name lives, at this address.
    NameTaken {
        /// Where.
        address: String,
    },
}

/// A node as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeEntry {
    /// What it says of itself.
    pub card: NodeCard,
    /// How full it said it was.
    pub room: NodeRoom,
    /// What is promised there beyond that: sessions, and thousandths of slots.
    pub reserved: (u64, u64),
    /// How long its lease still lasts, by the store's clock, in milliseconds; negative since it ended.
    pub lease_left_ms: i64,
    /// Who takes over what ran there.
    pub heir: Option<BootId>,
    /// An operator has given it up: it is taken over even if most nodes look lost.
    pub given_up: bool,
}

impl NodeEntry {
    /// Whether its lease is over, by itself or because it was claimed.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        self.lease_left_ms <= 0 || self.heir.is_some()
    }
}

/// How the node for a session is chosen among those with room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The emptier of two taken at random: spreads load, and many who choose at once do not all choose the same.
    #[default]
    TwoChoice,
    /// The fullest that has room: leaves whole nodes empty, to be switched off.
    Packed,
}

/// A session looks for a place.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Which: names the reservation.
    pub session: SessionId,
    /// What it weighs while it speaks, in thousandths of a slot.
    pub weight_milli: u64,
    /// Labels that the node must have.
    pub labels: BTreeMap<String, String>,
    /// The avatar that it shows.
    pub avatar: String,
    /// How to choose.
    pub strategy: Strategy,
    /// The one node to take, if it has room.
    pub only: Option<BootId>,
    /// Nodes not to take: they were asked already.
    pub not: Vec<BootId>,
    /// A random number: pure parts draw none.
    pub dice: u64,
}

/// What becomes of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// There is room there, and it is reserved for [`RESERVATION`].
    At(NodeCard),
    /// No node that would do has room.
    Full {
        /// Sessions and slots in use or promised, in all nodes that would do.
        used: NodeUse,
        /// All there are.
        total: NodeUse,
    },
}

/// Sessions, and thousandths of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the words of the type's docs")]
pub struct NodeUse {
    pub sessions: u64,
    pub slots_milli: u64,
}

/// What becomes of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The node's lease is over for good, and what ran there is the heir's to hand out.
    Yes,
    /// Its lease is not over, or it is not there (any more).
    NotLost,
    /// Another heir is at it.
    Taken,
    /// The heir's own lease is over.
    NotAlive,
}

/// The nodes of one store.
#[async_trait]
pub trait NodeStore: Send + Sync + 'static {
    /// Gives a node its lease for another while, or says why not.
    async fn renew_node(&self, renewal: Renewal) -> Result<Renewed, StoreError>;

    /// Takes a node off the list that goes down in order and has no sessions left.
    async fn leave_node(&self, boot: BootId) -> Result<(), StoreError>;

    /// All nodes, those included whose lease is over and whose sessions are not all taken over.
    async fn list_nodes(&self) -> Result<Vec<NodeEntry>, StoreError>;

    /// Chooses a node for a session and reserves its place there, in one step. The same session again moves its
    /// reservation.
    async fn place(&self, wish: Wish) -> Result<Placed, StoreError>;

    /// Gives back a place that was reserved and is not taken.
    async fn give_back(&self, session: SessionId) -> Result<(), StoreError>;

    /// Makes `heir` the one who takes over what ran on `lost`, for `lasts`; again by the same heir, for longer. From then on
    /// the lost node is never renewed.
    async fn claim_node(&self, lost: BootId, heir: BootId, lasts: Duration) -> Result<Claimed, StoreError>;

    /// Takes a lost node off the list, by its heir: everything that ran there runs elsewhere or is over.
    async fn bury_node(&self, lost: BootId, heir: BootId) -> Result<(), StoreError>;

    /// Notes that an operator has given a lost node up. Answers whether it is there.
    async fn give_up_node(&self, lost: BootId) -> Result<bool, StoreError>;
}
