//! Blobs as files beside the database: `blobs/<owner>/<id>`, each written under another name first.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::SqliteStore;
use crate::blobs::{BlobInfo, BlobStore, check_blob_id, check_blob_len};
use crate::{Owner, StoreError};

/// Files on their way begin with this; no blob's name does.
const UNFINISHED: &str = ".unfinished-";

/// Tells apart files that are written at the same time.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Where the blobs of a store are.
pub(super) enum Blobs {
    Disk(PathBuf),
    Memory(Mutex<BTreeMap<(Owner, String), Vec<u8>>>),
}

impl Blobs {
    /// Nobody else uses the directory: what is unfinished in it was left by a process that was killed, and is removed.
    pub(super) fn in_directory(directory: PathBuf) -> Self {
        if let Err(error) = remove_unfinished(&directory) {
            tracing::warn!(%error, directory = %directory.display(), "files that were never finished stay");
        }
        Self::Disk(directory)
    }

    pub(super) fn in_memory() -> Self {
        Self::Memory(Mutex::default())
    }
}

#[async_trait]
impl BlobStore for SqliteStore {
    async fn put_blob(&self, owner: Owner, id: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        check_blob_id(id)?;
        check_blob_len(bytes.len())?;
        match &self.blobs {
            Blobs::Memory(blobs) => {
                blobs.lock().insert((owner, id.to_owned()), bytes);
                Ok(())
            }
            Blobs::Disk(root) => {
                let (directory, id) = (root.join(owner.to_string()), id.to_owned());
                on_disk(directory, move |directory| write(directory, &id, &bytes)).await
            }
        }
    }

    async fn get_blob(&self, owner: Owner, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        check_blob_id(id)?;
        match &self.blobs {
            Blobs::Memory(blobs) => Ok(blobs.lock().get(&(owner, id.to_owned())).cloned()),
            Blobs::Disk(root) => on_disk(root.join(owner.to_string()).join(id), |path| found(fs::read(path))).await,
        }
    }

    async fn delete_blob(&self, owner: Owner, id: &str) -> Result<(), StoreError> {
        check_blob_id(id)?;
        match &self.blobs {
            Blobs::Memory(blobs) => {
                blobs.lock().remove(&(owner, id.to_owned()));
                Ok(())
            }
            Blobs::Disk(root) => {
                let path = root.join(owner.to_string()).join(id);
                on_disk(path, |path| found(fs::remove_file(path)).map(|_| ())).await
            }
        }
    }

    async fn list_blobs(&self, owner: Owner) -> Result<Vec<BlobInfo>, StoreError> {
        match &self.blobs {
            Blobs::Memory(blobs) => {
                let blobs = blobs.lock();
                let of_owner = blobs.iter().filter(|((of, _), _)| *of == owner);
                Ok(of_owner.map(|((_, id), bytes)| BlobInfo { id: id.clone(), len: bytes.len() as u64 }).collect())
            }
            Blobs::Disk(root) => on_disk(root.join(owner.to_string()), list).await,
        }
    }
}

/// The rename is what makes it a blob; both directories are synced, or a power cut could take it back.
fn write(directory: &Path, id: &str, bytes: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(directory)?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let unfinished = directory.join(format!("{UNFINISHED}{}-{number}", std::process::id()));
    let written = (|| {
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, directory.join(id))
    })();
    if written.is_err() {
        // What is left of it is no blob, whatever becomes of this.
        let _ = fs::remove_file(&unfinished);
        return written;
    }
    File::open(directory)?.sync_all()?;
    directory.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

fn remove_unfinished(root: &Path) -> std::io::Result<()> {
    for owner in found(fs::read_dir(root))?.into_iter().flatten() {
        let owner = owner?;
        if !owner.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(owner.path())? {
            let file = file?;
            if file.file_name().to_string_lossy().starts_with(UNFINISHED) {
                found(fs::remove_file(file.path()))?;
            }
        }
    }
    Ok(())
}

fn list(directory: &Path) -> std::io::Result<Vec<BlobInfo>> {
    let mut blobs = Vec::new();
    for entry in found(fs::read_dir(directory))?.into_iter().flatten() {
        let entry = entry?;
        let id = entry.file_name().to_string_lossy().into_owned();
        if !id.starts_with(UNFINISHED) {
            blobs.push(BlobInfo { id, len: entry.metadata()?.len() });
        }
    }
    blobs.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(blobs)
}

/// Who has blobs. Directories that are nobody's are none of ours.
pub(super) async fn owners(root: &Path) -> Result<BTreeSet<Owner>, StoreError> {
    on_disk(root.to_owned(), |root| {
        let mut owners = BTreeSet::new();
        for entry in found(fs::read_dir(root))?.into_iter().flatten() {
            owners.extend(entry?.file_name().to_str().and_then(Owner::parse));
        }
        Ok(owners)
    })
    .await
}

fn found<T>(result: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn on_disk<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(move || work(&path).map_err(|error| explain(&path, &error))).await;
    done.map_err(|error| StoreError::unreachable(error.to_string()))?
}

fn explain(path: &Path, error: &std::io::Error) -> StoreError {
    let place = path.display();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            StoreError::Refused { detail: format!("the disk that holds {place} is full; free some space on it") }
        }
        _ => StoreError::Refused { detail: format!("{place} cannot be used: {error}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_killed_process_left_is_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(directory.path()).expect("a store");
        store.put_blob(Owner::Service, "whole", vec![1]).await.expect("written");
        drop(store);
        let of_owner = directory.path().join(super::super::BLOBS).join(Owner::Service.to_string());
        let left = of_owner.join(format!("{UNFINISHED}1-1"));
        fs::write(&left, [1]).expect("written");
        let blobs = Blobs::in_directory(directory.path().join(super::super::BLOBS));
        assert!(matches!(blobs, Blobs::Disk(_)) && !left.exists() && of_owner.join("whole").exists());
    }
}
