//! What one node leaves of a session for another to go on with.

use std::time::Duration;

use footlight_ledger::{PauseReason, Timestamp, Units};
use serde::{Deserialize, Serialize};

use crate::SessionRecord;

/// Why a session has a new owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inherited {
    /// Its node was lost: what it used since is what was proved.
    NodeLost,
    /// Its node let it go: what it used is settled.
    Moved,
}

/// A session on its way from one owner to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heirloom {
    /// As the directory has it, or, of a session that is moved, as its former owner had it last.
    pub record: SessionRecord,
    /// Cumulative units that it is known to have used, by the progress record of `record.boot` or exactly.
    pub proved: Units,
    /// Why it changes hands.
    pub why: Inherited,
}

impl SessionRecord {
    /// What is left at `now` of the longest time that the session may live.
    #[must_use]
    pub fn duration_left(&self, now: Timestamp) -> Duration {
        let lives_until = self.created_at.plus_ms(i64::from(self.max_duration_s) * 1000);
        Duration::from_millis(u64::try_from(lives_until.0 - now.0).unwrap_or(0))
    }

    /// What people hold it back for: an owner that is new to it goes on doing so. What the account holds it back for the
    /// account says again.
    pub fn held_by_people(&self) -> impl Iterator<Item = PauseReason> {
        let is_theirs = |reason: &PauseReason| matches!(reason, PauseReason::ByRequest | PauseReason::KeyRevoked);
        self.pause_reasons.iter().copied().filter(is_theirs)
    }
}
