//! Five milliseconds from silence to sound or back. Sound that stops or starts anywhere but at zero clicks.

use std::f32::consts::PI;

/// How long a fade lasts, in milliseconds. Long enough not to click at any pitch of a voice, short enough that an
/// interrupt is heard at once.
pub const FADE_MS: u32 = 5;

/// Fades the first [`FADE_MS`] of mono `samples` in from silence. Fewer samples fade in over what there is.
pub fn fade_in(samples: &mut [f32], rate: u32) {
    let length = fade_len(samples.len(), rate);
    for (index, sample) in samples[..length].iter_mut().enumerate() {
        *sample *= gain(index, length);
    }
}

/// Fades the last [`FADE_MS`] of mono `samples` out to silence. Fewer samples fade out over what there is.
pub fn fade_out(samples: &mut [f32], rate: u32) {
    let length = fade_len(samples.len(), rate);
    for (index, sample) in samples.iter_mut().rev().take(length).enumerate() {
        *sample *= gain(index, length);
    }
}

/// Fades mono `samples` out over their first [`FADE_MS`] and silences the rest: what an interrupt does to the
/// sound that was about to be played.
pub fn fade_to_silence(samples: &mut [f32], rate: u32) {
    let length = fade_len(samples.len(), rate);
    let (fading, silent) = samples.split_at_mut(length);
    fade_out(fading, rate);
    silent.fill(0.0);
}

fn fade_len(available: usize, rate: u32) -> usize {
    available.min((rate * FADE_MS / 1000) as usize)
}

/// A raised cosine: no corner at either end. Index 0 is silent.
fn gain(index: usize, length: usize) -> f32 {
    0.5 - 0.5 * (PI * index as f32 / length as f32).cos()
}
