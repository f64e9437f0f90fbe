//! How much uploaded speech this node keeps in the store.
//!
//! A shared store has to hold what all nodes keep, beside everything else: one that is full refuses charges. So each node keeps
//! only so much, and only so much for one account. What is over it is spoken all the same, and lost with the node.

use std::collections::HashMap;
use std::sync::Arc;

use footlight_ledger::AccountId;
use parking_lot::Mutex;

/// How many bytes of speech a node keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeptLimits {
    /// For all accounts together.
    pub(crate) node: u64,
    /// For one account.
    pub(crate) account: u64,
}

/// What is kept, against what may be.
#[derive(Debug)]
pub(super) struct Budget {
    limits: KeptLimits,
    kept: Mutex<KeptBytes>,
}

#[derive(Debug, Default)]
struct KeptBytes {
    all: u64,
    /// Of accounts that have any.
    by_account: HashMap<AccountId, u64>,
}

/// What one utterance takes; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    budget: Arc<Budget>,
    account: AccountId,
    bytes: u64,
}

impl Budget {
    pub(super) fn new(limits: KeptLimits) -> Self {
        Self { limits, kept: Mutex::default() }
    }

    /// A place for so many bytes; `None` when they do not fit.
    pub(super) fn take(self: &Arc<Self>, account: AccountId, bytes: u64) -> Option<Place> {
        let mut kept = self.kept.lock();
        let of_account = kept.by_account.get(&account).copied().unwrap_or_default();
        if of_account + bytes > self.limits.account || kept.all + bytes > self.limits.node {
            return None;
        }
        Some(self.place(&mut kept, account, bytes))
    }

    /// A place for what is in the store already, a former owner's: whether it fits is not asked.
    pub(super) fn take_over(self: &Arc<Self>, account: AccountId, bytes: u64) -> Place {
        self.place(&mut self.kept.lock(), account, bytes)
    }

    fn place(self: &Arc<Self>, kept: &mut KeptBytes, account: AccountId, bytes: u64) -> Place {
        kept.all += bytes;
        *kept.by_account.entry(account).or_default() += bytes;
        Place { budget: Arc::clone(self), account, bytes }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut kept = self.budget.kept.lock();
        kept.all -= self.bytes;
        if let Some(of_account) = kept.by_account.get_mut(&self.account) {
            *of_account -= self.bytes;
            if *of_account == 0 {
                kept.by_account.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_account_is_kept_so_much_and_a_node_keeps_so_much() {
        let [one, other, third] = [1, 2, 3].map(|id| AccountId(Uuid::from_u128(id)));
        let budget = Arc::new(Budget::new(KeptLimits { node: 100, account: 60 }));
        let first = budget.take(one, 60).expect("it fits");
        assert!(budget.take(one, 1).is_none(), "the account's is full");
        let _other = budget.take(other, 40).expect("others have theirs");
        assert!(budget.take(third, 1).is_none(), "the node's is full");
        let inherited = budget.take_over(third, 500);
        drop(first);
        assert!(budget.take(one, 1).is_none(), "what is inherited counts");
        drop(inherited);
        assert!(budget.take(one, 60).is_some(), "it was given back");
        let kept = budget.kept.lock();
        assert_eq!((kept.all, kept.by_account.len()), (40, 1));
    }
}
