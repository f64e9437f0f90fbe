//! What is forgotten, and when.

use footlight_ledger::{Account, AccountId, Books, Limits, Timestamp};
use uuid::Uuid;

use super::{Cache, Known};
use crate::Version;

/// An account without tabs weighs two.
fn known(id: u128) -> (AccountId, Known) {
    let account = AccountId(Uuid::from_u128(id));
    let books = Books::new(Account::open(account, Timestamp(0), Limits::default()));
    (account, Known { books, version: Version { counter: 1, commit: id }, recent: Vec::new() })
}

#[test]
fn the_account_used_longest_ago_is_forgotten_first() {
    let mut cache = Cache::new(4);
    let ((one, first), (two, second), (three, third)) = (known(1), known(2), known(3));
    cache.put(one, first);
    cache.put(two, second);
    let first = cache.take(one).expect("is known");
    cache.put(one, first);
    cache.put(three, third);
    assert!(cache.take(two).is_none());
    assert!(cache.take(one).is_some() && cache.take(three).is_some());
    assert_eq!(cache.tabs, 0, "what is taken weighs nothing");
}

#[test]
fn an_account_over_the_bound_is_not_kept() {
    let mut cache = Cache::new(1);
    let (one, first) = known(1);
    cache.put(one, first);
    assert!(cache.take(one).is_none());
}
