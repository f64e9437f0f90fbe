//! The session machine: what a session is, and what it does about whatever happens to it.
//!
//! The actor around it performs effects and feeds what comes of them back as inputs. Everything that can be decided
//! without waiting is decided here.

mod effect;
mod input;
mod session;
mod speech;
mod state;

pub use effect::{Effect, Effects, MeterOrder, News, StageOrder};
pub use input::Input;
pub use session::{SessionMachine, SessionRules, SlotPolicy};
pub use state::State;

#[cfg(test)]
mod tests;
