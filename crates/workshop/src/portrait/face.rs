//! The features of a face, whatever scheme named them, and whether an avatar can be made of it.

use super::PortraitError;
use super::geometry::{Axes, Place, distance, mean, mid};

/// An eye's contour, from the left corner to the right one along both lids.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EyePoints {
    pub(super) upper: Vec<Place>,
    pub(super) lower: Vec<Place>,
    /// Centre and radius, where the scheme has them.
    pub(super) iris: Option<(Place, f32)>,
}

impl EyePoints {
    pub(super) fn corners(&self) -> [Place; 2] {
        [self.upper[0], self.upper[self.upper.len() - 1]]
    }

    fn middle(&self) -> Place {
        let [left, right] = self.corners();
        mid(left, right)
    }
}

/// Features in pixels; curves go from left to right in the picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Face {
    /// From ear to ear by the chin.
    pub(super) jaw: Vec<Place>,
    pub(super) brows: [Vec<Place>; 2],
    pub(super) nose_tip: Place,
    pub(super) nose_base: Vec<Place>,
    pub(super) eyes: [EyePoints; 2],
    /// Upper edge of the upper lip.
    pub(super) lip_top: Vec<Place>,
    /// Lower edge of the upper lip.
    pub(super) lip_upper: Vec<Place>,
    /// Upper edge of the lower lip.
    pub(super) lip_lower: Vec<Place>,
    /// Lower edge of the lower lip.
    pub(super) lip_bottom: Vec<Place>,
}

/// The least distance of the eyes' middles, in pixels.
const EYES_APART_MIN: f32 = 40.0;
/// The most that the line of the eyes may lean, in degrees.
const TILT_MAX: f32 = 15.0;
/// How far the tip of the nose may be off the middle of the eyes, as a share of the distance of their outer corners.
const NOSE_OFF_MAX: f32 = 0.16;
/// How far the lips may be apart, as a share of the mouth's width.
const LIPS_APART_MAX: f32 = 0.32;
/// How far from the middle of the eyes anything of a face may be, in distances of the eyes.
const REACH_MAX: f32 = 4.0;
/// How far a lid may be above or below the line between its corners, as a share of the eye's width.
const LID_OFF_MAX: f32 = 0.6;
/// How high an eye must be open, as a share of its width.
const EYE_OPEN_MIN: f32 = 0.1;

impl Face {
    /// The same face with its places moved, and lengths scaled.
    pub(super) fn mapped(&self, place: impl Fn(Place) -> Place, scale: f32) -> Self {
        let line = |points: &[Place]| points.iter().map(|&point| place(point)).collect::<Vec<_>>();
        let eye = |eye: &EyePoints| EyePoints {
            upper: line(&eye.upper),
            lower: line(&eye.lower),
            iris: eye.iris.map(|(centre, radius)| (place(centre), radius * scale)),
        };
        Self {
            jaw: line(&self.jaw),
            brows: [line(&self.brows[0]), line(&self.brows[1])],
            nose_tip: place(self.nose_tip),
            nose_base: line(&self.nose_base),
            eyes: [eye(&self.eyes[0]), eye(&self.eyes[1])],
            lip_top: line(&self.lip_top),
            lip_upper: line(&self.lip_upper),
            lip_lower: line(&self.lip_lower),
            lip_bottom: line(&self.lip_bottom),
        }
    }

    /// The middles of both eyes, from left to right.
    pub(super) fn eye_middles(&self) -> [Place; 2] {
        [self.eyes[0].middle(), self.eyes[1].middle()]
    }

    /// The distance of the eyes' middles.
    pub(super) fn eyes_apart(&self) -> f32 {
        let [left, right] = self.eye_middles();
        distance(left, right)
    }

    pub(super) fn axes(&self) -> Axes {
        let [left, right] = self.eye_middles();
        Axes::between(left, right)
    }

    /// The middle of the jaw line: the chin.
    pub(super) fn chin(&self) -> Place {
        self.jaw[self.jaw.len() / 2]
    }

