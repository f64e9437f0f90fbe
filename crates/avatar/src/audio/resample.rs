//! A streaming resampler that neither drifts nor delays.

use super::AudioError;

/// The lowest sampling rate taken, in Hz: a telephone's.
pub const MIN_RATE: u32 = 8_000;
/// The highest sampling rate taken, in Hz.
pub const MAX_RATE: u32 = 192_000;

/// Zero crossings of the kernel on each side, at the lower of the two rates: about 90 dB of stop band with the window below.
const CROSSINGS: usize = 24;
/// Where the pass band ends, as a share of the lower Nyquist frequency: leaves the kernel room to fall.
const ROLL_OFF: f64 = 0.93;
/// The Kaiser window's shape.
const KAISER_BETA: f64 = 9.0;
/// Exact phases up to this many (44.1 kHz to 16 kHz needs 160); beyond, neighbours are interpolated.
const PHASES_MAX: u64 = 640;

/// Converts mono samples from one rate to another with a windowed-sinc kernel.
///
/// Positions are counted in integers, so that an hour of audio ends on the same sample however it was cut into chunks.
/// The kernel's delay is taken off: output sample `n` is the input at the time `n / to`. After [`flush`](Self::flush), `s`
/// input samples have become exactly `ceil(s * to / from)` output samples.
#[derive(Debug, Clone)]
pub struct Resampler {
    /// Input and output steps, reduced: one output sample is `step / scale` input samples.
    step: u64,
    scale: u64,
    /// Taps on each side of an output position.
    half: usize,
    phases: u64,
    /// `phases + 1` kernels of `2 * half` taps, by the position between two input samples.
    kernels: Vec<f32>,
    /// Input not yet passed: its entry `n` is input sample `base + n - (half - 1)`, silence below zero.
    input: Vec<f32>,
    /// The input sample just before or at the next output position.
    base: u64,
    /// Output samples made so far and input samples taken so far, in this utterance.
    made: u64,
    taken: u64,
}

impl Resampler {
    /// Creates a converter between two rates in Hz.
    ///
    /// # Errors
    /// [`AudioError::Rate`] if either is outside [`MIN_RATE`] to [`MAX_RATE`].
    pub fn new(from: u32, to: u32) -> Result<Self, AudioError> {
        for rate in [from, to] {
            if !(MIN_RATE..=MAX_RATE).contains(&rate) {
                return Err(AudioError::Rate { rate, min: MIN_RATE, max: MAX_RATE });
            }
        }
        let common = gcd(from.into(), to.into());
        let (step, scale) = (u64::from(from) / common, u64::from(to) / common);
        let phases = scale.min(PHASES_MAX);
        let ratio = (f64::from(to) / f64::from(from)).min(1.0);
        let half = (CROSSINGS as f64 / ratio).ceil() as usize;
        let kernels = kernels(phases, half, ratio * ROLL_OFF);
        let mut resampler = Self { step, scale, half, phases, kernels, input: Vec::new(), base: 0, made: 0, taken: 0 };
        resampler.reset();
        Ok(resampler)
    }

    /// Takes samples and appends those that they complete.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.taken += samples.len() as u64;
        if self.is_identity() {
            out.extend_from_slice(samples);
            return;
        }
        self.input.extend_from_slice(samples);
        self.convert(u64::MAX, out);
    }

    /// Ends the input, as if silence followed, and appends what the kernel still held back. The next push begins anew.
    pub fn flush(&mut self, out: &mut Vec<f32>) {
        if !self.is_identity() {
            let wanted = (self.taken * self.scale).div_ceil(self.step);
            self.input.resize(self.input.len() + self.half + 1, 0.0);
            self.convert(wanted, out);
        }
        self.reset();
    }

    /// Forgets the input so far.
    pub fn reset(&mut self) {
        self.input.clear();
        // Silence before the first sample: the kernel reaches back `half - 1` samples from its position.
        self.input.resize(self.half - 1, 0.0);
        self.base = 0;
        self.made = 0;
        self.taken = 0;
    }

    fn is_identity(&self) -> bool {
        self.step == self.scale
    }

    /// Makes output until the input ends, or `limit` samples have been made.
    fn convert(&mut self, limit: u64, out: &mut Vec<f32>) {
        let taps = 2 * self.half;
        while self.made < limit {
            let position = self.made * self.step;
            let (whole, rest) = (position / self.scale, position % self.scale);
            let start = usize::try_from(whole - self.base).unwrap_or(usize::MAX);
            let Some(window) = self.input.get(start..).and_then(|tail| tail.get(..taps)) else {
                break;
            };
            let scaled = rest * self.phases;
            let (phase, between) = ((scaled / self.scale) as usize, scaled % self.scale);
            let first = dot(window, &self.kernels[phase * taps..][..taps]);
            out.push(if between == 0 {
                first
            } else {
                let second = dot(window, &self.kernels[(phase + 1) * taps..][..taps]);
                let share = between as f32 / self.scale as f32;
                first + share * (second - first)
            });
            self.made += 1;
        }
        let passed = (self.made * self.step / self.scale - self.base).min(self.input.len() as u64);
        self.input.drain(..passed as usize);
        self.base += passed;
    }
}

/// Eight sums side by side, so that the compiler may use vector registers without reordering a float sum.
fn dot(samples: &[f32], kernel: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (samples, samples_rest) = samples.as_chunks::<8>();
    let (kernel, kernel_rest) = kernel.as_chunks::<8>();
    for (s, k) in samples.iter().zip(kernel) {
        for lane in 0..8 {
            sums[lane] += s[lane] * k[lane];
        }
    }
    let rest: f32 = samples_rest.iter().zip(kernel_rest).map(|(s, k)| s * k).sum();
    sums.iter().sum::<f32>() + rest
}

/// The kernel at every phase, each scaled to pass a constant unchanged.
fn kernels(phases: u64, half: usize, cutoff: f64) -> Vec<f32> {
    let mut all = Vec::with_capacity((phases as usize + 1) * 2 * half);
    for phase in 0..=phases {
        let offset = phase as f64 / phases as f64;
        let taps: Vec<f64> = (0..2 * half)
            .map(|tap| {
                let distance = tap as f64 - (half as f64 - 1.0) - offset;
                sinc(cutoff * distance) * kaiser(distance / half as f64)
            })
            .collect();
        let sum: f64 = taps.iter().sum();
        all.extend(taps.iter().map(|tap| (tap / sum) as f32));
    }
    all
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

/// The Kaiser window over -1 to 1.
fn kaiser(x: f64) -> f64 {
    if x.abs() >= 1.0 { 0.0 } else { bessel_i0(KAISER_BETA * (1.0 - x * x).sqrt()) / bessel_i0(KAISER_BETA) }
}

/// The modified Bessel function of the first kind, order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
