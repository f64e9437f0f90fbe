//! A zip archive, unpacked into memory inside fixed limits.
//!
//! Nothing here trusts a size that the archive claims: every entry is read through a counter.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use super::error::{BundleError, EntryFault};

/// How much a bundle may ask of the process that opens it.
///
/// Raising a limit lets larger avatars in and raises what a hostile upload can make a node hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BundleLimits {
    /// The most bytes of the archive itself.
    pub archive_bytes_max: u64,
    /// The most entries.
    pub entries_max: u64,
    /// The most bytes one entry may unpack to.
    pub entry_bytes_max: u64,
    /// The most bytes all entries together may unpack to.
    pub total_bytes_max: u64,
    /// The highest ratio of unpacked to packed bytes of one entry, counted from [`RATIO_FREE_BYTES`] on.
    pub ratio_max: u64,
    /// The most pixels of one image.
    pub image_pixels_max: u64,
    /// The most pixels of all images together.
    pub total_pixels_max: u64,
    /// Whether a network may draw the mouth.
    pub may_have_network: bool,
    /// Whether there may be gestures. They are free, and what a bundle calls a cheek may be drawn as a mouth that speaks.
    pub may_have_gestures: bool,
    /// The smallest side of the stage in pixels: what is drawn small costs its square when it is shown large.
    pub stage_side_min: u32,
    /// The largest part of the stage that all windows of mouth and eyes may take, in thousandths of its area: they are
    /// blended anew in every frame.
    pub windows_milli_max: u64,
    /// The most pixels of all pictures of mouth and eyes together, in thousandths of the stage's area: they are kept at the
    /// size of the frame.
    pub banks_milli_max: u64,
    /// The most numbers in a lattice: they are added up in every frame.
    pub lattice_numbers_max: u64,
}

impl BundleLimits {
    /// What nodes accept from their operators: several times what the shipped avatars need.
    pub const DEFAULT: Self = Self {
        archive_bytes_max: 64 << 20,
        entries_max: 256,
        entry_bytes_max: 64 << 20,
        total_bytes_max: 128 << 20,
        ratio_max: 200,
        image_pixels_max: 2048 * 2048,
        total_pixels_max: 16 << 20,
        may_have_network: true,
        may_have_gestures: true,
        stage_side_min: 64,
        windows_milli_max: 4_000,
        banks_milli_max: 64_000,
        lattice_numbers_max: 2 << 20,
    };

    /// What nodes take from their customers: some two or three times what the shipped avatars need. Many customers share a
    /// node's memory and its render threads, and admission counts every avatar of a size alike.
    pub const CUSTOMER: Self = Self {
        archive_bytes_max: 16 << 20,
        entry_bytes_max: 16 << 20,
        total_bytes_max: 32 << 20,
        total_pixels_max: 6 << 20,
        may_have_network: false,
        may_have_gestures: false,
        stage_side_min: 256,
        windows_milli_max: 200,
        banks_milli_max: 2_000,
        lattice_numbers_max: 200_000,
        ..Self::DEFAULT
    };

    /// What nodes make for their customers: the same, with the gestures that they make.
    pub const MADE: Self = Self { may_have_gestures: true, ..Self::CUSTOMER };
}

/// Entries that unpack to no more than this are not held to the ratio: a small lattice of zeros packs very well.
pub const RATIO_FREE_BYTES: u64 = 1 << 20;

/// What each entry's header in the archive's directory begins with.
const HEADER: &[u8] = b"PK\x01\x02";

/// How often these bytes may be there without being a header: packed pictures hold them by chance, once in four gigabytes.
const CHANCE_MAX: u64 = 16;

/// The unpacked entries of an archive by name.
pub(super) struct Archive {
    entries: BTreeMap<String, Vec<u8>>,
}

