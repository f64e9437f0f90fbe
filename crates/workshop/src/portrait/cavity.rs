//! What shows between the lips: teeth that belong to the skull, a tongue that belongs to the jaw, and the dark.

use super::canvas::{Colour, mix, scaled};
use super::geometry::{Place, at_index, index_of, smooth};
use super::lips::{LIP_POINTS, LipShape, Lips, MouthState};
use super::tones::Tones;

const DARK: [Colour; 3] = [[0.13, 0.035, 0.04], [0.24, 0.07, 0.08], [0.31, 0.095, 0.105]];
const SHADOW: Colour = [0.085, 0.02, 0.025];
const TONGUE: [Colour; 3] = [[0.62, 0.27, 0.28], [0.72, 0.36, 0.36], [0.54, 0.21, 0.23]];
const BETWEEN_TEETH: Colour = [0.55, 0.42, 0.36];

/// Widths of the upper and of the lower teeth that can be seen, of one side from the middle.
const UPPER_TEETH: [f32; 4] = [1.0, 0.74, 0.8, 0.66];
const LOWER_TEETH: [f32; 4] = [0.62, 0.7, 0.76, 0.7];

/// How far a row reaches to each side, in halves of the mouth's width: of the mouth at rest, and at most of this one.
const UPPER_REACH: [f32; 2] = [0.84, 0.95];
const LOWER_REACH: [f32; 2] = [0.62, 0.72];

/// The inside of a mouth in one state. Places are those with the jaw open.
pub(super) struct Cavity<'a> {
    tones: &'a Tones,
    state: MouthState,
    shape: &'a LipShape,
    middle: f32,
    /// Half the width of the mouth in the photo, and in this state.
    half_rest: f32,
    half: f32,
    /// Height of the closed lips in the middle, and how it grows to the right.
    line: (f32, f32),
    size: f32,
    /// Over how many pixels an edge goes.
    soft: f32,
}

impl<'a> Cavity<'a> {
    pub(super) fn new(
        lips: &Lips,
        shape: &'a LipShape,
        state: MouthState,
        tones: &'a Tones,
        size: f32,
        soft: f32,
    ) -> Self {
        Self {
            tones,
            state,
            shape,
            middle: lips.middle,
            half_rest: lips.half,
            half: (shape.u[LIP_POINTS - 1] - shape.u[0]) / 2.0,
            line: lips.rest_line(),
            size,
            soft,
        }
    }

    /// The colour at a place.
    pub(super) fn colour(&self, [u, v]: Place) -> Colour {
        let k = self.size;
        let index = index_of(&self.shape.u, u);
        let (upper, lower) = (at_index(&self.shape.upper, index), at_index(&self.shape.lower, index));
        let mid = LIP_POINTS / 2;
        let (top, bottom) = (self.shape.upper[mid], self.shape.lower[mid]);
        let deep = ((v - top) / (bottom + 2.0 * k - top).max(1.0)).clamp(0.0, 1.0);
        let dark =
            if deep < 0.6 { mix(DARK[0], DARK[1], deep / 0.6) } else { mix(DARK[1], DARK[2], (deep - 0.6) / 0.4) };
        let mut colour = self.tones.lit(dark);
        colour = self.tongue(colour, u, v, top, bottom);
        colour = self.lower_teeth(colour, u, v);
        colour = self.upper_teeth(colour, u, v);
        if self.state.tongue > 0.0 {
            colour = self.tip(colour, u, v, bottom);
        }
        // The lips throw their shadow on what lies behind them, and the corners are deep.
        let shadow = self.tones.lit(SHADOW);
        let near = |distance: f32, reach: f32| (-(distance.max(0.0) / reach).powi(2)).exp();
        let apart = ((lower - upper) / (12.0 * k)).min(1.0);
        colour = mix(colour, shadow, 0.4 * near(v - upper, (1.4 + 1.4 * apart) * k));
        colour = mix(colour, shadow, 0.32 * near(lower - v, (0.9 + 0.7 * apart) * k));
        let beside = ((u - self.middle).abs() / self.half.max(1.0)).min(1.0);
        mix(colour, shadow, 0.85 * smooth(0.58, 1.0, beside))
    }

    /// Heights of the edges of the upper and of the lower teeth at a place across, as if neither were hidden.
    pub(super) fn edges(&self, u: f32) -> [f32; 2] {
        let k = self.size;
        let (x, y) = (self.across(u, UPPER_REACH), self.across(u, LOWER_REACH));
        let upper = (0.6 + 1.6 * self.state.bite) * k - 3.4 * k * x * x;
        let lower = self.shape.lower[LIP_POINTS / 2] - self.rise() + 2.6 * k * y * y;
        [upper + self.line.0 + self.line.1 * (u - self.middle), lower]
    }

    /// A place across a row of teeth: -1 and 1 at its ends.
    fn across(&self, u: f32, [rest, now]: [f32; 2]) -> f32 {
        (u - self.middle) / (rest * self.half_rest).min(now * self.half).max(1.0)
    }

    /// How far the lower teeth stand over the lower lip.
    fn rise(&self) -> f32 {
        let wide = self.state.wide.max(0.0);
        3.6 * self.size * (0.4 + 0.6 * wide) * (self.state.gap * 2.2).min(1.0)
    }

