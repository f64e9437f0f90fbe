//! Many nodes, one system: leases, placement, fail-over and moves, on a store that the nodes share.
//!
//! A node has one lease; its sessions inherit it. Past its lease it is silent, by its own clock. Whoever finds a node lost
//! claims it, in one step of the store, and hands its sessions out; each is taken over by a commit to its account, which
//! alone decides who owns it. What other nodes and lists say is a hint.
//!
//! Nothing here knows of actors, rendering or HTTP servers: the node is a [`Host`], the others are [`Peers`].
//!
//! Suggested reading order: [`lease`], [`host`], [`peers`], `keeper`, `heirs`, [`placing`], [`view`].

mod cluster;
mod heirs;
pub mod host;
mod keeper;
pub mod lease;
mod metrics;
mod options;
pub mod peers;
pub mod placing;
pub mod view;

pub use cluster::{Cluster, ClusterError, ClusterParts, Labels};
pub use host::{AdoptRefusal, Host};
pub use lease::Standing;
pub use options::ClusterOptions;
pub use peers::{Peer, Peers, Pulse, Unanswered};
pub use placing::{MoveError, Place, PlaceError, PlaceWish, Whereabouts};
pub use view::View;
