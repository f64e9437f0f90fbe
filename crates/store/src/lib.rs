//! Where credits and sessions are kept: the ports, the embedded SQLite store, and the contract that every store meets.
//!
//! Stores hold no rules. They load a [`footlight_ledger::Books`], and commit its changes if the account is still
//! the one that was read. [`desk`] puts both together: it is the one door through which a node changes accounts.
//!
//! Suggested reading order: [`ports`], [`error`], [`desk`], [`sqlite`], [`due`], [`codec`], [`progress`].

pub mod codec;
pub mod desk;
pub mod due;
pub mod error;
pub mod ports;
pub mod sqlite;

pub use desk::{DeskOptions, LedgerDesk};
pub use due::{DueMove, due_at, due_bucket, job_due_at};
pub use error::StoreError;
pub use ports::{
    AccountStore, Commit, CommitOutcome, Committed, IdempotencyStore, Loaded, ProgressStore, REMEMBERED_COMMITS,
    Remembered, SecretRecord, SecretStore, SessionDirectory, Store, Version,
};
pub use sqlite::{DataDirLock, SqliteStore};
