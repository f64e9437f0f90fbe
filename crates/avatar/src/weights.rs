//! Face weights by their ARKit names.

/// How many blendshapes there are.
pub const BLENDSHAPE_COUNT: usize = 52;

/// The standard ARKit names, in the order of [`Weights`].
pub const BLENDSHAPES: [&str; BLENDSHAPE_COUNT] = [
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
];

/// The index of a blendshape by its standard name.
#[must_use]
pub fn blendshape(name: &str) -> Option<usize> {
    BLENDSHAPES.iter().position(|known| *known == name)
}

/// One value in `0.0..=1.0` for each of [`BLENDSHAPES`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights(pub [f32; BLENDSHAPE_COUNT]);

impl Weights {
    /// The face at rest.
    pub const NEUTRAL: Self = Self([0.0; BLENDSHAPE_COUNT]);
}

impl Default for Weights {
    fn default() -> Self {
        Self::NEUTRAL
    }
}
