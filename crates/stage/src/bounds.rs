//! How much audio may wait to be spoken.

use std::sync::Arc;

use footlight_session::AccountId;

use crate::StageError;
use crate::room::{Claim, Full, Room};

/// The bytes of a sample.
const SAMPLE_BYTES: u64 = 2;
/// One account's audio may fill this part of the room.
const ACCOUNT_SHARE: u64 = 2;

/// Room for so many bytes of audio in all performances together. Counted in samples.
pub(crate) fn audio_room(bytes: u64) -> Arc<Room> {
    let samples = bytes / SAMPLE_BYTES;
    Room::new(samples, samples / ACCOUNT_SHARE)
}

/// How much audio may wait in one performance.
#[derive(Debug)]
pub(crate) struct AudioBounds {
    /// In samples.
    pub(crate) queue_limit: u64,
    /// Shared with all others.
    pub(crate) room: Arc<Room>,
    pub(crate) account: AccountId,
}

impl AudioBounds {
    /// A minute for one session that has the room for itself.
    #[cfg(test)]
    pub(crate) fn of_tests() -> Self {
        let account = AccountId(uuid::Uuid::nil());
        Self { queue_limit: 48_000 * 60, room: audio_room(u64::MAX), account }
    }

    /// A claim on the room, which takes nothing yet.
    pub(crate) fn claim(&self) -> Claim {
        self.room.claim(self.account)
    }
}

impl From<Full> for StageError {
    fn from(Full { of_account, taken, limit }: Full) -> Self {
        Self::NoRoom { of_account, bytes: taken * SAMPLE_BYTES, limit_bytes: limit * SAMPLE_BYTES }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_told_in_bytes_and_half_of_it_is_one_accounts() {
        let mut claim = audio_room(200).claim(AccountId(uuid::Uuid::nil()));
        assert!(claim.take(50).is_ok());
        let refused = StageError::from(claim.take(1).expect_err("it is full"));
        assert!(matches!(refused, StageError::NoRoom { of_account: true, bytes: 100, limit_bytes: 100 }));
    }
}
