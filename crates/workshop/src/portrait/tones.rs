//! The light that a portrait was taken in: what is painted into it must be lit alike.

use super::canvas::{Canvas, Colour, luma, mix, scaled};
use super::geometry::{Place, Profile};
use super::measures::Measures;

/// Colours of what is painted, in the portrait's own light.
#[derive(Debug, Clone)]
pub(super) struct Tones {
    /// How light the skin is, against that of the model's.
    pub(super) light: f32,
    /// The colour of white things: the tint of the light.
    tint: Colour,
    /// The lit side of a front tooth.
    pub(super) teeth: Colour,
    /// How strong the photo's grain is.
    pub(super) grain: f32,
}

/// The luma of the model's skin.
const MODEL_SKIN: f32 = 0.66;

impl Tones {
    /// Looks at cheeks and the whites of the eyes.
    pub(super) fn of(canvas: &Canvas, m: &Measures) -> Self {
        let cheeks: Vec<Colour> =
            m.eyes.iter().flat_map(|eye| around(canvas, m, [eye[0], eye[1] + 32.0 * m.size])).collect();
        let skin = middle(cheeks.clone(), 0.5).unwrap_or([0.5; 3]);
        let skin_luma = luma(skin).clamp(0.04, 1.0);
        let whites: Vec<Colour> = m
            .face
            .eyes
            .iter()
            .flat_map(|eye| {
                let (upper, lower) = (Profile::through(&eye.upper), Profile::through(&eye.lower));
                let [left, right] = eye.corners();
                let inside = move |u: f32, share: f32| {
                    let (from, to) = (upper.at(u), lower.at(u));
                    canvas.at(m.axes.to_stage([u, from + (to - from) * share]))
                };
                (1..40).flat_map(move |k| {
                    let u = left[0] + (right[0] - left[0]) * k as f32 / 40.0;
                    [0.35, 0.5, 0.65, 0.8].map(|share| inside(u, share))
                })
            })
            .collect();
        // The lighter part of what the lids leave free is the white; small eyes lie in shadow.
        let white = middle(whites, 0.85).unwrap_or([0.8; 3]);
        let white_luma = luma(white).clamp(0.75 * skin_luma, 0.9).max(0.1);
        let own = white.map(|c| (c / luma(white).max(0.05)).clamp(0.6, 1.4));
        let tint = mix([1.0; 3], own, 0.6);
        let bright = (0.62 * white_luma + 0.40 * skin_luma).clamp(0.16, 0.80);
        let teeth = [0, 1, 2].map(|c| bright * tint[c] * [1.03, 0.985, 0.9][c]);
        let soft = cheeks.iter().map(|c| luma(*c));
        let mean = soft.clone().sum::<f32>() / cheeks.len().max(1) as f32;
        let spread = (soft.map(|l| (l - mean) * (l - mean)).sum::<f32>() / cheeks.len().max(1) as f32).sqrt();
        Self { light: (skin_luma / MODEL_SKIN).clamp(0.3, 1.2), tint, teeth, grain: (spread * 0.25).min(0.012) }
    }

    /// A colour of the model in this portrait's light.
    pub(super) fn lit(&self, model: Colour) -> Colour {
        let colour = scaled(model, self.light);
        [0, 1, 2].map(|c| colour[c] * self.tint[c])
    }

    /// What the photo's grain adds at a pixel: the same in every picture of a bank, so that blends keep it.
    pub(super) fn grain_at(&self, [x, y]: Place) -> f32 {
        let mut hash =
            (x as i32).cast_unsigned().wrapping_mul(0x9e37_79b1) ^ (y as i32).cast_unsigned().wrapping_mul(0x85eb_ca77);
        hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
        hash ^= hash >> 13;
        self.grain * ((hash & 0xffff) as f32 / 32768.0 - 1.0)
    }
}

/// Samples of a small piece of skin.
pub(super) fn around(canvas: &Canvas, m: &Measures, [u, v]: Place) -> Vec<Colour> {
    let step = 1.5 * m.size;
    (-4..=4)
        .flat_map(|row| (-4..=4).map(move |column| [u + column as f32 * step, v + row as f32 * step]))
        .map(|place| canvas.at(m.axes.to_stage(place)))
        .collect()
}

/// The colour that this share of the colours is darker than.
pub(super) fn middle(mut colours: Vec<Colour>, share: f32) -> Option<Colour> {
    colours.sort_by(|a, b| luma(*a).total_cmp(&luma(*b)));
    let at = (colours.len() as f32 * share) as usize;
    // A few neighbours in luma, so that no single pixel decides.
    let from = at.saturating_sub(2);
    let near = colours.get(from..(at + 3).min(colours.len()))?;
    let count = near.len().max(1) as f32;
    (!near.is_empty()).then(|| near.iter().fold([0.0; 3], |sum, c| [0, 1, 2].map(|k| sum[k] + c[k] / count)))
}
