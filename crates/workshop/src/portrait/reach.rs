//! How far the mouth's motion goes: over the face around it, and never beyond the face's edge.

use super::geometry::{Place, Profile, distance, smooth};
use super::lips::Lips;
use super::measures::Measures;
use super::mesh::window_around;

/// How far beyond its corners the mouth's motion fades, in halves of its width.
pub(super) const BESIDE: f32 = 0.8;
/// Over how many model units a mouth passes over into the face around it.
const FEATHER: f32 = 6.0;

/// The part of the face that a mouth may change, in the face's frame.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    left: f32,
    right: f32,
    pub(super) top: f32,
    pub(super) bottom: f32,
    pub(super) feather: f32,
    /// The edge of the face: what is beyond it never belongs to a mouth.
    jaw: Vec<Place>,
    edge: Profile,
    /// Its left and its right side: where across they are at a height.
    sides: [Profile; 2],
    size: f32,
}

impl Reach {
    pub(super) fn of(m: &Measures, lips: &Lips) -> Self {
        let k = m.size;
        let beside = (1.17 + BESIDE) * lips.half + 8.0 * k;
        let lip_top = lips.photo.top.iter().copied().fold(f32::MAX, f32::min);
        let lip_bottom = lips.photo.bottom.iter().copied().fold(f32::MIN, f32::max);
        // From under the nose to above the chin, but never less than the lips need.
        let top = (m.nose[1] + 0.5 * k).clamp(lip_top - 26.0 * k, lip_top - 7.0 * k);
        let bottom = (m.chin[1] - 1.0 * k).clamp(lip_bottom + 20.0 * k, lip_bottom + 42.0 * k);
        let half = m.face.jaw.len() / 2 + 1;
        let side = |jaw: &mut dyn Iterator<Item = &Place>| {
            Profile::through(&jaw.take(half).map(|&[u, v]| [v, u]).collect::<Vec<_>>())
        };
        Self {
            left: lips.middle - beside,
            right: lips.middle + beside,
            top,
            bottom,
            feather: FEATHER * k,
            jaw: m.face.jaw.clone(),
            edge: Profile::through(&m.face.jaw),
            sides: [side(&mut m.face.jaw.iter()), side(&mut m.face.jaw.iter().rev())],
            size: k,
        }
    }

    /// How far inside of the face's edge a place is; 0 beyond it.
    fn inside_face(&self, place: Place) -> f32 {
        if place[1] > self.edge.at(place[0]) {
            return 0.0;
        }
        self.jaw.windows(2).map(|pair| to_segment(place, pair[0], pair[1])).fold(f32::MAX, f32::min)
    }

    /// How freely skin may follow the lips: not at the sides of the face.
    pub(super) fn freedom(&self, [u, v]: Place) -> f32 {
        let off = (u - self.sides[0].at(v)).min(self.sides[1].at(v) - u);
        smooth(2.0 * self.size, 24.0 * self.size, off)
    }

    /// The smallest window of the stage around it, with even corner and sides.
    pub(super) fn window(&self, m: &Measures, stage: u32) -> ([i32; 2], [u32; 2]) {
        let corners =
            [[self.left, self.top], [self.right, self.top], [self.left, self.bottom], [self.right, self.bottom]];
        window_around(&corners.map(|corner| m.axes.to_stage(corner)), stage)
    }

    /// How much of the face a mouth covers at a place.
    pub(super) fn cover(&self, place: Place) -> f32 {
        let [u, v] = place;
        let inside = |from: f32, to: f32, at: f32| smooth(0.0, self.feather, (at - from).min(to - at));
        let face = smooth(0.5 * self.size, 4.5 * self.size, self.inside_face(place));
        inside(self.left, self.right, u) * inside(self.top, self.bottom, v) * face
    }
}

/// The distance of a place from a line between two others.
fn to_segment(place: Place, from: Place, to: Place) -> f32 {
    let along = [to[0] - from[0], to[1] - from[1]];
    let length = (along[0] * along[0] + along[1] * along[1]).max(1e-6);
    let share = ((place[0] - from[0]) * along[0] + (place[1] - from[1]) * along[1]) / length;
    let share = share.clamp(0.0, 1.0);
    distance(place, [from[0] + along[0] * share, from[1] + along[1] * share])
}
