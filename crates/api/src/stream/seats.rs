//! How many clients follow a session or a job at once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

use crate::problem::{Code, Problem};

/// The part of all places that viewers with client tokens may take: the rest is left to the account itself and its engine.
const VIEWERS_SHARE: (usize, usize) = (3, 4);

/// Who follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follower {
    /// The account, or an engine that acts for it.
    Own,
    /// Somebody with a client token: perhaps a stranger.
    Viewer,
}

/// Counts followers by the id of what they follow.
#[derive(Default, Clone)]
pub(crate) struct Seats(Arc<Mutex<HashMap<Uuid, Taken>>>);

#[derive(Default)]
struct Taken {
    all: usize,
    by_viewers: usize,
}

/// One follower's place; free again when it is dropped.
pub(crate) struct Seat {
    seats: Seats,
    followed: Uuid,
    follower: Follower,
}

impl Seats {
    /// Takes a place.
    ///
    /// # Errors
    /// A problem when all `places` are taken, or all of those that viewers may take.
    pub(crate) fn take(&self, followed: Uuid, follower: Follower, places: usize) -> Result<Seat, Problem> {
        let mut all = self.0.lock();
        let taken = all.get(&followed).map_or((0, 0), |taken| (taken.all, taken.by_viewers));
        let for_viewers = (places * VIEWERS_SHARE.0 / VIEWERS_SHARE.1).max(1);
        let full = match follower {
            _ if taken.0 >= places => Some((taken.0, places, "WebSockets and event streams")),
            Follower::Viewer if taken.1 >= for_viewers => Some((taken.1, for_viewers, "viewers with client tokens")),
            Follower::Own | Follower::Viewer => None,
        };
        if let Some((count, limit, who)) = full {
            let detail = format!("{count} {who} follow it, and {limit} are possible; close one first");
            return Err(Problem::new(Code::TooManyStreams, detail).with("limit", limit));
        }
        let taken = all.entry(followed).or_default();
        taken.all += 1;
        taken.by_viewers += usize::from(follower == Follower::Viewer);
        Ok(Seat { seats: self.clone(), followed, follower })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock();
        if let Some(count) = taken.get_mut(&self.followed) {
            count.all -= 1;
            count.by_viewers -= usize::from(self.follower == Follower::Viewer);
            if count.all == 0 {
                taken.remove(&self.followed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_free_again_once_its_follower_is_gone() {
        let (seats, session) = (Seats::default(), Uuid::nil());
        let take = || seats.take(session, Follower::Own, 2);
        let first = take().unwrap_or_else(|problem| panic!("{problem}"));
        let second = take().unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(take().err().map(|problem| problem.code), Some(Code::TooManyStreams));
        drop(first);
        assert!(take().is_ok());
        drop(second);
        assert!(seats.0.lock().is_empty());
    }

    #[test]
    fn viewers_leave_a_quarter_to_the_account() {
        let (seats, session) = (Seats::default(), Uuid::nil());
        let take = |follower| seats.take(session, follower, 32).map_err(|problem| problem.members);
        let mut viewers: Vec<Seat> = (0..24).filter_map(|_| take(Follower::Viewer).ok()).collect();
        assert_eq!(viewers.len(), 24);
        assert_eq!(take(Follower::Viewer).err(), Some(vec![("limit", 24.into())]));
        let own: Vec<Seat> = (0..8).filter_map(|_| take(Follower::Own).ok()).collect();
        assert_eq!(own.len(), 8);
        assert_eq!(take(Follower::Own).err(), Some(vec![("limit", 32.into())]));
        viewers.pop();
        assert!(take(Follower::Viewer).is_ok());
        drop((viewers, own));
        assert!(seats.0.lock().is_empty());
        assert!(seats.take(session, Follower::Viewer, 1).is_ok(), "one at least");
    }
}
