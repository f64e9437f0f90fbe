//! Why something about webhooks is not done.

use footlight_store::StoreError;

/// Why something about webhooks is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// The address cannot be used.
    #[error("the address {0}")]
    InvalidUrl(String),
    /// There are enough endpoints.
    #[error("an account may have {limit} webhooks")]
    TooMany {
        /// How many there may be.
        limit: usize,
    },
    /// There is no such endpoint, or no such delivery, of this account.
    #[error("there is no such webhook")]
    NotFound,
    /// The endpoint is disabled.
    #[error("the webhook is disabled")]
    Disabled,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
