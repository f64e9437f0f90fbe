//! Room that all accounts share, and of which each may take a part.
//!
//! A bound on each session or call keeps one client from taking much at once. It does not keep many of them, which cost nothing
//! while nobody watches, from filling what a node has together.

use std::collections::HashMap;
use std::sync::Arc;

use footlight_session::AccountId;
use parking_lot::Mutex;

/// Room for so much, counted in whatever its owner counts: bytes, or samples.
#[derive(Debug)]
pub struct Room {
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

/// What one thing takes of a [`Room`]; given back when it is dropped.
#[derive(Debug)]
pub struct Claim {
    room: Arc<Room>,
    account: AccountId,
    size: u64,
}

/// There is no room for so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// Whether the account's share is meant, and not what all accounts have together.
    pub of_account: bool,
    /// What is taken of it.
    pub taken: u64,
    /// What may be.
    pub limit: u64,
}

impl Room {
    /// Room for `limit` in all, and for `share` of each account.
    #[must_use]
    pub fn new(limit: u64, share: u64) -> Arc<Self> {
        Arc::new(Self { limit, share, taken: Mutex::default() })
    }

    /// A claim of an account, which takes nothing yet.
    #[must_use]
    pub fn claim(self: &Arc<Self>, account: AccountId) -> Claim {
        Claim { room: Arc::clone(self), account, size: 0 }
    }

    fn check(&self, taken: &Taken, account: AccountId, more: u64) -> Result<(), Full> {
        let of_account = taken.by_account.get(&account).copied().unwrap_or_default();
        if more == 0 {
            Ok(())
        } else if of_account.saturating_add(more) > self.share {
            Err(Full { of_account: true, taken: of_account, limit: self.share })
        } else if taken.all.saturating_add(more) > self.limit {
            Err(Full { of_account: false, taken: taken.all, limit: self.limit })
        } else {
            Ok(())
        }
    }
}

impl Claim {
    /// Whether so much more would be given now.
    ///
    /// # Errors
    /// [`Full`] when it would not.
    pub fn check(&self, more: u64) -> Result<(), Full> {
        self.room.check(&self.room.taken.lock(), self.account, more)
    }

    /// Takes so much more, all or nothing.
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    pub fn take(&mut self, more: u64) -> Result<(), Full> {
        self.take_for(more, 0)
    }

    /// Takes so much more, all or nothing, where `replaced` is about to be given back for it.
    ///
    /// # Errors
    /// [`Full`] when it does not fit.
    pub fn take_for(&mut self, more: u64, replaced: u64) -> Result<(), Full> {
        let mut taken = self.room.taken.lock();
        self.room.check(&taken, self.account, more.saturating_sub(replaced))?;
        taken.add(self.account, more);
        self.size += more;
        Ok(())
    }

    /// Takes so much more even where there is no room: for what found room before, here or at another node.
    pub fn take_always(&mut self, more: u64) {
        self.room.taken.lock().add(self.account, more);
        self.size += more;
    }

    /// Gives some back, at most what it has.
    pub fn give_back(&mut self, some: u64) {
        let some = some.min(self.size);
        self.size -= some;
        self.room.taken.lock().remove(self.account, some);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.give_back(self.size);
    }
}

impl Taken {
    fn add(&mut self, account: AccountId, more: u64) {
        if more > 0 {
            self.all += more;
            *self.by_account.entry(account).or_default() += more;
        }
    }

    fn remove(&mut self, account: AccountId, some: u64) {
        self.all -= some;
        if let Some(share) = self.by_account.get_mut(&account) {
            *share -= some;
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

    #[test]
    fn one_account_takes_its_share_and_all_together_what_there_is() {
        let room = Room::new(100, 50);
        let (mut first, mut second, mut other) = (room.claim(ONE), room.claim(ONE), room.claim(OTHER));
        assert!(first.take(30).is_ok() && second.take(20).is_ok());
        assert_eq!(first.take(1), Err(Full { of_account: true, taken: 50, limit: 50 }));
        assert!(first.take(0).is_ok(), "nothing always fits");
        assert!(other.check(50).is_ok() && other.take(45).is_ok(), "the others have theirs");
        assert_eq!(room.claim(THIRD).take(6), Err(Full { of_account: false, taken: 95, limit: 100 }));
        drop(second);
        assert!(first.take(20).is_ok(), "it was given back");
    }

    #[test]
    fn what_is_replaced_makes_room_and_what_had_room_before_has_it_again() {
        let room = Room::new(100, 50);
        let (mut old, mut new, mut inherited) = (room.claim(ONE), room.claim(ONE), room.claim(ONE));
        assert!(old.take(50).is_ok() && new.take_for(40, 50).is_ok());
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
