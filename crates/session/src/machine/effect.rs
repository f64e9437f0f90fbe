//! What a session does about it.

use std::collections::BTreeSet;

use footlight_ledger::{EndReason, PauseReason, Units};

use crate::{SessionState, UtteranceId};

/// Orders to the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StageOrder {
    /// Open a performance (again).
    Open,
    /// Queue these utterances again, in order: the performance they were queued on broke before it came to them.
    SpeakAgain(Vec<UtteranceId>),
    /// Hold speech where it is.
    Pause,
    /// Go on.
    Resume,
    /// Drop all speech.
    DropSpeech,
    /// Close for good.
    Close,
}

/// Orders to the meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeterOrder {
    /// Get a slice.
    Want,
    /// Frames flow: do not take the slice away as one that is not used.
    Speak,
    /// Nothing is said for now: keep the slice for a while, drop a wish.
    Silence,
    /// Give the slice back now, drop a wish.
    Release,
    /// Settle for the last time.
    End(EndReason),
}

/// What those who follow the session are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It is in another state, or held back for other reasons.
    State {
        /// The state.
        state: SessionState,
        /// Why it is held back.
        pause_reasons: BTreeSet<PauseReason>,
    },
    /// An utterance began.
    UtteranceStarted(UtteranceId),
    /// An utterance is over.
    UtteranceEnded {
        /// Which.
        utterance: UtteranceId,
        /// How far it came, in milliseconds of its audio.
        position_ms: u64,
        /// Cut off.
        interrupted: bool,
        /// Why it failed, if it did.
        failed: Option<String>,
    },
    /// The balance pays for this many more units and no further slice.
    CreditsLow(Units),
    /// The renderer is started again, for the so many-th time.
    Restarting(u32),
    /// It is over. The last news.
    Ended(EndReason),
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Tell the stage.
    Stage(StageOrder),
    /// Tell the meter.
    Meter(MeterOrder),
    /// Get a speaking slot, and answer [`super::Input::SlotTaken`] or [`super::Input::SlotDenied`].
    TakeSlot,
    /// Give the speaking slot back, or stop waiting for one.
    FreeSlot,
    /// Tell followers, and keep it in the record.
    Tell(News),
}

/// Things to do, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use = "effects are what the machine decided"]
pub struct Effects(Vec<Effect>);

impl Effects {
    pub(super) const fn none() -> Self {
        Self(Vec::new())
    }

    pub(super) fn stage(&mut self, order: StageOrder) {
        self.0.push(Effect::Stage(order));
    }

    pub(super) fn meter(&mut self, order: MeterOrder) {
        self.0.push(Effect::Meter(order));
    }

    pub(super) fn tell(&mut self, news: News) {
        self.0.push(Effect::Tell(news));
    }

    pub(super) fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }

    /// The things to do, without taking them.
    pub fn iter(&self) -> impl Iterator<Item = &Effect> {
        self.0.iter()
    }
}

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = std::vec::IntoIter<Effect>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
