//! Accounts that do not fly, as this node saw them last.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use footlight_ledger::AccountId;

use super::types::Known;

/// Bounded by tabs; whoever was used longest ago goes first, with all its tabs.
///
/// Nothing here is the truth: a stale account shows as a conflict at its next commit, and the store hands over the fresh
/// one.
pub(super) struct Cache {
    accounts: HashMap<AccountId, (u64, Known)>,
    /// Accounts by their last use.
    by_use: BTreeMap<u64, AccountId>,
    uses: u64,
    tabs: usize,
    tabs_max: usize,
}

impl Cache {
    pub(super) fn new(tabs_max: usize) -> Self {
        Self { accounts: HashMap::new(), by_use: BTreeMap::new(), uses: 0, tabs: 0, tabs_max }
    }

    pub(super) fn take(&mut self, account: AccountId) -> Option<Known> {
        let (used, known) = self.accounts.remove(&account)?;
        self.by_use.remove(&used);
        self.tabs -= weight(&known);
        Some(known)
    }

    pub(super) fn put(&mut self, account: AccountId, known: Known) {
        drop(self.take(account));
        self.uses += 1;
        self.tabs += weight(&known);
        self.by_use.insert(self.uses, account);
        self.accounts.insert(account, (self.uses, known));
        // An account that is over the bound all by itself is dropped too, and read again piece by piece.
        while self.tabs > self.tabs_max
            && let Some((_, oldest)) = self.by_use.first_key_value()
        {
            drop(self.take(*oldest));
        }
    }
}

/// An account weighs about as much as two tabs.
fn weight(known: &Known) -> usize {
    known.books.tabs.len() + 2
}
