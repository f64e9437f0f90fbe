//! Nodes among themselves: who has which session, how a node proves itself to another, and a client of a peer.
//!
//! Knows ports and words, no actors and no HTTP server: `api` serves what is asked here, and asks this crate where a
//! session lives and how to reach it.
//!
//! Suggested reading order: [`directory`] (where a session lives), [`placement`] (where one shall live), [`wire`] (what
//! nodes say to each other), [`pass`] (how they prove it), [`http`] (how they send it).

pub mod directory;
pub mod http;
pub mod pass;
pub mod placement;
pub mod wire;

pub use directory::{Directory, Peer, PeerState, Peers, RecordDirectory, StandingPeers, Whereabouts};
pub use http::{PeerAnswer, PeerBody, PeerCall, PeerClient, PeerError, Upgrade};
pub use pass::{ClusterKey, Doorkeeper, PASS_HEADER, Pass, PassFault};
pub use placement::{HereAlone, Place, PlaceError, Placed, Placement, Reservation, Wish};
pub use wire::{Adopter, NotAdopted};
