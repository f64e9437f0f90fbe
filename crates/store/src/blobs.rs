//! Files that belong to somebody: portraits, avatar bundles, results of jobs.

use async_trait::async_trait;

use crate::StoreError;
use crate::records::{Owner, check_name};

/// The largest blob, in bytes.
pub const BLOB_MAX: usize = 64 << 20;

/// What the names of blobs begin with that hold speech until it is spoken: they come and go with their sessions, and are not
/// what an account keeps.
pub const SPEECH_BLOBS: &str = "speech.";

/// A blob without its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its name within the owner.
    pub id: String,
    /// Its length in bytes.
    pub len: u64,
}

/// Blobs. Each is written whole before it can be read, and replaced as a whole.
#[async_trait]
pub trait BlobStore: Send + Sync + 'static {
    /// Writes a blob, new or in the place of another of this name; durable when it answers.
    async fn put_blob(&self, owner: Owner, id: &str, bytes: Vec<u8>) -> Result<(), StoreError>;
    /// Reads a blob.
    async fn get_blob(&self, owner: Owner, id: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// Deletes a blob; one that is not there is as good as deleted.
    async fn delete_blob(&self, owner: Owner, id: &str) -> Result<(), StoreError>;
    /// An owner's blobs, in the order of their ids.
    async fn list_blobs(&self, owner: Owner) -> Result<Vec<BlobInfo>, StoreError>;
}

/// Checks a blob's name, which may become a file's: letters, digits, `_`, `-` and `.`, not at the beginning.
///
/// # Errors
/// [`StoreError::Refused`].
pub fn check_blob_id(id: &str) -> Result<(), StoreError> {
    check_name(id)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if id.bytes().all(fits) && !id.starts_with('.') {
        return Ok(());
    }
    Err(StoreError::Refused { detail: "a blob's name has letters, digits, `_`, `-` and `.` only".to_owned() })
}

/// Checks a blob's size.
///
/// # Errors
/// [`StoreError::Refused`].
pub fn check_blob_len(len: usize) -> Result<(), StoreError> {
    if len <= BLOB_MAX {
        return Ok(());
    }
    Err(StoreError::Refused { detail: format!("a blob of {len} bytes; at most {BLOB_MAX} fit") })
}
