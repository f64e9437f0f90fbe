//! The meter of one session: when it asks its account for the next slice, and what each answer does to the gate.
//!
//! [`SliceClock`] is the machine, [`TimingWheel`] says whose turn it is among many, [`Queue`] who of an account's
//! sessions is served next when credit is short.

mod clock;
mod queue;
mod request;
mod wheel;

pub use clock::{SliceClock, SliceClockOptions};
pub use queue::Queue;
pub use request::{Answer, Notice, Request, RequestKind};
pub use wheel::TimingWheel;

#[cfg(test)]
mod tests;
