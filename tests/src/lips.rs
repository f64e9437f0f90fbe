//! Whether mouth and sound belong together, seen and heard from a finished video alone.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// How large the part of a picture of 512x512 is in which a mouth opens: width and height.
const WINDOW: (usize, usize) = (100, 56);
/// The upper left corner of that window around the shipped avatars' mouths.
const SHIPPED: (usize, usize) = (206, 294);
/// How far above the middle of closed lips the window begins: mouths open downwards.
const ABOVE: usize = 20;
/// Luma under which a pixel is the inside of an open mouth.
const DARK: u8 = 55;
const FRAME_MS: usize = 40;
/// The sound is looked at in pieces as long as this.
const STEP_MS: usize = 10;
const SOUND_RATE: usize = 16_000;
/// Shifts are tried up to this far to either side.
const REACH_MS: usize = 400;

/// What a video shows and lets hear.
pub struct Talk {
    /// How much of the mouth is dark, 0 to 1, for each frame of 40 ms.
    openings: Vec<f64>,
    /// Log energy of the sound, for each 10 ms.
    energies: Vec<f64>,
}

/// The shift at which the mouth is most like the sound.
#[derive(Debug)]
pub struct Lag {
    /// How much later the mouth is than the sound; negative when it is earlier.
    pub ms: i64,
    /// Their correlation there, -1 to 1.
    pub likeness: f64,
}

/// Decodes a video of a shipped avatar, 25 frames a second.
///
/// # Errors
/// When ffmpeg fails or says nothing.
pub fn watch(video: &Path) -> anyhow::Result<Talk> {
    watch_window(video, SHIPPED)
}

/// Decodes a video of 512x512, 25 frames a second, of a face whose closed lips have their middle here.
///
/// # Errors
/// As [`watch`].
pub fn watch_mouth(video: &Path, (x, y): (usize, usize)) -> anyhow::Result<Talk> {
    watch_window(video, (x.saturating_sub(WINDOW.0 / 2), y.saturating_sub(ABOVE)))
}

fn watch_window(video: &Path, (left, top): (usize, usize)) -> anyhow::Result<Talk> {
    let (width, height) = WINDOW;
    let crop = format!("crop={width}:{height}:{left}:{top}");
    let pictures = decode(video, &["-vf", &crop, "-pix_fmt", "gray", "-f", "rawvideo"])?;
    let dark = |mouth: &[u8]| mouth.iter().filter(|&&luma| luma < DARK).count() as f64 / mouth.len() as f64;
    let sound = decode(video, &["-ac", "1", "-ar", &SOUND_RATE.to_string(), "-f", "s16le"])?;
    let samples: Vec<f64> = sound.chunks_exact(2).map(|b| f64::from(i16::from_le_bytes([b[0], b[1]]))).collect();
    // The floor is 40 dB under full scale: what is quieter is silence to a viewer.
    let energy = |piece: &[f64]| (1e4 + piece.iter().map(|s| s * s).sum::<f64>() / piece.len() as f64).ln();
    Ok(Talk {
        openings: pictures.chunks_exact(width * height).map(dark).collect(),
        energies: samples.chunks_exact(SOUND_RATE * STEP_MS / 1000).map(energy).collect(),
    })
}

impl Talk {
    /// How far the mouth is behind the sound.
    ///
    /// # Errors
    /// When there is too little to compare.
    pub fn lag(&self) -> anyhow::Result<Lag> {
        let reach = REACH_MS / STEP_MS;
        ensure!(self.energies.len() > 8 * reach, "{} ms of sound are too little", self.energies.len() * STEP_MS);
        let mouth: Vec<f64> = (0..self.energies.len()).map(|step| self.opening_at(step)).collect();
        let lags = -reach.cast_signed()..=reach.cast_signed();
        lags.map(|lag| {
            let seen = &mouth[reach..mouth.len() - reach];
            let from = (reach.cast_signed() - lag).cast_unsigned();
            Lag {
                ms: (lag * STEP_MS.cast_signed()) as i64,
                likeness: correlation(seen, &self.energies[from..from + seen.len()]),
            }
        })
        .max_by(|a, b| a.likeness.total_cmp(&b.likeness))
        .context("no lag was tried")
    }

    /// The same talk with its sound `ms` later.
    #[must_use]
    pub fn with_sound_later(&self, ms: usize) -> Self {
        let mut energies = self.energies.clone();
        energies.rotate_right(ms / STEP_MS);
        Self { openings: self.openings.clone(), energies }
    }

    /// The opening in the middle of a step of the sound, on the line between the middles of two frames.
    fn opening_at(&self, step: usize) -> f64 {
        let at = ((step as f64 + 0.5) * STEP_MS as f64 / FRAME_MS as f64 - 0.5).max(0.0);
        let last = self.openings.len() - 1;
        let before = (at as usize).min(last);
        let (from, to) = (self.openings[before], self.openings[(before + 1).min(last)]);
        from + (to - from) * (at - before as f64).clamp(0.0, 1.0)
    }
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (a_mean, b_mean) = (mean(a), mean(b));
    let product = |x: &[f64], x_mean: f64, y: &[f64], y_mean: f64| {
        x.iter().zip(y).map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>()
    };
    product(a, a_mean, b, b_mean) / (product(a, a_mean, a, a_mean) * product(b, b_mean, b, b_mean)).sqrt()
}

fn decode(video: &Path, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let mut ffmpeg = Command::new("ffmpeg");
    let output = ffmpeg.args(["-v", "error", "-i"]).arg(video).args(arguments).arg("-").output();
    let output = output.context("ffmpeg cannot be started; `cargo xtask setup` installs it")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && !output.stdout.is_empty(), "ffmpeg: {said}");
    Ok(output.stdout)
}
