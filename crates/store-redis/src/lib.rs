//! Footlight's store on Redis: the ports of `footlight-store` for many nodes.
//!
//! Everything of an account lies in one slot under its hash tag, and one short script compares its version and writes. No
//! rule about credits lives here. A lost reply is an unknown outcome, never a second charge: commits carry random ids and
//! may be sent twice.
//!
//! Suggested reading order: [`keys`], `lua/commit.lua`, [`store`], `accounts`, `durability`, `link`, `source`.

mod accounts;
pub mod address;
mod blobs;
mod directory;
mod durability;
mod failure;
pub mod keys;
mod lanes;
mod link;
mod lists;
mod nodes;
mod records;
mod reply;
mod rises;
mod script;
mod source;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
mod transfer;

pub use address::{Address, Login};
pub use store::{RedisOptions, RedisStore};
pub use tls::Tls;
