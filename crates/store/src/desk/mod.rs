//! The desk: the one door through which a node changes accounts.
//!
//! Callers submit commands. Per account one commit is in flight; what arrives meanwhile is the next batch, so a busy account
//! is written as often as the store answers and no oftener. Batches of different accounts share one call of the store. The
//! desk keeps the accounts and tabs it has seen, so that a heartbeat is one round trip; if another node was faster, the
//! store hands over the fresh state and the batch is applied again. If a reply gets lost, the desk reads back by commit id
//! whether the write happened, so that it is charged once.
//!
//! `queue` decides what flies when, `flight` flies it.

mod cache;
mod figures;
mod flight;
mod queue;
mod types;

use std::collections::HashMap;
use std::sync::Arc;

use footlight_ledger::{Account, AccountId, Books, Command, Limits, Outcome, Terms, Touched};
use tokio::sync::{broadcast, mpsc};

use self::figures::Counters;
use self::queue::Queue;
use self::types::{Ground, Group};
use crate::{Commit, CommitOutcome, Rise, Store, StoreError, Version};

pub use figures::{COMMIT_SECONDS_BOUNDS, DeskFigures, Moved};
pub use types::{Clock, CommitIds, DeskOptions};

/// Hints that wait for a slow subscriber before it loses the oldest.
const RISES: usize = 4_096;

/// A handle on the desk. Clones share it; the desk ends when the last one is gone and everything is answered.
#[derive(Clone)]
pub struct LedgerDesk {
    groups: mpsc::Sender<Group>,
    ground: Arc<Ground>,
}

