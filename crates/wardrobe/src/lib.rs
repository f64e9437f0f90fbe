//! The avatars that accounts bring or have made, kept in the store, and the pictures that they are made from.
//!
//! An avatar is a small record, which says what it is, and two blobs, its bundle and its preview, which are named by its
//! *edition*. Blobs are written before the record that names them and removed after it is gone, so that what a record
//! names is there; what a crash leaves without a record is swept when the account keeps something next. Nothing here belongs to more than one account.
//!
//! Suggested reading order: [`kept`], [`avatars`], [`pictures`], `room`, `upkeep`.

pub mod avatars;
pub mod error;
pub mod kept;
pub mod pictures;
mod room;
#[cfg(test)]
mod tests;
mod upkeep;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use footlight_avatar::bundle::{Catalogue, OwnBundle};
use footlight_ledger::{AccountId, Timestamp};
use footlight_store::Store;
use footlight_store::desk::Clock;
use parking_lot::Mutex;

pub use error::WardrobeError;
pub use kept::{CheckedAvatar, KeptAvatar, NewAvatar, Replace, Trial};
pub use pictures::{Picture, PictureFormat, PictureId};

/// What a wardrobe is made of.
pub struct WardrobeParts {
    /// Where things are kept.
    pub store: Arc<dyn Store>,
    /// The avatars that all may show: an account's own may not have their names.
    pub shared: Catalogue,
    /// The wall clock.
    pub clock: Clock,
    /// How much is kept.
    pub options: WardrobeOptions,
}

/// How much is kept for each account.
#[derive(Debug, Clone)]
pub struct WardrobeOptions {
    /// Avatars at most.
    pub avatars_max: usize,
    /// Uploaded pictures at most.
    pub pictures_max: usize,
    /// The most bytes of all of them together.
    pub bytes_max: u64,
    /// How long an uploaded picture is kept.
    pub picture_kept: Duration,
}

impl Default for WardrobeOptions {
    fn default() -> Self {
        Self { avatars_max: 20, pictures_max: 10, bytes_max: 64 << 20, picture_kept: Duration::from_secs(24 * 3_600) }
    }
}

/// A handle on the wardrobe. Clones share it.
#[derive(Clone)]
pub struct Wardrobe {
    inner: Arc<Inner>,
}

struct Inner {
    parts: WardrobeParts,
    /// Bundles that somebody shows: sessions of one avatar share its bytes.
    shown: Mutex<HashMap<u128, Weak<OwnBundle>>>,
    /// Whose things are being kept.
    turns: Turns<AccountId>,
    /// Which editions are being read.
    openings: Turns<u128>,
}

/// Locks by what they are for, while somebody holds or waits for them.
type Turns<K> = Mutex<HashMap<K, Weak<tokio::sync::Mutex<()>>>>;

impl Wardrobe {
    /// Starts looking after what is kept, on the runtime that this is called in.
    #[must_use]
    pub fn start(parts: WardrobeParts) -> Self {
        let inner =
            Arc::new(Inner { parts, shown: Mutex::default(), turns: Mutex::default(), openings: Mutex::default() });
        tokio::spawn(upkeep::run(Arc::downgrade(&inner)));
        Self { inner }
    }

    /// The avatars that all may show.
    #[must_use]
    pub fn shared(&self) -> &Catalogue {
        &self.inner.parts.shared
    }
}

impl Inner {
    fn now(&self) -> Timestamp {
        (self.parts.clock)()
    }

    fn store(&self) -> &dyn Store {
        &*self.parts.store
    }
}
