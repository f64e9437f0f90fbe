//! The session actor: it translates between the pure session machine, the stage and the meter.

mod actor;
mod effects;
mod messages;

pub(crate) use actor::{SessionActor, SessionParts};
pub(crate) use messages::{
    Depart, Disown, Do, InterruptSpeech, LetGo, OpenLive, Ping, PlayGesture, SlotAnswered, Speak, StopSession, TakeBack,
};
