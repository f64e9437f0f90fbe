//! Work that takes long: each account has a few turns at it at once, so that none takes what is there for all; and where all of
//! them together would be too much, few turns are out at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use footlight_ledger::AccountId;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::problem::{Code, Problem};

/// How long a call waits for a turn, unless told otherwise. Only what is held up by its own sender takes longer.
const TURN_WITHIN: Duration = Duration::from_secs(2);
/// When a call that got no turn should come back, in seconds.
const TURN_RETRY_S: u64 = 2;
/// Calls of one account that wait at once, unless told otherwise. Each keeps its connection and nothing else.
const WAITING_MAX: usize = 512;

/// The turns at one kind of work. Clones share them.
#[derive(Clone)]
pub(crate) struct Turns {
    /// The work, for people: `uploads`.
    what: &'static str,
    /// Those of one account at once.
    at_once: usize,
    /// Those of all accounts together, where that is bounded.
    in_all: Option<Arc<Semaphore>>,
    /// Those of one account that wait at once.
    waiting_max: usize,
    within: Duration,
    callers: Arc<Mutex<HashMap<AccountId, Callers>>>,
}

/// Who is there of one account.
struct Callers {
    /// Those that have a turn, and those that wait.
    count: usize,
    free: Arc<Semaphore>,
}

/// One turn; free again when it is dropped.
pub(crate) struct Turn {
    turns: Turns,
    account: AccountId,
    /// What of it came already.
    permits: Vec<OwnedSemaphorePermit>,
}

impl Turns {
    /// So many turns `at_once` for each account, one at least.
    pub(crate) fn new(what: &'static str, at_once: usize) -> Self {
        Self {
            what,
            at_once: at_once.max(1),
            in_all: None,
            waiting_max: WAITING_MAX,
            within: TURN_WITHIN,
            callers: Arc::default(),
        }
    }

    /// And so many for all accounts together.
    pub(crate) fn in_all(self, count: usize) -> Self {
        Self { in_all: Some(Arc::new(Semaphore::new(count))), ..self }
    }

    /// And so many calls of an account wait, each so long.
    pub(crate) fn with_patience(self, waiting_max: usize, within: Duration) -> Self {
        Self { waiting_max, within, ..self }
    }

    /// Waits for a turn of this account: of its own first, so that of those who wait for the turns of all, no account has more than it
    /// may have turns.
    ///
    /// # Errors
    /// A problem with a time to come back when none is free in time, or too many wait.
    pub(crate) async fn take(&self, account: AccountId) -> Result<Turn, Problem> {
        let (of_account, mut turn) = {
            let mut callers = self.callers.lock();
            let present = callers
                .entry(account)
                .or_insert_with(|| Callers { count: 0, free: Arc::new(Semaphore::new(self.at_once)) });
            if present.count >= self.at_once + self.waiting_max {
                return Err(self.none_free());
            }
            present.count += 1;
            (Arc::clone(&present.free), Turn { turns: self.clone(), account, permits: Vec::new() })
        };
        let deadline = Instant::now() + self.within;
        match tokio::time::timeout_at(deadline, of_account.acquire_owned()).await {
            Ok(Ok(permit)) => turn.permits.push(permit),
            _ => return Err(self.none_free()),
        }
        if let Some(in_all) = &self.in_all {
            match tokio::time::timeout_at(deadline, Arc::clone(in_all).acquire_owned()).await {
                Ok(Ok(permit)) => turn.permits.push(permit),
                _ => return Err(self.none_free_in_all()),
            }
        }
        Ok(turn)
    }

    fn none_free(&self) -> Problem {
        let Self { what, at_once, .. } = self;
        let detail = format!(
            "as many {what} of this account are under way as may be at once ({at_once}); try again in a moment"
        );
        Problem::new(Code::Capacity, detail)
            .retry_after(TURN_RETRY_S)
            .with("what", format!("{what} of the account"))
            .with("total", self.at_once)
    }

    fn none_free_in_all(&self) -> Problem {
        let what = self.what;
        let detail = format!("as many {what} are under way at this node as may be at once; try again in a moment");
        Problem::new(Code::Capacity, detail).retry_after(TURN_RETRY_S).with("what", what)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Before it is forgotten that anybody was there: whoever comes first after that counts anew.
        self.permits.clear();
        let mut callers = self.turns.callers.lock();
        if let Some(present) = callers.get_mut(&self.account) {
            present.count -= 1;
            if present.count == 0 {
                callers.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn one_account_takes_its_turns_and_leaves_those_of_others() {
        let turns = Turns { within: Duration::from_millis(20), ..Turns::new("uploads", 2) };
        let (mine, other) = (AccountId(Uuid::from_u128(1)), AccountId(Uuid::from_u128(2)));
        let take = async |account| turns.take(account).await.unwrap_or_else(|problem| panic!("{problem}"));
        let (first, second) = (take(mine).await, take(mine).await);
        let refused = turns.take(mine).await.err().expect("no turn is free");
        assert_eq!((refused.code, refused.retry_after_s), (Code::Capacity, Some(TURN_RETRY_S)));
        let _of_another = take(other).await;

        // Who waits gets the next one.
        let patient = Turns { within: Duration::from_secs(60), ..turns.clone() };
        let waiting = tokio::spawn(async move { patient.take(mine).await.is_ok() });
        tokio::task::yield_now().await;
        drop(first);
        assert!(waiting.await.expect("it does not panic"));

        drop(second);
        assert_eq!(turns.callers.lock().len(), 1, "who has gone is forgotten");
    }

    #[tokio::test]
    async fn few_turns_are_out_in_all() {
        let turns = Turns { within: Duration::from_millis(20), ..Turns::new("summaries", 1).in_all(2) };
        let take = |number: u128| turns.take(AccountId(Uuid::from_u128(number)));
        let first = take(1).await.unwrap_or_else(|problem| panic!("{problem}"));
        let _second = take(2).await.unwrap_or_else(|problem| panic!("{problem}"));
        let refused = take(3).await.err().expect("no turn is free");
        assert_eq!((refused.code, refused.retry_after_s), (Code::Capacity, Some(TURN_RETRY_S)));
        assert_eq!(turns.callers.lock().len(), 2, "who was refused is forgotten");
        drop(first);
        assert!(take(3).await.is_ok());
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let turns = Turns { within: Duration::ZERO, ..Turns::new("uploads", 1) };
        let account = AccountId(Uuid::from_u128(1));
        let _taken = turns.take(account).await.unwrap_or_else(|problem| panic!("{problem}"));
        turns.callers.lock().get_mut(&account).expect("it is there").count = 1 + WAITING_MAX;
        assert!(turns.take(account).await.is_err());
        assert_eq!(turns.callers.lock()[&account].count, 1 + WAITING_MAX, "it did not even wait");
    }
}
