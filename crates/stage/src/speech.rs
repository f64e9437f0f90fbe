//! What a performance still has to say.

mod line;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use footlight_avatar::Weights;

use self::line::{Line, Sound};
use crate::live::LiveBuffer;
use crate::performance::Shared;
use crate::room::Claim;
use crate::voice::Voice;
use crate::{StageError, Utterance, UtteranceId};

/// Sound is given to the face model in pieces of at most this many samples, 200 ms: its weights are then fetched from memory
/// once for five frames, which between other sessions' pictures costs more than the sums themselves.
const PIECE: usize = 9_600;

/// Before live speech begins or goes on after a gap, this much more than the frame and the model's look-ahead must have
/// arrived, so that one late packet does not stop it again.
const LIVE_MARGIN: usize = 960;

/// Where speech is seen again in the middle, the face model hears this many samples before it, half a second.
const WARM_UP: usize = 24_000;

/// What the queue has for the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cue {
    /// Nothing is queued, or live speech has not begun to arrive.
    Nothing,
    /// Live speech has begun and its next sound has not arrived.
    Starved,
    /// A frame is ready to be spoken.
    Ready,
}

/// Part of an utterance that will not be spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) utterance: UtteranceId,
    pub(crate) position_ms: u64,
}

/// What speaking one frame did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Spoken {
    /// The utterance began with it.
    pub(crate) started: Option<UtteranceId>,
    /// The utterance ended with it, at this position in milliseconds.
    pub(crate) ended: Option<(UtteranceId, u64)>,
}

/// The utterances of one performance in order, and how far the first of them came.
pub(crate) struct SpeechQueue {
    shared: Arc<Shared>,
    samples_per_frame: usize,
    lines: VecDeque<Line>,
    /// `None` when no picture is made.
    voice: Option<Voice>,
    /// How much of the first line the voice has heard, in samples from its start; `None` before it began.
    heard: Option<usize>,
    /// Frames before the next one that the voice heard only to be in the mood.
    warm_up_frames: usize,
    /// The next frame's weights, once known. Kept until the frame is spoken.
    weights: Option<Weights>,
    /// What a renderer that draws from sound hears before the next frame; see [`Voice::sound_for_renderer`].
    renderer_sound: Vec<f32>,
}

impl SpeechQueue {
    pub(crate) fn new(shared: Arc<Shared>, samples_per_frame: usize) -> Self {
        Self {
            shared,
            samples_per_frame,
            lines: VecDeque::new(),
            voice: None,
            heard: None,
            warm_up_frames: 0,
            weights: None,
            renderer_sound: Vec::new(),
        }
    }

    pub(crate) fn append(&mut self, utterance: Utterance, claim: Claim) {
        let sound = Sound::Whole { samples: utterance.audio, _claim: claim };
        self.lines.push_back(Line::new(utterance.id, sound));
    }

    /// As [`append`](Self::append), for what was said up to `from`.
    pub(crate) fn append_from(&mut self, utterance: Utterance, from: usize, claim: Claim) {
        self.append(utterance, claim);
        if let Some(line) = self.lines.back_mut() {
            line.position = from;
        }
    }

    pub(crate) fn append_live(&mut self, id: UtteranceId, buffer: Arc<LiveBuffer>) {
        self.lines.push_back(Line::new(id, Sound::live(buffer)));
    }

    /// Whether there is anything that could be said, now or once the gate and the watchers allow it.
    pub(crate) fn has_speech(&self) -> bool {
        self.lines.iter().any(Line::has_speech)
    }

    /// The utterance that is being said, and how far it came.
    pub(crate) fn current(&self) -> Option<(UtteranceId, u64)> {
        self.lines.front().filter(|line| line.started).map(|line| (line.id, line.position_ms()))
    }

    /// Finds out what the next frame says. `voice` is asked for a voice when one is needed first.
    pub(crate) fn look(
        &mut self,
        voice: impl FnOnce() -> Result<Option<Voice>, StageError>,
    ) -> Result<Cue, StageError> {
        self.choose_line();
        let Some(line) = self.lines.front_mut() else { return Ok(Cue::Nothing) };
        line.sound.fetch();
        if self.weights.is_some() {
            return Ok(Cue::Ready);
        }
        let waiting = if line.started { Cue::Starved } else { Cue::Nothing };
        if !line.sound.is_ended() && line.arrived_ahead() < self.samples_per_frame {
            return Ok(waiting);
        }
        if self.heard.is_none() {
            if !line.sound.is_ended() && line.arrived_ahead() < self.samples_per_frame + LIVE_MARGIN {
                return Ok(waiting);
            }
            if self.voice.is_none() {
                self.voice = voice()?;
            }
            // In the middle of an utterance the model needs some of what was said before.
            let before = (WARM_UP / self.samples_per_frame).min(line.position / self.samples_per_frame);
            let before = if line.sound.is_kept() { before } else { 0 };
            if let Some(voice) = &mut self.voice {
                voice.begin();
                self.renderer_sound.clear();
            }
            self.warm_up_frames = before;
            self.heard = Some(line.position - before * self.samples_per_frame);
        }
        let Some(voice) = &mut self.voice else {
            self.weights = Some(Weights::NEUTRAL);
            return Ok(Cue::Ready);
        };
        let heard = self.heard.get_or_insert(line.position);
        loop {
            if let Some(weights) = voice.next() {
                voice.sound_for_renderer(&mut self.renderer_sound);
                if self.warm_up_frames > 0 {
                    self.warm_up_frames -= 1;
                    continue;
                }
                self.weights = Some(weights);
                return Ok(Cue::Ready);
            }
            let to = line.sound.known_end().min(*heard + PIECE);
            if to > *heard {
                voice.hear(line.sound.between(*heard, to))?;
                *heard = to;
            } else if line.sound.is_ended() {
                voice.end()?;
            } else {
                return Ok(waiting);
            }
        }
    }

