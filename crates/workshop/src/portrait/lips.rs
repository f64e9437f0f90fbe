//! A person's own lips: where they are in the photo, and where in any state of the mouth.

use super::canvas::{Canvas, luma};
use super::face::middle_of;
use super::geometry::{Place, Profile, at_index, lerp};
use super::measures::Measures;

/// Points along a lip, corner to corner.
pub(super) const LIP_POINTS: usize = 17;
/// How far the lips are apart in the middle when the mouth is fully open, in model units.
const OPENING: f32 = 35.0;
/// Lips that are this share of the mouth's width apart are closed: landmarks are no better.
const CLOSED_SHARE: f32 = 0.055;
/// How far beside the corners of an open mouth its lips' corners are, as a share of its width.
const CORNER_SHARE: f32 = 0.03;

/// Along the lips from the left to the right corner.
pub(super) type Line = [f32; LIP_POINTS];

/// What the mouth does; all in `0.0..=1.0` but `wide`, which goes from -1 (round) to 1 (spread).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct MouthState {
    pub(super) gap: f32,
    pub(super) wide: f32,
    pub(super) press: f32,
    /// The lower lip under the upper teeth: f, v.
    pub(super) bite: f32,
    /// The tip of the tongue at the upper teeth: l, th.
    pub(super) tongue: f32,
}

/// Lip curves in the frame of the face.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LipShape {
    pub(super) u: Line,
    /// Upper edge of the upper lip.
    pub(super) top: Line,
    /// Lower edge of the upper lip.
    pub(super) upper: Line,
    /// Upper edge of the lower lip.
    pub(super) lower: Line,
    /// Lower edge of the lower lip.
    pub(super) bottom: Line,
}

/// The lips of a person.
#[derive(Debug, Clone)]
pub(super) struct Lips {
    /// Where they are in the photo.
    pub(super) photo: LipShape,
    /// Where they are when closed; as in the photo if they are closed there.
    closed: LipShape,
    /// Whether the photo shows them apart.
    pub(super) parted: bool,
    /// The middle of the mouth.
    pub(super) middle: f32,
    pub(super) half: f32,
    size: f32,
}

fn line(value: impl FnMut(usize) -> f32) -> Line {
    std::array::from_fn(value)
}

impl Lips {
    /// Finds the lips by landmarks, and the line where they meet by its darkness.
    pub(super) fn of(canvas: &Canvas, m: &Measures) -> Self {
        let face = &m.face;
        let width = m.corners[1][0] - m.corners[0][0];
        let gap = middle_of(&face.lip_lower)[1] - middle_of(&face.lip_upper)[1];
        let parted = gap > CLOSED_SHARE * width;
        // The corners of a mouth that is open in the photo are dark: the lips' own begin beside them.
        let beside = if parted { CORNER_SHARE * width } else { 0.0 };
        let [left, right] =
            [(m.corners[0], -beside), (m.corners[1], beside)].map(|(corner, by)| [corner[0] + by, corner[1]]);
        let middle = (left[0] + right[0]) / 2.0;
        let half = (right[0] - left[0]) / 2.0;
        let with_corners = |inner: &[Place]| {
            let mut all = vec![left];
            all.extend_from_slice(inner);
            all.push(right);
            Profile::through(&all)
        };
        let (top, bottom) = (Profile::through(&face.lip_top), Profile::through(&face.lip_bottom));
        let (upper, lower) = (with_corners(&face.lip_upper), with_corners(&face.lip_lower));
        let u = line(|i| {
            let t = along(i);
            middle + half * t.signum() * t.abs().powf(0.92)
        });
        // Lips have some thickness, and lie below each other, whatever landmarks say.
        let body = line(|i| m.size * (1.0 - along(i) * along(i)));
        let (upper, lower) = if parted {
            // Landmarks of an open mouth are not that exact: what is dark or a tooth must not stick to a lip.
            let away = |i: usize| m.size * (1.0 - along(i).abs().powi(8));
            let upper = line(|i| upper.at(u[i]) - 0.7 * away(i));
            (upper, line(|i| (lower.at(u[i]) + 1.1 * away(i)).max(upper[i])))
        } else {
            let guess = line(|i| (upper.at(u[i]) + lower.at(u[i])) / 2.0);
            let seam = dark_line(canvas, m, &u, &guess, gap.abs() / 2.0);
            (seam, seam)
        };
        let top = line(|i| top.at(u[i]).min(upper[i] - 2.0 * body[i]));
        let bottom = line(|i| bottom.at(u[i]).max(lower[i] + 2.5 * body[i]));
        let photo = LipShape { u, top, upper, lower, bottom };
        let apart = line(|i| photo.lower[i] - photo.upper[i]);
        let seam = line(|i| photo.upper[i] + 0.45 * apart[i]);
        let closed = LipShape {
            u,
            top: line(|i| photo.top[i] + 0.25 * apart[i]),
            upper: seam,
            lower: seam,
            bottom: line(|i| photo.bottom[i] - 0.3 * apart[i]),
        };
        Self { photo, closed, parted, middle, half, size: m.size }
    }

