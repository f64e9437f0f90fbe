//! What the parts of the desk pass to each other.

use std::sync::Arc;
use std::time::Duration;

use footlight_ledger::{AccountId, Books, Command, Outcome, Terms, Timestamp};
use tokio::sync::{broadcast, mpsc};

use super::figures::Counters;
use crate::{Rise, Store, StoreError, Version};

/// Says what time it is: this node's clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Makes commit ids: 128 random bits.
pub type CommitIds = Arc<dyn Fn() -> u128 + Send + Sync>;

/// The desk's bounds.
#[derive(Debug, Clone)]
pub struct DeskOptions {
    /// Groups of commands that wait at the desk before callers wait with them. Raising it costs memory and hides a slow
    /// store for longer.
    pub queued_groups: usize,
    /// The most commands in one commit. Redis runs nothing else meanwhile: 1 000 heartbeats take it about a millisecond.
    pub batch_max: usize,
    /// Commands at which one call of the store is full, whatever their accounts: keeps a call well within the store's
    /// time limit. Raising it writes more at once under load; lowering it answers sooner.
    pub flight_max: usize,
    /// Calls of the store under way at once, those aside that failed and wait for another try. More hide a slow network;
    /// fewer make larger groups.
    pub flights_max: usize,
    /// Tabs kept in memory, about 500 bytes each. Tabs beyond it are read again when they are touched.
    pub cached_tabs: usize,
    /// How often a batch is tried before its callers get the store's error. With `backoff`, bounds how long they wait
    /// for it.
    pub tries_max: u32,
    /// How often a batch may find its account changed by another node before its callers are told that it is contended.
    /// Every second of those tries is made at once, on the state that came with the conflict; the others wait.
    pub conflicts_max: u32,
    /// The first wait before another try; doubles from wait to wait, and half of it is random.
    pub backoff: Duration,
    /// The longest that an account which met conflicts rests between two commits, so that the other nodes get their turn
    /// and this one's next batch is larger. Raising it costs commands on such an account as much delay.
    pub rest_max: Duration,
}

impl Default for DeskOptions {
    fn default() -> Self {
        Self {
            queued_groups: 16_384,
            batch_max: 1_024,
            flight_max: 4_096,
            flights_max: 4,
            cached_tabs: 1_000_000,
            tries_max: 5,
            conflicts_max: 16,
            backoff: Duration::from_millis(20),
            rest_max: Duration::from_millis(160),
        }
    }
}

/// What all parts of one desk stand on.
pub(super) struct Ground {
    pub(super) store: Arc<dyn Store>,
    pub(super) terms: Terms,
    pub(super) clock: Clock,
    pub(super) commit_ids: CommitIds,
    pub(super) options: DeskOptions,
    pub(super) rises: broadcast::Sender<Rise>,
    /// Told of every account that was written.
    pub(super) written: broadcast::Sender<AccountId>,
    pub(super) counters: Counters,
}

impl Ground {
    /// A time of which half is random: nodes that met in a conflict should not meet again.
    pub(super) fn jittered(&self, full: Duration) -> Duration {
        let random = (self.commit_ids)() as u32;
        full.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
    }
}

/// One command's answer, by its place in the submission.
pub(super) type Answer = (usize, Result<Outcome, StoreError>);

/// Where answers go. Unbounded, because each submission gets exactly one answer per command.
pub(super) type Reply = mpsc::UnboundedSender<Vec<Answer>>;

/// Commands of one submission for one account.
pub(super) struct Group {
    pub(super) account: AccountId,
    pub(super) commands: Vec<(usize, Command)>,
    pub(super) reply: Reply,
}

/// An account as this node saw it last, with the tabs it touched.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) books: Books,
    pub(super) version: Version,
    pub(super) recent: Vec<u128>,
}

/// A batch is over: what is known of its account now, if anything.
pub(super) struct Landing {
    pub(super) account: AccountId,
    pub(super) known: Option<Known>,
    /// How often another node was faster.
    pub(super) conflicts: u32,
}
