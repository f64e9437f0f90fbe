//! The log-mel spectrum that the face model listens to, sample for sample what it was trained on.

use std::fmt;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use super::FACE_RATE;

/// Mel bands.
pub const MEL_BANDS: usize = 48;
/// Samples from one frame to the next: 10 ms.
pub const HOP: usize = 160;
/// Samples under the window: 25 ms.
pub const WINDOW: usize = 400;
/// Samples of the window after the frame's own time, 10 ms. The rest of it lies before.
pub const WINDOW_AHEAD: usize = 160;

const FFT: usize = 512;
const LOWEST_HZ: f64 = 60.0;
const HIGHEST_HZ: f64 = 7_600.0;
/// The band power that counts as silence: a quiet room and digital zero look alike.
const FLOOR: f32 = 1e-6;
/// Brings loud speech to about 1.3.
const SCALE: f32 = 0.1;

/// One frame: scaled logarithms of band powers over the floor, 0 for silence.
pub type MelFrame = [f32; MEL_BANDS];

/// Makes log-mel frames out of speech at 16 kHz, in chunks of any size.
///
/// Frame `n` belongs to the sample `n * HOP` and hears the samples from [`WINDOW`] - [`WINDOW_AHEAD`] before it to
/// [`WINDOW_AHEAD`] after it. Before the first sample and after a flush there is silence. `s` samples give
/// `ceil(s / HOP)` frames.
pub struct LogMel {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    bands: Vec<Band>,
    input: Vec<f32>,
    taken: u64,
    made: u64,
    windowed: Vec<f32>,
    spectrum: Vec<realfft::num_complex::Complex<f32>>,
    scratch: Vec<realfft::num_complex::Complex<f32>>,
    power: Vec<f32>,
}

/// One triangular filter: weights of consecutive FFT bins.
struct Band {
    first: usize,
    weights: Vec<f32>,
}

impl fmt::Debug for LogMel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogMel").field("taken", &self.taken).field("made", &self.made).finish_non_exhaustive()
    }
}

impl Default for LogMel {
    fn default() -> Self {
        Self::new()
    }
}

impl LogMel {
    /// Creates a front end at the start of an utterance.
    #[must_use]
    pub fn new() -> Self {
        let fft = RealFftPlanner::<f32>::new().plan_fft_forward(FFT);
        let mut mel = Self {
            windowed: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
            window: hann(),
            bands: bands(),
            input: Vec::new(),
            taken: 0,
            made: 0,
            power: vec![0.0; FFT / 2 + 1],
        };
        mel.reset();
        mel
    }

    /// Takes samples and appends the frames that they complete.
    pub fn push(&mut self, samples: &[f32], frames: &mut Vec<MelFrame>) {
        self.taken += samples.len() as u64;
        self.input.extend_from_slice(samples);
        self.convert(u64::MAX, frames);
    }

    /// Ends the utterance, as if silence followed, and appends the frames still owed. The next push begins anew.
    pub fn flush(&mut self, frames: &mut Vec<MelFrame>) {
        let wanted = self.taken.div_ceil(HOP as u64);
        self.input.resize(self.input.len() + WINDOW_AHEAD + HOP, 0.0);
        self.convert(wanted, frames);
        self.reset();
    }

    /// Forgets the utterance.
    pub fn reset(&mut self) {
        self.input.clear();
        self.input.resize(WINDOW - WINDOW_AHEAD, 0.0);
        self.taken = 0;
        self.made = 0;
    }

    fn convert(&mut self, limit: u64, frames: &mut Vec<MelFrame>) {
        let mut start = 0;
        while self.made < limit && start + WINDOW <= self.input.len() {
            frames.push(self.frame(start));
            start += HOP;
            self.made += 1;
        }
        self.input.drain(..start);
    }

    fn frame(&mut self, start: usize) -> MelFrame {
        let (head, tail) = self.windowed.split_at_mut(WINDOW);
        for ((out, sample), factor) in head.iter_mut().zip(&self.input[start..]).zip(&self.window) {
            *out = sample * factor;
        }
        tail.fill(0.0);
        self.fft
            .process_with_scratch(&mut self.windowed, &mut self.spectrum, &mut self.scratch)
            .expect("the buffers were made by this transform");
        for (power, bin) in self.power.iter_mut().zip(&self.spectrum) {
            *power = bin.norm_sqr();
        }
        let mut frame = [0.0; MEL_BANDS];
        for (value, band) in frame.iter_mut().zip(&self.bands) {
            let sum: f32 = band.weights.iter().zip(&self.power[band.first..]).map(|(w, p)| w * p).sum();
            *value = scaled(sum);
        }
        frame
    }
}

fn scaled(power: f32) -> f32 {
    (power / FLOOR).ln_1p() * SCALE
}

fn hann() -> Vec<f32> {
    (0..WINDOW)
        .map(|n| {
            let phase = std::f64::consts::TAU * (n as f64 + 0.5) / WINDOW as f64;
            // Scaled so that a sine of full scale has a power near 1 in its bin.
            ((0.5 - 0.5 * phase.cos()) * 4.0 / WINDOW as f64) as f32
        })
        .collect()
}

/// Triangles of equal width on the mel scale (2595 log10(1 + f/700)), each summing to 1 at its peak.
fn bands() -> Vec<Band> {
    let mel = |hz: f64| 2595.0 * (1.0 + hz / 700.0).log10();
    let hz = |mel: f64| 700.0 * (10.0_f64.powf(mel / 2595.0) - 1.0);
    let (low, high) = (mel(LOWEST_HZ), mel(HIGHEST_HZ));
    let edge = |n: usize| hz(low + (high - low) * n as f64 / (MEL_BANDS + 1) as f64);
    let bin_hz = f64::from(FACE_RATE) / FFT as f64;
    (0..MEL_BANDS)
        .map(|band| {
            let (left, peak, right) = (edge(band), edge(band + 1), edge(band + 2));
            let height = |bin: usize| {
                let f = bin as f64 * bin_hz;
                ((f - left) / (peak - left)).min((right - f) / (right - peak)).max(0.0)
            };
            let first = (left / bin_hz).ceil() as usize;
            let last = ((right / bin_hz).floor() as usize).max(first);
            Band { first, weights: (first..=last).map(|bin| height(bin) as f32).collect() }
        })
        .collect()
}
