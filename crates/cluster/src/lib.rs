//! Many nodes, one system: leases, placement, fail-over and moves, on a store that the nodes share; and how nodes talk.
//!
//! A node has one lease; its sessions inherit it. Past its lease it is silent, by its own clock. Whoever finds a node lost
//! claims it, in one step of the store, and hands its sessions out; each is taken over by a commit to its account, which
//! alone decides who owns it. What other nodes and lists say is a hint.
//!
//! Knows ports and words, no actors, no rendering and no HTTP server: the node is a [`Host`], `api` serves what is asked
//! here.
//!
//! Suggested reading order: [`lease`], [`host`], `cluster`, `keeper`, `heirs`, [`moving`], [`view`]; then [`directory`]
//! (where a session lives), [`placement`] (where one shall live), [`wire`] (what nodes say to each other), [`calls`],
//! [`pass`] (how they prove it), [`http`] (how they send it).

pub mod calls;
mod cluster;
pub mod directory;
mod heirs;
pub mod host;
pub mod http;
mod keeper;
pub mod lease;
mod metrics;
pub mod moving;
mod options;
pub mod pass;
pub mod placement;
pub mod view;
pub mod wire;

pub use calls::Calls;
pub use cluster::{Cluster, ClusterError, ClusterParts};
pub use directory::{Directory, Peer, PeerState, Peers, RecordDirectory, StandingPeers, Whereabouts};
pub use host::Host;
pub use http::{PeerAnswer, PeerBody, PeerCall, PeerClient, PeerError, Upgrade};
pub use lease::Standing;
pub use moving::MoveError;
pub use options::ClusterOptions;
pub use pass::{ClusterKey, Doorkeeper, PASS_HEADER, Pass, PassFault};
pub use placement::{HereAlone, Place, PlaceError, Placed, Placement, Reservation, Wish};
pub use view::View;
pub use wire::{Adopter, NotAdopted};
