//! Landmarks as they are sent, in the two schemes that face finders commonly give.

use serde::{Deserialize, Serialize};

use super::PortraitError;
use super::face::{EyePoints, Face};
use super::geometry::{Place, distance, mid};

/// Where the features of a face are in its picture: pixels of the picture as uploaded, x to the right, y down.
///
/// As JSON: `{"scheme": "ibug68", "points": [[x, y], ...]}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "scheme", rename_all = "lowercase", deny_unknown_fields)]
pub enum FaceLandmarks {
    /// The 68 points of the 300-W annotation, as dlib, OpenCV's facemark and face-alignment give them.
    Ibug68 {
        /// 68 places.
        points: Vec<[f32; 2]>,
    },
    /// MediaPipe's face mesh, in pixels: multiply its shares by the picture's width and height.
    Mediapipe {
        /// 468 places, or 478 with the irises.
        points: Vec<[f32; 2]>,
    },
}

impl FaceLandmarks {
    /// The points as sent.
    #[must_use]
    pub fn points(&self) -> &[[f32; 2]] {
        match self {
            Self::Ibug68 { points } | Self::Mediapipe { points } => points,
        }
    }

    /// The features, after a look at each number alone: how many, finite, inside of the picture.
    pub(super) fn face(&self, width: usize, height: usize) -> Result<Face, PortraitError> {
        let points = self.points();
        let (fits, expected) = match self {
            Self::Ibug68 { .. } => (points.len() == 68, "the scheme ibug68 has 68"),
            Self::Mediapipe { .. } => (matches!(points.len(), 468 | 478), "the scheme mediapipe has 468 or 478"),
        };
        if !fits {
            return Err(PortraitError::LandmarkCount { found: points.len(), expected });
        }
        for (index, &[x, y]) in points.iter().enumerate() {
            if !(x.is_finite() && y.is_finite()) {
                return Err(PortraitError::LandmarkNotFinite(index));
            }
            if x < 0.0 || y < 0.0 || x > width as f32 || y > height as f32 {
                return Err(PortraitError::LandmarkOutside { index });
            }
        }
        Ok(match self {
            Self::Ibug68 { points } => ibug68(points),
            Self::Mediapipe { points } => mediapipe(points),
        })
    }
}

/// The points of these indices, in this order.
fn pick(points: &[Place], indices: &[usize]) -> Vec<Place> {
    indices.iter().map(|&index| points[index]).collect()
}

fn ibug68(points: &[Place]) -> Face {
    let eye = |upper: [usize; 4], lower: [usize; 4]| EyePoints {
        upper: pick(points, &upper),
        lower: pick(points, &lower),
        iris: None,
    };
    Face {
        jaw: points[..17].to_vec(),
        brows: [points[17..22].to_vec(), points[22..27].to_vec()],
        nose_tip: points[30],
        nose_base: points[31..36].to_vec(),
        eyes: [eye([36, 37, 38, 39], [36, 41, 40, 39]), eye([42, 43, 44, 45], [42, 47, 46, 45])],
        lip_top: points[48..55].to_vec(),
        lip_upper: pick(points, &[60, 61, 62, 63, 64]),
        lip_lower: pick(points, &[60, 67, 66, 65, 64]),
        lip_bottom: pick(points, &[48, 59, 58, 57, 56, 55, 54]),
    }
}

/// Upper and lower edges of a brow, from left to right, where `[upper, lower]` are its points.
const BROWS: [[[usize; 2]; 5]; 2] = [
    [[70, 46], [63, 53], [105, 52], [66, 65], [107, 55]],
    [[336, 285], [296, 295], [334, 282], [293, 283], [300, 276]],
];
const JAW: [usize; 23] =
    [127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356];

fn mediapipe(points: &[Place]) -> Face {
    // The irises, where there are any: a centre and four places on the rim each. Which is whose is seen by where it is.
    let irises: Vec<(Place, f32)> = [468, 473]
        .iter()
        .filter(|_| points.len() == 478)
        .map(|&centre| {
            let rim: f32 = (1..5).map(|k| distance(points[centre], points[centre + k])).sum();
            (points[centre], rim / 4.0)
        })
        .collect();
    let eye = |upper: [usize; 9], lower: [usize; 9]| {
        let (left, right) = (points[upper[0]], points[upper[8]]);
        let off = |iris: &(Place, f32)| distance(iris.0, mid(left, right));
        EyePoints {
            upper: pick(points, &upper),
            lower: pick(points, &lower),
            iris: irises.iter().copied().min_by(|a, b| off(a).total_cmp(&off(b))),
        }
    };
    let brow = |pairs: [[usize; 2]; 5]| pairs.iter().map(|&[upper, lower]| mid(points[upper], points[lower])).collect();
    Face {
        jaw: pick(points, &JAW),
        brows: BROWS.map(brow),
        nose_tip: points[4],
        nose_base: pick(points, &[98, 97, 2, 326, 327]),
        eyes: [
            eye([33, 246, 161, 160, 159, 158, 157, 173, 133], [33, 7, 163, 144, 145, 153, 154, 155, 133]),
            eye([362, 398, 384, 385, 386, 387, 388, 466, 263], [362, 382, 381, 380, 374, 373, 390, 249, 263]),
        ],
        lip_top: pick(points, &[61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291]),
        lip_upper: pick(points, &[78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]),
        lip_lower: pick(points, &[78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]),
        lip_bottom: pick(points, &[61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291]),
    }
}
