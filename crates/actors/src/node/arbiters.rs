//! The threads that carry actors.

use std::sync::atomic::{AtomicUsize, Ordering};

use actix::{Arbiter, ArbiterHandle};

/// One arbiter for the meter, one for the supervisor, and one per core for sessions, which are dealt out in turn.
pub(super) struct Arbiters {
    pub(super) meter: Arbiter,
    pub(super) supervisor: Arbiter,
    sessions: Vec<Arbiter>,
    next: AtomicUsize,
}

impl Arbiters {
    pub(super) fn start() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            meter: Arbiter::new(),
            supervisor: Arbiter::new(),
            sessions: (0..cores).map(|_| Arbiter::new()).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// The arbiter for the next session.
    pub(super) fn next(&self) -> ArbiterHandle {
        let index = self.next.fetch_add(1, Ordering::Relaxed) % self.sessions.len();
        self.sessions[index].handle()
    }

    /// The arbiters that carry sessions.
    pub(super) fn of_sessions(&self) -> impl Iterator<Item = ArbiterHandle> + '_ {
        self.sessions.iter().map(Arbiter::handle)
    }

    pub(super) fn stop(&self) {
        for arbiter in self.sessions.iter().chain([&self.meter, &self.supervisor]) {
            arbiter.stop();
        }
    }
}
