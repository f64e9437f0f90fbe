//! Which avatar somebody shows: one that all may show, or one of their own.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;

use super::{AvatarBundle, BundleError, Catalogue};

/// A bundle that belongs to one account, packed.
pub struct OwnBundle {
    /// What its account calls it.
    pub name: String,
    /// This state of it: no other bundle, of this account or another, ever has the same.
    pub edition: u128,
    /// The archive; whoever sends it out shares it.
    pub bytes: Bytes,
}

impl std::fmt::Debug for OwnBundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OwnBundle({} {:032x}, {} bytes)", self.name, self.edition, self.bytes.len())
    }
}

/// An avatar that was chosen.
///
/// Equal choices show the same pictures; an own avatar that was replaced is another choice.
#[derive(Debug, Clone)]
pub enum AvatarChoice {
    /// One of the catalogue, by name.
    Shared(String),
    /// An account's own, as it was when it was chosen: removing or replacing it changes nothing for who shows it.
    Own(Arc<OwnBundle>),
}

impl AvatarChoice {
    /// Its name. Two accounts may use the same one for avatars of their own.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Shared(name) => name,
            Self::Own(own) => &own.name,
        }
    }

    /// Unpacks it. Blocks for tens of milliseconds.
    ///
    /// # Errors
    /// As [`Catalogue::open`] and [`AvatarBundle::from_bytes`].
    pub fn open(&self, catalogue: &Catalogue) -> Result<AvatarBundle, BundleError> {
        match self {
            Self::Shared(name) => catalogue.open(name),
            Self::Own(own) => AvatarBundle::from_bytes(&own.bytes),
        }
    }

    /// The edition, of an own avatar.
    #[must_use]
    pub fn edition(&self) -> Option<u128> {
        match self {
            Self::Shared(_) => None,
            Self::Own(own) => Some(own.edition),
        }
    }
}

impl PartialEq for AvatarChoice {
    fn eq(&self, other: &Self) -> bool {
        self.edition() == other.edition() && self.name() == other.name()
    }
}

impl Eq for AvatarChoice {}

impl Hash for AvatarChoice {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.edition().hash(state);
        self.name().hash(state);
    }
}

impl From<&str> for AvatarChoice {
    fn from(name: &str) -> Self {
        Self::Shared(name.to_owned())
    }
}
