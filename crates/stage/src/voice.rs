//! One utterance's way from sound to a face, frame by frame.

use std::collections::VecDeque;
use std::sync::Arc;

use footlight_avatar::Weights;
use footlight_avatar::audio::{EAR_RATE, FACE_RATE, Resampler};
use footlight_avatar::face::{FaceModel, FaceStream, FrameReducer};

use crate::StageError;

/// A renderer that draws from sound has heard this many samples at 16 kHz past a frame's beginning: 100 ms.
const RENDERER_HEARS_AHEAD: u64 = 1_600;

/// Turns 48 kHz sound into weights at the frame rate. Holds the model's memory of one utterance at a time.
pub(crate) struct Voice {
    to_face_rate: Resampler,
    stream: FaceStream,
    reducer: FrameReducer,
    /// What is shown when an utterance ends within the first prediction of a frame.
    last: Weights,
    ended: bool,
    fps: u32,
    sound: Vec<f32>,
    heard: Vec<f32>,
    /// For a renderer that draws from sound.
    for_renderer: Option<RendererSound>,
}

/// What was heard and not yet passed on to a renderer, at 16 kHz.
#[derive(Default)]
struct RendererSound {
    waiting: VecDeque<f32>,
    passed_on: u64,
    frames: u64,
}

impl Voice {
    /// A voice for frames at this rate; `for_renderer` says that the renderer draws from sound, too.
    pub(crate) fn new(model: Arc<FaceModel>, fps: u32, for_renderer: bool) -> Result<Self, StageError> {
        let to_face_rate = Resampler::new(EAR_RATE, FACE_RATE).expect("both rates are constants in range");
        Ok(Self {
            to_face_rate,
            stream: FaceStream::new(model),
            reducer: FrameReducer::new(fps)?,
            last: Weights::NEUTRAL,
            ended: false,
            sound: Vec::new(),
            heard: Vec::new(),
            for_renderer: for_renderer.then(RendererSound::default),
            fps,
        })
    }

    /// Forgets what was heard: another utterance begins, or another part of this one.
    pub(crate) fn begin(&mut self) {
        self.to_face_rate.reset();
        self.stream.reset();
        self.reducer.reset();
        self.last = Weights::NEUTRAL;
        self.ended = false;
        if let Some(sound) = &mut self.for_renderer {
            *sound = RendererSound::default();
        }
    }

    /// Hears more sound.
    pub(crate) fn hear(&mut self, samples: &[i16]) -> Result<(), StageError> {
        self.sound.clear();
        self.sound.extend(samples.iter().map(|&sample| f32::from(sample) / 32_768.0));
        self.heard.clear();
        self.to_face_rate.push(&self.sound, &mut self.heard);
        self.stream.push(&self.heard)?;
        self.keep_for_renderer();
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
        self.keep_for_renderer();
        self.stream.flush()?;
        self.pass_on();
        self.reducer.flush();
        Ok(())
    }

    /// The next frame's weights, once enough was heard. After the end, the last weights stand for a frame that has none.
    pub(crate) fn next(&mut self) -> Option<Weights> {
        match self.reducer.pull() {
            Some(weights) => self.last = weights,
            None if self.ended => {}
            None => return None,
        }
        if let Some(sound) = &mut self.for_renderer {
            sound.frames += 1;
        }
        Some(self.last)
    }

    /// Appends what a renderer that draws from sound must hear before it draws the frame whose weights were given last:
    /// 16 kHz. Nothing for other renderers.
    pub(crate) fn sound_for_renderer(&mut self, into: &mut Vec<f32>) {
        let Some(sound) = &mut self.for_renderer else { return };
        let begins = sound.frames.saturating_sub(1) * u64::from(FACE_RATE) / u64::from(self.fps);
        let due = (begins + RENDERER_HEARS_AHEAD).saturating_sub(sound.passed_on);
        let due = sound.waiting.len().min(due as usize);
        into.extend(sound.waiting.drain(..due));
        sound.passed_on += due as u64;
    }

    fn keep_for_renderer(&mut self) {
        if let Some(sound) = &mut self.for_renderer {
            sound.waiting.extend(&self.heard);
        }
    }

    fn pass_on(&mut self) {
        while let Some(weights) = self.stream.pull() {
            self.reducer.push(weights);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renderer_hears_a_tenth_of_a_second_past_each_frame() {
        let model = FaceModel::shipped().expect("the model ships");
        for fps in [20, 25, 30, 50] {
            let mut voice = Voice::new(Arc::clone(&model), fps, true).expect("the rate is possible");
            voice.begin();
            let mut heard = Vec::new();
            let mut frames = 0;
            for piece in vec![1_000; 96_000].chunks(4_800) {
                voice.hear(piece).expect("it hears");
                while voice.next().is_some() {
                    voice.sound_for_renderer(&mut heard);
                    let due = frames * 16_000 / u64::from(fps) + 1_600;
                    // The resampler holds back a millisecond or two.
                    assert!(
                        (due - 32..=due).contains(&(heard.len() as u64)),
                        "{} at frame {frames}, {fps}",
                        heard.len()
                    );
                    frames += 1;
                }
            }
            voice.end().expect("it ends");
            for _ in frames..2 * u64::from(fps) {
                assert!(voice.next().is_some());
                voice.sound_for_renderer(&mut heard);
            }
            assert!(heard.len().abs_diff(32_000) <= 16, "{} samples of two seconds", heard.len());
        }
    }
}
