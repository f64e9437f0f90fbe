//! Who asks, and for what.

use std::collections::BTreeMap;
use std::sync::Arc;

use footlight_ledger::{AccountId, Product, SecretId};
use footlight_session::WhenUnwatched;

/// Who asks. A session of another account does not exist for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// An account, known by one of its secrets.
    Account {
        /// Who pays.
        account: AccountId,
        /// The secret it came with; a session is paused when the secret it was opened with is revoked.
        secret: Option<SecretId>,
    },
    /// The operator: all accounts.
    Operator,
}

impl Caller {
    /// An account without a secret of its own (tests, the demo).
    #[must_use]
    pub const fn account(account: AccountId) -> Self {
        Self::Account { account, secret: None }
    }

    /// Whether it may see what belongs to `owner`.
    #[must_use]
    pub fn sees(&self, owner: AccountId) -> bool {
        match self {
            Self::Account { account, .. } => *account == owner,
            Self::Operator => true,
        }
    }
}

/// What a new session is to be. Everything has a default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateSession {
    /// What it is sold as; `essence_cloud` by default.
    pub product: Option<Product>,
    /// The avatar; `ada` by default.
    pub avatar: Option<String>,
    /// Frames a second: 20, 25 (the default), 30 or 50.
    pub fps: Option<u32>,
    /// Width in pixels; 512 by default.
    pub width: Option<u32>,
    /// Height in pixels; 512 by default.
    pub height: Option<u32>,
    /// A plain colour instead of the avatar's own background: `#rrggbb`.
    pub background: Option<String>,
    /// Ends it when silent or unwatched for this long, in seconds.
    pub idle_timeout_s: Option<u32>,
    /// Ends it at this age, in seconds.
    pub max_duration_s: Option<u32>,
    /// What speech does while nobody is attached.
    pub when_unwatched: Option<WhenUnwatched>,
    /// The caller's own words, kept and given back: at most 16 keys of 64 bytes, values of 512 bytes.
    pub metadata: BTreeMap<String, String>,
    /// What the node must be labelled with that it runs on, now and whenever it moves.
    pub labels: BTreeMap<String, String>,
}

/// Submitted audio.
#[derive(Clone)]
pub struct Speech {
    /// Mono samples at 48 kHz.
    pub audio: Arc<[i16]>,
}

impl std::fmt::Debug for Speech {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Speech").field("samples", &self.audio.len()).finish()
    }
}
