//! The meter: every speaking slice of a node.
//!
//! Sessions register with their slice gate and say when they want to speak and when they fall silent. The meter sends
//! what is due in batches by account, moves the gates as it is answered, and keeps the last settlement of a session
//! until the store has it, whatever became of the session's actor. It charges by what was counted in the gates, never by
//! its own ticks.
//!
//! It does not know what drives a gate: a renderer, or a load generator that draws nothing.

mod account;
mod actor;
mod figures;
mod handle;
mod line;
mod messages;
mod progress;
mod rounds;

pub use figures::{LagFigures, MeterFigures};
pub use handle::{MeterHandle, MeterLine, MeterOptions, MeterParts, Registration};
pub use messages::MeterNotice;
pub use progress::{ProgressRecord, ProgressSink};
