//! Room for the audio that waits on a whole stage.
//!
//! A session's own bound keeps one client from sending too far ahead. It does not keep many sessions, which cost nothing while
//! nobody watches them, from filling a node's memory together.

use std::collections::HashMap;
use std::sync::Arc;

use footlight_session::AccountId;
use parking_lot::Mutex;

use crate::StageError;

/// The bytes of a sample.
const SAMPLE_BYTES: u64 = 2;
/// One account's audio may fill this part of the room.
const ACCOUNT_SHARE: u64 = 2;

/// Room for the audio of all performances, of which each account may take a share. Counted in samples.
#[derive(Debug)]
pub(crate) struct AudioRoom {
    limit: u64,
    share: u64,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: u64,
    /// Of accounts that have any.
    by_account: HashMap<AccountId, u64>,
}

/// How much audio may wait in one performance.
#[derive(Debug)]
pub(crate) struct AudioBounds {
    /// In samples.
    pub(crate) queue_limit: u64,
    /// Shared with all others.
    pub(crate) room: Arc<AudioRoom>,
    pub(crate) account: AccountId,
}

/// What something that waits takes of the room; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    room: Arc<AudioRoom>,
    account: AccountId,
    samples: u64,
}

impl AudioRoom {
    pub(crate) fn new(bytes: u64) -> Self {
        let limit = bytes / SAMPLE_BYTES;
        Self { limit, share: limit / ACCOUNT_SHARE, taken: Mutex::default() }
    }

    fn check(&self, taken: &Taken, account: AccountId, samples: u64) -> Result<(), StageError> {
        let of_account = taken.by_account.get(&account).copied().unwrap_or_default();
        let no_room = |of_account: bool, taken: u64, limit: u64| {
            Err(StageError::NoRoom { of_account, bytes: taken * SAMPLE_BYTES, limit_bytes: limit * SAMPLE_BYTES })
        };
        if samples == 0 {
            Ok(())
        } else if of_account.saturating_add(samples) > self.share {
            no_room(true, of_account, self.share)
        } else if taken.all.saturating_add(samples) > self.limit {
            no_room(false, taken.all, self.limit)
        } else {
            Ok(())
        }
    }
}

impl AudioBounds {
    /// A minute for one session that has the room for itself.
    #[cfg(test)]
    pub(crate) fn of_tests() -> Self {
        let account = AccountId(uuid::Uuid::nil());
        Self { queue_limit: 48_000 * 60, room: Arc::new(AudioRoom::new(u64::MAX)), account }
    }

    /// A claim on the room, which takes nothing yet.
    pub(crate) fn claim(&self) -> Claim {
        Claim { room: Arc::clone(&self.room), account: self.account, samples: 0 }
    }
}

impl Claim {
    /// Whether so many samples more would be taken now.
    ///
    /// # Errors
    /// [`StageError::NoRoom`] when they would not.
    pub(crate) fn check(&self, samples: u64) -> Result<(), StageError> {
        self.room.check(&self.room.taken.lock(), self.account, samples)
    }

    /// Takes so many samples more, all or nothing. `replaced` are those that are about to be given back for them.
    ///
    /// # Errors
    /// [`StageError::NoRoom`] when they do not fit.
    pub(crate) fn take(&mut self, samples: u64, replaced: u64) -> Result<(), StageError> {
        let mut taken = self.room.taken.lock();
        self.room.check(&taken, self.account, samples.saturating_sub(replaced))?;
        taken.add(self.account, samples);
        self.samples += samples;
        Ok(())
    }

    /// Takes so many samples more even where there is no room: for what found room before, here or at another node.
    pub(crate) fn take_always(&mut self, samples: u64) {
        self.room.taken.lock().add(self.account, samples);
        self.samples += samples;
    }

    /// Gives some back, at most what it has.
    pub(crate) fn give_back(&mut self, samples: u64) {
        let samples = samples.min(self.samples);
        self.samples -= samples;
        self.room.taken.lock().remove(self.account, samples);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.give_back(self.samples);
    }
}

impl Taken {
    fn add(&mut self, account: AccountId, samples: u64) {
        if samples > 0 {
            self.all += samples;
            *self.by_account.entry(account).or_default() += samples;
        }
    }

    fn remove(&mut self, account: AccountId, samples: u64) {
        self.all -= samples;
        if let Some(share) = self.by_account.get_mut(&account) {
            *share -= samples;
            if *share == 0 {
                self.by_account.remove(&account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ONE: AccountId = AccountId(Uuid::from_u128(1));
    const OTHER: AccountId = AccountId(Uuid::from_u128(2));
    const THIRD: AccountId = AccountId(Uuid::from_u128(3));

    fn claim(room: &Arc<AudioRoom>, account: AccountId) -> Claim {
        AudioBounds { queue_limit: u64::MAX, room: Arc::clone(room), account }.claim()
    }

    #[test]
    fn one_account_takes_its_share_and_all_together_what_there_is() {
        // A hundred samples, fifty for each account.
        let room = Arc::new(AudioRoom::new(200));
        let (mut first, mut second, mut other) = (claim(&room, ONE), claim(&room, ONE), claim(&room, OTHER));
        assert!(first.take(30, 0).is_ok() && second.take(20, 0).is_ok());
        let refused = first.take(1, 0);
        assert!(matches!(refused, Err(StageError::NoRoom { of_account: true, bytes: 100, limit_bytes: 100 })));
        assert!(first.take(0, 0).is_ok(), "nothing always fits");
        assert!(other.check(50).is_ok() && other.take(45, 0).is_ok(), "the others have theirs");
        let refused = claim(&room, THIRD).take(6, 0);
        assert!(matches!(refused, Err(StageError::NoRoom { of_account: false, bytes: 190, limit_bytes: 200 })));
        drop(second);
        assert!(first.take(20, 0).is_ok(), "it was given back");
    }

    #[test]
    fn what_is_replaced_makes_room_and_what_had_room_before_has_it_again() {
        let room = Arc::new(AudioRoom::new(200));
        let (mut old, mut new, mut inherited) = (claim(&room, ONE), claim(&room, ONE), claim(&room, ONE));
        assert!(old.take(50, 0).is_ok() && new.take(40, 50).is_ok());
        drop(old);
        inherited.take_always(80);
        assert!(new.check(1).is_err(), "what is over the share is taken of it");
        inherited.give_back(75);
        assert!(new.check(5).is_ok() && new.check(6).is_err());
        inherited.give_back(1_000);
        drop(new);
        let taken = room.taken.lock();
        assert_eq!((taken.all, taken.by_account.len()), (0, 0));
    }
}
