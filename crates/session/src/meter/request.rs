//! What a meter sends, what comes back, and what it tells its session.

use footlight_ledger::{Ask, Command, EndReason, Outcome, PauseReason, Refusal, SessionId, SliceAnswer, Units};

/// One heartbeat, or the last one. Its number names it for ever: it is made before the first attempt and kept through
/// every retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The session's epoch.
    pub epoch: u32,
    /// Its number within the epoch.
    pub number: u64,
    /// Cumulative units of the session when it was made.
    pub units: Units,
    /// What it wants.
    pub kind: RequestKind,
}

/// What a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestKind {
    /// Settle, and this.
    Beat(Ask),
    /// Settle for the last time.
    End(EndReason),
}

impl Request {
    /// The ledger's command for it.
    #[must_use]
    pub const fn command(&self, session: SessionId) -> Command {
        let Self { epoch, number, units, kind } = *self;
        match kind {
            RequestKind::Beat(ask) => Command::Heartbeat { session, epoch, number, units, ask },
            RequestKind::End(reason) => Command::EndSession { session, epoch, number, units, reason },
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The ledger settled it.
    Settled(SliceAnswer),
    /// The ledger does not know the request's session, epoch or number as the present one.
    Refused(Refusal),
    /// The store could not be asked, or its reply was lost: nothing is known.
    Unreachable,
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Heartbeat(answer) | Outcome::Ended(answer) => Self::Settled(answer),
            Outcome::Refused(refusal) => Self::Refused(refusal),
            // No other outcome answers these commands; treated as unanswered, it is asked again.
            _ => Self::Unreachable,
        }
    }
}

/// What a meter tells its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// There is a slice: it may speak.
    Granted,
    /// There is a slice of `units`, and the balance pays for no other.
    GrantedLast {
        /// Units from now to its end.
        units: Units,
    },
    /// It may not speak, for this reason. It is asked again until there is a slice or the session wants none.
    Refused(PauseReason),
    /// The ledger has ended the session by itself: it may not speak any more. [`Notice::Closed`] or
    /// [`Notice::Forgotten`] follows.
    Lost(EndReason),
    /// The ledger has given the session to another owner, who settles it.
    Fenced,
    /// It was let go: its `units` are settled, nothing is held, and nothing more is said until it comes back.
    Aside {
        /// Cumulative units that it used.
        units: Units,
    },
    /// The last settlement is in the store: this is what the session used and cost.
    Closed(SliceAnswer),
    /// The store knows no such session any more, so nothing is left to settle.
    Forgotten,
}
