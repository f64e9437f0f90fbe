//! Where credits and sessions are kept: the ports, the embedded SQLite store, and the contract that every store meets.
//!
//! Stores hold no rules. They load a [`footlight_ledger::Books`], and commit its changes if the account is still
//! the one that was read. [`desk`] puts both together: it is the one door through which a node changes accounts.
//!
//! Suggested reading order: [`ports`], [`nodes`], [`records`], [`blobs`], [`error`], [`desk`], [`progress`], [`sqlite`], [`audit`], [`trim`], [`transfer`], [`due`], [`codec`].
//! With the feature `contract`: the suite that every store meets, and a store that fails on purpose.

pub mod audit;
pub mod blobs;
pub mod codec;
#[cfg(feature = "contract")]
pub mod contract;
pub mod desk;
pub mod due;
pub mod error;
#[cfg(feature = "contract")]
pub mod faulty;
pub mod nodes;
pub mod ports;
pub mod progress;
pub mod records;
pub mod sqlite;
pub mod transfer;
pub mod trim;

pub use audit::{AccountAudit, audit_account, audit_all};
pub use blobs::{BLOB_MAX, BlobInfo, BlobStore};
pub use desk::{DeskOptions, LedgerDesk};
pub use due::{DueMove, due_at, due_bucket, job_due_at};
pub use error::StoreError;
pub use nodes::NodeStore;
pub use ports::{
    AccountStore, Commit, CommitOutcome, Committed, IdempotencyStore, Loaded, ProgressStore, REMEMBERED_COMMITS,
    Remembered, Rise, SecretRecord, SecretStore, SessionDirectory, SessionPut, Store, Version, WholeAccount,
};
pub use progress::{ProgressEntry, ProgressWriter, Slot, recover_from_store};
pub use records::{
    Due, DueQueue, Expected, Owner, Record, RecordBatch, RecordKey, RecordOp, RecordOutcome, RecordRange, RecordStore,
    RecordVersion,
};
pub use sqlite::{DataDirLock, SqliteStore};
pub use transfer::StoreTransfer;
pub use trim::trim_journal;
