//! Moving everything from one store to another.
//!
//! A store dumps and loads its *documents* as they are: both stores write the same bytes, so what was moved can be compared
//! byte by byte. Accounts are put together part by part, and exist from their head on, which is written last. Everything
//! else goes through the ports that nodes use as well.
//!
//! Suggested reading order: this page, [`migration`], [`mover`], `walk`, [`mark`], [`tally`].

pub mod mark;
pub mod migration;
pub mod mover;
pub mod tally;
mod walk;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use footlight_ledger::AccountId;
use footlight_session::SessionRecord;
use parking_lot::Mutex;

use crate::{Owner, StoreError, Version};

pub use mark::{Mark, unfinished};
pub use migration::{MigrateError, Mode, Report, migrate};
pub use mover::{Depth, MoveError, Progress};
pub use tally::{Count, Kind, Tally};

/// The most collections that a store may have: they are constants of this program, a dozen or two.
const COLLECTIONS_MAX: usize = 1_024;

/// The most owners that are no accounts: there should be none.
pub const STRAYS_MAX: usize = 100_000;

/// What an account consists of besides its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// What it remembers of its sessions, by session.
    Tabs,
    /// Money operations, by name.
    Names,
    /// Jobs, by id.
    Jobs,
    /// The journal from the checkpoint on, by number.
    Entries,
}

impl Part {
    /// All of them, in the order in which they are loaded.
    pub const ALL: [Self; 4] = [Self::Tabs, Self::Names, Self::Jobs, Self::Entries];
}

/// One document of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name: the 16 bytes of a session or job, a name's text, or the eight bytes of an entry's number. Lists are in the
    /// order of these.
    pub key: Vec<u8>,
    /// The document of [`codec`](crate::codec).
    pub document: Vec<u8>,
}

/// The name of a journal entry among [`Part::Entries`].
#[must_use]
pub fn entry_key(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

/// Reads [`entry_key`] back.
///
/// # Errors
/// [`StoreError::Corrupt`] when it is none.
pub fn entry_number(key: &[u8]) -> Result<u64, StoreError> {
    let bytes = key.try_into().map_err(|_| StoreError::Corrupt {
        place: "the number of a journal entry".to_owned(),
        detail: format!("{} bytes", key.len()),
    })?;
    Ok(u64::from_be_bytes(bytes))
}

/// An account without its parts. Whoever has the same head has the same account: every change makes a new version, and
/// trimming a new checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountHead {
    /// Whose.
    pub account: AccountId,
    /// Its version, kept when it is moved.
    pub version: Version,
    /// The commit ids before it, newest first.
    pub recent: Vec<u128>,
    /// The account's document.
    pub document: Vec<u8>,
    /// The number of the first entry that the checkpoint does not cover, and its document; `None` when nothing was trimmed.
    pub checkpoint: Option<(u64, Vec<u8>)>,
}

/// What there is besides accounts, as far as it cannot be listed by account.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// The names of all collections of records.
    pub collections: BTreeSet<String>,
    /// Owners of records, blobs or secrets that are no accounts on the list. The service is not named.
    pub strays: BTreeSet<Owner>,
}

impl Inventory {
    /// Notes an owner that is no account on the list.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when there are more than [`STRAYS_MAX`].
    pub fn add_stray(&mut self, owner: Owner) -> Result<(), StoreError> {
        self.strays.insert(owner);
        if self.strays.len() <= STRAYS_MAX {
            return Ok(());
        }
        let detail = format!("more than {STRAYS_MAX} owners of records or blobs are no accounts");
        Err(StoreError::Refused { detail })
    }
}

/// What a store does to be moved. Nobody else uses it meanwhile: [`StoreTransfer::count_others`] says whether that is so.
#[async_trait]
pub trait StoreTransfer: Send + Sync + 'static {
    /// How many other processes have the store open, as far as can be told.
    async fn count_others(&self) -> Result<u64, StoreError>;

    /// Looks through the whole store for what no list names.
    async fn take_inventory(&self) -> Result<Inventory, StoreError>;

    /// An account's head; `None` when there is no such account.
    async fn dump_head(&self, account: AccountId) -> Result<Option<AccountHead>, StoreError>;

    /// Documents of a part after `after`, in the order of their keys, at most `limit`.
    async fn dump_part(
        &self,
        account: AccountId,
        part: Part,
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError>;

    /// Removes an account's head and parts, or what was loaded of it.
    async fn clear_account(&self, account: AccountId) -> Result<(), StoreError>;

    /// Loads documents of a part, in order, before the head. The same again is loaded once.
    async fn load_part(&self, account: AccountId, part: Part, items: Vec<Item>) -> Result<(), StoreError>;

    /// Loads the head, and so makes the account exist. Answers `false`, and writes nothing, when it is there already with
    /// another version.
    async fn load_head(&self, head: AccountHead) -> Result<bool, StoreError>;

    /// How long records of sessions are kept after their end; `None`: for ever.
    fn sessions_kept(&self) -> Option<Duration>;

    /// Loads session records as they are. They are removed when those of this store would have been.
    async fn load_sessions(&self, records: Vec<SessionRecord>) -> Result<(), StoreError>;

    /// Answers once everything that was loaded is durable.
    async fn settle(&self) -> Result<(), StoreError>;
}

/// A collection's name as the ports of records take it. Names are kept for ever, which is why there is a bound.
///
/// # Errors
/// [`StoreError::Refused`] when there are more than a thousand.
pub fn collection(name: &str) -> Result<&'static str, StoreError> {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock();
    if let Some(known) = names.get(name) {
        return Ok(known);
    }
    if names.len() >= COLLECTIONS_MAX {
        return Err(StoreError::Refused { detail: format!("the store has more than {COLLECTIONS_MAX} collections") });
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(kept);
    Ok(kept)
}
