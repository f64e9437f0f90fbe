//! What the gestures are meant to be, before any avatar is looked at.

use footlight_avatar::bundle::parts::{Axis, Side};
use footlight_avatar::bundle::{AvatarBundle, Channel, Gesture, Key};

use super::fit::Sheet;

/// A gesture fitted to less than this share of what is meant would look like a fault.
const SHARE_MIN: f32 = 0.25;

/// A gesture as it is meant: the head's channels, and the gaze that goes against it, are what is fitted.
pub(super) struct Sketch {
    name: &'static str,
    duration_ms: u32,
    hold_at_ms: Option<u32>,
    /// Without these there is no such gesture.
    needs: &'static [&'static str],
    channels: &'static [(&'static str, &'static [(u32, f32)])],
}

/// All of them, in the order in which they are listed.
pub(super) const ALL: [Sketch; 5] = [NOD, SHAKE, TILT, WINK, LISTEN];

/// A little up, then down twice, the second time half as far. The eyes stay on the camera.
const NOD: Sketch = Sketch {
    name: "nod",
    duration_ms: 1_360,
    hold_at_ms: None,
    needs: &["head.pitch"],
    channels: &[
        ("head.pitch", &[(0, 0.0), (140, 0.03), (400, -0.16), (660, 0.03), (890, -0.08), (1_120, 0.012), (1_360, 0.0)]),
        ("head.y", &[(0, 0.0), (140, -0.8), (400, 4.0), (660, -0.8), (890, 2.0), (1_360, 0.0)]),
        ("eyeLookUpLeft", &[(0, 0.0), (200, 0.0), (400, 0.26), (600, 0.0), (720, 0.0), (890, 0.13), (1_100, 0.0)]),
        ("eyeLookUpRight", &[(0, 0.0), (200, 0.0), (400, 0.26), (600, 0.0), (720, 0.0), (890, 0.13), (1_100, 0.0)]),
        ("browInnerUp", &[(0, 0.0), (200, 0.12), (900, 0.08), (1_360, 0.0)]),
    ],
};

/// To the face's own left first, then swinging out. The eyes stay on the camera.
const SHAKE: Sketch = Sketch {
    name: "shake",
    duration_ms: 1_560,
    hold_at_ms: None,
    needs: &["head.yaw"],
    channels: &[
        (
            "head.yaw",
            &[(0, 0.0), (230, 0.12), (540, -0.13), (830, 0.095), (1_100, -0.05), (1_330, 0.016), (1_560, 0.0)],
        ),
        ("head.x", &[(0, 0.0), (230, 3.0), (540, -3.2), (830, 2.4), (1_100, -1.2), (1_560, 0.0)]),
        ("eyeLookInLeft", &[(0, 0.0), (230, 0.2), (380, 0.0), (690, 0.0), (830, 0.16), (970, 0.0)]),
        ("eyeLookOutRight", &[(0, 0.0), (230, 0.2), (380, 0.0), (690, 0.0), (830, 0.16), (970, 0.0)]),
        ("eyeLookOutLeft", &[(0, 0.0), (380, 0.0), (540, 0.22), (690, 0.0), (970, 0.0), (1_100, 0.08), (1_330, 0.0)]),
        ("eyeLookInRight", &[(0, 0.0), (380, 0.0), (540, 0.22), (690, 0.0), (970, 0.0), (1_100, 0.08), (1_330, 0.0)]),
        ("browDownLeft", &[(0, 0.0), (300, 0.2), (1_000, 0.16), (1_560, 0.0)]),
        ("browDownRight", &[(0, 0.0), (300, 0.2), (1_000, 0.16), (1_560, 0.0)]),
    ],
};

/// The head leans to the face's own left and stays there for a moment, as over a question.
const TILT: Sketch = Sketch {
    name: "tilt",
    duration_ms: 1_900,
    hold_at_ms: None,
    needs: &["head.roll"],
    channels: &[
        ("head.roll", &[(0, 0.0), (120, -0.006), (560, 0.085), (1_250, 0.08), (1_900, 0.0)]),
        ("head.x", &[(0, 0.0), (560, -4.0), (1_250, -3.8), (1_900, 0.0)]),
        ("head.y", &[(0, 0.0), (560, 2.0), (1_250, 1.8), (1_900, 0.0)]),
        ("browInnerUp", &[(0, 0.0), (480, 0.4), (1_250, 0.35), (1_900, 0.0)]),
        ("browOuterUpLeft", &[(0, 0.0), (480, 0.35), (1_250, 0.3), (1_900, 0.0)]),
        ("mouthSmileLeft", &[(0, 0.0), (560, 0.15), (1_250, 0.15), (1_900, 0.0)]),
        ("mouthSmileRight", &[(0, 0.0), (560, 0.15), (1_250, 0.15), (1_900, 0.0)]),
    ],
};

