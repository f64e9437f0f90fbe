//! Sound as mouth networks of the Wav2Lip kind hear it: 80 mel bands, 80 times a second.

use std::fmt;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

/// Mel bands.
pub const MEL_BANDS: usize = 80;
/// Mel frames that a network sees at once: 200 ms.
pub const MEL_FRAMES: usize = 16;
/// What a network sees of the sound: `[MEL_BANDS][MEL_FRAMES]`, `-4.0..=4.0`.
pub type MelWindow = [f32; MEL_BANDS * MEL_FRAMES];

const RATE: f32 = 16_000.0;
const HOP: usize = 200;
const WINDOW: usize = 800;
const PREEMPHASIS: f32 = 0.97;
const LOWEST_HZ: f32 = 55.0;
const HIGHEST_HZ: f32 = 7_600.0;
/// Samples that a window of mel frames is made of, and the one before them for the pre-emphasis.
const SAMPLES: usize = WINDOW + (MEL_FRAMES - 1) * HOP + 1;

/// The last moments of a sound, ready to be seen as mel frames.
pub struct MelEar {
    fft: Arc<dyn RealToComplex<f32>>,
    /// The latest [`SAMPLES`] samples, oldest first.
    heard: Vec<f32>,
    hann: Vec<f32>,
    /// Of each band: its first frequency bin, and the weights from there on.
    bands: Vec<(usize, Vec<f32>)>,
}

impl fmt::Debug for MelEar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MelEar").finish_non_exhaustive()
    }
}

impl Default for MelEar {
    fn default() -> Self {
        let hann = (0..WINDOW).map(|n| 0.5 - 0.5 * (std::f32::consts::TAU * n as f32 / WINDOW as f32).cos()).collect();
        Self { fft: RealFftPlanner::new().plan_fft_forward(WINDOW), heard: vec![0.0; SAMPLES], hann, bands: bands() }
    }
}

impl MelEar {
    /// Takes in sound: 16 kHz, mono, `-1.0..=1.0`. Only the latest 240 ms are kept.
    pub fn hear(&mut self, pcm16k: &[f32]) {
        let latest = &pcm16k[pcm16k.len().saturating_sub(SAMPLES)..];
        self.heard.drain(..latest.len());
        self.heard.extend_from_slice(latest);
    }

    /// The latest 16 mel frames, in decibels brought to `-4.0..=4.0`.
    #[must_use]
    pub fn window(&self) -> MelWindow {
        let sharp: Vec<f32> = self.heard.windows(2).map(|pair| pair[1] - PREEMPHASIS * pair[0]).collect();
        let mut window = [0.0; MEL_BANDS * MEL_FRAMES];
        let mut spectrum = self.fft.make_output_vec();
        let mut frame = vec![0.0; WINDOW];
        for index in 0..MEL_FRAMES {
            for (value, (sample, weight)) in frame.iter_mut().zip(sharp[index * HOP..].iter().zip(&self.hann)) {
                *value = sample * weight;
            }
            self.fft.process(&mut frame, &mut spectrum).expect("both buffers have the transform's own length");
            for (band, (first, weights)) in self.bands.iter().enumerate() {
                let energy: f32 =
                    weights.iter().zip(&spectrum[*first..]).map(|(weight, bin)| weight * bin.norm()).sum();
                let decibels = 20.0 * energy.max(1e-5).log10() - 20.0;
                window[band * MEL_FRAMES + index] = (8.0 * (decibels + 100.0) / 100.0 - 4.0).clamp(-4.0, 4.0);
            }
        }
        window
    }
}

/// Triangles of equal area on the mel scale of Slaney's auditory toolbox, as librosa has them.
fn bands() -> Vec<(usize, Vec<f32>)> {
    let (low, high) = (mel(LOWEST_HZ), mel(HIGHEST_HZ));
    let edge = |k: usize| hertz(low + (high - low) * k as f32 / (MEL_BANDS + 1) as f32);
    let bin_hz = RATE / WINDOW as f32;
    (0..MEL_BANDS)
        .map(|band| {
            let (left, middle, right) = (edge(band), edge(band + 1), edge(band + 2));
            let first = (left / bin_hz).ceil() as usize;
            let last = ((right / bin_hz).floor() as usize).min(WINDOW / 2);
            let weight = |bin: usize| {
                let hz = bin as f32 * bin_hz;
                let slope = ((hz - left) / (middle - left)).min((right - hz) / (right - middle));
                slope.max(0.0) * 2.0 / (right - left)
            };
            (first, (first..=last).map(weight).collect())
        })
        .collect()
}

/// Linear below 1 kHz, logarithmic above.
fn mel(hertz: f32) -> f32 {
    if hertz < 1000.0 { hertz * 3.0 / 200.0 } else { 15.0 + (hertz / 1000.0).ln() * 27.0 / 6.4_f32.ln() }
}

fn hertz(mel: f32) -> f32 {
    if mel < 15.0 { mel * 200.0 / 3.0 } else { 1000.0 * ((mel - 15.0) * 6.4_f32.ln() / 27.0).exp() }
}
