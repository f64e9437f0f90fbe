//! Where the meter notes what each session has used, so that a restart can settle it.

use footlight_ledger::Units;
use footlight_store::progress::{ProgressEntry, ProgressWriter, Slot};

/// The progress record, as the meter uses it. Nothing here may block: writing and syncing happen elsewhere.
pub trait ProgressSink: Send {
    /// Gives a session its place in the record; `None` when nothing is recorded.
    fn assign(&mut self, entry: &ProgressEntry) -> Option<Slot>;
    /// Notes how far a session has come.
    fn record(&mut self, slot: Slot, units: Units, position_ms: u64);
    /// The session is settled: its place is free.
    fn release(&mut self, slot: Slot);
}

/// Notes nothing: for measuring the meter alone.
impl ProgressSink for () {
    fn assign(&mut self, _: &ProgressEntry) -> Option<Slot> {
        None
    }
    fn record(&mut self, _: Slot, _: Units, _: u64) {}
    fn release(&mut self, _: Slot) {}
}

/// The node's progress file; its own thread writes it once a second.
pub struct ProgressRecord(ProgressWriter);

impl ProgressRecord {
    /// Over a writer that was started for this run of the node.
    #[must_use]
    pub const fn new(writer: ProgressWriter) -> Self {
        Self(writer)
    }
}

impl ProgressSink for ProgressRecord {
    fn assign(&mut self, entry: &ProgressEntry) -> Option<Slot> {
        Some(self.0.assign(entry))
    }

    fn record(&mut self, slot: Slot, units: Units, position_ms: u64) {
        self.0.record(slot, units, position_ms);
    }

    fn release(&mut self, slot: Slot) {
        self.0.release(slot);
    }
}
