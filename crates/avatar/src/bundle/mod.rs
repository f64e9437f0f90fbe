//! Avatar bundles: a zip archive with a manifest, layers, displacement lattices and patch banks.
//!
//! Suggested reading order: [`Manifest`], [`AvatarBundle`], [`shipped()`].

mod archive;
mod error;
mod manifest;
mod shipped;

use std::path::Path;

pub use archive::{BundleLimits, RATIO_FREE_BYTES};
pub use error::{BundleError, EntryFault};
pub use manifest::{FORMAT, Manifest};
pub use shipped::{DEFAULT_AVATAR, shipped, shipped_names};

/// An avatar, unpacked and checked.
#[derive(Debug, Clone)]
pub struct AvatarBundle {
    /// What the bundle says about itself.
    pub manifest: Manifest,
}

const MANIFEST: &str = "manifest.json";

impl AvatarBundle {
    /// Opens a bundle file within [`BundleLimits::DEFAULT`].
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
        let archive = archive::Archive::unpack(bytes, limits)?;
        let manifest: Manifest = serde_json::from_slice(archive.entry(MANIFEST)?)
            .map_err(|error| BundleError::invalid(MANIFEST, error.to_string()))?;
        Ok(Self { manifest })
    }
}