    /// The next frame's weights. Only after [`Cue::Ready`].
    pub(crate) fn weights(&self) -> Weights {
        self.weights.unwrap_or_default()
    }

    /// What a renderer that draws from sound hears before the next frame: 16 kHz. Only after [`Cue::Ready`].
    pub(crate) fn renderer_sound(&self) -> &[f32] {
        &self.renderer_sound
    }

    /// Appends the next frame's sound, padded with silence after the utterance's end, and says whether it begins in the
    /// middle of the utterance.
    pub(crate) fn sound(&self, into: &mut Vec<i16>) -> bool {
        let Some(line) = self.lines.front() else { return false };
        let end = line.sound.known_end().min(line.position + self.samples_per_frame);
        into.extend_from_slice(line.sound.between(line.position, end));
        into.resize(into.len() + self.samples_per_frame - (end - line.position), 0);
        line.position > 0
    }

    /// What would be heard next, at most `samples` of it: the sound that a cut fades out.
    pub(crate) fn tail(&self, samples: usize) -> &[i16] {
        let Some(line) = self.lines.front().filter(|line| line.started) else { return &[] };
        line.sound.between(line.position, line.sound.known_end().min(line.position + samples))
    }

    /// The frame was spoken: goes on behind it.
    pub(crate) fn spoke(&mut self) -> Spoken {
        self.weights = None;
        self.renderer_sound.clear();
        self.step()
    }

    /// A frame's time passes unseen. `false` when live sound for it has not arrived.
    pub(crate) fn pass_unseen(&mut self) -> Option<Spoken> {
        self.choose_line();
        let line = self.lines.front_mut()?;
        line.sound.fetch();
        if !line.sound.is_ended() && line.arrived_ahead() < self.samples_per_frame {
            return None;
        }
        // The voice did not hear this frame; it begins anew where speech is seen again.
        self.heard = None;
        self.weights = None;
        Some(self.step())
    }

    fn step(&mut self) -> Spoken {
        let Some(line) = self.lines.front_mut() else { return Spoken::default() };
        let from = line.position;
        let to = (from + self.samples_per_frame).min(line.sound.known_end());
        line.position = to;
        self.shared.release((to - from) as u64);
        line.sound.spoken((to - from) as u64);
        let started = (!std::mem::replace(&mut line.started, true)).then_some(line.id);
        line.sound.forget_before(to);
        if !line.is_over() {
            return Spoken { started, ended: None };
        }
        let ended = Some((line.id, line.position_ms()));
        self.retire_first();
        Spoken { started, ended }
    }

    /// Live sound did not arrive for too long: the utterance ends with what is there. Returns its end if nothing is.
    pub(crate) fn end_starved(&mut self) -> Option<(UtteranceId, u64)> {
        let line = self.lines.front_mut()?;
        let unheard = line.sound.end();
        self.shared.release(unheard);
        if !line.is_over() {
            return None;
        }
        let ended = (line.id, line.position_ms());
        self.retire_first();
        Some(ended)
    }

    /// Drops everything, the first line first.
    pub(crate) fn clear(&mut self) -> Vec<Cut> {
        let mut cuts = Vec::with_capacity(self.lines.len());
        while let Some(line) = self.lines.front() {
            cuts.push(Cut { utterance: line.id, position_ms: line.position_ms() });
            self.retire_first();
        }
        cuts
    }

    /// Lets go of the voice; the model's state is only worth its memory while somebody listens.
    pub(crate) fn rest(&mut self) {
        self.voice = None;
        self.heard = None;
        self.weights = None;
    }

    /// Brings a line to the front that has something to say. An open microphone that is silent holds up nobody, and live
    /// lines that were ended without a sample never were utterances.
    fn choose_line(&mut self) {
        while let Some(line) = self.lines.front_mut() {
            line.sound.fetch();
            if line.started {
                return;
            }
            if line.is_over() {
                self.retire_first();
            } else {
                let first_with_speech = self.lines.iter().position(Line::has_speech).unwrap_or(0);
                self.lines.rotate_left(first_with_speech);
                return;
            }
        }
    }

    fn retire_first(&mut self) {
        if let Some(mut line) = self.lines.pop_front() {
            let unheard = line.sound.end();
            let ahead = line.arrived_ahead() as u64;
            self.shared.release(unheard + ahead);
            line.sound.spoken(ahead);
            self.shared.leave();
        }
        self.heard = None;
        self.weights = None;
    }
}

impl Drop for SpeechQueue {
    fn drop(&mut self) {
        self.clear();
    }
}
