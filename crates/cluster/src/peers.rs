//! Other nodes, and what one node says to another.

use async_trait::async_trait;
use footlight_ledger::BootId;
use footlight_session::Heirloom;
use footlight_store::nodes::NodeCard;
use serde::{Deserialize, Serialize};

use crate::AdoptRefusal;

/// Another node, and where it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Peer {
    /// This run of it.
    pub boot: BootId,
    /// Its name.
    pub name: String,
    /// Where other nodes reach it, `host:port`.
    pub address: String,
}

impl Peer {
    /// The node that this card is of.
    #[must_use]
    pub fn of(card: &NodeCard) -> Self {
        Self { boot: card.boot, name: card.name.clone(), address: card.address.clone() }
    }
}

/// How another node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulse {
    /// Which run of it answers.
    pub boot: BootId,
    /// Whether the store answers it.
    pub store_up: bool,
}

/// Another node did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the node does not answer: {detail}")]
pub struct Unanswered {
    /// What the connection said.
    pub detail: String,
}

/// The way to other nodes.
#[async_trait]
pub trait Peers: Send + Sync + 'static {
    /// Asks how it is. Answers or fails within a second.
    async fn pulse(&self, peer: &Peer) -> Result<Pulse, Unanswered>;

    /// Hands it a session.
    async fn adopt(&self, peer: &Peer, heirloom: &Heirloom) -> Result<(), AdoptRefusal>;
}
