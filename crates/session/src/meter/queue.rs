//! Who of an account's sessions is served next when credit is short.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Moment;

/// The sessions of one account that want a slice and have none, first come first served, and when to ask for them
/// though nobody said that credits came.
///
/// While somebody waits, a session that has used its turn (the shortest slice) gives the rest of its slice back and
/// lines up at the end. So each is served in turn, however much the first one was given before the others came.
#[derive(Debug, Default)]
pub struct Queue<K> {
    waiting: VecDeque<K>,
    poll_at: Moment,
    poll_every: Duration,
}

/// How often those who wait are asked for at first: a hint that credits came may get lost.
const POLL_FIRST: Duration = Duration::from_millis(500);
/// How often at most in the long run: an account may stay empty for days.
const POLL_LAST: Duration = Duration::from_secs(5);

impl<K: Copy + PartialEq> Queue<K> {
    /// Nobody waits.
    #[must_use]
    pub const fn new() -> Self {
        Self { waiting: VecDeque::new(), poll_at: Moment::NEVER, poll_every: POLL_FIRST }
    }

    /// Lines `key` up at the end, if it does not wait already.
    pub fn join(&mut self, now: Moment, key: K) {
        if !self.waiting.contains(&key) {
            self.waiting.push_back(key);
            self.hurry(now);
        }
    }

    /// Takes `key` out, wherever it stands.
    pub fn leave(&mut self, key: K) {
        self.waiting.retain(|waiting| *waiting != key);
        if self.waiting.is_empty() {
            self.poll_at = Moment::NEVER;
        }
    }

    /// Whether anybody but `key` waits.
    #[must_use]
    pub fn others_wait(&self, key: K) -> bool {
        self.waiting.iter().any(|waiting| *waiting != key)
    }

    /// Whether anybody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The first `most` of those who wait, in order.
    pub fn front(&self, most: usize) -> impl Iterator<Item = K> + '_ {
        self.waiting.iter().take(most).copied()
    }

    /// When to ask again without a hint.
    #[must_use]
    pub const fn poll_at(&self) -> Moment {
        self.poll_at
    }

    /// Somebody new waits, or credits may have come: ask soon again.
    pub fn hurry(&mut self, now: Moment) {
        self.poll_every = POLL_FIRST;
        self.poll_at = now.plus(POLL_FIRST);
    }

    /// They were asked for at `now`: the next time without a hint is a little later than the last.
    pub fn polled(&mut self, now: Moment) {
        if self.waiting.is_empty() {
            self.poll_at = Moment::NEVER;
            return;
        }
        self.poll_at = now.plus(self.poll_every);
        self.poll_every = (self.poll_every * 5 / 4).min(POLL_LAST);
    }
}
