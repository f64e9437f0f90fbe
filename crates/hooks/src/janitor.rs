//! Removing what was kept for long enough, and what is too much.

use std::sync::Weak;
use std::time::{Duration, Instant};

use footlight_store::{DueQueue, Expected, RecordBatch, RecordKey, RecordOp, StoreError};

use crate::documents::{DELIVERIES, TOLD};
use crate::{Inner, backlog};

/// How often it is looked for.
const CLEAN_EVERY: Duration = Duration::from_secs(60);

/// Records of one account removed in one go.
const AT_ONCE: usize = 256;

/// How often in one round: the rest waits for the next, so that no account keeps the others waiting.
const GOES_MAX: usize = 64;

/// Accounts looked at in one round.
const ACCOUNTS_MAX: usize = 4_096;

/// Accounts in one round that the store could not be reached for, before the round is given up.
const AWAY_MAX: usize = 8;

/// Cleans until the hooks are gone.
pub(crate) async fn run(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(CLEAN_EVERY).await;
        let Some(hooks) = inner.upgrade() else { return };
        hooks.receivers.sweep(&hooks.options, Instant::now());
        for collection in [DELIVERIES, TOLD] {
            if let Err(error) = clean(&hooks, collection).await {
                tracing::debug!(%error, collection, "old records stay for now");
            }
        }
        if let Err(error) = backlog::bound(&hooks).await {
            tracing::debug!(%error, "what waits is not bounded for now");
        }
    }
}

/// What cannot be cleaned keeps nobody else's from being.
async fn clean(hooks: &Inner, collection: &'static str) -> Result<(), StoreError> {
    let mut times_away = 0;
    for line in hooks.store.due_queues(collection, hooks.now(), ACCOUNTS_MAX).await? {
        let Err(error) = clean_one(hooks, collection, &line).await else { continue };
        times_away += usize::from(error.is_transport());
        if times_away == AWAY_MAX {
            return Err(error);
        }
        tracing::debug!(%error, collection, owner = %line.owner, "old records of an account stay for now");
    }
    Ok(())
}

async fn clean_one(hooks: &Inner, collection: &'static str, line: &DueQueue) -> Result<(), StoreError> {
    for _ in 0..GOES_MAX {
        let old = hooks.store.list_due(line.owner, collection, &line.queue, hooks.now(), AT_ONCE).await?;
        let count = old.len();
        // Each by itself: one that was replayed meanwhile stays, and keeps no other.
        let batches = old.into_iter().map(|record| {
            let (key, expected) = (RecordKey::new(collection, record.id), Expected::Version(record.version));
            RecordBatch { owner: line.owner, ops: vec![RecordOp::Delete { key, expected }] }
        });
        if count > 0 {
            let outcomes = hooks.store.write_records(batches.collect()).await;
            outcomes.into_iter().try_for_each(|outcome| outcome.map(drop))?;
        }
        if count < AT_ONCE {
            break;
        }
    }
    Ok(())
}
