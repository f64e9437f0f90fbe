//! One session's way through the face model.

use std::collections::VecDeque;
use std::sync::Arc;

use super::model::ModelState;
use super::{FaceError, FaceModel};
use crate::Weights;
use crate::audio::LogMel;
use crate::audio::logmel::{HOP, MEL_BANDS, MelFrame};

/// Turns one utterance's speech into weights. Push samples, pull weights, flush at the end.
///
/// The `n`-th weights belong to the time `n / 100` seconds after the first sample: the look-ahead is already taken off. An
/// utterance of `s` samples gives `ceil(s / 160)` sets of weights, however it was cut into pushes.
#[derive(Debug)]
pub struct FaceStream {
    model: Arc<FaceModel>,
    state: ModelState,
    mel: LogMel,
    /// Frames heard that do not fill a chunk yet.
    heard: Vec<MelFrame>,
    ready: VecDeque<Weights>,
    /// Answers still to drop, because they belong to the time before the first sample.
    early: usize,
    taken: u64,
    answered: u64,
}

impl FaceStream {
    /// Starts a stream.
    #[must_use]
    pub fn new(model: Arc<FaceModel>) -> Self {
        Self {
            state: model.initial_state(),
            mel: LogMel::new(),
            heard: Vec::new(),
            ready: VecDeque::new(),
            early: model.delay(),
            taken: 0,
            answered: 0,
            model,
        }
    }

    /// Takes more speech: mono, 16 kHz, full scale at 1.
    ///
    /// # Errors
    /// [`FaceError::Run`] if the network fails.
    pub fn push(&mut self, pcm16k: &[f32]) -> Result<(), FaceError> {
        self.taken += pcm16k.len() as u64;
        self.mel.push(pcm16k, &mut self.heard);
        self.run_chunks(u64::MAX)
    }

    /// Ends the utterance: what the look-ahead still held back becomes available, as if silence followed. The next push
    /// begins a new utterance; weights not yet pulled stay.
    ///
    /// # Errors
    /// [`FaceError::Run`] if the network fails.
    pub fn flush(&mut self) -> Result<(), FaceError> {
        let owed = self.taken.div_ceil(HOP as u64);
        self.mel.flush(&mut self.heard);
        let chunk = self.model.chunk();
        // Silence for the delay, and then to the end of a chunk.
        let padded = (self.heard.len() + self.model.delay()).next_multiple_of(chunk);
        self.heard.resize(padded, [0.0; MEL_BANDS]);
        let ran = self.run_chunks(owed);
        self.begin();
        ran
    }

    /// Returns the next weights, if there are any yet.
    pub fn pull(&mut self) -> Option<Weights> {
        self.ready.pop_front()
    }

    /// Forgets the utterance, and what was not pulled.
    pub fn reset(&mut self) {
        self.mel.reset();
        self.ready.clear();
        self.begin();
    }

    fn begin(&mut self) {
        self.state = self.model.initial_state();
        self.heard.clear();
        self.early = self.model.delay();
        self.taken = 0;
        self.answered = 0;
    }

    fn run_chunks(&mut self, owed: u64) -> Result<(), FaceError> {
        let Self { model, state, heard, ready, early, answered, .. } = self;
        let mut chunks = heard.chunks_exact(model.chunk());
        for chunk in chunks.by_ref() {
            model.step(chunk, state, |weights| {
                if *early > 0 {
                    *early -= 1;
                } else if *answered < owed {
                    *answered += 1;
                    ready.push_back(weights);
                }
            })?;
        }
        let left = chunks.remainder().len();
        heard.drain(..heard.len() - left);
        Ok(())
    }
}
