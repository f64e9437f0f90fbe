//! The sessions of one account in the meter.

use std::collections::BTreeSet;

use footlight_session::Moment;
use footlight_session::meter::Queue;

use super::messages::Key;

/// The sessions of one account in the meter.
pub(super) struct AccountLines {
    /// All of them.
    pub(super) members: BTreeSet<Key>,
    /// Those that the ledger refused for want of credit, in the order they are served.
    pub(super) queue: Queue<Key>,
    /// Others that ask again when credit comes: refused for another reason, or in their last slice.
    pub(super) hopeful: BTreeSet<Key>,
    /// The deadline that stands for its queue in the wheel.
    pub(super) wheel_at: Moment,
}

impl AccountLines {
    pub(super) const fn new() -> Self {
        Self { members: BTreeSet::new(), queue: Queue::new(), hopeful: BTreeSet::new(), wheel_at: Moment::NEVER }
    }
}
