//! The nodes as this one last saw them: for look-ups that must not cost a call of the store, and for knowing whom to ask
//! when the store is away.

use std::sync::Arc;

use footlight_ledger::BootId;
use footlight_store::nodes::NodeEntry;
use parking_lot::RwLock;

use crate::Peer;

/// The last list of nodes. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct View(Arc<RwLock<Vec<NodeEntry>>>);

impl View {
    /// Replaces it.
    pub(crate) fn set(&self, nodes: Vec<NodeEntry>) {
        *self.0.write() = nodes;
    }

    /// All of them, the lost ones too.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeEntry> {
        self.0.read().clone()
    }

    /// Those whose lease was not over, but for `own`.
    #[must_use]
    pub fn peers(&self, own: BootId) -> Vec<Peer> {
        let nodes = self.0.read();
        let alive = nodes.iter().filter(|node| node.card.boot != own && !node.is_lost() && node.heir.is_none());
        alive.map(|node| Peer::of(&node.card)).collect()
    }

    /// The node with this boot id, and whether its lease was not over.
    #[must_use]
    pub fn find(&self, boot: BootId) -> Option<(Peer, bool)> {
        let nodes = self.0.read();
        let node = nodes.iter().find(|node| node.card.boot == boot)?;
        Some((Peer::of(&node.card), !node.is_lost() && node.heir.is_none()))
    }

    /// The node of this name whose lease was not over.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<NodeEntry> {
        let nodes = self.0.read();
        let mut found: Vec<&NodeEntry> = nodes.iter().filter(|node| node.card.name == name).collect();
        found.sort_by_key(|node| node.lease_left_ms);
        found.last().map(|node| (*node).clone())
    }
}
