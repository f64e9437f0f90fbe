//! A streaming resampler that neither drifts nor delays.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
/// The most taps of a kernel that [`is_usual`] takes: 11.025 kHz to 48 kHz, the longest among the usual rates, has 30 768. It
/// takes a millisecond or two to make.
const USUAL_TAPS_MAX: u64 = 32_768;
/// Kernels that are kept: more ratios than one node usually hears. The longest has a megabyte and a half.
const KERNELS_KEPT: usize = 16;

/// Those of the process.
static KERNELS: KernelCache = KernelCache::new();

/// Converts mono samples from one rate to another with a windowed-sinc kernel.
///
/// Positions are counted in integers, so that an hour of audio ends on the same sample however it was cut into chunks.
/// The kernel's delay is taken off: output sample `n` is the input at the time `n / to`. After [`flush`](Self::flush), `s`
/// input samples have become exactly `ceil(s * to / from)` output samples.
#[derive(Debug, Clone)]
pub struct Resampler {
    ratio: Ratio,
    /// Taps on each side of an output position.
    half: usize,
    phases: u64,
    /// `phases + 1` kernels of `2 * half` taps, by the position between two input samples.
    kernels: Arc<[f32]>,
    /// Input not yet passed: its entry `n` is input sample `base + n - (half - 1)`, silence below zero.
    input: Vec<f32>,
    /// The input sample just before or at the next output position.
    base: u64,
    /// Output samples made so far and input samples taken so far, in this utterance.
    made: u64,
    taken: u64,
}

impl Resampler {
    /// Creates a converter between two rates in Hz. The first one of a pair of rates that is not [usual](is_usual) takes up to
    /// ten milliseconds.
    ///
    /// # Errors
    /// [`AudioError::Rate`] if either is outside [`MIN_RATE`] to [`MAX_RATE`].
    pub fn new(from: u32, to: u32) -> Result<Self, AudioError> {
        let ratio = Ratio::of(from, to)?;
        let kernels = if ratio.is_identity() { Arc::default() } else { KERNELS.of(ratio) };
        let (half, phases) = (ratio.half(), ratio.phases());
        let mut resampler = Self { ratio, half, phases, kernels, input: Vec::new(), base: 0, made: 0, taken: 0 };
        resampler.reset();
        Ok(resampler)
    }

    /// Takes samples and appends those that they complete.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.taken += samples.len() as u64;
        if self.ratio.is_identity() {
            out.extend_from_slice(samples);
            return;
        }
        self.input.extend_from_slice(samples);
        self.convert(u64::MAX, out);
    }

    /// Ends the input, as if silence followed, and appends what the kernel still held back. The next push begins anew.
    pub fn flush(&mut self, out: &mut Vec<f32>) {
        if !self.ratio.is_identity() {
            let wanted = (self.taken * self.ratio.scale).div_ceil(self.ratio.step);
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

    /// Makes output until the input ends, or `limit` samples have been made.
    fn convert(&mut self, limit: u64, out: &mut Vec<f32>) {
        let taps = 2 * self.half;
        let Ratio { step, scale } = self.ratio;
        while self.made < limit {
            let position = self.made * step;
            let (whole, rest) = (position / scale, position % scale);
            let start = usize::try_from(whole - self.base).unwrap_or(usize::MAX);
            let Some(window) = self.input.get(start..).and_then(|tail| tail.get(..taps)) else {
                break;
            };
            let scaled = rest * self.phases;
            let (phase, between) = ((scaled / scale) as usize, scaled % scale);
            let first = dot(window, &self.kernels[phase * taps..][..taps]);
            out.push(if between == 0 {
                first
            } else {
                let second = dot(window, &self.kernels[(phase + 1) * taps..][..taps]);
                let share = between as f32 / scale as f32;
                first + share * (second - first)
            });
            self.made += 1;
        }
        let passed = (self.made * step / scale - self.base).min(self.input.len() as u64);
        self.input.drain(..passed as usize);
        self.base += passed;
    }
}

/// Whether a converter between two rates takes a millisecond or two at most to make, since the rates reduce to small numbers.
/// To 48 kHz those of sound cards and telephones do, and all multiples of 100 Hz up to 48 kHz.
#[must_use]
pub fn is_usual(from: u32, to: u32) -> bool {
    Ratio::of(from, to).is_ok_and(|ratio| {
        let is_exact = ratio.scale <= PHASES_MAX;
        ratio.is_identity() || (is_exact && (ratio.phases() + 1) * 2 * ratio.half() as u64 <= USUAL_TAPS_MAX)
    })
}

/// Input and output steps, reduced: one output sample is `step / scale` input samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ratio {
    step: u64,
    scale: u64,
}

