//! Where a new session shall live.

use std::collections::BTreeMap;

use async_trait::async_trait;
use footlight_ledger::{AccountId, BootId, Product, SessionId};
use footlight_store::StoreError;

use crate::directory::Peer;

/// What a place is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The session that is to live there: whoever places it draws its id, so that a lost answer can be looked up.
    pub session: SessionId,
    /// Who pays.
    pub account: AccountId,
    /// What it is sold as.
    pub product: Product,
    /// What it takes of a node's speaking slots, in thousandths of a 512x512 stream at 25 frames a second.
    pub weight_milli: u64,
    /// The avatar, if one was named.
    pub avatar: Option<String>,
    /// What the node must be labelled with.
    pub labels: BTreeMap<String, String>,
    /// Nodes that have just refused it, or did not answer.
    pub except: Vec<BootId>,
}

/// Room that was set aside at a node, in the session's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// For whom.
    pub session: SessionId,
    /// At which run.
    pub boot: BootId,
    /// How much of its speaking slots.
    pub weight_milli: u64,
}

/// Where there is room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At this node.
    Here {
        /// What was set aside.
        reservation: Reservation,
    },
    /// At another.
    At {
        /// Which.
        peer: Peer,
        /// What was set aside.
        reservation: Reservation,
    },
}

impl Place {
    /// What was set aside.
    #[must_use]
    pub const fn reservation(&self) -> Reservation {
        match self {
            Self::Here { reservation } | Self::At { reservation, .. } => *reservation,
        }
    }
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

/// What became of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// The session lives there.
    Taken,
    /// It does not: the room is free again.
    GivenBack,
    /// Nobody knows yet: the room stays set aside until the node itself says how full it is.
    Unclear,
}

/// Chooses where sessions live, and sets the room aside in the same step.
#[async_trait]
pub trait Placement: Send + Sync + 'static {
    /// Finds a place. May wait for one, if so set up.
    ///
    /// # Errors
    /// That there is none, or what the store said.
    async fn place(&self, wish: &Wish) -> Result<Place, PlaceError>;

    /// Hears what became of it. Called once for each place that was given.
    async fn settle(&self, reservation: Reservation, placed: Placed);
}

/// Everything lives at this node; its own admission says whether there is room.
#[derive(Debug, Clone, Copy)]
pub struct HereAlone(pub BootId);

#[async_trait]
impl Placement for HereAlone {
    async fn place(&self, wish: &Wish) -> Result<Place, PlaceError> {
        let reservation = Reservation { session: wish.session, boot: self.0, weight_milli: wish.weight_milli };
        if wish.except.contains(&self.0) {
            return Err(PlaceError::Full { used: 0, total: 0, retry_after_s: 2 });
        }
        Ok(Place::Here { reservation })
    }

    async fn settle(&self, _: Reservation, _: Placed) {}
}
