//! One utterance and how far it came.

use std::sync::Arc;

use crate::UtteranceId;
use crate::live::LiveBuffer;
use crate::room::Claim;

/// Live sound that was spoken is forgotten in pieces of at least this many samples, one second.
const FORGET: usize = 48_000;

/// One utterance in the queue.
pub(super) struct Line {
    pub(super) id: UtteranceId,
    pub(super) sound: Sound,
    /// The next sample to be spoken.
    pub(super) position: usize,
    /// Whether any of it was spoken.
    pub(super) started: bool,
}

/// Where an utterance's samples are. Numbered from its first one.
pub(super) enum Sound {
    /// All there, and taking its room until it is over.
    Whole { samples: Arc<[i16]>, _claim: Claim },
    /// Arriving.
    Live {
        /// Where they arrive.
        buffer: Arc<LiveBuffer>,
        /// Those that did, from number `first` on.
        arrived: Vec<i16>,
        first: usize,
        ended: bool,
    },
}

impl Line {
    pub(super) fn new(id: UtteranceId, sound: Sound) -> Self {
        Self { id, sound, position: 0, started: false }
    }

    /// Milliseconds spoken, rounded down.
    pub(super) fn position_ms(&self) -> u64 {
        self.position as u64 / 48
    }

    /// Samples that have arrived and were not spoken.
    pub(super) fn arrived_ahead(&self) -> usize {
        self.sound.known_end() - self.position
    }

    /// Whether all of it was spoken.
    pub(super) fn is_over(&self) -> bool {
        self.sound.is_ended() && self.arrived_ahead() == 0
    }

    pub(super) fn has_speech(&self) -> bool {
        self.arrived_ahead() > 0 || matches!(&self.sound, Sound::Live { buffer, .. } if buffer.has_news())
    }
}

impl Sound {
    pub(super) fn live(buffer: Arc<LiveBuffer>) -> Self {
        Self::Live { buffer, arrived: Vec::new(), first: 0, ended: false }
    }

    /// Takes over what has arrived.
    pub(super) fn fetch(&mut self) {
        if let Self::Live { buffer, arrived, ended, .. } = self
            && !*ended
        {
            *ended = buffer.fetch(arrived);
        }
    }

    /// The number after the last sample there is.
    pub(super) fn known_end(&self) -> usize {
        match self {
            Self::Whole { samples, .. } => samples.len(),
            Self::Live { arrived, first, .. } => first + arrived.len(),
        }
    }

    /// Whether nothing follows what is there.
    pub(super) fn is_ended(&self) -> bool {
        match self {
            Self::Whole { .. } => true,
            Self::Live { ended, .. } => *ended,
        }
    }

    /// Whether samples stay after they were spoken.
    pub(super) fn is_kept(&self) -> bool {
        matches!(self, Self::Whole { .. })
    }

    /// The samples numbered `from` to before `to`, which must be there.
    pub(super) fn between(&self, from: usize, to: usize) -> &[i16] {
        match self {
            Self::Whole { samples, .. } => &samples[from..to],
            Self::Live { arrived, first, .. } => &arrived[from - first..to - first],
        }
    }

    /// So many samples more were spoken, or will not be.
    pub(super) fn spoken(&self, samples: u64) {
        if let Self::Live { buffer, .. } = self {
            buffer.spoken(samples);
        }
    }

    /// Samples before `position` are not needed again.
    pub(super) fn forget_before(&mut self, position: usize) {
        if let Self::Live { arrived, first, .. } = self
            && position - *first >= FORGET
        {
            arrived.drain(..position - *first);
            *first = position;
        }
    }

    /// Takes nothing more. Returns how many samples had arrived without being fetched.
    pub(super) fn end(&mut self) -> u64 {
        match self {
            Self::Whole { .. } => 0,
            Self::Live { buffer, ended, .. } => {
                *ended = true;
                buffer.close()
            }
        }
    }
}
