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

    /// Whether no other node is registered. A lost one is: it may be back, and claim what runs here, and whoever has no
    /// store does not learn of it.
    #[must_use]
    pub fn is_alone(&self, own: BootId) -> bool {
        self.0.read().iter().all(|node| node.card.boot == own)
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

#[cfg(test)]
pub(crate) mod tests {
    use uuid::Uuid;

    use super::*;

    /// An empty node whose lease lasts so long.
    pub(crate) fn node(number: u128, lease_left_ms: i64) -> NodeEntry {
        NodeEntry {
            card: NodeCard {
                boot: BootId(Uuid::from_u128(number)),
                name: format!("n{number}"),
                address: format!("n{number}:7080"),
                version: String::new(),
                draining: false,
                labels: Default::default(),
                avatars: Default::default(),
            },
            room: Default::default(),
            reserved: (0, 0),
            lease_left_ms,
            heir: None,
            given_up: false,
        }
    }

    #[test]
    fn a_lost_node_cannot_be_asked_and_is_company_all_the_same() {
        let own = node(1, 4_000);
        let view = View::default();
        view.set(vec![own.clone(), node(2, -1)]);
        assert!(view.peers(own.card.boot).is_empty());
        assert!(!view.is_alone(own.card.boot));
        view.set(vec![own.clone()]);
        assert!(view.is_alone(own.card.boot));
    }
}