/// The face's own left eye, with the cheek and the corner of the mouth on its side.
const WINK: Sketch = Sketch {
    name: "wink",
    duration_ms: 900,
    hold_at_ms: None,
    needs: &["eyeBlinkLeft"],
    channels: &[
        ("eyeBlinkLeft", &[(0, 0.0), (60, 0.0), (170, 1.0), (360, 1.0), (600, 0.0)]),
        ("cheekSquintLeft", &[(0, 0.0), (190, 0.8), (380, 0.8), (760, 0.0)]),
        ("mouthSmileLeft", &[(0, 0.0), (230, 0.75), (480, 0.7), (900, 0.0)]),
        ("mouthSmileRight", &[(0, 0.0), (230, 0.15), (480, 0.15), (900, 0.0)]),
        ("browDownLeft", &[(0, 0.0), (180, 0.3), (380, 0.3), (700, 0.0)]),
        ("browOuterUpRight", &[(0, 0.0), (200, 0.2), (400, 0.2), (760, 0.0)]),
        ("head.roll", &[(0, 0.0), (220, 0.03), (420, 0.03), (900, 0.0)]),
        ("head.pitch", &[(0, 0.0), (220, -0.02), (420, -0.02), (900, 0.0)]),
    ],
};

/// A little to the side and forward, the brows a little up, for as long as somebody speaks.
const LISTEN: Sketch = Sketch {
    name: "listen",
    duration_ms: 1_500,
    hold_at_ms: Some(700),
    needs: &["head.roll"],
    channels: &[
        ("head.roll", &[(0, 0.0), (700, -0.045), (1_500, 0.0)]),
        ("head.yaw", &[(0, 0.0), (700, 0.03), (1_500, 0.0)]),
        ("head.pitch", &[(0, 0.0), (700, -0.03), (1_500, 0.0)]),
        ("head.x", &[(0, 0.0), (700, 3.0), (1_500, 0.0)]),
        ("head.y", &[(0, 0.0), (700, 4.5), (1_500, 0.0)]),
        ("browInnerUp", &[(0, 0.0), (700, 0.3), (1_500, 0.0)]),
        ("browOuterUpLeft", &[(0, 0.0), (700, 0.22), (1_500, 0.0)]),
        ("browOuterUpRight", &[(0, 0.0), (700, 0.22), (1_500, 0.0)]),
        ("mouthSmileLeft", &[(0, 0.0), (700, 0.12), (1_500, 0.0)]),
        ("mouthSmileRight", &[(0, 0.0), (700, 0.12), (1_500, 0.0)]),
    ],
};

impl Sketch {
    /// The gesture as this avatar can make it; `None` when it could not be seen.
    pub(super) fn fitted(&self, bundle: &AvatarBundle, sheet: &Sheet<'_>) -> Option<Gesture> {
        let axes = self.channels.iter().map(|(name, keys)| (axis(name), *keys));
        let drawn = axes.filter(|(axis, _)| has(bundle, *axis)).map(|(axis, keys)| Channel {
            axis,
            keys: keys.iter().map(|&(at_ms, value)| Key { at_ms, value }).collect(),
        });
        let mut gesture = Gesture {
            name: self.name.to_owned(),
            duration_ms: self.duration_ms,
            hold_at_ms: self.hold_at_ms,
            channels: drawn.collect(),
        };
        if !self.needs.iter().all(|name| gesture.channels.iter().any(|channel| channel.axis == axis(name))) {
            return None;
        }
        let share = sheet.share_borne(&gesture);
        if share < SHARE_MIN {
            return None;
        }
        for channel in &mut gesture.channels {
            if is_of_head(channel.axis) || channel.axis.name().starts_with("eyeLook") {
                for key in &mut channel.keys {
                    // Ten thousandths: what a manifest says should be short.
                    key.value = (key.value * share * 10_000.0).trunc() / 10_000.0;
                }
            }
        }
        Some(gesture)
    }
}

/// Whether an axis moves the whole head.
pub(super) const fn is_of_head(axis: Axis) -> bool {
    !matches!(axis, Axis::Blendshape(_))
}

fn axis(name: &str) -> Axis {
    Axis::named(name).expect("sketches name axes that there are")
}

/// Whether this avatar shows anything of an axis.
fn has(bundle: &AvatarBundle, axis: Axis) -> bool {
    let name = axis.name();
    let side = if name.ends_with("Right") { Side::Right } else { Side::Left };
    let has_eye = bundle.eyes.iter().any(|eye| eye.side == side);
    if name.starts_with("eyeBlink") || name.starts_with("eyeLook") {
        return has_eye;
    }
    bundle.lattice.iter().flat_map(|lattice| &lattice.fields).any(|field| field.axis == axis)
}
