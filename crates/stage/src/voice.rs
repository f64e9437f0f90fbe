//! One utterance's way from sound to a face, frame by frame.

use std::sync::Arc;

use footlight_avatar::Weights;
use footlight_avatar::audio::{EAR_RATE, FACE_RATE, Resampler};
use footlight_avatar::face::{FaceModel, FaceStream, FrameReducer};

use crate::StageError;

/// Turns 48 kHz sound into weights at the frame rate. Holds the model's memory of one utterance at a time.
pub(crate) struct Voice {
    to_face_rate: Resampler,
    stream: FaceStream,
    reducer: FrameReducer,
    /// What is shown when an utterance ends within the first prediction of a frame.
    last: Weights,
    ended: bool,
    sound: Vec<f32>,
    heard: Vec<f32>,
}

impl Voice {
    pub(crate) fn new(model: Arc<FaceModel>, fps: u32) -> Result<Self, StageError> {
        let to_face_rate = Resampler::new(EAR_RATE, FACE_RATE).expect("both rates are constants in range");
        Ok(Self {
            to_face_rate,
            stream: FaceStream::new(model),
            reducer: FrameReducer::new(fps)?,
            last: Weights::NEUTRAL,
            ended: false,
            sound: Vec::new(),
            heard: Vec::new(),
        })
    }

    /// Forgets what was heard: another utterance begins, or another part of this one.
    pub(crate) fn begin(&mut self) {
        self.to_face_rate.reset();
        self.stream.reset();
        self.reducer.reset();
        self.last = Weights::NEUTRAL;
        self.ended = false;
    }

    /// Hears more sound.
    pub(crate) fn hear(&mut self, samples: &[i16]) -> Result<(), StageError> {
        self.sound.clear();
        self.sound.extend(samples.iter().map(|&sample| f32::from(sample) / 32_768.0));
        self.heard.clear();
        self.to_face_rate.push(&self.sound, &mut self.heard);
        self.stream.push(&self.heard)?;
        self.pass_on();
        Ok(())
    }

    /// Nothing follows: what the look-ahead holds back becomes available.
    pub(crate) fn end(&mut self) -> Result<(), StageError> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        self.heard.clear();
        self.to_face_rate.flush(&mut self.heard);
        self.stream.push(&self.heard)?;
        self.stream.flush()?;
        self.pass_on();
        self.reducer.flush();
        Ok(())
    }

    /// The next frame's weights, once enough was heard. After the end, the last weights stand for a frame that has none.
    pub(crate) fn next(&mut self) -> Option<Weights> {
        if let Some(weights) = self.reducer.pull() {
            self.last = weights;
            return Some(weights);
        }
        self.ended.then_some(self.last)
    }

    fn pass_on(&mut self) {
        while let Some(weights) = self.stream.pull() {
            self.reducer.push(weights);
        }
    }
}
