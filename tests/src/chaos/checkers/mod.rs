//! What must be true of every history. Each checker is a pure function, and each is shown to fail on a history that
//! violates it.

mod books;
mod charges;
mod leases;
mod money;
mod sessions;
mod speakers;

use std::time::Duration;

use super::history::History;

/// How much later than it was sent something may be seen, beside this process' own lateness.
const SLACK: Duration = Duration::from_millis(300);

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Who found it.
    pub checker: &'static str,
    /// The session, where it is about one.
    pub session: Option<String>,
    /// What it is, with the figures.
    pub says: String,
}

impl Finding {
    fn of(checker: &'static str, session: &str, says: String) -> Self {
        Self { checker, session: Some(session.to_owned()), says }
    }

    fn general(checker: &'static str, says: String) -> Self {
        Self { checker, session: None, says }
    }
}

/// Judges a history by all of them.
#[must_use]
pub fn judge(history: &History) -> Vec<Finding> {
    let checkers = [speakers::check, leases::check, charges::check, money::check, books::check, sessions::check];
    checkers.iter().flat_map(|check| check(history)).collect()
}

/// The longest time that a session of this history went unbilled, in frames.
#[must_use]
pub fn worst_unbilled(history: &History) -> i64 {
    charges::worst_unbilled(history)
}

/// How late something may be seen in this history.
fn slack(history: &History) -> Duration {
    SLACK + history.lag
}

fn seconds(moment: Duration) -> String {
    format!("{:.2} s", moment.as_secs_f64())
}

#[cfg(test)]
mod examples {
    //! A history in which all is well, for tests to violate.

    use super::super::history::{AccountEnd, Frame, Leased, Owned, SessionEnd, SessionSeen, Source, TopUp};
    use super::*;
    use crate::client::cost;

    pub(super) const ID: &str = "ses_1";

    pub(super) fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Frames of one owner from a moment on, 25 a second.
    pub(super) fn frames(count: u64, from: f64, epoch: u32, node: usize) -> Vec<Frame> {
        let frame = |number: u64| {
            let came = from + number as f64 * 0.04;
            let source = Some(Source { epoch, node });
            Frame { at: at(came), pts_us: (came * 1e6) as u64, connection: epoch as usize, epoch, source }
        };
        (0..count).map(frame).collect()
    }

    /// One session: 100 frames at the first node, which loses it, and 100 at the second.
    pub(super) fn well() -> History {
        let settled_after = Some(Duration::ZERO);
        let mut history = History { lease: Duration::from_secs(5), settled_after, ..History::default() };
        let lease =
            |from: u64, until: u64| (from..until).map(|s| Leased { at: at(s as f64), until: at(s as f64 + 5.0) });
        history.leases = vec![lease(0, 5).collect(), lease(0, 30).collect()];
        let owned = |from, epoch, node| Owned { at: at(from), epoch, node };
        let paid = cost(200);
        let session = SessionSeen {
            account: 0,
            begun: at(1.0),
            acknowledged: true,
            owners: vec![owned(1.0, 1, 0), owned(12.0, 2, 1)],
            frames: [frames(100, 1.0, 1, 0), frames(100, 12.0, 2, 1)].concat(),
            end: Some(SessionEnd { state: "ended".into(), reason: "stopped".into(), frames: 200, paid }),
        };
        history.sessions.insert(ID.to_owned(), session);
        history.top_ups.push(TopUp { account: 0, name: "first".into(), amount: 10_000_000, acknowledged: true });
        history.accounts.push(AccountEnd {
            id: "acc_1".into(),
            granted: 10_000_000,
            spent: paid,
            available: 10_000_000 - paid,
            grants: vec![("first".into(), 10_000_000)],
            usage: [(ID.to_owned(), (200, paid))].into(),
            ..AccountEnd::default()
        });
        history.audits.push(("n1".into(), Ok(())));
        history
    }

    pub(super) fn session(history: &mut History) -> &mut SessionSeen {
        history.sessions.get_mut(ID).expect("the example has it")
    }

    #[test]
    fn all_are_silent_when_all_is_well() {
        assert_eq!(judge(&well()), []);
    }
}
