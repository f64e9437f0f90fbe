//! From blendshape weights to what is drawn: patches of the mouth, and how far the chin drops.

use footlight_avatar::Weights;
use footlight_avatar::bundle::parts::Mouth;
use footlight_avatar::face::lips::{CLOSED_GAP, closeness, lip_gap};
use footlight_avatar::face::shapes::{
    MOUTH_CLOSE, MOUTH_FUNNEL, MOUTH_PRESS, MOUTH_PUCKER, MOUTH_ROLL_LOWER, MOUTH_ROLL_UPPER, MOUTH_SMILE,
    MOUTH_STRETCH, TONGUE_OUT,
};

pub(super) use footlight_avatar::face::shapes::JAW_OPEN;

/// Speech rarely opens a mouth half: small openings are drawn larger by this power.
const EAGERNESS: i32 = 2;

/// How far the mouth is drawn open, 0 to 1: lips that count as closed are drawn closed.
fn drawn_gap(weights: &Weights) -> f32 {
    eager((lip_gap(weights) - CLOSED_GAP) / (1.0 - CLOSED_GAP))
}

/// How far the chin is drawn down, 0 to 1, for a `jawOpen` weight.
pub(super) fn jaw_drop(weight: f32) -> f32 {
    eager((weight - CLOSED_GAP) / (1.0 - CLOSED_GAP))
}

fn eager(share: f32) -> f32 {
    1.0 - (1.0 - share.clamp(0.0, 1.0)).powi(EAGERNESS)
}

/// How wide the mouth is, -1 (round) to 1 (spread).
fn width(weights: &Weights) -> f32 {
    let w = &weights.0;
    let both = |pair: [usize; 2]| 0.5 * (w[pair[0]] + w[pair[1]]);
    let spread = (1.8 * both(MOUTH_STRETCH) + 0.7 * both(MOUTH_SMILE)).min(1.0);
    let round = (1.1 * w[MOUTH_PUCKER].max(0.9 * w[MOUTH_FUNNEL])).min(1.0);
    (spread - round).clamp(-1.0, 1.0)
}

/// The patches of a mouth and their weights, into `patches`; they add up to 1.
pub(super) fn patches_for(mouth: &Mouth, weights: &Weights, patches: &mut Vec<(usize, f32)>) {
    let w = &weights.0;
    let closed = closeness(w[MOUTH_CLOSE]);
    let press = 0.5 * (w[MOUTH_PRESS[0]] + w[MOUTH_PRESS[1]]);
    let pressed = closed * (press.max(w[MOUTH_ROLL_UPPER]) / 0.5).clamp(0.0, 1.0);
    let bite = (1.0 - closed) * ((w[MOUTH_ROLL_LOWER] - 0.15) / 0.45).clamp(0.0, 1.0);
    let tongue = (1.0 - closed) * (w[TONGUE_OUT] / 0.4).clamp(0.0, 1.0);
    let shapes = [(mouth.pressed, pressed), (mouth.bite, bite), (mouth.tongue, tongue)];
    let asked: f32 = shapes.iter().filter(|(patch, _)| patch.is_some()).map(|(_, share)| share).sum();
    let fit = 1.0 / asked.max(1.0);

    patches.clear();
    let grid_share = 1.0 - asked * fit;
    let rows = between(&mouth.gaps, drawn_gap(weights));
    let columns = between(&mouth.widths, width(weights));
    for (row, row_share) in rows {
        for (column, column_share) in columns {
            patches.push((row * mouth.widths.len() + column, row_share * column_share * grid_share));
        }
    }
    patches.extend(shapes.iter().filter_map(|&(patch, share)| Some((patch?, share * fit))));
}

/// The two places around a value on an ascending axis, and their shares.
pub(super) fn between(axis: &[f32], value: f32) -> [(usize, f32); 2] {
    let value = if value.is_finite() { value } else { 0.0 };
    let upper = axis.partition_point(|&place| place < value).clamp(1, axis.len().max(2) - 1).min(axis.len() - 1);
    let lower = upper.saturating_sub(1);
    let span = axis[upper] - axis[lower];
    let share = if span > 0.0 { ((value - axis[lower]) / span).clamp(0.0, 1.0) } else { 0.0 };
    [(lower, 1.0 - share), (upper, share)]
}
