//! Where credits and sessions are kept: the ports, the embedded SQLite store, and the contract that every store meets.
//!
//! Stores hold no rules. They load a [`footlight_ledger::Books`], and commit its changes if the account is still
//! the one that was read. [`desk`] puts both together: it is the one door through which a node changes accounts.
//!
//! Suggested reading order: [`ports`], [`desk`], [`sqlite`], [`progress`], [`contract`].

pub mod ports;

pub use ports::{
    AccountStore, Commit, CommitOutcome, Committed, IdempotencyStore, Loaded, SecretRecord, SecretStore,
    SessionDirectory, Store, StoreError, Version,
};
