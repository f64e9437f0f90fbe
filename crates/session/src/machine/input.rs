//! What can happen to a session.

use footlight_ledger::{EndReason, PauseReason, Units};

use crate::UtteranceId;

/// What can happen to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The renderer is set up.
    Ready,
    /// The renderer broke, or could not be set up.
    RendererFailed,
    /// An utterance was queued on the stage behind the others.
    Appended(UtteranceId),
    /// An utterance was queued on the stage in place of all others.
    Replaced(UtteranceId),
    /// Everything queued was dropped, at somebody's wish.
    Interrupted,
    /// Speech waits, somebody watches, and the gate is empty.
    WantsToSpeak,
    /// The slice ran out in the middle of speech. The meter is rung by the stage as well.
    SliceSpent,
    /// Active frames flow.
    StartedSpeaking,
    /// Active frames ceased for another reason than the end of the slice.
    FellSilent,
    /// An utterance's first frame was handed out.
    UtteranceStarted(UtteranceId),
    /// An utterance is over.
    UtteranceEnded {
        /// Which.
        utterance: UtteranceId,
        /// How far it came, in milliseconds of its audio.
        position_ms: u64,
        /// Cut off.
        interrupted: bool,
        /// What broke, if something did.
        failed: Option<String>,
        /// Whether its audio is still there, for another renderer to speak. Live speech goes as it comes.
        is_kept: bool,
    },
    /// The first outlet was attached (`true`), or the last one detached (`false`).
    Watched(bool),
    /// There is a speaking slot.
    SlotTaken,
    /// There is no speaking slot, and was none for as long as speech waits for one.
    SlotDenied,
    /// The meter has a slice.
    Granted,
    /// The meter has a slice that is the last one; what it holds, in units.
    GrantedLast(Units),
    /// The meter has no slice, for this reason.
    Refused(PauseReason),
    /// The ledger has ended the session.
    Lost(EndReason),
    /// It was let go for another node, and goes on here after all: the meter has forgotten what it wanted.
    Regained,
    /// Somebody wants it paused, or something outside holds it back.
    Hold(PauseReason),
    /// That is over.
    Lift(PauseReason),
    /// Somebody wants it over.
    Stop,
    /// The node goes down, or takes it off: over for this reason.
    End(EndReason),
    /// The deadline has come.
    Deadline,
}
