//! How much of the store an account takes.

use std::hash::Hash;
use std::sync::{Arc, Weak};

use footlight_ledger::AccountId;
use footlight_store::blobs::SPEECH_BLOBS;
use footlight_store::{Owner, StoreError};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::kept::{edition_of_blob, written_ms};
use crate::{Inner, Turns, WardrobeError};

/// Blobs without a record that are younger than this may be those of an avatar that is being written, in milliseconds.
const WRITING_MS_MAX: i64 = 3_600_000;

/// One of these locks; a new one if nobody has it or waits for it.
fn turn<K: Eq + Hash>(turns: &Turns<K>, key: K) -> Arc<Mutex<()>> {
    let mut turns = turns.lock();
    if let Some(turn) = turns.get(&key).and_then(Weak::upgrade) {
        return turn;
    }
    turns.retain(|_, turn| turn.strong_count() > 0);
    let turn = Arc::new(Mutex::new(()));
    turns.insert(key, Arc::downgrade(&turn));
    turn
}

impl Inner {
    /// An account's turn: here, one thing at a time is kept for it, so that its limits hold. Two nodes may exceed them by one.
    pub(crate) fn turn(&self, account: AccountId) -> Arc<Mutex<()>> {
        turn(&self.turns, account)
    }

    /// The turn of whoever reads an edition's bundle from the store: one at a time.
    pub(crate) fn opening(&self, edition: u128) -> Arc<Mutex<()>> {
        turn(&self.openings, edition)
    }

    /// Looks that `bytes` more fit, after what a crash left is gone.
    pub(crate) async fn make_room(&self, account: AccountId, bytes: u64) -> Result<(), WardrobeError> {
        let limit = self.parts.options.bytes_max;
        if self.swept(account).await?.saturating_add(bytes) > limit {
            return Err(WardrobeError::NoRoom { bytes, limit });
        }
        Ok(())
    }

    /// Removes an account's blobs that no record names and that nobody is writing any more, and answers the bytes of the
    /// others.
    async fn swept(&self, account: AccountId) -> Result<u64, StoreError> {
        let owner = Owner::Account(account);
        let blobs = self.store().list_blobs(owner).await?;
        let named: Vec<Uuid> = self.list(account).await?.into_iter().map(|kept| kept.edition).collect();
        let now = self.now();
        let mut bytes = 0_u64;
        for blob in blobs {
            let is_lost = edition_of_blob(&blob.id)
                .is_some_and(|edition| !named.contains(&edition) && now.0 - written_ms(edition) > WRITING_MS_MAX);
            if blob.id.starts_with(SPEECH_BLOBS) {
                continue;
            }
            if !is_lost {
                bytes = bytes.saturating_add(blob.len);
            } else if let Err(error) = self.store().delete_blob(owner, &blob.id).await {
                tracing::debug!(%error, %account, blob = blob.id, "a blob that nothing names stays for now");
            }
        }
        Ok(bytes)
    }
}
