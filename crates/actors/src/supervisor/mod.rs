//! The supervisor: who may come in, who may speak, and what becomes of a session whose actor died.
//!
//! A node has two capacities: sessions (memory) and speaking slots (clean streams, weighed by pixels and rate). It refuses
//! rather than degrades: one stream too many makes all of them stall.

mod actor;
mod handle;
mod room;

pub(crate) use handle::{Seat, SupervisorHandle};
pub(crate) use room::RoomLimits;
