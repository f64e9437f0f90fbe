//! One process per data directory.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::StoreError;

/// The right to write in a data directory; given back when dropped, and by the kernel when the process dies.
///
/// Two nodes in one directory would write over each other's progress records.
#[derive(Debug)]
pub struct DataDirLock {
    directory: PathBuf,
    /// Keeps the lock; never read.
    _file: File,
}

impl DataDirLock {
    /// Takes the directory, creating it where it is missing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] naming the directory when another process has it, or when it cannot be written to.
    pub fn take(directory: &Path) -> Result<Self, StoreError> {
        let refused = |what: &str, error: std::io::Error| StoreError::Refused {
            detail: format!("the data directory {} {what}: {error}", directory.display()),
        };
        std::fs::create_dir_all(directory).map_err(|error| refused("cannot be created", error))?;
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(directory.join("lock"))
            .map_err(|error| refused("cannot be written to", error))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut owner = String::new();
                let _ = (&mut file).take(32).read_to_string(&mut owner);
                let owner = if owner.trim().is_empty() { "?".to_owned() } else { owner.trim().to_owned() };
                return Err(StoreError::Refused {
                    detail: format!(
                        "the data directory {} is in use by process {owner}; stop that one, or give this one a directory of its own",
                        directory.display()
                    ),
                });
            }
            Err(error) => return Err(refused("cannot be locked", error.into())),
        }
        // Who has it is told for people's sake; the lock itself is the truth, so a failure here is nothing.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { directory: directory.to_owned(), _file: file })
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}
