//! Turns at decoding uploads.
//!
//! Decoding takes cores from those who speak, so few uploads are decoded at once. An account has half of the turns at most, and
//! waits for them in a line of its own: however much it sends, the next turn that is free is another account's.

use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::problem::Problem;
use crate::turns::Turns;

/// Uploads of one account that are decoded or wait for it at once. A client that sends a sentence to each of its sessions has one
/// for each.
const ACCOUNT_LINE_MAX: usize = 100;
/// How long an upload waits for its turn: beyond it whoever sent it does better to come back.
const PATIENCE: Duration = Duration::from_secs(30);

/// Turns at so many decoders, of which each account may have half; 0 is one for two cores, so that as much is left to those who
/// speak however much is uploaded.
pub(crate) fn turns(count: usize) -> Turns {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let count = if count == 0 { (cores / 2).max(1) } else { count };
    let share = (count / 2).max(1);
    Turns::new("decoders", share).in_all(count).with_patience(ACCOUNT_LINE_MAX.saturating_sub(share), PATIENCE)
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

    use footlight_ledger::AccountId;
    use futures_util::poll;
    use uuid::Uuid;

    use super::*;
    use crate::problem::Code;

    const ONE: AccountId = AccountId(Uuid::from_u128(1));
    const OTHER: AccountId = AccountId(Uuid::from_u128(2));

    #[actix_web::test]
    async fn however_much_one_account_sends_another_has_the_next_turn() {
        let decoders = turns(1);
        let first = decoders.take(ONE).await.expect("nobody is there");
        let mut second = pin!(decoders.take(ONE));
        let mut third = pin!(decoders.take(ONE));
        let mut other = pin!(decoders.take(OTHER));
        assert!(poll!(second.as_mut()).is_pending() && poll!(third.as_mut()).is_pending());
        assert!(poll!(other.as_mut()).is_pending(), "the only decoder is busy");
        drop(first);
        assert!(poll!(second.as_mut()).is_pending(), "it came first, and has had its turn");
        let turn = other.await.expect("it is its turn");
        assert!(poll!(second.as_mut()).is_pending());
        drop(turn);
        drop(second.await.expect("it is its turn"));
        drop(third.await.expect("it is its turn"));
    }

    #[actix_web::test]
    async fn half_of_the_decoders_are_left_to_others() {
        let decoders = turns(4);
        let (_first, _second) = (decoders.take(ONE).await, decoders.take(ONE).await);
        let mut third = pin!(decoders.take(ONE));
        assert!(poll!(third.as_mut()).is_pending());
        let others = (decoders.take(OTHER).await, decoders.take(OTHER).await);
        assert!(others.0.is_ok() && others.1.is_ok());
        assert!(poll!(third.as_mut()).is_pending());
    }

    #[actix_web::test]
    async fn a_line_has_an_end_and_so_has_waiting() {
        let decoders = turns(1);
        let turn = decoders.take(ONE).await.expect("nobody is there");
        let mut waiting: Vec<_> = (1..ACCOUNT_LINE_MAX).map(|_| Box::pin(decoders.take(ONE))).collect();
        for place in &mut waiting {
            assert!(poll!(place.as_mut()).is_pending());
        }
        let refused = decoders.take(ONE).await.err().expect("the line is full");
        assert_eq!((refused.code, refused.retry_after_s), (Code::Capacity, Some(2)));
        let impatient = decoders.clone().with_patience(ACCOUNT_LINE_MAX, Duration::from_millis(20));
        let refused = impatient.take(OTHER).await.err().expect("its turn does not come");
        assert_eq!((refused.code, refused.retry_after_s), (Code::Capacity, Some(2)));
        drop((turn, waiting));
        assert!(decoders.take(ONE).await.is_ok());
    }

    #[actix_web::test]
    async fn what_a_decoders_thread_makes_is_answered_and_its_panic_is_a_fault_of_ours() {
        assert_eq!(stand_back_and(|| 7).await.expect("it works"), 7);
        let failed = stand_back_and(|| panic!("as a test")).await.map(|(): ()| ()).expect_err("it panicked");
        assert_eq!(failed.code, Code::Internal);
    }
}
