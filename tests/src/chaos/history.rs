//! What was seen of a run from outside: everything that checkers judge, and nothing else. Moments count from the run's
//! beginning.

use std::collections::BTreeMap;
use std::time::Duration;

/// Frames of a session in a second.
pub const FPS: u32 = 25;

/// What a fault does to whom it hits, as far as it matters to what may be unbilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// The process ended at once.
    Crash,
    /// It was stopped, or could not be heard, or heard others late.
    Partition,
    /// A replica took over that may not have had all.
    FailOver,
    /// Its clock was wrong, or its disk full.
    Inconvenience,
}

/// A fault as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Harmed {
    /// The node that it hit; `None`: the store, and so all of them.
    pub node: Option<usize>,
    /// What that does.
    pub harm: Harm,
    /// When it began, and when it was over.
    pub from: Duration,
    /// See `from`.
    pub until: Duration,
}

/// A line of what happened, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Duration,
    /// What.
    pub what: String,
}

/// The directory named an owner of a session, other than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// When that was first seen.
    pub at: Duration,
    /// The record's epoch.
    pub epoch: u32,
    /// The owner's place.
    pub node: usize,
}

/// The end of a node's lease, other than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leased {
    /// When that was seen.
    pub at: Duration,
    /// When it ends.
    pub until: Duration,
}

/// An active frame that a viewer received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// When.
    pub at: Duration,
    /// Its time on the session's media clock.
    pub pts_us: u64,
    /// The viewer's connection that it came over.
    pub connection: usize,
    /// The epoch that it was most likely made in.
    pub epoch: u32,
    /// Who made it for certain; `None` where the session moved while the viewer attached.
    pub source: Option<Source>,
}

/// Who made a frame for certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// The epoch in which the viewer attached.
    pub epoch: u32,
    /// The node's place.
    pub node: usize,
}

/// All that is known of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionSeen {
    /// Its account's place.
    pub account: usize,
    /// When its create was answered.
    pub begun: Duration,
    /// Whether its create was answered: such a session must be found at the end.
    pub acknowledged: bool,
    /// Its owners, in the order in which they were seen.
    pub owners: Vec<Owned>,
    /// Active frames that came, in the order in which they came.
    pub frames: Vec<Frame>,
    /// How it is at the end; `None` when no node knows it.
    pub end: Option<SessionEnd>,
}

/// How a session is at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionEnd {
    /// Its state.
    pub state: String,
    /// Why it ended.
    pub reason: String,
    /// Active frames that were charged.
    pub frames: i64,
    /// Microcredits that were charged.
    pub paid: i64,
}

/// Credits that somebody bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopUp {
    /// The account's place.
    pub account: usize,
    /// Its name.
    pub name: String,
    /// How much, in microcredits.
    pub amount: i64,
    /// Whether a node said that it was given.
    pub acknowledged: bool,
}

/// An account at the end, by its own figures and by its journal. Amounts are in microcredits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountEnd {
    /// `acc_…`
    pub id: String,
    /// Given in all.
    pub granted: i64,
    /// Spent in all.
    pub spent: i64,
    /// Still set aside.
    pub held: i64,
    /// Owed.
    pub debt: i64,
    /// What can be spent.
    pub available: i64,
    /// Entries of the journal that gave credits: name and amount.
    pub grants: Vec<(String, i64)>,
    /// What the journal says that sessions used: units and microcredits by session.
    pub usage: BTreeMap<String, (i64, i64)>,
}

/// Everything.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The nodes' lease.
    pub lease: Duration,
    /// How late this process itself was at worst: what it saw may be that much older than its time.
    pub lag: Duration,
    /// How long the books took to be settled once all sessions had ended; `None` when they never were.
    pub settled_after: Option<Duration>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The faults.
    pub harms: Vec<Harmed>,
    /// When the store did not answer whoever looks on.
    pub store_away: Vec<(Duration, Duration)>,
    /// The leases of each node, by its place.
    pub leases: Vec<Vec<Leased>>,
    /// Sessions by their ids.
    pub sessions: BTreeMap<String, SessionSeen>,
    /// All credits that were bought.
    pub top_ups: Vec<TopUp>,
    /// The accounts, by their place.
    pub accounts: Vec<AccountEnd>,
    /// What went wrong with processes and with the end of the run, in words.
    pub troubles: Vec<String>,
    /// What the audits said, by who was asked; `Err` with the differences.
    pub audits: Vec<(String, Result<(), String>)>,
    /// What destroying commands were answered with; `Err` when one was obeyed.
    pub flushes: Vec<Result<String, String>>,
}

impl SessionSeen {
    /// Frames that were most likely made in an epoch.
    #[must_use]
    pub fn frames_of(&self, epoch: u32) -> Vec<&Frame> {
        self.frames.iter().filter(|frame| frame.epoch == epoch).collect()
    }

    /// Frames that came, each counted once: two connections to one owner show the same ones.
    #[must_use]
    pub fn received(&self) -> i64 {
        let shown: std::collections::BTreeSet<_> =
            self.frames.iter().map(|frame| (frame.epoch, frame.pts_us)).collect();
        i64::try_from(shown.len()).unwrap_or(i64::MAX)
    }

    /// Connections that frames came over.
    #[must_use]
    pub fn connections(&self) -> i64 {
        let used: std::collections::BTreeSet<_> = self.frames.iter().map(|frame| frame.connection).collect();
        i64::try_from(used.len()).unwrap_or(i64::MAX)
    }
}