    /// Refuses faces that no avatar can be made of.
    pub(super) fn check(&self) -> Result<(), PortraitError> {
        let [left, right] = self.eye_middles();
        let apart = distance(left, right);
        if apart < EYES_APART_MIN {
            return Err(PortraitError::FaceTooSmall { found: apart, least: EYES_APART_MIN });
        }
        if right[0] <= left[0] {
            return Err(PortraitError::Order("left and right are swapped, or the picture stands on its head"));
        }
        let axes = self.axes();
        let tilt = axes.tilt().to_degrees().abs();
        if tilt > TILT_MAX {
            return Err(PortraitError::Tilted { found: tilt, most: TILT_MAX });
        }
        // From here on in the face's own frame, with the distance of the eyes as the unit.
        let face = self.mapped(|place| axes.to_face(place).map(|p| p / apart), 1.0 / apart);
        if face.places().any(|place| place.iter().any(|at| at.abs() > REACH_MAX)) {
            return Err(PortraitError::Order("one of them is far from the face"));
        }
        face.check_heights()?;
        face.check_widths()?;
        for eye in &face.eyes {
            let [from, to] = eye.corners();
            let off = |place: &Place| (place[1] - from[1]).abs().min((place[1] - to[1]).abs());
            if eye.upper.iter().chain(&eye.lower).any(|place| off(place) > LID_OFF_MAX * distance(from, to)) {
                return Err(PortraitError::Order("a lid is far from its eye"));
            }
            let middle = |lid: &[Place]| mean(&lid[1..lid.len() - 1])[1];
            if middle(&eye.lower) - middle(&eye.upper) < EYE_OPEN_MIN * distance(from, to) {
                return Err(PortraitError::EyesClosed);
            }
        }
        let outer = distance(face.eyes[0].corners()[0], face.eyes[1].corners()[1]);
        if face.nose_tip[0].abs() > NOSE_OFF_MAX * outer {
            return Err(PortraitError::TurnedAside);
        }
        let gap = middle_of(&face.lip_lower)[1] - middle_of(&face.lip_upper)[1];
        if gap > LIPS_APART_MAX * face.mouth_width() {
            return Err(PortraitError::MouthOpen);
        }
        Ok(())
    }

    /// All of them.
    fn places(&self) -> impl Iterator<Item = &Place> {
        let lines = [&self.jaw, &self.brows[0], &self.brows[1], &self.nose_base, &self.lip_top, &self.lip_upper];
        let lids = self.eyes.iter().flat_map(|eye| eye.upper.iter().chain(&eye.lower));
        let irises = self.eyes.iter().flat_map(|eye| eye.iris.iter().map(|(centre, _)| centre));
        let lips = self.lip_lower.iter().chain(&self.lip_bottom);
        lines.into_iter().flatten().chain(lids).chain(irises).chain(lips).chain([&self.nose_tip])
    }

    fn mouth_width(&self) -> f32 {
        self.lip_top[self.lip_top.len() - 1][0] - self.lip_top[0][0]
    }

    fn check_heights(&self) -> Result<(), PortraitError> {
        let chin = self.chin()[1];
        let nose = mean(&self.nose_base)[1];
        let mouth = middle_of(&self.lip_upper)[1];
        let down = [
            (mean(&self.brows[0])[1].max(mean(&self.brows[1])[1]) < -0.05, "a brow is not above its eye"),
            (nose > 0.25, "the nose does not end below the eyes"),
            (mouth - nose > 0.08, "the mouth is not below the nose"),
            (chin - mouth > 0.2, "the chin is not below the mouth"),
            ((0.9..3.2).contains(&chin), "the chin is too close to the eyes, or too far"),
            (middle_of(&self.lip_lower)[1] >= mouth - 0.06, "the lower lip is above the upper lip"),
            (middle_of(&self.lip_top)[1] < mouth + 0.02, "the upper lip is upside down"),
            (middle_of(&self.lip_bottom)[1] > middle_of(&self.lip_lower)[1] - 0.02, "the lower lip is upside down"),
        ];
        match down.iter().find(|(holds, _)| !holds) {
            Some((_, what)) => Err(PortraitError::Order(what)),
            None => Ok(()),
        }
    }

    fn check_widths(&self) -> Result<(), PortraitError> {
        let width = |line: &[Place]| line[line.len() - 1][0] - line[0][0];
        let ascending = |line: &[Place]| line.windows(2).all(|pair| pair[0][0] < pair[1][0] + 0.03);
        let mouth = self.mouth_width();
        let mouth_middle = mid(self.lip_top[0], self.lip_top[self.lip_top.len() - 1])[0];
        let lips = [&self.lip_top, &self.lip_upper, &self.lip_lower, &self.lip_bottom];
        let across = [
            (self.eyes.iter().all(|eye| (0.2..0.9).contains(&width(&eye.upper))), "an eye is too narrow or too wide"),
            ((0.35..1.6).contains(&mouth), "the mouth is too narrow or too wide"),
            (mouth_middle.abs() < 0.45, "the mouth is not below the middle of the eyes"),
            (lips.iter().all(|lip| ascending(lip)), "the lips do not go from left to right"),
            (lips.iter().all(|lip| width(lip) > 0.5 * mouth), "the lips have no common corners"),
            (self.eyes.iter().all(|eye| ascending(&eye.upper) && ascending(&eye.lower)), "a lid folds back"),
            ((1.2..4.5).contains(&width(&self.jaw)), "the jaw is too narrow or too wide"),
            (width(&self.nose_base).abs() < 1.2, "the nose is too wide"),
        ];
        match across.iter().find(|(holds, _)| !holds) {
            Some((_, what)) => Err(PortraitError::Order(what)),
            None => Ok(()),
        }
    }
}

/// The middle point of a curve.
pub(super) fn middle_of(line: &[Place]) -> Place {
    line[line.len() / 2]
}
