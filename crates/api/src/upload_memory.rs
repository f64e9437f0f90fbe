//! The memory that uploads are gathered in: bounded for all of them together, and for each account.

use std::sync::Arc;

use footlight_ledger::AccountId;
use footlight_stage::room::{Claim, Room};

use crate::problem::{Code, Problem};

/// When an upload that found no memory should come back, in seconds.
const RETRY_S: u64 = 2;
/// One account's uploads may fill this part of it.
const ACCOUNT_SHARE: u64 = 4;

/// Room for so many bytes, and for the largest upload at least: none would ever be taken else.
pub(crate) fn room(bytes: u64, largest_upload: u64) -> Arc<Room> {
    let bytes = bytes.max(largest_upload);
    Room::new(bytes, (bytes / ACCOUNT_SHARE).max(largest_upload))
}

/// What one upload fills; given back when it is dropped.
pub(crate) struct UploadMemory(Claim);

impl UploadMemory {
    /// Memory for an account's upload, of which nothing has come.
    pub(crate) fn of(room: &Arc<Room>, account: AccountId) -> Self {
        Self(room.claim(account))
    }

    /// Takes `bytes` more. Never waits: uploads that wait for each other with memory in their hands would wait for ever.
    ///
    /// # Errors
    /// A problem with a time to come back when all of it is taken.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        self.0.take(bytes as u64).map_err(|full| {
            let (detail, what) = if full.of_account {
                let detail = "too many uploads of this account arrive at the same time; send one after the other";
                (detail, "upload memory of the account")
            } else {
                ("too many uploads arrive at the same time; try again in a moment", "upload memory")
            };
            Problem::new(Code::Capacity, detail).retry_after(RETRY_S).with("what", what)
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_upload_without_memory_is_told_whose_is_full_and_when_to_come_back() {
        let room = room(1 << 20, 1 << 18);
        let upload = |account| UploadMemory::of(&room, AccountId(Uuid::from_u128(account)));
        let mut uploads: Vec<_> = (0..4).map(upload).collect();
        assert!(uploads.iter_mut().all(|upload| upload.grow(1 << 18).is_ok()), "each account has a quarter");
        for (account, what) in [(0, "upload memory of the account"), (4, "upload memory")] {
            let refused = upload(account).grow(1).expect_err("it is full");
            assert_eq!((refused.code, refused.retry_after_s), (Code::Capacity, Some(RETRY_S)));
            assert_eq!(refused.members, [("what", what.into())]);
        }
    }

    #[test]
    fn the_largest_upload_always_finds_room_in_what_is_free() {
        assert!(UploadMemory::of(&room(10, 1_000), AccountId(Uuid::nil())).grow(1_000).is_ok());
    }
}
