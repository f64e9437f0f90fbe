//! The life of one session, as pure machines: no clock, no IO, no async, no randomness.
//!
//! Suggested reading order: [`record`], [`utterance`], [`moment`], [`machine`], [`slice`](mod@slice), [`meter`], [`restart`],
//! [`heirloom`], [`kept`].

pub mod heirloom;
pub mod kept;
pub mod machine;
pub mod meter;
pub mod moment;
pub mod record;
pub mod restart;
pub mod slice;
pub mod utterance;

pub use footlight_ledger::{AccountId, EndReason, PauseReason, SessionId, Units};
pub use heirloom::{Heirloom, Inherited};
pub use machine::{Input, SessionMachine, SessionRules};
pub use moment::Moment;
pub use record::{SessionChange, SessionRecord, SessionState, WhenUnwatched};
pub use restart::RestartBudget;
pub use slice::SliceGate;
pub use utterance::{InvalidUtteranceId, UtteranceId};
