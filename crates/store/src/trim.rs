//! Trimming a journal that was exported, so that it does not fill the store.

use footlight_ledger::{AccountId, Timestamp};

use crate::{Store, StoreError};

/// Entries folded in one step: bounds the memory, and what a store deletes at once.
const STEP: usize = 4_096;

/// Entries read first: most accounts have nothing to trim, and one entry tells.
const FIRST_STEP: usize = 1;

/// Replaces an account's entries from before `before` by a checkpoint, so that audits still close. Answers how many went.
///
/// # Errors
/// What the store said; [`StoreError::Corrupt`] when journal entries are missing.
pub async fn trim_journal(store: &dyn Store, account: AccountId, before: Timestamp) -> Result<u64, StoreError> {
    let (mut trimmed, mut step) = (0, FIRST_STEP);
    loop {
        let mut checkpoint = store.load_checkpoint(account).await?;
        let from = checkpoint.next_entry;
        let entries = store.list_entries(account, from, step).await?;
        let mut old = entries.iter().take_while(|entry| entry.at < before);
        if let Err(gap) = old.try_for_each(|entry| checkpoint.fold(entry)) {
            if store.load_checkpoint(account).await?.next_entry != from {
                // Another node has trimmed between the two reads.
                continue;
            }
            return Err(StoreError::Corrupt { place: format!("{account}, the journal"), detail: gap.to_string() });
        }
        let folded = checkpoint.next_entry - from;
        // Another node trims as well: it goes on where this one stops.
        if folded == 0 || !store.trim_entries(account, from, &checkpoint).await? {
            return Ok(trimmed);
        }
        trimmed += folded;
        step = STEP;
    }
}
