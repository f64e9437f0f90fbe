//! From the model's 100 Hz to the frame rate, without losing a closure that is shorter than a frame.

use std::collections::VecDeque;

use super::lips::closeness;
use super::shapes::{
    JAW_OPEN, MOUTH_CLOSE, MOUTH_LOWER_DOWN, MOUTH_PRESS, MOUTH_ROLL_LOWER, MOUTH_ROLL_UPPER, MOUTH_UPPER_UP,
};
use super::{FaceError, WEIGHTS_PER_SECOND};
use crate::Weights;
use crate::weights::BLENDSHAPE_COUNT;

/// What closes the lips: the strongest value inside a frame is shown.
const CLOSING: [usize; 5] = [MOUTH_CLOSE, MOUTH_PRESS[0], MOUTH_PRESS[1], MOUTH_ROLL_LOWER, MOUTH_ROLL_UPPER];
/// What opens them: bounded by the smallest value inside a frame as far as the frame is closed.
const OPENING: [usize; 5] = [JAW_OPEN, MOUTH_LOWER_DOWN[0], MOUTH_LOWER_DOWN[1], MOUTH_UPPER_UP[0], MOUTH_UPPER_UP[1]];

/// Turns weights at [`WEIGHTS_PER_SECOND`] into one set a frame.
///
/// Frame `i` stands for the time from `i / fps` to `(i + 1) / fps`: the same slice of audio that it is shown with. An
/// ordinary shape takes the mean of that time, which is centred on the frame. Shapes that close the lips take their
/// greatest value, and shapes that open them fall towards their smallest as far as the lips close: a `p` of 30 ms is then
/// seen at 20 frames a second, where a mean would show a half-open mouth.
#[derive(Debug)]
pub struct FrameReducer {
    fps: u32,
    /// The next frame to hand out.
    frame: u64,
    /// The number of the first entry of `window`.
    first: u64,
    window: VecDeque<Weights>,
    ended: bool,
}

impl FrameReducer {
    /// Creates a reducer to `fps` frames a second.
    ///
    /// # Errors
    /// [`FaceError::FrameRate`] if `fps` is not within 1 to 100: above it there would be frames without a prediction.
    pub fn new(fps: u32) -> Result<Self, FaceError> {
        if !(1..=WEIGHTS_PER_SECOND).contains(&fps) {
            return Err(FaceError::FrameRate { fps });
        }
        Ok(Self { fps, frame: 0, first: 0, window: VecDeque::new(), ended: false })
    }

    /// Takes the next weights, 10 ms after the ones before.
    pub fn push(&mut self, weights: Weights) {
        self.window.push_back(weights);
    }

    /// Says that nothing follows: a last frame that is only partly covered is then handed out too.
    pub fn flush(&mut self) {
        self.ended = true;
    }

    /// Returns the next frame's weights, once all of its time is there.
    pub fn pull(&mut self) -> Option<Weights> {
        let (from, to) = (self.first_sample(self.frame), self.first_sample(self.frame + 1));
        let available = self.first + self.window.len() as u64;
        let complete = available >= to || (self.ended && available > from);
        if !complete {
            return None;
        }
        while self.first < from {
            self.window.pop_front();
            self.first += 1;
        }
        let count = usize::try_from(to.min(available) - from).unwrap_or(usize::MAX);
        self.frame += 1;
        Some(reduce(self.window.iter().take(count)))
    }

    /// Forgets everything, for the next utterance.
    pub fn reset(&mut self) {
        self.frame = 0;
        self.first = 0;
        self.window.clear();
        self.ended = false;
    }

    /// The first prediction at or after the start of a frame.
    fn first_sample(&self, frame: u64) -> u64 {
        (frame * u64::from(WEIGHTS_PER_SECOND)).div_ceil(u64::from(self.fps))
    }
}

fn reduce<'a>(samples: impl Iterator<Item = &'a Weights>) -> Weights {
    let mut mean = [0.0_f32; BLENDSHAPE_COUNT];
    let mut least = [f32::INFINITY; BLENDSHAPE_COUNT];
    let mut greatest = [f32::NEG_INFINITY; BLENDSHAPE_COUNT];
    let mut count = 0.0_f32;
    for Weights(sample) in samples {
        for (shape, &value) in sample.iter().enumerate() {
            mean[shape] += value;
            least[shape] = least[shape].min(value);
            greatest[shape] = greatest[shape].max(value);
        }
        count += 1.0;
    }
    let mut out = mean.map(|sum| sum / count);
    for shape in CLOSING {
        out[shape] = greatest[shape];
    }
    let closed = closeness(greatest[MOUTH_CLOSE]);
    for shape in OPENING {
        out[shape] += closed * (least[shape] - out[shape]);
    }
    Weights(out)
}
