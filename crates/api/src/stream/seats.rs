//! How many clients follow a session or a job at once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;

use crate::problem::{Code, Problem};

/// Counts followers by the id of what they follow.
#[derive(Default, Clone)]
pub(crate) struct Seats(Arc<Mutex<HashMap<Uuid, usize>>>);

/// One follower's place; free again when it is dropped.
pub(crate) struct Seat {
    seats: Seats,
    followed: Uuid,
}

impl Seats {
    /// Takes a place.
    ///
    /// # Errors
    /// A problem when all `places` are taken.
    pub(crate) fn take(&self, followed: Uuid, places: usize) -> Result<Seat, Problem> {
        let mut taken = self.0.lock();
        let count = taken.entry(followed).or_insert(0);
        if *count >= places {
            return Err(Problem::new(
                Code::TooManyStreams,
                format!("{count} WebSockets and event streams follow it, and {places} are possible; close one first"),
            )
            .with("limit", places));
        }
        *count += 1;
        Ok(Seat { seats: self.clone(), followed })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock();
        if let Some(count) = taken.get_mut(&self.followed) {
            *count -= 1;
            if *count == 0 {
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
        let first = seats.take(session, 2).unwrap_or_else(|problem| panic!("{problem}"));
        let _second = seats.take(session, 2).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(seats.take(session, 2).err().map(|problem| problem.code), Some(Code::TooManyStreams));
        drop(first);
        assert!(seats.take(session, 2).is_ok());
    }
}
