//! What a session still has to say, by name.

use std::collections::VecDeque;

use crate::UtteranceId;

/// Utterances that were submitted and are not over, in order. The audio itself is the actor's and the stage's; the
/// names are kept so that a renderer that broke can be given again what it had not come to.
#[derive(Debug, Clone, Default)]
pub(super) struct Speech {
    begun: Option<UtteranceId>,
    queued: VecDeque<UtteranceId>,
}

impl Speech {
    pub(super) fn append(&mut self, utterance: UtteranceId) {
        self.queued.push_back(utterance);
    }

    pub(super) fn replace(&mut self, utterance: UtteranceId) {
        self.clear();
        self.append(utterance);
    }

    pub(super) fn begin(&mut self, utterance: UtteranceId) {
        self.queued.retain(|queued| *queued != utterance);
        self.begun = Some(utterance);
    }

    pub(super) fn end(&mut self, utterance: UtteranceId) {
        self.queued.retain(|queued| *queued != utterance);
        self.begun = self.begun.filter(|begun| *begun != utterance);
    }

    pub(super) fn clear(&mut self) {
        self.begun = None;
        self.queued.clear();
    }

    /// The utterance that the renderer was at; it is not begun again, for it may be what broke the renderer.
    pub(super) fn take_begun(&mut self) -> Option<UtteranceId> {
        self.begun.take()
    }

    pub(super) fn queued(&self) -> Vec<UtteranceId> {
        self.queued.iter().copied().collect()
    }

    /// Whether it was submitted and has not begun.
    pub(super) fn is_queued(&self, utterance: UtteranceId) -> bool {
        self.queued.contains(&utterance)
    }
}
