//! What one node asks of another, besides passing its clients' calls on.

use std::time::Duration;

use async_trait::async_trait;
use footlight_session::Heirloom;
use hyper::{Method, StatusCode};

use crate::directory::Peer;
use crate::http::{Line, PeerClient, PeerError};
use crate::wire::{ADOPT, Adopted, NotAdopted, PULSE, Pulse};

/// How long a node may take to say how it is.
const PULSE_WITHIN: Duration = Duration::from_secs(1);
/// How long it may take to take a session over: it may have to load an avatar first.
const ADOPT_WITHIN: Duration = Duration::from_secs(10);

/// The way to other nodes.
#[async_trait]
pub trait Calls: Send + Sync + 'static {
    /// Asks how a node is; nothing if it does not say within a second.
    async fn pulse(&self, peer: &Peer) -> Option<Pulse>;

    /// Hands a session to a node.
    async fn adopt(&self, peer: &Peer, heirloom: &Heirloom) -> Result<Adopted, NotAdopted>;
}

#[async_trait]
impl Calls for PeerClient {
    async fn pulse(&self, peer: &Peer) -> Option<Pulse> {
        match self.ask::<Pulse>(peer, Line::Nodes, (Method::GET, PULSE), None::<&()>, PULSE_WITHIN).await {
            Ok(pulse) => Some(pulse),
            Err(error) => {
                tracing::debug!(%error, "a node does not say how it is");
                None
            }
        }
    }

    async fn adopt(&self, peer: &Peer, heirloom: &Heirloom) -> Result<Adopted, NotAdopted> {
        let asked = self.ask::<Adopted>(peer, Line::Nodes, (Method::POST, ADOPT), Some(heirloom), ADOPT_WITHIN);
        asked.await.map_err(|error| match &error {
            PeerError::Answered { body, status, .. } if *status != StatusCode::UNAUTHORIZED => {
                serde_json::from_slice(body).unwrap_or_else(|_| NotAdopted::Failed { detail: error.to_string() })
            }
            error if error.is_undone() => NotAdopted::Failed { detail: error.to_string() },
            error => NotAdopted::Unclear { detail: error.to_string() },
        })
    }
}
