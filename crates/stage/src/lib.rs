//! From submitted audio to encoded units, on worker threads.
//!
//! A [`Stage`] owns the threads and what sessions share: avatars, idle loops, the face model. A [`Performance`] is one
//! session on it: utterances go in, [`Unit`]s come out of its [`Outlet`]s, and [`StageEvent`]s say what happened. Each
//! active frame is taken from the session's slice gate immediately before it is handed out, so a slice ends by count.
//!
//! Nothing here knows of actors, stores or networks, and no frame ever waits for one.
//!
//! Suggested reading order: [`spec`], [`ear`], [`pool`], [`performance`], [`outlet`], [`event`], [`offline`]; then, inside,
//! `worker` (one thread), `performer` (one session), `speech` (what it still has to say), `scene` (where its pictures come
//! from) and `soundtrack`; `bounds` is how much audio may wait, in one session and in all of them ([`room`]).

mod blend;
mod bounds;
mod capacity;
mod clock;
pub mod ear;
mod error;
pub mod event;
mod idle;
mod library;
mod live;
pub mod offline;
mod options;
pub mod outlet;
pub mod performance;
mod performer;
pub mod pool;
pub mod room;
mod scene;
mod soundtrack;
pub mod spec;
mod speech;
pub mod stats;
mod tenure;
mod unit;
mod voice;
mod worker;

pub use capacity::MeasuredCapacity;
pub use error::StageError;
pub use event::{EventSink, StageEvent, UtteranceOutcome};
pub use footlight_avatar::bundle::Gesture;
pub use footlight_session::UtteranceId;
pub use live::LiveFeed;
pub use offline::FrameWeights;
pub use options::{RendererKind, StageOptions};
pub use outlet::{Outlet, OutletKind, OutletOptions};
pub use performance::{Interrupted, Performance, PerformanceSnapshot, Remainder, SpeakMode, Utterance};
pub use pool::Stage;
pub use spec::PerformanceSpec;
pub use stats::{Histogram, StageStats};
pub use tenure::Tenure;
pub use unit::{AudioUnit, Unit, VideoUnit};

/// The sampling rate of all audio on the stage, in Hz. Mono throughout.
pub const SAMPLE_RATE: u32 = 48_000;
