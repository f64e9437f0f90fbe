//! Where the shapes that speech moves stand in [`Weights`](crate::Weights).

use crate::weights::{BLENDSHAPE_COUNT, BLENDSHAPES};

/// `jawOpen`.
pub const JAW_OPEN: usize = index_of("jawOpen");
/// `mouthClose`.
pub const MOUTH_CLOSE: usize = index_of("mouthClose");
/// `mouthFunnel`.
pub const MOUTH_FUNNEL: usize = index_of("mouthFunnel");
/// `mouthPucker`.
pub const MOUTH_PUCKER: usize = index_of("mouthPucker");
/// `mouthStretchLeft`, `mouthStretchRight`.
pub const MOUTH_STRETCH: [usize; 2] = pair("mouthStretchLeft", "mouthStretchRight");
/// `mouthSmileLeft`, `mouthSmileRight`.
pub const MOUTH_SMILE: [usize; 2] = pair("mouthSmileLeft", "mouthSmileRight");
/// `mouthPressLeft`, `mouthPressRight`.
pub const MOUTH_PRESS: [usize; 2] = pair("mouthPressLeft", "mouthPressRight");
/// `mouthRollLower`.
pub const MOUTH_ROLL_LOWER: usize = index_of("mouthRollLower");
/// `mouthRollUpper`.
pub const MOUTH_ROLL_UPPER: usize = index_of("mouthRollUpper");
/// `mouthLowerDownLeft`, `mouthLowerDownRight`.
pub const MOUTH_LOWER_DOWN: [usize; 2] = pair("mouthLowerDownLeft", "mouthLowerDownRight");
/// `mouthUpperUpLeft`, `mouthUpperUpRight`.
pub const MOUTH_UPPER_UP: [usize; 2] = pair("mouthUpperUpLeft", "mouthUpperUpRight");
/// `mouthShrugUpper`.
pub const MOUTH_SHRUG_UPPER: usize = index_of("mouthShrugUpper");
/// `tongueOut`.
pub const TONGUE_OUT: usize = index_of("tongueOut");

const fn pair(left: &str, right: &str) -> [usize; 2] {
    [index_of(left), index_of(right)]
}

/// Finds a name while compiling, so that a misspelt one does not build.
pub const fn index_of(name: &str) -> usize {
    let mut index = 0;
    while index < BLENDSHAPE_COUNT {
        if same(BLENDSHAPES[index].as_bytes(), name.as_bytes()) {
            return index;
        }
        index += 1;
    }
    panic!("not an ARKit blendshape")
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}
