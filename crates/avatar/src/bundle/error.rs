//! What can be wrong with a bundle, naming the entry and the fault.

/// Why a bundle was refused.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file could not be read at all.
    #[error("cannot read avatar bundle {path}")]
    Unreadable {
        /// The file that was asked for.
        path: std::path::PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The bytes are not a zip archive that can be read.
    #[error("avatar bundle is not a readable zip archive: {0}")]
    NotAnArchive(#[source] zip::result::ZipError),
    /// The archive goes past a limit as a whole.
    #[error("avatar bundle is over a limit: {what} is {found}, at most {limit} allowed")]
    OverLimit {
        /// What was counted.
        what: &'static str,
        /// What the archive has, or claims to have.
        found: u64,
        /// What is allowed.
        limit: u64,
    },
    /// One entry of the archive is at fault.
    #[error("avatar bundle entry `{entry}`: {fault}")]
    Entry {
        /// The name of the entry, with control characters replaced.
        entry: String,
        /// What is wrong with it.
        fault: EntryFault,
    },
    /// The bundle holds what its format cannot say, so that it cannot be packed.
    #[error("avatar bundle cannot be packed: {0}")]
    Unpackable(String),
    /// There is no shipped avatar of this name.
    #[error("no avatar named `{name}` is shipped; known ones are {known}")]
    UnknownShipped {
        /// The name that was asked for, with control characters replaced.
        name: String,
        /// The names that would have worked.
        known: String,
    },
}

/// What is wrong with one entry of a bundle.
#[derive(Debug, thiserror::Error)]
pub enum EntryFault {
    /// The name leads out of the archive, or could on some system.
    #[error("name leads outside of the bundle; use plain relative names without `..`")]
    UnsafeName,
    /// The same name appears twice.
    #[error("appears twice")]
    Repeated,
    /// The manifest names an entry that is not there.
    #[error("is named by the manifest but missing from the bundle")]
    Missing,
    /// The entry is encrypted, a link, or stored in a way that is not accepted.
    #[error("is stored in a way that bundles may not use: {0}")]
    Unsupported(&'static str),
    /// The entry unpacks to more than it may.
    #[error("unpacks to more than {limit} bytes")]
    TooLarge {
        /// The most bytes the entry may unpack to.
        limit: u64,
    },
    /// The entry unpacks to suspiciously much.
    #[error("unpacks to over {limit} times its size")]
    TooDense {
        /// The highest accepted ratio of unpacked to packed bytes.
        limit: u64,
    },
    /// The packed bytes are damaged.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// The content does not follow the bundle format.
    #[error("{0}")]
    Invalid(String),
}

impl BundleError {
    /// An error about one entry.
    pub(super) fn entry(name: &str, fault: EntryFault) -> Self {
        Self::Entry { entry: printable(name), fault }
    }

    /// An error about one entry whose content breaks the format.
    pub(super) fn invalid(name: &str, what: impl Into<String>) -> Self {
        Self::entry(name, EntryFault::Invalid(what.into()))
    }
}

/// The most characters of a foreign name that go into a message.
const PRINTABLE_CHARS_MAX: usize = 80;

/// A foreign name made safe for a log line.
pub(super) fn printable(name: &str) -> String {
    name.chars().take(PRINTABLE_CHARS_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