    /// How far along from the middle of a state's mouth a place is: -1 and 1 in its corners.
    fn line_of_rest(&self, i: usize, round: f32) -> f32 {
        // A round mouth has its corners level with its middle.
        let level = self.closed.upper.iter().sum::<f32>() / LIP_POINTS as f32;
        lerp(self.closed.upper[i], level, 0.45 * round)
    }

    /// Height of the closed lips in the middle, and how it grows to the right.
    pub(super) fn rest_line(&self) -> (f32, f32) {
        let closed = &self.closed;
        let slope = (closed.upper[LIP_POINTS - 1] - closed.upper[0]) / (2.0 * self.half);
        (closed.upper[LIP_POINTS / 2], slope)
    }

    /// Where the lips are in a state, with the jaw open as it asks.
    pub(super) fn shape(&self, state: &MouthState) -> LipShape {
        let k = self.size;
        let (wide, round, gap) = (state.wide.max(0.0), (-state.wide).max(0.0), state.gap);
        let narrow = 1.0 + 0.17 * wide - 0.36 * round - 0.07 * gap * (1.0 - wide) + 0.05 * state.press;
        let asked = OPENING * gap * (1.0 - 0.22 * wide - 0.12 * round);
        let apart = k * asked.max(4.6 * state.bite).max(6.5 * state.tongue);
        let raised = apart * 0.2 + k * (2.0 * wide * (gap * 3.0).min(1.0) + 1.4 * state.bite);
        let drop = apart - raised;

        let thick = (1.0 - 0.16 * gap - 0.14 * wide + 0.16 * round) * (1.0 - 0.42 * state.press);
        let lower_thick = thick * (1.0 - 0.34 * state.bite);
        let lift = 2.4 * round - 1.6 * wide + 1.2 * round * (1.0 - gap);
        let corner = k * lift * 0.8 + drop * 0.30;
        let power = 2.0 + 0.9 * wide + 0.5 * round;
        let hill = |i: usize| (1.0 - along(i).abs().powf(power)).powf(lerp(0.8, 0.62, round.min(1.0)));

        let rest = line(|i| self.line_of_rest(i, round) + corner * along(i) * along(i));
        let upper = line(|i| rest[i] - raised * hill(i));
        let lower = line(|i| rest[i] + (drop - 1.6 * k * state.bite) * hill(i));
        let closed = &self.closed;
        let body = |i: usize, from: &Line, to: &Line| {
            let index = gathered(i as f32, round);
            at_index(to, index) - at_index(from, index)
        };
        LipShape {
            u: line(|i| self.middle + (self.photo.u[i] - self.middle) * narrow),
            top: line(|i| upper[i] - body(i, &closed.top, &closed.upper) * thick),
            bottom: line(|i| lower[i] + body(i, &closed.lower, &closed.bottom) * lower_thick),
            upper,
            lower: line(|i| lower[i].max(upper[i])),
        }
    }
}

/// Which point of the lips in the photo comes to a point of a round mouth's: it gathers them towards its corners.
pub(super) fn gathered(index: f32, round: f32) -> f32 {
    let half = ((LIP_POINTS - 1) / 2) as f32;
    let along = index / half - 1.0;
    half * (1.0 + along * (1.0 - 0.22 * round * (1.0 - along * along)))
}

/// From -1 in the left corner to 1 in the right one.
fn along(i: usize) -> f32 {
    i as f32 / ((LIP_POINTS - 1) / 2) as f32 - 1.0
}

/// The line where closed lips meet: the darkest near a guess.
fn dark_line(canvas: &Canvas, m: &Measures, u: &Line, guess: &Line, slack: f32) -> Line {
    let reach = slack + 2.5 * m.size;
    let steps = 24;
    let mut found = *guess;
    for i in 1..LIP_POINTS - 1 {
        let free = reach * (1.0 - along(i).abs().powi(4));
        let places = (-steps..=steps).map(|step| free * step as f32 / steps as f32);
        let cost = |off: f32| {
            let sample = |du: f32| luma(canvas.at(m.axes.to_stage([u[i] + du, guess[i] + off])));
            (sample(-1.0) + sample(0.0) + sample(1.0)) / 3.0 + 0.012 * (off / m.size).powi(2)
        };
        let best = places.min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap_or(0.0);
        found[i] += best;
    }
    for _ in 0..2 {
        let last = found;
        for i in 1..LIP_POINTS - 1 {
            found[i] = (last[i - 1] + 2.0 * last[i] + last[i + 1]) / 4.0;
        }
    }
    found
}
