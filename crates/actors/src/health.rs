//! What a node says of itself: may it take sessions, and how full is it?

use serde::Serialize;

/// Why a node takes no new sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnreadyReason {
    /// It is draining.
    Draining,
    /// The store cannot be reached, or refuses.
    StoreUnreachable,
    /// Its lease is over: others may go on with its sessions.
    LeaseOver,
    /// Every session place or speaking slot is taken or reserved.
    AtCapacity,
}

/// May the node take new sessions?
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Yes, or no.
    pub ready: bool,
    /// Every reason why not; empty when ready.
    pub reasons: Vec<UnreadyReason>,
}

/// One kind of room on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Room {
    /// How much there is.
    pub total: u64,
    /// How much is in use.
    pub used: u64,
    /// How much is promised and not in use.
    pub reserved: u64,
}

impl Room {
    /// What is neither used nor promised.
    #[must_use]
    pub const fn free(&self) -> u64 {
        self.total.saturating_sub(self.used + self.reserved)
    }
}

/// How full a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Capacity {
    /// Sessions: `used` have begun, `reserved` are being created.
    pub sessions: Room,
    /// Speaking slots, in thousandths of a 512x512 stream at 25 frames a second: `used` speak, `reserved` may speak
    /// at any moment.
    pub speaking_slots_milli: Room,
}

/// What a drain came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DrainReport {
    /// Sessions still speaking when it returned: 0 unless the deadline passed.
    pub still_speaking: u64,
    /// Sessions that are on the node.
    pub sessions: u64,
}
