//! The chaos harness: several nodes, a real Redis, sessions that speak, and faults by a printed seed; afterwards checkers
//! judge what was seen from outside.
//!
//! Suggested reading order: [`schedule`] (what goes wrong when), [`run`] (one seed), [`world`], [`store`] and [`nodes`] (what
//! it happens to), [`faults`], [`load`] and [`viewer`], [`observer`], [`aftermath`], [`history`] (what was seen),
//! [`checkers`] (what must be true of it), [`report`].

pub mod aftermath;
pub mod checkers;
pub mod dice;
pub mod faults;
pub mod history;
pub mod load;
pub mod nodes;
pub mod observer;
pub mod report;
pub mod run;
pub mod schedule;
pub mod store;
pub mod viewer;
pub mod world;
