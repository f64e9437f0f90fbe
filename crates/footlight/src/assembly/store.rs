//! From the `store` setting to a store.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use footlight_store::{DataDirLock, Store, StoreError, transfer};

use super::place::{Place, Purpose};
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
    let place = Place::read(settings, &settings.store)?;
    let store = place.open(settings, Purpose::Use).await.map_err(|error| match place {
        Place::Redis(_) if error.is::<StoreError>() => coded(Failure::Unreachable, error.to_string()),
        _ => error,
    })?;
    Ok(OpenStore { store, data_dir })
}

/// A store that a migration has not finished is no store to start a node on.
///
/// # Errors
/// With exit code 6 when it is one.
pub(super) async fn expect_whole(store: &dyn Store) -> anyhow::Result<()> {
    let Some(mark) = transfer::unfinished(store).await? else { return Ok(()) };
    let source = mark.source;
    let detail = format!(
        "the store is half moved: run `footlight migrate --from {source}` into it again, or use {source} itself"
    );
    Err(coded(Failure::Refused, detail))
}

/// Takes the data directory for this node, unless the embedded store in it has done so: two nodes in one would write over
/// each other's progress, and fence each other's sessions. Kept for as long as the node runs.
///
/// # Errors
/// When another process has it.
pub(crate) fn lock_data_dir(settings: &Settings) -> anyhow::Result<Option<DataDirLock>> {
    let data_dir = settings.data_dir.canonicalize().context("the data directory cannot be read")?;
    let place = Place::read(settings, &settings.store)?;
    if matches!(place, Place::Embedded(directory) if directory.canonicalize().is_ok_and(|it| it == data_dir)) {
        return Ok(None);
    }
    Ok(Some(DataDirLock::take(&data_dir)?))
}