impl Ratio {
    fn of(from: u32, to: u32) -> Result<Self, AudioError> {
        for rate in [from, to] {
            if !(MIN_RATE..=MAX_RATE).contains(&rate) {
                return Err(AudioError::Rate { rate, min: MIN_RATE, max: MAX_RATE });
            }
        }
        let common = gcd(from.into(), to.into());
        Ok(Self { step: u64::from(from) / common, scale: u64::from(to) / common })
    }

    const fn is_identity(self) -> bool {
        self.step == self.scale
    }

    /// The lower of the two rates as a share of the input's.
    fn bandwidth(self) -> f64 {
        (self.scale as f64 / self.step as f64).min(1.0)
    }

    /// Taps on each side of an output position.
    fn half(self) -> usize {
        (CROSSINGS as f64 / self.bandwidth()).ceil() as usize
    }

    fn phases(self) -> u64 {
        self.scale.min(PHASES_MAX)
    }

    fn make_kernels(self) -> Arc<[f32]> {
        kernels(self.phases(), self.half(), self.bandwidth() * ROLL_OFF).into()
    }
}

/// Kernels that were used last, the latest at the end: many utterances come in the same few formats.
struct KernelCache(Mutex<Vec<(Ratio, Arc<[f32]>)>>);

impl KernelCache {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn of(&self, ratio: Ratio) -> Arc<[f32]> {
        if let Some(kernels) = self.find(ratio) {
            return kernels;
        }
        // Not under the lock: two that come at once make the same.
        let kernels = ratio.make_kernels();
        let mut all = self.lock();
        all.retain(|(known, _)| *known != ratio);
        if all.len() >= KERNELS_KEPT {
            all.remove(0);
        }
        all.push((ratio, Arc::clone(&kernels)));
        kernels
    }

    fn find(&self, ratio: Ratio) -> Option<Arc<[f32]>> {
        let mut all = self.lock();
        let at = all.iter().position(|(known, _)| *known == ratio)?;
        all[at..].rotate_left(1);
        all.last().map(|(_, kernels)| Arc::clone(kernels))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Ratio, Arc<[f32]>)>> {
        // Whoever panicked with it left whole entries.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

/// The Kaiser window over -1 to 1, as high as it comes: kernels are scaled by their sum.
fn kaiser(x: f64) -> f64 {
    if x.abs() >= 1.0 { 0.0 } else { bessel_i0(KAISER_BETA * (1.0 - x * x).sqrt()) }
}

/// The modified Bessel function of the first kind, order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
        if term < sum * f64::EPSILON {
            break;
        }
    }
    sum
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_made_once_for_a_ratio_and_few_are_kept() {
        let cache = KernelCache::new();
        let kernels = |from, to| cache.of(Ratio::of(from, to).unwrap());
        let first = kernels(16_000, 48_000);
        assert!(Arc::ptr_eq(&first, &kernels(16_000, 48_000)), "they are shared");
        assert!(Arc::ptr_eq(&first, &kernels(8_000, 24_000)), "by their ratio");
        for number in 1..=KERNELS_KEPT as u32 {
            kernels(16_000 + 1_000 * number, 16_000);
        }
        assert_eq!(cache.lock().len(), KERNELS_KEPT);
        assert!(!Arc::ptr_eq(&first, &kernels(16_000, 48_000)), "they had to make way");
    }

    #[test]
    fn rates_in_use_are_usual_and_those_that_reduce_to_large_numbers_are_not() {
        let in_use =
            [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000];
        assert!(in_use.into_iter().chain((8_000..=48_000).step_by(100)).all(|rate| is_usual(rate, 48_000)));
        for rate in [7_999, 12_347, 47_999, 96_100, 191_900, 191_999, 192_001] {
            assert!(!is_usual(rate, 48_000), "{rate}");
        }
        let longest = Ratio::of(11_025, 48_000).unwrap().make_kernels();
        assert_eq!((longest.len(), longest.len() as u64 <= USUAL_TAPS_MAX), (30_768, true));
    }
}
