//! Removes speech that a crash left behind.

use std::sync::Weak;
use std::time::Duration;

use footlight_ledger::AccountId;
use footlight_session::SessionState;
use footlight_store::{Expected, Record, StoreError};
use tokio::time::sleep;

use super::Shared;
use super::shelf::{self, KEPT, SPEECH};

/// How often it looks. Every node does; what one of them removes the others do not find.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// Accounts looked at in one round, and utterances of each.
const ACCOUNTS_MAX: usize = 1_024;
const UTTERANCES_MAX: usize = 2_000;

/// Looks until the keeper is gone.
pub(super) async fn run(shared: Weak<Shared>) {
    loop {
        sleep(LOOK_EVERY).await;
        let Some(shared) = shared.upgrade() else { return };
        if let Err(error) = round(&shared).await {
            tracing::debug!(%error, "kept speech that is over stays for now");
        }
    }
}

/// Looks at what has been kept for long, and removes what belongs to sessions that are over.
async fn round(shared: &Shared) -> Result<(), StoreError> {
    let (store, now) = (&shared.store, (shared.wall)());
    for line in store.due_queues(SPEECH, now, ACCOUNTS_MAX).await? {
        let Some(account) = line.owner.account().filter(|_| line.queue == KEPT) else { continue };
        for record in store.list_due(line.owner, SPEECH, &line.queue, now, UTTERANCES_MAX).await? {
            match look_at(shared, account, &record).await {
                Err(error) if error.is_transport() => return Err(error),
                Err(error) => {
                    tracing::error!(%error, %account, speech = record.id, "kept speech cannot be looked after")
                }
                Ok(()) => {}
            }
        }
    }
    Ok(())
}

async fn look_at(shared: &Shared, account: AccountId, record: &Record) -> Result<(), StoreError> {
    let store = &*shared.store;
    let utterance = shelf::decode(record)?;
    let Some(session) = shelf::session_of(&record.id) else { return Ok(()) };
    let found = store.get_session(session).await?;
    if found.is_none_or(|found| found.state == SessionState::Ended) {
        shelf::remove(store, account, session, utterance.id, Expected::Any).await?;
        return shelf::remove_samples(store, account, session, utterance.id).await;
    }
    // Its owner's: it is looked at again, until it is spoken or its session is over.
    Ok(())
}
