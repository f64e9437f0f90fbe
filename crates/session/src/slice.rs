//! The slice gate: where frames are counted, and where they stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use footlight_ledger::Units;

/// The counter that a renderer and the meter share. The renderer takes each active unit here before it is handed
/// to an outlet; it stops by count, without asking anyone.
///
/// One writer takes units (the session's worker); the meter reads them and moves the limit. All values are
/// cumulative for the session's whole life.
#[derive(Debug, Default)]
pub struct SliceGate {
    used: AtomicU64,
    limit: AtomicU64,
    shut: AtomicBool,
}

/// The gate's answer for one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Taken {
    /// The unit is counted: send it.
    Yes,
    /// The slice is used up: send nothing, and ask for another.
    SliceSpent,
    /// The session may not speak any more.
    Shut,
}

impl SliceGate {
    /// A gate at `base` units used, with nothing to spend.
    #[must_use]
    pub fn new(base: Units) -> Self {
        Self { used: AtomicU64::new(base), limit: AtomicU64::new(base), shut: AtomicBool::new(false) }
    }

    /// Counts `units` more if the slice has room for all of them.
    pub fn take(&self, units: Units) -> Taken {
        if self.shut.load(Ordering::Acquire) {
            return Taken::Shut;
        }
        let limit = self.limit.load(Ordering::Acquire);
        let taken = self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
            (used + units <= limit).then_some(used + units)
        });
        if taken.is_ok() { Taken::Yes } else { Taken::SliceSpent }
    }

    /// Units used so far.
    pub fn used(&self) -> Units {
        self.used.load(Ordering::Acquire)
    }

    /// Units that may be used in all.
    pub fn limit(&self) -> Units {
        self.limit.load(Ordering::Acquire)
    }

    /// Moves the limit (the meter alone does this).
    pub fn set_limit(&self, limit: Units) {
        self.limit.store(limit, Ordering::Release);
    }

    /// Shuts the gate for good: the renderer takes nothing more.
    pub fn shut(&self) {
        self.shut.store(true, Ordering::Release);
    }
}
