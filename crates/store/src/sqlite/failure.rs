//! What SQLite's errors mean to a caller.

use std::path::PathBuf;

use rusqlite::{Error, ErrorCode};

use crate::StoreError;

/// How a piece of work on a connection fails: by SQLite (and then everything in its transaction fails), or by itself.
#[derive(Debug)]
pub(super) enum Failure {
    /// A statement failed.
    Sql(Error),
    /// What was read makes no sense.
    Store(StoreError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Where the database is, for messages.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// A file.
    File(PathBuf),
    /// Nowhere but in memory.
    Memory,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Memory => f.write_str("memory"),
        }
    }
}

impl Place {
    /// What a piece of work's failure means to its caller.
    pub(super) fn explain(&self, failure: Failure) -> StoreError {
        match failure {
            Failure::Sql(error) => self.failure(&error),
            Failure::Store(error) => error,
        }
    }

    /// An error of a statement: nothing of its transaction is written.
    pub(super) fn failure(&self, error: &Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => {
                StoreError::Refused { detail: format!("the disk that holds {self} is full; free some space on it") }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                StoreError::Refused { detail: format!("{self} cannot be written to: {error}") }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::Refused { detail: format!("{self} is in use by another program: {error}") }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Corrupt { place: self.to_string(), detail: error.to_string() }
            }
            _ => StoreError::unreachable(format!("{self}: {error}")),
        }
    }

    /// An error of the COMMIT itself: after a failed write or fsync nobody can say what is on the disk.
    pub(super) fn commit_failure(&self, error: &Error) -> StoreError {
        match self.failure(error) {
            StoreError::Unreachable { detail, .. } => StoreError::unknown(detail),
            other => other,
        }
    }
}
