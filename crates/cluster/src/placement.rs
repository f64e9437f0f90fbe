//! Where a new session shall live.

use std::collections::BTreeMap;

use async_trait::async_trait;
use footlight_ledger::{BootId, SessionId};
use footlight_store::StoreError;

use crate::directory::Peer;

/// What a place is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The session that is to live there: whoever places it draws its id, so that a lost answer can be looked up.
    pub session: SessionId,
    /// What it takes of a node's speaking slots, in thousandths of a 512x512 stream at 25 frames a second.
    pub weight_milli: u64,
    /// The avatar, if one was named.
    pub avatar: Option<String>,
    /// What the node must be labelled with.
    pub labels: BTreeMap<String, String>,
    /// Nodes that have just refused it, or did not answer.
    pub except: Vec<BootId>,
}

/// Where there is room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At this node.
    Here,
    /// At another.
    At(Peer),
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Every node that would do is full, or is being emptied.
    #[error("all nodes are full: {used} of {total} places are taken")]
    Full {
        /// Places taken or set aside, on all nodes that would do.
        used: u64,
        /// Places there are.
        total: u64,
        /// When to ask again, in seconds.
        retry_after_s: u32,
    },
    /// The store cannot say.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Chooses where sessions live, and sets the room aside in the same step, in the session's name.
#[async_trait]
pub trait Placement: Send + Sync + 'static {
    /// Finds a place. May wait for one, if so set up.
    ///
    /// # Errors
    /// That there is none, or what the store said.
    async fn place(&self, wish: &Wish) -> Result<Place, PlaceError>;

    /// A session was created at this node: its place is in use, no longer set aside. Told by the node that created it,
    /// whichever chose the place.
    fn taken(&self, session: SessionId);

    /// It was not created where its place was: the room is free again. Of a place of which nobody knows whether it was
    /// taken nothing is told: it stays set aside for a while.
    async fn give_back(&self, session: SessionId);
}

/// Everything lives at this node; its own admission says whether there is room.
#[derive(Debug, Clone, Copy)]
pub struct HereAlone(pub BootId);

#[async_trait]
impl Placement for HereAlone {
    async fn place(&self, wish: &Wish) -> Result<Place, PlaceError> {
        if wish.except.contains(&self.0) {
            return Err(PlaceError::Full { used: 0, total: 0, retry_after_s: 2 });
        }
        Ok(Place::Here)
    }

    fn taken(&self, _: SessionId) {}

    async fn give_back(&self, _: SessionId) {}
}
