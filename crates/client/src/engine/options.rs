//! What an engine is told at its start.

use std::collections::BTreeMap;
use std::path::PathBuf;

use footlight_ledger::Product;

/// Makes every engine of the process unmetered when set to 1 or true. For development alone.
const UNMETERED: &str = "FOOTLIGHT_UNMETERED";

/// Whether this process' engines are unmetered by its environment.
#[must_use]
pub fn is_unmetered() -> bool {
    std::env::var(UNMETERED).is_ok_and(|value| matches!(value.as_str(), "1" | "true"))
}

/// What an engine is told at its start.
#[derive(Clone)]
pub struct EngineOptions {
    /// The node's public listener.
    pub url: String,
    /// The account's secret. It is sent for tokens alone.
    pub api_secret: String,
    /// What the session is sold as: one of the products whose engine is elsewhere.
    pub product: Product,
    /// Frames a second; nothing where connected time is sold.
    pub fps: u32,
    /// The avatar's name, for the session's own record.
    pub avatar: Option<String>,
    /// The caller's own words, for the session's own record.
    pub metadata: BTreeMap<String, String>,
    /// Where usage is kept, so that a killed engine's next start settles it. Without one it is lost with the process.
    pub state_dir: Option<PathBuf>,
    /// Makes no request and counts nothing: for development. By default what [`is_unmetered`] says.
    pub unmetered: bool,
}

impl EngineOptions {
    /// An engine of `product`, for the account of `api_secret` at the node `url`.
    #[must_use]
    pub fn new(url: impl Into<String>, api_secret: impl Into<String>, product: Product, fps: u32) -> Self {
        Self {
            url: url.into(),
            api_secret: api_secret.into(),
            product,
            fps,
            avatar: None,
            metadata: BTreeMap::new(),
            state_dir: None,
            unmetered: is_unmetered(),
        }
    }
}

impl std::fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the secret.
        f.debug_struct("EngineOptions")
            .field("url", &self.url)
            .field("product", &self.product)
            .field("fps", &self.fps)
            .field("state_dir", &self.state_dir)
            .field("unmetered", &self.unmetered)
            .finish_non_exhaustive()
    }
}
