//! The avatars that ship inside the program.

use std::sync::LazyLock;

use super::{AvatarBundle, BundleError, Summary, error::printable};

const SHIPPED: [(&str, &[u8]); 3] = [
    ("ada", include_bytes!("../../assets/ada.zip")),
    ("miles", include_bytes!("../../assets/miles.zip")),
    ("clapper", include_bytes!("../../assets/clapper.zip")),
];

/// What lists say of them. Unpacking all takes tenths of a second of a core, which every call that lists avatars would ask for.
static SUMMARIES: LazyLock<[Summary; SHIPPED.len()]> = LazyLock::new(|| {
    SHIPPED.map(|(_, bytes)| AvatarBundle::from_bytes(bytes).expect("what ships is whole, as tests show").summary())
});

/// The avatar that is used when none is named.
pub const DEFAULT_AVATAR: &str = "ada";

/// The names of the shipped avatars, the default first.
pub fn shipped_names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// What lists say of the shipped avatar of this name.
pub(super) fn shipped_summary(name: &str) -> Option<&'static Summary> {
    SUMMARIES.iter().find(|summary| summary.manifest.name == name)
}

/// Unpacks the shipped avatar of this name.
///
/// # Errors
/// [`BundleError::UnknownShipped`], listing the names there are.
pub fn shipped(name: &str) -> Result<AvatarBundle, BundleError> {
    let Some((_, bytes)) = SHIPPED.iter().find(|(known, _)| *known == name) else {
        let known: Vec<_> = shipped_names().collect();
        return Err(BundleError::UnknownShipped { name: printable(name), known: known.join(", ") });
    };
    AvatarBundle::from_bytes(bytes)
}