    fn upper_teeth(&self, below: Colour, u: f32, v: f32) -> Colour {
        let k = self.size;
        let round = (-self.state.wide).max(0.0);
        let x = self.across(u, UPPER_REACH);
        let high = v - self.line.0 - self.line.1 * (u - self.middle);
        let (between, off) = tooth(x, (u - self.middle) / x.abs().max(1e-3), &UPPER_TEETH);
        // The edge: rounded teeth, laterals a little shorter.
        let edge = self.edges(u)[0] - 1.1 * k * between.powi(6) - 0.5 * k * off;
        let cover = ((edge - v) / self.soft + 0.5).clamp(0.0, 1.0) * (1.0 - smooth(0.9, 1.04, x.abs()));
        let form = 1.0 - 0.07 * between.powi(2);
        let lit = form * (1.0 - 0.36 * x.abs().powf(2.2)) * (0.86 + 0.14 * smooth(-11.0 * k, -2.0 * k, high));
        let teeth = scaled(self.tones.teeth, lit);
        let gap = 0.5 * smooth(0.80, 1.0, between) * (0.4 + 0.6 * smooth(-6.0 * k, 0.0, high));
        let seam = [0, 1, 2].map(|c| teeth[c] * BETWEEN_TEETH[c]);
        mix(below, mix(teeth, seam, gap), cover * (1.0 - 0.25 * round))
    }

    fn lower_teeth(&self, below: Colour, u: f32, v: f32) -> Colour {
        let k = self.size;
        if self.rise() < 0.8 * k {
            return below;
        }
        let x = self.across(u, LOWER_REACH);
        let (between, _) = tooth(x, (u - self.middle) / x.abs().max(1e-3), &LOWER_TEETH);
        let edge = self.edges(u)[1] + 0.5 * k * between.powi(6);
        let cover = ((v - edge) / self.soft + 0.5).clamp(0.0, 1.0) * (1.0 - smooth(0.8, 1.05, x.abs()));
        let teeth = scaled(self.tones.teeth, 0.72 * (1.0 - 0.4 * x * x));
        let seam = [0, 1, 2].map(|c| teeth[c] * BETWEEN_TEETH[c]);
        mix(below, mix(teeth, seam, 0.5 * smooth(0.72, 1.0, between)), 0.9 * cover)
    }

    fn tongue(&self, below: Colour, u: f32, v: f32, top: f32, bottom: f32) -> Colour {
        let k = self.size;
        let apart = bottom - top;
        let crest = bottom - apart * (0.30 + 0.10 * self.state.wide.max(0.0));
        let x = (u - self.middle) / (0.66 * self.half).max(1.0);
        let edge = crest + (bottom + 4.0 * k - crest) * x.abs().powf(2.6);
        let cover = ((v - edge) / (2.4 * k) + 0.5).clamp(0.0, 1.0);
        let deep = ((v - crest) / (bottom + 4.0 * k - crest).max(1.0)).clamp(0.0, 1.0);
        let tone = if deep < 0.5 {
            mix(TONGUE[0], TONGUE[1], deep * 2.0)
        } else {
            mix(TONGUE[1], TONGUE[2], deep * 2.0 - 1.0)
        };
        let groove = 0.16 * (-((u - self.middle) / (2.6 * k)).powi(2)).exp();
        let lit = self.tones.lit(scaled(tone, (1.0 - groove) * (0.78 - 0.25 * x * x)));
        mix(below, lit, cover)
    }

    /// The tip of the tongue, lifted to the edge of the upper teeth.
    fn tip(&self, below: Colour, u: f32, v: f32, bottom: f32) -> Colour {
        let k = self.size;
        let from = self.line.0 + self.line.1 * (u - self.middle) + 0.6 * k;
        let x = (u - self.middle) / (0.44 * self.half).max(1.0);
        let edge = from + 3.0 * k * x * x + 12.0 * k * x.abs().powi(6);
        let cover = ((v - edge) / (1.4 * k) + 0.5).clamp(0.0, 1.0);
        let deep = ((v - from) / (bottom + 3.0 * k - from).max(1.0)).clamp(0.0, 1.0);
        let gleam = 0.25 * (-((v - from - 2.2 * k) / (1.2 * k)).powi(2) - (x * 1.4).powi(2)).exp();
        let tone = mix(mix([0.80, 0.46, 0.44], [0.62, 0.28, 0.29], deep), [0.95, 0.75, 0.72], gleam);
        mix(below, self.tones.lit(tone), self.state.tongue * cover)
    }
}

/// Where in its tooth a place is: 0 in the middle of the tooth to 1 between two, and which tooth from the middle.
fn tooth(x: f32, reach: f32, widths: &[f32]) -> (f32, f32) {
    let total: f32 = widths.iter().sum();
    let mut place = x.abs().min(0.999) * total;
    for (index, &width) in widths.iter().enumerate() {
        if place <= width {
            let middle = (2.0 * place / width - 1.0).abs();
            // Separations are about as wide on large teeth as on small ones, and never under half a pixel.
            let sharp = (width / total * reach.abs() / 4.0).max(0.6);
            return (1.0 - ((1.0 - middle) * sharp).min(1.0), if index == 1 { 1.0 } else { 0.0 });
        }
        place -= width;
    }
    (1.0, 0.0)
}
