//! Where the accounts of a simulated year live: in books alone, or behind a desk on a store. The clock is the test's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use footlight_ledger::{Account, AccountId, Books, Checkpoint, Command, Entry, Limits, Outcome, Terms, Timestamp};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::desk::Clock;
use crate::{LedgerDesk, Store, WholeAccount, trim_journal};

/// Accounts on a clock that is set by hand.
pub(super) enum Bank {
    /// The pure machine.
    Books(Mutex<BTreeMap<AccountId, Shelf>>, Arc<AtomicI64>),
    /// A desk on a store.
    Desk(LedgerDesk, Arc<AtomicI64>),
}

/// One account without a store.
pub(super) struct Shelf {
    books: Books,
    checkpoint: Checkpoint,
    entries: Vec<Entry>,
}

impl Bank {
    pub(super) fn of_books(now: Timestamp) -> Self {
        Self::Books(Mutex::default(), Arc::new(AtomicI64::new(now.0)))
    }

    /// The store must take commits of any time: see [`super::a_year_on_each_plan`].
    pub(super) fn on(store: Arc<dyn Store>, now: Timestamp) -> Self {
        let time = Arc::new(AtomicI64::new(now.0));
        let hands = Arc::clone(&time);
        let clock: Clock = Arc::new(move || Timestamp(hands.load(Ordering::SeqCst)));
        let commit_ids = Arc::new(|| Uuid::now_v7().as_u128());
        Self::Desk(LedgerDesk::new(store, Terms::default(), clock, commit_ids), time)
    }

    pub(super) fn set_clock(&self, now: Timestamp) {
        let (Self::Books(_, time) | Self::Desk(_, time)) = self;
        let before = time.swap(now.0, Ordering::SeqCst);
        assert!(before <= now.0, "the script goes back in time");
    }

    pub(super) async fn open(&self, account: AccountId, limits: Limits) {
        match self {
            Self::Books(shelves, time) => {
                let now = Timestamp(time.load(Ordering::SeqCst));
                let books = Books::new(Account::open(account, now, limits));
                let shelf = Shelf { books, checkpoint: Checkpoint::default(), entries: Vec::new() };
                shelves.lock().insert(account, shelf);
            }
            Self::Desk(desk, _) => drop(desk.open_account(account, limits).await.expect("opens")),
        }
    }

    /// Applies commands, those of one account in their order.
    pub(super) async fn apply(&self, commands: Vec<(AccountId, Command)>) -> Vec<Outcome> {
        match self {
            Self::Books(shelves, time) => {
                let now = Timestamp(time.load(Ordering::SeqCst));
                let mut shelves = shelves.lock();
                let apply = |(account, command): (AccountId, Command)| {
                    let Shelf { books, entries, .. } = shelves.get_mut(&account).expect("it was opened");
                    let outcome = books.apply(&Terms::default(), now, &command).outcome;
                    entries.extend(books.take_changes().entries);
                    outcome
                };
                commands.into_iter().map(apply).collect()
            }
            Self::Desk(desk, _) => {
                let outcomes = desk.submit_many(commands).await;
                outcomes.into_iter().map(|outcome| outcome.expect("the store works")).collect()
            }
        }
    }

    /// Everything there is of each account.
    pub(super) async fn whole(&self, accounts: &[AccountId]) -> Vec<WholeAccount> {
        match self {
            Self::Books(shelves, _) => {
                let shelves = shelves.lock();
                let whole = |account| {
                    let Shelf { books, checkpoint, entries } = &shelves[account];
                    WholeAccount {
                        account: books.account.clone(),
                        checkpoint: checkpoint.clone(),
                        entries: entries.clone(),
                        tabs: books.tabs.values().cloned().collect(),
                        jobs: books.jobs.values().cloned().collect(),
                    }
                };
                accounts.iter().map(whole).collect()
            }
            Self::Desk(desk, _) => {
                let mut all = Vec::with_capacity(accounts.len());
                for account in accounts {
                    let whole = desk.store().load_whole(*account).await.expect("the store works");
                    all.push(whole.expect("it was opened"));
                }
                all
            }
        }
    }

    /// Folds the journal up to `before` into the checkpoint.
    pub(super) async fn trim(&self, account: AccountId, before: Timestamp) {
        match self {
            Self::Books(shelves, _) => {
                let mut shelves = shelves.lock();
                let Shelf { checkpoint, entries, .. } = shelves.get_mut(&account).expect("it was opened");
                let old = entries.partition_point(|entry| entry.at < before);
                for entry in entries.drain(..old) {
                    checkpoint.fold(&entry).expect("no entry is missing");
                }
            }
            Self::Desk(desk, _) => {
                trim_journal(&**desk.store(), account, before).await.expect("the store works");
            }
        }
    }
}
