//! What a face does in one frame.

use footlight_avatar::Weights;

/// Where the head is, relative to looking straight at the camera.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HeadPose {
    /// Turn to the face's own left, radians.
    pub yaw: f32,
    /// Nod; positive looks up, radians.
    pub pitch: f32,
    /// Tilt; positive lowers the face's own left ear, radians.
    pub roll: f32,
    /// Shift to the right of the picture, in pixels of a picture 512 pixels high.
    pub x: f32,
    /// Shift down the picture, in pixels of a picture 512 pixels high.
    pub y: f32,
}

/// Everything a renderer needs to know about one frame.
///
/// The gaze travels in the `eyeLook*` weights.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pose {
    /// Blendshape weights, `0.0..=1.0` each.
    pub weights: Weights,
    /// Where the head is.
    pub head: HeadPose,
}

impl Pose {
    /// The face at rest, looking straight at the camera.
    pub const NEUTRAL: Self =
        Self { weights: Weights::NEUTRAL, head: HeadPose { yaw: 0.0, pitch: 0.0, roll: 0.0, x: 0.0, y: 0.0 } };

    /// The pose that lies `share` of the way from `self` to `other`, `0.0..=1.0`.
    #[must_use]
    pub fn blend(&self, other: &Self, share: f32) -> Self {
        let mix = |from: f32, to: f32| from + (to - from) * share;
        let mut weights = self.weights;
        for (weight, target) in weights.0.iter_mut().zip(other.weights.0) {
            *weight = mix(*weight, target);
        }
        let (a, b) = (self.head, other.head);
        let head = HeadPose {
            yaw: mix(a.yaw, b.yaw),
            pitch: mix(a.pitch, b.pitch),
            roll: mix(a.roll, b.roll),
            x: mix(a.x, b.x),
            y: mix(a.y, b.y),
        };
        Self { weights, head }
    }
}
