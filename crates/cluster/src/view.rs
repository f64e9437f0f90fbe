//! The nodes as this one last saw them: for look-ups that must not cost a call of the store, and for knowing whom to ask
//! when the store is away.

use std::sync::Arc;

use footlight_ledger::BootId;
use footlight_store::nodes::{NodeCard, NodeEntry};
use parking_lot::RwLock;

use crate::directory::{Peer, PeerState, Peers};

/// The last list of nodes. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct View(Arc<RwLock<Vec<NodeEntry>>>);

impl View {
    /// Replaces it.
    pub(crate) fn set(&self, nodes: Vec<NodeEntry>) {
        *self.0.write() = nodes;
    }

    /// Those whose lease was not over, but for `own`.
    #[must_use]
    pub fn peers(&self, own: BootId) -> Vec<Peer> {
        let nodes = self.0.read();
        let alive = nodes.iter().filter(|node| node.card.boot != own && !node.is_lost());
        alive.map(|node| peer_of(&node.card)).collect()
    }
}

/// The node that a card is of.
pub(crate) fn peer_of(card: &NodeCard) -> Peer {
    Peer { boot: card.boot, name: card.name.clone(), address: card.address.clone() }
}

impl Peers for View {
    fn find(&self, boot: BootId) -> PeerState {
        let nodes = self.0.read();
        let alive = nodes.iter().find(|node| node.card.boot == boot && !node.is_lost());
        alive.map_or(PeerState::Lost, |node| PeerState::Live(peer_of(&node.card)))
    }
}
