//! Why something is not kept, or not found.

use footlight_avatar::bundle::BundleError;
use footlight_store::StoreError;

/// Why something is not kept, or not found.
#[derive(Debug, thiserror::Error)]
pub enum WardrobeError {
    /// The account has no avatar of its own by this name.
    #[error("there is no avatar of your own by this name")]
    UnknownAvatar,
    /// There is one of this name, and it was not to be replaced.
    #[error("there is an avatar `{name}` already; remove it first, or say that it is to be replaced")]
    Taken {
        /// The name.
        name: String,
    },
    /// The name belongs to an avatar that all may show.
    #[error("`{name}` is an avatar that all may show; choose another name")]
    Reserved {
        /// The name.
        name: String,
    },
    /// The account has as many as it may have.
    #[error("the account has {limit} {what} already, and may not have more; remove one first")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// The account's avatars and pictures would take too much of the store.
    #[error("{bytes} bytes more than the account keeps already are over its {limit} bytes; remove something first")]
    NoRoom {
        /// What was to be kept.
        bytes: u64,
        /// What all together may take.
        limit: u64,
    },
    /// The bundle is no good.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The picture was never uploaded, or is gone.
    #[error("there is no uploaded picture of this id; pictures are kept for a while only")]
    UnknownPicture,
    /// The bytes are no picture.
    #[error("the picture is neither PNG nor JPEG")]
    NoPicture,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Unpacking broke off.
    #[error("checking the bundle failed: {0}")]
    Broken(String),
}
