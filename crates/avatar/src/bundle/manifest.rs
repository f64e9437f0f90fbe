//! The manifest of a bundle: `manifest.json`.

use serde::Deserialize;

/// What a bundle says about itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the bundle format; this build reads [`FORMAT`].
    pub format: u32,
    /// The short name, as used in the API: lower-case letters, digits and hyphens.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// The licence of the pictures, as an SPDX expression.
    pub licence: String,
    /// The native width in pixels.
    pub width: u32,
    /// The native height in pixels.
    pub height: u32,
    /// What the idle motion of this face is derived from.
    pub seed: u64,
}

/// The version of the bundle format that this build reads.
pub const FORMAT: u32 = 1;
