//! Listening for rises: who waits for credit hears of a top-up made in another process. Publishing is at most once, so this
//! is a hint; a node asks again on its own as well.

use std::sync::Weak;
use std::time::Duration;

use footlight_ledger::AccountId;
use footlight_store::Rise;
use futures_util::StreamExt as _;
use tokio::sync::broadcast;
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
        let heard = strong.subscribe(keys::RISES).await;
        drop(strong);
        match heard {
            Ok(heard) => {
                // What was published while nobody listened is lost.
                if std::mem::replace(&mut was_heard, true) {
                    let _ = rises.send(Rise::Any);
                }
                let mut messages = heard.into_on_message();
                while let Ok(Some(message)) = tokio::time::timeout(SILENCE_MAX, messages.next()).await {
                    if let Ok(account) = Uuid::from_slice(message.get_payload_bytes()) {
                        let _ = rises.send(Rise::Of(AccountId(account)));
                    }
                    if link.strong_count() == 0 {
                        return;
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "no rises are heard for now"),
        }
        tokio::time::sleep(RETRY).await;
    }
}
