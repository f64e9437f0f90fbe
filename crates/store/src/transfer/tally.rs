//! What was found and what was done, by kind of thing.

use std::collections::BTreeMap;

use footlight_ledger::SessionId;
use serde::Serialize;

/// Differences that are told one by one; the others are only counted.
pub const NOTES_MAX: usize = 20;

/// What is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words of the ports")]
pub enum Kind {
    Accounts,
    Tabs,
    Names,
    JobHolds,
    JournalEntries,
    Secrets,
    Sessions,
    Records,
    Blobs,
    BlobBytes,
}

impl Kind {
    /// What to call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Tabs => "tabs",
            Self::Names => "named operations",
            Self::JobHolds => "job holds",
            Self::JournalEntries => "journal entries",
            Self::Secrets => "API secrets",
            Self::Sessions => "session records",
            Self::Records => "records",
            Self::Blobs => "blobs",
            Self::BlobBytes => "bytes of blobs",
        }
    }
}

/// Counts of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Count {
    /// In the source, what is left out included.
    pub source: u64,
    /// In both and equal.
    pub same: u64,
    /// In the source alone.
    pub missing: u64,
    /// In both, and not equal.
    pub differing: u64,
    /// In the target alone.
    pub extra: u64,
    /// Not moved on purpose: the target would not keep it any more.
    pub left_out: u64,
}

impl Count {
    /// How many there are in the target.
    #[must_use]
    pub const fn target(&self) -> u64 {
        self.same + self.differing + self.extra
    }
}

/// All counts of one pass.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Tally {
    /// By kind.
    pub counts: BTreeMap<Kind, Count>,
    /// Accounts whose books do not balance, in either store; looked at by the deepest pass alone.
    pub unbalanced: u64,
    /// Session records in the source that have not ended.
    pub open_sessions: u64,
    /// Some of them.
    pub open_named: Vec<SessionId>,
    /// What accounts in the source say of sessions that have not ended.
    pub open_tabs: u64,
    /// Why the two are not equal, in words; the first [`NOTES_MAX`].
    pub notes: Vec<String>,
    /// What is told in `notes`, or would be if there were room.
    pub noted: u64,
}

impl Tally {
    /// The counts of a kind.
    pub fn of(&mut self, kind: Kind) -> &mut Count {
        self.counts.entry(kind).or_default()
    }

    /// Reads the counts of a kind.
    #[must_use]
    pub fn get(&self, kind: Kind) -> Count {
        self.counts.get(&kind).copied().unwrap_or_default()
    }

    /// Tells a difference.
    pub fn note(&mut self, text: impl FnOnce() -> String) {
        self.noted += 1;
        if self.notes.len() < NOTES_MAX {
            self.notes.push(text());
        }
    }

    /// Whether everything of the source that is to be moved is in the target as it is there.
    #[must_use]
    pub fn is_moved(&self) -> bool {
        self.noted == 0 && self.counts.values().all(|count| count.missing == 0 && count.differing == 0)
    }

    /// Adds the counts of a part of the work.
    pub fn add(&mut self, other: Self) {
        for (kind, more) in other.counts {
            let count = self.of(kind);
            count.source += more.source;
            count.same += more.same;
            count.missing += more.missing;
            count.differing += more.differing;
            count.extra += more.extra;
            count.left_out += more.left_out;
        }
        self.unbalanced += other.unbalanced;
        self.open_sessions += other.open_sessions;
        self.open_named.extend(other.open_named);
        self.open_tabs += other.open_tabs;
        self.noted += other.noted;
        let room = NOTES_MAX.saturating_sub(self.notes.len());
        self.notes.extend(other.notes.into_iter().take(room));
    }
}