impl Archive {
    /// Unpacks all of `bytes`.
    pub(super) fn unpack(bytes: &[u8], limits: &BundleLimits) -> Result<Self, BundleError> {
        within("archive size in bytes", bytes.len() as u64, limits.archive_bytes_max)?;
        let headers = count_headers(bytes);
        if headers > limits.entries_max + CHANCE_MAX {
            within("number of entries", headers, limits.entries_max)?;
        }
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).map_err(BundleError::NotAnArchive)?;
        within("number of entries", zip.len() as u64, limits.entries_max)?;

        let mut entries = BTreeMap::new();
        let mut total_bytes = 0_u64;
        for index in 0..zip.len() {
            let mut file = zip.by_index(index).map_err(BundleError::NotAnArchive)?;
            let name = String::from_utf8_lossy(file.name_raw()).into_owned();
            if !is_plain_name(&name) {
                return Err(BundleError::entry(&name, EntryFault::UnsafeName));
            }
            if file.is_dir() {
                continue;
            }
            if file.encrypted() || file.unix_mode().is_some_and(is_link) {
                return Err(BundleError::entry(&name, EntryFault::Unsupported("encrypted or a link")));
            }
            let budget = limits.entry_bytes_max.min(limits.total_bytes_max - total_bytes);
            let packed_bytes = file.compressed_size();
            let content = read_within(&mut file, budget, packed_bytes, limits.ratio_max)
                .map_err(|fault| BundleError::entry(&name, fault))?;
            total_bytes += content.len() as u64;
            if entries.insert(name.clone(), content).is_some() {
                return Err(BundleError::entry(&name, EntryFault::Repeated));
            }
        }
        Ok(Self { entries })
    }

    /// The content of an entry that must be there.
    pub(super) fn entry(&self, name: &str) -> Result<&[u8], BundleError> {
        self.entries.get(name).map(Vec::as_slice).ok_or_else(|| BundleError::entry(name, EntryFault::Missing))
    }
}

fn within(what: &'static str, found: u64, limit: u64) -> Result<(), BundleError> {
    if found > limit { Err(BundleError::OverLimit { what, found, limit }) } else { Ok(()) }
}

/// The most entries that an archive can have, by the headers that are anywhere in it. Opening it makes some hundred bytes of
/// memory of each, before it tells how many there are; what its end claims is no bound, since one that fails to fit is passed
/// over for another.
fn count_headers(bytes: &[u8]) -> u64 {
    bytes.windows(HEADER.len()).filter(|window| *window == HEADER).count() as u64
}

/// Reads to the end, stopping at the first byte past the budget or the ratio.
fn read_within(
    file: &mut impl Read,
    budget_bytes: u64,
    packed_bytes: u64,
    ratio_max: u64,
) -> Result<Vec<u8>, EntryFault> {
    let ratio_bytes = packed_bytes.saturating_mul(ratio_max).max(RATIO_FREE_BYTES);
    let allowed = budget_bytes.min(ratio_bytes);
    let mut content = Vec::new();
    file.take(allowed + 1).read_to_end(&mut content).map_err(|error| EntryFault::Damaged(error.to_string()))?;
    if content.len() as u64 <= allowed {
        return Ok(content);
    }
    Err(if ratio_bytes < budget_bytes {
        EntryFault::TooDense { limit: ratio_max }
    } else {
        EntryFault::TooLarge { limit: budget_bytes }
    })
}

/// Whether a name is relative, forward, and means the same file on every system.
fn is_plain_name(name: &str) -> bool {
    let parts_are_plain = name
        .trim_end_matches('/')
        .split('/')
        .all(|part| !part.is_empty() && part != "." && part != ".." && !part.ends_with('.') && !part.ends_with(' '));
    parts_are_plain && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | ' '))
}

/// Whether a Unix mode says symbolic link.
fn is_link(mode: u32) -> bool {
    const TYPE_MASK: u32 = 0o170_000;
    const LINK: u32 = 0o120_000;
    mode & TYPE_MASK == LINK
}
