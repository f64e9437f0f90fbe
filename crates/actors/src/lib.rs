//! The actors of one node, and the [`Node`] that holds them together.
//!
//! A session is one `SessionActor` around a pure machine; its frames are made on the stage's threads and counted in its
//! slice gate, and never touch a mailbox. One `MeterActor` keeps every speaking slice: it sends due heartbeats in batches
//! by account and moves the gates as they are answered. One `Supervisor` admits, counts room and buries the dead.
//!
//! Actors know ports, never a particular store or renderer.
//!
//! Suggested reading order: [`caller`], [`event`], [`announce`], [`node`]; then, inside, `session` (one session), [`meter`] (the slices
//! of all of them), `supervisor` (room), `engine` (sessions that are made elsewhere), `card` (what readers see), `directory` (records on their way to the store), `speech` (what an heir is to say).

pub mod announce;
pub mod caller;
mod card;
mod directory;
mod engine;
pub mod error;
pub mod event;
pub mod health;
pub mod meter;
pub mod metrics;
pub mod node;
pub mod options;
mod panic;
mod scrape;
mod session;
mod speech;
mod supervisor;
pub mod time;

pub use announce::{Announcer, Nobody};
pub use caller::{Caller, CreateSession, Speech};
pub use error::NodeError;
pub use event::{EVENTS_KEPT, EventStream, SessionEvent, SessionEventKind};
pub use health::{Capacity, DrainReport, Readiness, Room, UnreadyReason};
pub use meter::{MeterFigures, ProgressRecord};
pub use metrics::Metrics;
pub use node::{EngineAnswer, EngineReport, Granted, Node, NodeParts, SessionFilter, SessionList, SpeechRoom};
pub use options::{NodeOptions, SpeakingSlots};
pub use time::NodeClock;