impl LedgerDesk {
    /// Opens the desk on the runtime that this is called in (a multi-threaded one, for more than a few thousand
    /// heartbeats a second). `commit_ids` must be random: versions are told apart by them alone.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, terms: Terms, clock: Clock, commit_ids: CommitIds) -> Self {
        Self::with_options(store, terms, clock, commit_ids, DeskOptions::default())
    }

    /// As [`LedgerDesk::new`], with other bounds.
    #[must_use]
    pub fn with_options(
        store: Arc<dyn Store>,
        terms: Terms,
        clock: Clock,
        commit_ids: CommitIds,
        options: DeskOptions,
    ) -> Self {
        let (groups, submitted) = mpsc::channel(options.queued_groups);
        let rises = broadcast::Sender::new(RISES);
        let written = broadcast::Sender::new(RISES);
        if let Some(remote) = store.rises() {
            tokio::spawn(forward(remote, rises.clone()));
        }
        let ground = Arc::new(Ground {
            store,
            terms,
            clock,
            commit_ids,
            options,
            rises,
            written,
            counters: Counters::default(),
        });
        tokio::spawn(Queue::new(Arc::clone(&ground)).run(submitted));
        Self { groups, ground }
    }

    /// Applies one command and answers once its outcome is written. Waits its turn when the desk is full.
    ///
    /// # Errors
    /// What the store said, after a bounded number of tries. The command may be submitted again as it is: its name (request
    /// number, grant name, job) makes sure that it is done once.
    pub async fn submit(&self, account: AccountId, command: Command) -> Result<Outcome, StoreError> {
        let mut outcomes = self.submit_many(vec![(account, command)]).await;
        outcomes.pop().expect("one outcome per command")
    }

    /// Applies many commands, of one or many accounts; those of one account in their order. One outcome per command, in
    /// order. Waits for the slowest.
    ///
    /// Each one fails on its own, as in [`LedgerDesk::submit`].
    pub async fn submit_many(&self, commands: Vec<(AccountId, Command)>) -> Vec<Result<Outcome, StoreError>> {
        let count = commands.len();
        let lost = || StoreError::unknown("the ledger desk stopped before it answered");
        let (reply, mut replies) = mpsc::unbounded_channel();
        for group in self.grouped(commands, &reply) {
            // A closed desk shows below: nobody answers.
            let _ = self.groups.send(group).await;
        }
        drop(reply);
        let mut outcomes: Vec<_> = (0..count).map(|_| None).collect();
        while let Some(answers) = replies.recv().await {
            for (index, outcome) in answers {
                outcomes[index] = Some(outcome);
            }
        }
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Err(lost()))).collect()
    }

    /// Opens an account, or answers the one that is there: a repeat is harmless. Durable before it is acknowledged.
    ///
    /// # Errors
    /// What the store said.
    pub async fn open_account(&self, account: AccountId, limits: Limits) -> Result<Account, StoreError> {
        let ground = &self.ground;
        let mut last = StoreError::unreachable("not tried");
        for _ in 0..ground.options.tries_max {
            let now = (ground.clock)();
            let opened = Account::open(account, now, limits);
            let mut books = Books::new(opened.clone());
            let commit = Commit {
                expected: None,
                next: Version { counter: 1, commit: (ground.commit_ids)() },
                recent: Vec::new(),
                now,
                changes: books.take_changes(),
                touched: Touched::default(),
                due: Vec::new(),
                durable: true,
                available_rose: false,
            };
            match ground.store.commit(vec![commit]).await.pop().expect("one result per commit") {
                Ok(CommitOutcome::Committed(_)) => return Ok(opened),
                Ok(CommitOutcome::Conflict(there)) => {
                    ground.store.confirm_durable(account, there.version.commit).await?;
                    return Ok(there.books.account);
                }
                Ok(CommitOutcome::NoAccount) => unreachable!("a commit without an expected version creates"),
                // The next try meets what this one may have written, as a conflict; and it has a fresh time.
                Err(error) if error.is_transport() || matches!(error, StoreError::ClockSkew { .. }) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Reads an account as the store has it, with what is named. Nothing is applied: a period that ended since the last
    /// command is still there.
    ///
    /// # Errors
    /// What the store said.
    pub async fn inspect(&self, account: AccountId, touched: Touched) -> Result<Option<Books>, StoreError> {
        Ok(self.ground.store.load_account(account, &touched).await?.map(|loaded| loaded.books))
    }

    /// What a command would come to now, without doing it. Whatever else is done to the account may change that.
    ///
    /// # Errors
    /// What the store said.
    pub async fn foresee(&self, account: AccountId, command: &Command) -> Result<Outcome, StoreError> {
        let Some(mut books) = self.inspect(account, command.touched()).await? else {
            return Err(StoreError::NoAccount { account });
        };
        let (ground, now) = (&self.ground, (self.ground.clock)());
        flight::guarded(ground, account, || books.apply(&ground.terms, now, command).outcome)
    }

    /// Accounts whose available credits rose, here or (with a store that tells) in another process. A hint: whoever waits
    /// asks again, and a lagging receiver should take it that any account may have risen.
    #[must_use]
    pub fn on_rise(&self) -> broadcast::Receiver<Rise> {
        self.ground.rises.subscribe()
    }

    /// Accounts that this desk has changed. A hint, as [`LedgerDesk::on_rise`]; a slow receiver loses the oldest.
    #[must_use]
    pub fn on_commit(&self) -> broadcast::Receiver<AccountId> {
        self.ground.written.subscribe()
    }

    /// What the desk has done so far, for the metrics page.
    #[must_use]
    pub fn figures(&self) -> DeskFigures {
        self.ground.counters.snapshot()
    }

    /// The store behind the desk.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.ground.store
    }

    /// Commands by account, in order of first appearance, in groups that fit one commit.
    fn grouped(&self, commands: Vec<(AccountId, Command)>, reply: &types::Reply) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut open: HashMap<AccountId, usize> = HashMap::new();
        for (index, (account, command)) in commands.into_iter().enumerate() {
            let full = |at: &usize| groups[*at].commands.len() >= self.ground.options.batch_max;
            match open.get(&account).filter(|at| !full(at)) {
                Some(&at) => groups[at].commands.push((index, command)),
                None => {
                    open.insert(account, groups.len());
                    groups.push(Group { account, commands: vec![(index, command)], reply: reply.clone() });
                }
            }
        }
        groups
    }
}

async fn forward(mut remote: broadcast::Receiver<Rise>, rises: broadcast::Sender<Rise>) {
    loop {
        match remote.recv().await {
            Ok(rise) => {
                // Nobody listens: nobody waits.
                let _ = rises.send(rise);
            }
            Err(broadcast::error::RecvError::Lagged(_)) => drop(rises.send(Rise::Any)),
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}
