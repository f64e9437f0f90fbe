//! Journals are kept as long as the operator wants them, and then folded into a checkpoint, so that they do not fill the
//! store.

use std::sync::Weak;
use std::time::Duration;

use footlight_store::{StoreError, trim_journal};
use tokio::time::sleep;

use super::Inner;

/// Accounts read in one go.
const PAGE: usize = 256;

/// Trims now and then, as long as the node lives. Every node does: what one has trimmed, the others pass over.
pub(super) async fn trim_journals(node: Weak<Inner>, kept: Duration, every: Duration) {
    // Nodes that start together do not walk together.
    sleep(every.mul_f64(rand::random::<f64>())).await;
    loop {
        let Some(node) = node.upgrade() else { return };
        match walk(&node, kept).await {
            Ok(0) => {}
            Ok(trimmed) => tracing::info!(trimmed, "journal entries were folded that were kept long enough"),
            Err(error) => {
                node.metrics.store_failed(&error);
                tracing::warn!(%error, "journals could not be trimmed; it is tried again");
            }
        }
        drop(node);
        sleep(every).await;
    }
}

/// Trims every account's journal. Answers how many entries went.
async fn walk(node: &Inner, kept: Duration) -> Result<u64, StoreError> {
    let kept_ms = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    let before = (node.parts.clock)().plus_ms(-kept_ms);
    let store = &*node.parts.store;
    let (mut after, mut trimmed) = (None, 0);
    loop {
        let accounts = store.list_accounts(after, PAGE).await?;
        for account in &accounts {
            match trim_journal(store, *account, before).await {
                Ok(entries) => {
                    trimmed += entries;
                    node.metrics.trimmed.inc_by(entries);
                }
                // One journal that has a gap must not keep the others from being trimmed.
                Err(error @ StoreError::Corrupt { .. }) => tracing::error!(%account, %error, "a journal is not whole"),
                Err(error) => return Err(error),
            }
        }
        if accounts.len() < PAGE {
            return Ok(trimmed);
        }
        after = accounts.last().copied();
    }
}
