//! The harness of the integration tests: real processes, real sockets, real servers.
//!
//! Nothing here links a node: that is the release binary in a process of its own, and what it sends is read by the
//! documents in `docs/`, so that a mistake cannot hide on both sides at once. The one crate of ours that is used is the
//! client, where engines elsewhere are tested: it stands outside as well.
//!
//! Suggested reading order: [`node`], [`redis_server`], [`client`], [`watcher`], [`fleet`], [`receiver`], [`speech`], [`chaos`].

pub mod chaos;
pub mod client;
pub mod crash;
pub mod fault_proxy;
pub mod fleet;
pub mod lips;
pub mod node;
pub mod receiver;
pub mod redis_server;
pub mod small_disk;
pub mod speech;
pub mod tools;
pub mod watcher;

pub use client::{Client, Operator};
pub use fault_proxy::{FaultProxy, Faults};
pub use fleet::{Fleet, Follower};
pub use node::{Node, NodeSetup};
pub use receiver::Receiver;
pub use redis_server::RedisServer;
pub use small_disk::SmallDisk;
pub use watcher::Watcher;
