//! Removing what was kept for long enough.

use std::sync::Weak;
use std::time::Duration;

use footlight_store::{Expected, RecordBatch, RecordKey, RecordOp, StoreError};

use crate::Inner;
use crate::documents::{DELIVERIES, TOLD};

/// How often it is looked for.
const CLEAN_EVERY: Duration = Duration::from_secs(60);

/// Records of one account removed in one go.
const AT_ONCE: usize = 256;

/// Accounts looked at in one round.
const ACCOUNTS_MAX: usize = 4_096;

/// Cleans until the hooks are gone.
pub(crate) async fn run(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(CLEAN_EVERY).await;
        let Some(hooks) = inner.upgrade() else { return };
        for collection in [DELIVERIES, TOLD] {
            if let Err(error) = clean(&hooks, collection).await {
                tracing::debug!(%error, collection, "old records stay for now");
            }
        }
    }
}

async fn clean(hooks: &Inner, collection: &'static str) -> Result<(), StoreError> {
    for line in hooks.store.due_queues(collection, hooks.now(), ACCOUNTS_MAX).await? {
        loop {
            let old = hooks.store.list_due(line.owner, collection, &line.queue, hooks.now(), AT_ONCE).await?;
            let count = old.len();
            let ops = old.into_iter().map(|record| RecordOp::Delete {
                key: RecordKey::new(collection, record.id),
                expected: Expected::Version(record.version),
            });
            let batch = RecordBatch { owner: line.owner, ops: ops.collect() };
            if count > 0 {
                // One that was replayed meanwhile stays, and with it the others until the next round.
                footlight_store::records::write_surely(&*hooks.store, batch).await?;
            }
            if count < AT_ONCE {
                break;
            }
        }
    }
    Ok(())
}
