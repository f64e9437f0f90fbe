//! A face's own measures, in its own frame.

use super::face::{Face, middle_of};
use super::geometry::{Axes, Place, mean, mid};

/// How far apart the eyes of the face are whose motion the numbers of `motion` and `lips` were found for, in pixels.
const MODEL_EYES_APART: f32 = 73.0;

/// Places in the frame of the face: u to the right, v down, stage pixels from the middle of the eyes.
#[derive(Debug, Clone)]
pub(super) struct Measures {
    pub(super) axes: Axes,
    /// How much larger the face is than the model's: lengths that were found there are multiplied by it.
    pub(super) size: f32,
    /// The features in this frame.
    pub(super) face: Face,
    /// The middles of the eyes.
    pub(super) eyes: [Place; 2],
    /// The middles of the brows.
    pub(super) brows: [Place; 2],
    /// The lower end of the nose.
    pub(super) nose: Place,
    /// Half the width of the nose at its wings.
    pub(super) nose_half: f32,
    /// Where the lips meet in the middle.
    pub(super) mouth: Place,
    /// The corners of the mouth.
    pub(super) corners: [Place; 2],
    pub(super) chin: Place,
    /// Half the width of the face at the ears.
    pub(super) face_half: f32,
    /// How far up the hair goes, guessed.
    pub(super) crown: f32,
    /// Where the neck is still.
    pub(super) collar: f32,
}

impl Measures {
    /// Measures a face on the stage.
    pub(super) fn of(staged: &Face) -> Self {
        let axes = staged.axes();
        let size = staged.eyes_apart() / MODEL_EYES_APART;
        let face = staged.mapped(|place| axes.to_face(place), 1.0);
        let corners = [face.lip_top[0], face.lip_top[face.lip_top.len() - 1]];
        let seam = mid(middle_of(&face.lip_upper), middle_of(&face.lip_lower));
        let nose_wings = [face.nose_base[0], face.nose_base[face.nose_base.len() - 1]];
        let jaw_ends = [face.jaw[0], face.jaw[face.jaw.len() - 1]];
        let chin = face.chin();
        Self {
            axes,
            size,
            eyes: face.eye_middles(),
            brows: [mean(&face.brows[0]), mean(&face.brows[1])],
            nose: middle_of(&face.nose_base),
            nose_half: ((nose_wings[1][0] - nose_wings[0][0]) / 2.0).abs().max(6.0 * size),
            mouth: seam,
            corners,
            face_half: ((jaw_ends[1][0] - jaw_ends[0][0]) / 2.0).abs(),
            crown: -1.42 * chin[1],
            collar: chin[1] + 69.0 * size,
            chin,
            face,
        }
    }
}
