//! From the `store` setting to a store.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use footlight_store::{SqliteStore, Store};

use crate::exit::{Failure, coded};
use crate::settings::Settings;

/// A store, and the directory that its node keeps files in.
pub(crate) struct OpenStore {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) data_dir: PathBuf,
}

/// Opens what the settings name.
///
/// # Errors
/// When it cannot be reached, is in use, or is not a store that Footlight knows.
pub(crate) async fn open_store(settings: &Settings) -> anyhow::Result<OpenStore> {
    let data_dir = settings.data_dir.clone();
    std::fs::create_dir_all(&data_dir)
        .with_context(|| format!("the data directory {} cannot be made", data_dir.display()))?;
    let url = settings.store.as_str();
    if let Some(directory) = url.strip_prefix("sqlite:") {
        let directory = if directory.is_empty() { data_dir.clone() } else { PathBuf::from(directory) };
        let store = SqliteStore::open(&directory)?;
        return Ok(OpenStore { store: Arc::new(store), data_dir });
    }
    if url.starts_with("redis") {
        let store = footlight_store_redis::RedisStore::connect(url, footlight_store_redis::RedisOptions::default())
            .await
            .map_err(|error| coded(Failure::Unreachable, format!("{error}")))?;
        return Ok(OpenStore { store: Arc::new(store), data_dir });
    }
    Err(coded(Failure::Usage, format!("`store` is `{url}`; it must begin with sqlite: or redis")))
}
