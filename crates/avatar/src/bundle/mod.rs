//! Avatar bundles: a zip archive with a manifest, layers, displacement fields and banks of patches.
//!
//! A bundle is layered 2.5D: still layers behind, a head that a lattice bends, and small windows (mouth, eyes) whose
//! pictures are blended along their features. Opening one checks everything that a renderer later relies on; a bundle
//! from a stranger costs at most [`BundleLimits`].
//!
//! Suggested reading order: [`Manifest`], [`AvatarBundle`], [`parts`], [`Gesture`], [`shipped()`], [`Catalogue`],
//! [`AvatarChoice`].

mod archive;
mod assemble;
mod catalogue;
mod choice;
mod error;
mod gesture;
mod image;
mod manifest;
pub mod mel;
mod network;
mod pack;
pub mod parts;
mod shipped;
#[cfg(test)]
mod tests;
mod tracks;

use std::path::Path;

pub use archive::{BundleLimits, RATIO_FREE_BYTES};
pub use catalogue::Catalogue;
pub use choice::{AvatarChoice, OwnBundle};
pub use error::{BundleError, EntryFault};
pub use gesture::{
    Channel, GESTURE_MS_MAX, GESTURE_PIXELS_MAX, GESTURE_RADIANS_MAX, GESTURES_MAX, Gesture, GestureFault, KEYS_MAX,
    Key,
};
pub use manifest::FORMAT;
pub use network::{FACE_INPUT_LEN, FACE_SIDE, MouthModel};
pub use shipped::{DEFAULT_AVATAR, shipped, shipped_names};

use parts::{Eye, Landmarks, Lattice, Layer, Mouth, MouthNetwork};

/// What a bundle says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The short name, as used in the API: lower-case letters, digits and hyphens.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// The licence of the pictures, as an SPDX expression.
    pub licence: String,
    /// The width of the stage in pixels.
    pub width: u32,
    /// The height of the stage in pixels.
    pub height: u32,
    /// What the idle motion of this face is derived from.
    pub seed: u64,
    /// Where the features of the face lie at rest.
    pub landmarks: Landmarks,
}

/// What lists say of an avatar.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// What the bundle says about itself.
    pub manifest: Manifest,
    /// The names of its gestures.
    pub gestures: Vec<String>,
}

/// An avatar, unpacked and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct AvatarBundle {
    /// What the bundle says about itself.
    pub manifest: Manifest,
    /// The layers from back to front; the first is the background.
    pub layers: Vec<Layer>,
    /// How the moving layers bend. Without one nothing of them moves.
    pub lattice: Option<Lattice>,
    /// At most one eye a side.
    pub eyes: Vec<Eye>,
    /// The mouth bank.
    pub mouth: Option<Mouth>,
    /// A network that draws the mouth instead of the bank.
    pub mouth_network: Option<MouthNetwork>,
    /// What it can be asked to do, each under a name of its own; at most [`GESTURES_MAX`].
    pub gestures: Vec<Gesture>,
}

impl AvatarBundle {
    /// What lists say of it.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let gestures = self.gestures.iter().map(|gesture| gesture.name.clone()).collect();
        Summary { manifest: self.manifest.clone(), gestures }
    }

    /// The gesture of this name.
    #[must_use]
    pub fn gesture(&self, name: &str) -> Option<&Gesture> {
        self.gestures.iter().find(|gesture| gesture.name == name)
    }
}

const MANIFEST: &str = "manifest.json";

impl AvatarBundle {
    /// Opens a bundle file within [`BundleLimits::DEFAULT`]. Blocks while it reads and decodes.
    ///
    /// # Errors
    /// When the file cannot be read, or for any reason of [`AvatarBundle::from_bytes`].
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let unreadable = |source| BundleError::Unreadable { path: path.to_owned(), source };
        let found = std::fs::metadata(path).map_err(unreadable)?.len();
        let limit = BundleLimits::DEFAULT.archive_bytes_max;
        if found > limit {
            return Err(BundleError::OverLimit { what: "archive size in bytes", found, limit });
        }
        Self::from_bytes(&std::fs::read(path).map_err(unreadable)?)
    }

    /// Unpacks a bundle within [`BundleLimits::DEFAULT`].
    ///
    /// # Errors
    /// When the archive is damaged, unsafe or over a limit, or does not follow the bundle format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BundleError> {
        Self::from_bytes_within(bytes, &BundleLimits::DEFAULT)
    }

    /// Unpacks a bundle within limits of the caller's choice.
    ///
    /// # Errors
    /// As [`AvatarBundle::from_bytes`].
    pub fn from_bytes_within(bytes: &[u8], limits: &BundleLimits) -> Result<Self, BundleError> {
        assemble::assemble(&archive::Archive::unpack(bytes, limits)?, limits)
    }

    /// Packs this bundle: the inverse of [`AvatarBundle::from_bytes`]. The same bundle gives the same bytes.
    ///
    /// Displacements and meshes are rounded to 64ths of a pixel, which those that were read have already. Nothing is
    /// checked against limits: what reads the bytes does that.
    ///
    /// # Errors
    /// [`BundleError::Unpackable`] when the bundle holds what the format cannot say, such as a displacement of more
    /// than 511 pixels or a picture whose size is not what it says.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        pack::pack(self)
    }
}
