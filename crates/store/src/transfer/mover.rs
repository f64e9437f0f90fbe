//! One pass over both stores, account by account: looking, moving or verifying.

mod account;
mod owned;
mod sessions;

use std::sync::Arc;

use footlight_ledger::{AccountId, Timestamp};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::Inventory;
use super::mark::COLLECTION;
use super::tally::Tally;
use super::walk::{Pair, Side, Walk};
use crate::{Owner, Store, StoreError};

/// Accounts that are worked on at the same time: enough that one wait for the disk serves several.
const LANES: usize = 16;

/// Ids of accounts read at once.
const ACCOUNTS_PAGE: usize = 1_000;

/// What went wrong, and where.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MoveError {
    /// The store that is moved from.
    #[error("the source: {0}")]
    Source(#[source] StoreError),
    /// The store that is moved to.
    #[error("the target: {0}")]
    Target(#[source] StoreError),
    /// Somebody else has written into the target.
    #[error("somebody else writes into the target: {0}")]
    Disturbed(String),
}

/// How deep a pass goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Compares heads, versions and lengths; writes nothing.
    Look,
    /// Writes what is missing.
    Move,
    /// Compares everything byte by byte, and audits both; writes nothing.
    Verify,
}

/// How far a pass is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A pass begins, over so many accounts.
    Begun(Depth, u64),
    /// One more account.
    Account,
    /// So many more session records.
    Sessions(u64),
}

/// Two stores, and what one pass needs to know.
pub struct Mover {
    /// Read only.
    pub source: Arc<dyn Store>,
    /// Written to by [`Depth::Move`] alone.
    pub target: Arc<dyn Store>,
    /// The target holds a part of this migration and nothing else, so what differs there is replaced.
    pub continues: bool,
    /// The target's clock when the migration began.
    pub now: Timestamp,
    /// Told how far it is.
    pub progress: Box<dyn Fn(Progress) + Send + Sync>,
    /// Only one blob (twice: from both stores) is in memory at a time.
    pub one_blob: Mutex<()>,
}

impl Mover {
    /// Goes over everything once.
    ///
    /// # Errors
    /// [`MoveError`]; what was written until then stays, and is taken up by the next pass.
    pub async fn pass(self: &Arc<Self>, depth: Depth) -> Result<Tally, MoveError> {
        let inventory = Arc::new(self.inventory().await?);
        (self.progress)(Progress::Begun(depth, self.count_accounts().await?));
        let mut tally = Tally::default();
        let mut lanes: JoinSet<Result<Tally, MoveError>> = JoinSet::new();
        let mut accounts = self.accounts();
        while let Some(side) = accounts.next().await? {
            let (Side::Source(account) | Side::Target(account) | Side::Both(account, _)) = side;
            if lanes.len() >= LANES {
                tally.add(joined(lanes.join_next().await)?);
            }
            let (mover, inventory) = (Arc::clone(self), Arc::clone(&inventory));
            lanes.spawn(async move {
                let tally = mover.account(depth, account, &inventory).await?;
                (mover.progress)(Progress::Account);
                Ok(tally)
            });
        }
        while !lanes.is_empty() {
            tally.add(joined(lanes.join_next().await)?);
        }
        for owner in inventory.strays.iter().copied().chain([Owner::Service]) {
            self.owned(depth, owner, &inventory, &mut tally).await?;
        }
        self.sessions(depth, &mut tally).await?;
        Ok(tally)
    }

    /// What either store has besides accounts.
    async fn inventory(&self) -> Result<Inventory, MoveError> {
        let mut inventory = self.source.take_inventory().await.map_err(MoveError::Source)?;
        let other = self.target.take_inventory().await.map_err(MoveError::Target)?;
        inventory.collections.extend(other.collections);
        inventory.collections.remove(COLLECTION);
        inventory.strays.extend(other.strays);
        Ok(inventory)
    }

    fn accounts(&self) -> Pair<'static, AccountId> {
        let list = |store: &Arc<dyn Store>| {
            let store = Arc::clone(store);
            Walk::new(move |after: Option<&AccountId>| {
                let (store, after) = (Arc::clone(&store), after.copied());
                async move { store.list_accounts(after, ACCOUNTS_PAGE).await }
            })
        };
        Pair::new(list(&self.source), list(&self.target), Ord::cmp)
    }

    async fn count_accounts(&self) -> Result<u64, MoveError> {
        let (mut count, mut accounts) = (0, self.accounts());
        while accounts.next().await?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

fn joined(lane: Option<Result<Result<Tally, MoveError>, tokio::task::JoinError>>) -> Result<Tally, MoveError> {
    match lane {
        None => Ok(Tally::default()),
        Some(Ok(tally)) => tally,
        Some(Err(error)) => Err(MoveError::Source(StoreError::unreachable(format!("a lane ended: {error}")))),
    }
}
