//! Listening for rises: who waits for credit hears of a top-up made in another process. Publishing is at most once, so this
//! is a hint; a node asks again on its own as well.

use std::sync::Weak;
use std::time::Duration;

use footlight_ledger::AccountId;
use footlight_store::Rise;
use futures_util::StreamExt as _;
use redis::aio::PubSub;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

use crate::keys;
use crate::link::Link;

/// Between two tries to listen: nothing is lost meanwhile but hints.
const RETRY: Duration = Duration::from_secs(1);

/// A connection that was silent for so long may be dead without anybody having said so: it is made anew.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Listens until the store is gone.
pub(crate) async fn listen(link: Weak<Link>, rises: broadcast::Sender<Rise>) {
    let mut was_heard = false;
    while let Some(strong) = link.upgrade() {
        let mut generations = strong.generations();
        let heard = strong.subscribe(keys::RISES).await;
        drop(strong);
        match heard {
            Ok(heard) => {
                // What was published while nobody listened is lost.
                if std::mem::replace(&mut was_heard, true) {
                    let _ = rises.send(Rise::Any);
                }
                hear(heard, &mut generations, &rises).await;
                if link.strong_count() == 0 {
                    return;
                }
            }
            Err(error) => tracing::debug!(%error, "no rises are heard for now"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Hears until the connection ends, is silent, or may be one to a server that others have left: after a fail-over nobody
/// publishes there any more, and nobody says so.
async fn hear(heard: PubSub, generations: &mut watch::Receiver<u64>, rises: &broadcast::Sender<Rise>) {
    let mut messages = heard.into_on_message();
    loop {
        let message = tokio::select! {
            message = tokio::time::timeout(SILENCE_MAX, messages.next()) => message,
            _ = generations.changed() => return,
        };
        let Ok(Some(message)) = message else { return };
        if let Ok(account) = Uuid::from_slice(message.get_payload_bytes()) {
            let _ = rises.send(Rise::Of(AccountId(account)));
        }
    }
}
