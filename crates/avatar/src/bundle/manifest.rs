//! What stands in `manifest.json`, as written.
//!
//! Everything is checked again when the bundle is put together; unknown keys are refused so that a misspelt one shows.
//! What is absent is left out when a manifest is written.

use serde::{Deserialize, Serialize};

use super::tracks::GestureEntry;

/// The version of the bundle format that this build reads.
pub const FORMAT: u32 = 1;

/// A place on the stage in pixels, x to the right and y down from its upper left corner.
pub type Point = [f32; 2];

/// The manifest as written.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) format: u32,
    pub(super) name: String,
    pub(super) title: String,
    pub(super) licence: String,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) seed: u64,
    #[serde(default)]
    pub(super) landmarks: Landmarks,
    pub(super) layers: Vec<LayerEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lattice: Option<LatticeEntry>,
    #[serde(default)]
    pub(super) eyes: Vec<EyeEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mouth: Option<MouthEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mouth_network: Option<MouthNetworkEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gestures: Vec<GestureEntry>,
}

/// Where the features of the face lie at rest.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Landmarks {
    /// The middle of the face's own left eye (at the right of the picture).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_eye: Option<Point>,
    /// The middle of the face's own right eye.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right_eye: Option<Point>,
    /// The lower end of the nose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nose: Option<Point>,
    /// The middle of the closed lips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mouth: Option<Point>,
    /// The lowest point of the chin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chin: Option<Point>,
    /// The highest point of the head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crown: Option<Point>,
}

/// What a layer shows. The order here is the order in which layers lie over each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What is behind the person; still, and without gaps.
    Background,
    /// Shoulders and clothes; still.
    Torso,
    /// Hair behind the head; moves with it.
    HairBack,
    /// Neck, ears and face.
    Head,
    /// Hair in front of the face; moves with it.
    HairFront,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LayerEntry {
    pub(super) part: Part,
    pub(super) image: String,
    pub(super) at: [i32; 2],
    /// A grey picture of the same size: how far in front each pixel is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) depth: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PictureEntry {
    pub(super) image: String,
    pub(super) at: [i32; 2],
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LatticeEntry {
    pub(super) at: [i32; 2],
    pub(super) step: u32,
    pub(super) columns: u32,
    pub(super) rows: u32,
    pub(super) shapes: Vec<String>,
    pub(super) numbers: String,
}

/// Which of the face's own sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The face's own left, at the right of the picture.
    Left,
    /// The face's own right.
    Right,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EyeEntry {
    pub(super) side: Side,
    pub(super) ball: PictureEntry,
    pub(super) iris: PictureEntry,
    pub(super) travel: [f32; 2],
    pub(super) lids: LidsEntry,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LidsEntry {
    pub(super) at: [i32; 2],
    pub(super) size: [u32; 2],
    pub(super) columns: u32,
    pub(super) rows: u32,
    pub(super) closures: Vec<f32>,
    pub(super) images: Vec<String>,
    pub(super) mesh: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MouthEntry {
    pub(super) at: [i32; 2],
    pub(super) size: [u32; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mask: Option<String>,
    pub(super) columns: u32,
    pub(super) rows: u32,
    pub(super) gaps: Vec<f32>,
    pub(super) widths: Vec<f32>,
    pub(super) grid: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pressed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bite: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tongue: Option<String>,
    pub(super) mesh: String,
}

/// A network that draws the mouth from sound, by the Wav2Lip contract.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MouthNetworkEntry {
    pub(super) onnx: String,
    /// The square of the stage that the network sees and draws: x, y and side in pixels.
    pub(super) face: [u32; 3],
}
