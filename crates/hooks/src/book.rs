//! The endpoints of accounts, as this node knows them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use footlight_ledger::{AccountId, HookId};
use footlight_store::{Expected, Owner, RecordBatch, RecordOutcome, RecordRange, Store, StoreError};
use parking_lot::Mutex;

use crate::documents::{Endpoint, HOOKS, hook_key, put, read};

/// How long the endpoints of an account are believed to be those that were read.
const FRESH_FOR: Duration = Duration::from_secs(5);

/// How long an account is believed to have none. A new endpoint is known at once where it was made, and elsewhere after
/// this long at the latest.
const NONE_FRESH_FOR: Duration = Duration::from_secs(20);

/// Accounts kept. Beyond it all are read again.
const KEPT_MAX: usize = 100_000;

/// How often a change of an endpoint is tried that others change too.
const TRIES_MAX: u32 = 5;

/// An account's endpoints, and when they were read.
type Known = (Instant, Arc<[Endpoint]>);

/// Looks endpoints up.
pub(crate) struct Book {
    store: Arc<dyn Store>,
    known: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    accounts: HashMap<AccountId, Known>,
    /// Grows whenever something is forgotten: what was asked for before that may be as it was before the change.
    generation: u64,
}

impl Pages {
    /// Keeps what was asked for in `generation`.
    fn keep(&mut self, account: AccountId, known: Known, generation: u64) {
        if self.generation != generation {
            return;
        }
        if self.accounts.len() >= KEPT_MAX {
            self.accounts.clear();
        }
        self.accounts.insert(account, known);
    }

    fn forget(&mut self, account: AccountId) {
        self.generation += 1;
        self.accounts.remove(&account);
    }
}

impl Book {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// An account's endpoints, disabled ones included; a few seconds old at most.
    pub(crate) async fn of(&self, account: AccountId) -> Result<Arc<[Endpoint]>, StoreError> {
        if let Some((read_at, endpoints)) = self.known.lock().accounts.get(&account) {
            let fresh_for = if endpoints.is_empty() { NONE_FRESH_FOR } else { FRESH_FOR };
            if read_at.elapsed() < fresh_for {
                return Ok(Arc::clone(endpoints));
            }
        }
        self.reread(account).await
    }

    /// An account's endpoints as they are in the store.
    pub(crate) async fn reread(&self, account: AccountId) -> Result<Arc<[Endpoint]>, StoreError> {
        let asked_at = Instant::now();
        let generation = self.known.lock().generation;
        let range = RecordRange { limit: usize::MAX, ..RecordRange::default() };
        let records = self.store.list_records(Owner::Account(account), HOOKS, range).await?;
        let endpoints: Arc<[Endpoint]> = records.iter().map(read).collect::<Result<Vec<_>, _>>()?.into();
        self.known.lock().keep(account, (asked_at, Arc::clone(&endpoints)), generation);
        Ok(endpoints)
    }

    /// One endpoint; `None` when it was deleted.
    pub(crate) async fn get(&self, account: AccountId, hook: HookId) -> Result<Option<Endpoint>, StoreError> {
        Ok(self.of(account).await?.iter().find(|endpoint| endpoint.id == hook).cloned())
    }

    /// One endpoint as it is in the store.
    pub(crate) async fn get_surely(&self, account: AccountId, hook: HookId) -> Result<Option<Endpoint>, StoreError> {
        Ok(self.reread(account).await?.iter().find(|endpoint| endpoint.id == hook).cloned())
    }

    /// The account's endpoints have changed.
    pub(crate) fn forget(&self, account: AccountId) {
        self.known.lock().forget(account);
    }

    /// Changes an endpoint as it is in the store; answers it, or `None` when it is gone. `change` says whether there is
    /// anything to write.
    pub(crate) async fn update(
        &self,
        account: AccountId,
        hook: HookId,
        change: impl Fn(&mut Endpoint) -> bool + Send + Sync,
    ) -> Result<Option<Endpoint>, StoreError> {
        let (owner, key) = (Owner::Account(account), hook_key(hook));
        for _ in 0..TRIES_MAX {
            let Some(record) = footlight_store::records::get_record(&*self.store, owner, &key).await? else {
                return Ok(None);
            };
            let mut endpoint: Endpoint = read(&record)?;
            if !change(&mut endpoint) {
                return Ok(Some(endpoint));
            }
            let ops = vec![put(key.clone(), Expected::Version(record.version), None, &endpoint).1];
            let written = footlight_store::records::write_surely(&*self.store, RecordBatch { owner, ops }).await?;
            self.forget(account);
            if written == RecordOutcome::Written {
                return Ok(Some(endpoint));
            }
        }
        Err(StoreError::Contended { account, tries: TRIES_MAX })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_was_asked_for_before_a_change_is_not_kept() {
        let (mut pages, account) = (Pages::default(), AccountId(Uuid::nil()));
        let none = || (Instant::now(), Arc::from([]));
        let before = pages.generation;
        pages.forget(account);
        pages.keep(account, none(), before);
        assert!(pages.accounts.is_empty());
        pages.keep(account, none(), pages.generation);
        assert_eq!(pages.accounts.len(), 1);
    }
}
