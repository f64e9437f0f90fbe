//! The harness of the integration tests: real processes, real sockets, real servers.
//!
//! Nothing here links Footlight: a node is the release binary in a process of its own, and what it sends is read by
//! the documents in `docs/`, so that a mistake cannot hide on both sides at once.
//!
//! Suggested reading order: [`node`], [`redis_server`], [`client`], [`watcher`], [`speech`].

pub mod client;
pub mod crash;
pub mod lips;
pub mod node;
pub mod redis_server;
pub mod speech;
pub mod tools;
pub mod watcher;

pub use client::{Client, Operator};
pub use node::{Node, NodeSetup};
pub use redis_server::RedisServer;
pub use watcher::Watcher;
