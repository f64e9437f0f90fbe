//! Makes avatars from portraits and gestures for avatars, and works off the jobs that ask for them.
//!
//! The makers are pure: pictures and numbers in, bundles out. Around them, [`Workshop`] claims jobs as any worker
//! elsewhere does, makes what they ask for on a thread that yields to those who speak, and keeps it for the account.
//!
//! Suggested reading order: [`order`], [`portrait`], [`dynamics`], `bench`, [`workshop`].

mod bench;
pub mod dynamics;
pub mod order;
pub mod portrait;
mod sheet;
#[cfg(test)]
mod tests;
pub mod workshop;

pub use bench::{Bench, Craft, Made, Task};
pub use order::{AgentOrder, DynamicsOrder, OrderFault};
pub use workshop::{Workshop, WorkshopOptions, WorkshopParts, stand_back};
