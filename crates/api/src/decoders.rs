//! Turns at decoding uploads.
//!
//! Decoding takes cores from those who speak, so few uploads are decoded at once. An account has half of the turns at most, and
//! waits for them in a line of its own: however much it sends, the next turn that is free is another account's.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use footlight_ledger::AccountId;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::problem::{Code, Problem};

/// Uploads of one account that are decoded or wait for it at once. A client that sends a sentence to each of its sessions has one
/// for each.
const ACCOUNT_LINE_MAX: usize = 100;
/// How long an upload waits for its turn: beyond it whoever sent it does better to come back.
const PATIENCE: Duration = Duration::from_secs(30);
/// When an upload that found no decoder should come back, in seconds.
const RETRY_S: u64 = 2;

/// Few decoders, shared by all accounts.
pub(crate) struct Decoders {
    turns: Arc<Semaphore>,
    /// How many of the turns one account may have.
    share: usize,
    patience: Duration,
    /// Of accounts that have uploads here.
    lines: Arc<Mutex<HashMap<AccountId, Line>>>,
}

/// One account's uploads.
struct Line {
    share: Arc<Semaphore>,
    length: usize,
}

/// A place in an account's line; left when it is dropped.
struct Place {
    lines: Arc<Mutex<HashMap<AccountId, Line>>>,
    account: AccountId,
    share: Arc<Semaphore>,
}

/// A turn at decoding; over when it is dropped.
pub(crate) struct Turn {
    _turn: OwnedSemaphorePermit,
    _share: OwnedSemaphorePermit,
    _place: Place,
}

impl Decoders {
    /// So many at once; 0 is one for two cores, so that as much is left to those who speak however much is uploaded.
    pub(crate) fn new(count: usize) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let count = if count == 0 { (cores / 2).max(1) } else { count };
        Self {
            turns: Arc::new(Semaphore::new(count)),
            share: (count / 2).max(1),
            patience: PATIENCE,
            lines: Arc::default(),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// A problem with a time to come back when the account's line is full, or the turn does not come.
    pub(crate) async fn turn(&self, account: AccountId) -> Result<Turn, Problem> {
        let place = self.enter(account)?;
        let turn = async {
            // The account's share first: what waits for the turns of all is then no more of any account than it may have.
            let share = Arc::clone(&place.share).acquire_owned().await.map_err(Problem::internal)?;
            let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(Problem::internal)?;
            Ok::<_, Problem>((turn, share))
        };
        let (turn, share) = tokio::time::timeout(self.patience, turn).await.map_err(|_| {
            let waited = self.patience.as_secs();
            Problem::new(Code::Capacity, format!("the upload found no decoder within {waited} s; send it again"))
                .retry_after(RETRY_S)
                .with("what", "decoders")
        })??;
        Ok(Turn { _turn: turn, _share: share, _place: place })
    }

    fn enter(&self, account: AccountId) -> Result<Place, Problem> {
        let mut lines = self.lines.lock();
        let new = || Line { share: Arc::new(Semaphore::new(self.share)), length: 0 };
        let line = lines.entry(account).or_insert_with(new);
        if line.length >= ACCOUNT_LINE_MAX {
            let detail = format!(
                "{} uploads of this account wait to be decoded, and {ACCOUNT_LINE_MAX} may; send more when some are taken",
                line.length
            );
            return Err(Problem::new(Code::Capacity, detail)
                .retry_after(RETRY_S)
                .with("what", "decoders of the account")
                .with("used", line.length)
                .with("total", ACCOUNT_LINE_MAX)
                .with("available", 0));
        }
        line.length += 1;
        Ok(Place { lines: Arc::clone(&self.lines), account, share: Arc::clone(&line.share) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get_mut(&self.account) {
            line.length -= 1;
            if line.length == 0 {
                lines.remove(&self.account);
            }
        }
    }
}

/// Does a decoder's work on a thread of its own, which lets those who speak go first. A thread that steps back does so for good, so
/// it is none that others use.
///
/// # Errors
/// A fault of ours, when there is no thread or it panicked.
pub(crate) async fn stand_back_and<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let (reply, done) = oneshot::channel();
    let thread = thread::Builder::new().name("decoder".to_owned()).spawn(move || {
        footlight_workshop::stand_back();
        // Whoever asked may have gone.
        let _ = reply.send(work());
    });
    thread.map_err(|error| Problem::internal(format!("a decoder's thread could not be started: {error}")))?;
    done.await.map_err(|_| Problem::internal("a decoder's thread panicked"))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;
    use uuid::Uuid;

    use super::*;

    const ONE: AccountId = AccountId(Uuid::from_u128(1));
    const OTHER: AccountId = AccountId(Uuid::from_u128(2));

    #[actix_web::test]
    async fn however_much_one_account_sends_another_has_the_next_turn() {
        let decoders = Decoders::new(1);
        let first = decoders.turn(ONE).await.expect("nobody is there");
        let mut second = pin!(decoders.turn(ONE));
        let mut third = pin!(decoders.turn(ONE));
        let mut other = pin!(decoders.turn(OTHER));
        assert!(poll!(second.as_mut()).is_pending() && poll!(third.as_mut()).is_pending());
        assert!(poll!(other.as_mut()).is_pending(), "the only decoder is busy");
        drop(first);
        assert!(poll!(second.as_mut()).is_pending(), "it came first, and has had its turn");
        let turn = other.await.expect("it is its turn");
        assert!(poll!(second.as_mut()).is_pending());
        drop(turn);
        drop(second.await.expect("it is its turn"));
        drop(third.await.expect("it is its turn"));
        assert!(decoders.lines.lock().is_empty(), "nothing is remembered of who is gone");
    }

    #[actix_web::test]
    async fn half_of_the_decoders_are_left_to_others() {
        let decoders = Decoders::new(4);
        let (_first, _second) = (decoders.turn(ONE).await, decoders.turn(ONE).await);
        let mut third = pin!(decoders.turn(ONE));
        assert!(poll!(third.as_mut()).is_pending());
        let others = (decoders.turn(OTHER).await, decoders.turn(OTHER).await);
        assert!(others.0.is_ok() && others.1.is_ok());
        assert!(poll!(third.as_mut()).is_pending());
    }

    #[actix_web::test]
    async fn a_line_has_an_end_and_so_has_waiting() {
        let decoders = Decoders { patience: Duration::from_millis(20), ..Decoders::new(1) };
        let turn = decoders.turn(ONE).await.expect("nobody is there");
        let waiting: Vec<Place> = (1..ACCOUNT_LINE_MAX).filter_map(|_| decoders.enter(ONE).ok()).collect();
        assert_eq!(waiting.len(), ACCOUNT_LINE_MAX - 1);
        let refused = decoders.turn(ONE).await.err().expect("the line is full");
        assert_eq!((refused.code, refused.retry_after_s), (Code::Capacity, Some(RETRY_S)));
        let refused = decoders.turn(OTHER).await.err().expect("its turn does not come");
        assert_eq!((refused.code, refused.retry_after_s), (Code::Capacity, Some(RETRY_S)));
        drop((turn, waiting));
        assert!(decoders.turn(ONE).await.is_ok());
        assert!(decoders.lines.lock().is_empty());
    }

    #[actix_web::test]
    async fn what_a_decoders_thread_makes_is_answered_and_its_panic_is_a_fault_of_ours() {
        assert_eq!(stand_back_and(|| 7).await.expect("it works"), 7);
        let failed = stand_back_and(|| panic!("as a test")).await.map(|(): ()| ()).expect_err("it panicked");
        assert_eq!(failed.code, Code::Internal);
    }
}
