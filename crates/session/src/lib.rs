//! The life of one session, as pure machines: no clock, no IO, no async, no randomness.
//!
//! Suggested reading order: [`record`], [`slice`], [`machine`].

pub mod record;
pub mod slice;

pub use footlight_ledger::{EndReason, PauseReason, SessionId};
pub use record::{SessionRecord, SessionState, WhenUnwatched};
