//! Each active frame is charged at most once, and at least once but for what could not be proved: two seconds a crash, and
//! a lease and two seconds a partition.

use std::time::Duration;

use super::super::history::{FPS, Harm, Harmed, History, SessionEnd, SessionSeen};
use super::Finding;
use crate::client::cost;

const NAME: &str = "charges";
/// What a crash may leave unproved: a progress record is made each second, and written within another.
const UNPROVED: Duration = Duration::from_secs(2);
/// Frames that are counted, and on their way when a connection ends.
const ON_THE_WAY: i64 = 3;

pub(super) fn check(history: &History) -> Vec<Finding> {
    let ended = history.sessions.iter().filter_map(|(id, session)| Some((id, session, session.end.as_ref()?)));
    ended.flat_map(|(id, session, end)| check_session(history, id, session, end)).collect()
}

pub(super) fn worst_unbilled(history: &History) -> i64 {
    let unbilled = history.sessions.values().filter_map(|seen| Some(seen.received() - seen.end.as_ref()?.frames));
    unbilled.max().unwrap_or_default().max(0)
}

fn check_session(history: &History, id: &str, session: &SessionSeen, end: &SessionEnd) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |says| findings.push(Finding::of(NAME, id, says));
    let received = session.received();
    let on_the_way = ON_THE_WAY * (session.connections() + 1);
    if end.frames > received + on_the_way {
        found(format!("{} frames were charged, and {received} came: {} too many", end.frames, end.frames - received));
    }
    let allowed = allowed(history, session);
    let unbilled = received - end.frames;
    if unbilled > allowed + on_the_way {
        found(format!(
            "{unbilled} of {received} frames were not charged ({:.1} s); the faults that hit its owners allow {allowed}",
            unbilled as f64 / f64::from(FPS)
        ));
    }
    if end.paid != cost(end.frames) {
        found(format!("{} frames cost {} and were charged {} microcredits", end.frames, cost(end.frames), end.paid));
    }
    findings
}

/// How many frames of a session may be unbilled, by what hit its owners while they were that.
fn allowed(history: &History, session: &SessionSeen) -> i64 {
    let mut allowed = Duration::ZERO;
    for (at, owned) in session.owners.iter().enumerate() {
        let until = session.owners.get(at + 1).map_or(Duration::MAX, |next| next.at);
        // It was the owner a little before that was seen.
        let from = owned.at.saturating_sub(Duration::from_secs(1));
        let hits = |harm: &&Harmed| harm.node.is_none_or(|node| node == owned.node);
        let in_its_time = |harm: &&Harmed| harm.from < until && harm.until > from;
        for harm in history.harms.iter().filter(hits).filter(in_its_time) {
            allowed += match harm.harm {
                Harm::Crash => UNPROVED + unheard_before(history, owned.node, harm.from),
                Harm::Partition | Harm::FailOver => history.lease + UNPROVED,
                Harm::Inconvenience => Duration::ZERO,
            };
        }
    }
    i64::try_from(allowed.as_millis()).unwrap_or(i64::MAX) * i64::from(FPS) / 1_000
}

/// For how long a node that crashed could not be heard when it did: what it proved last is that much older.
fn unheard_before(history: &History, node: usize, crash: Duration) -> Duration {
    let unheard = history.harms.iter().filter(|harm| {
        matches!(harm.harm, Harm::Partition | Harm::FailOver)
            && harm.node.is_none_or(|other| other == node)
            && harm.from <= crash
            && crash <= harm.until + UNPROVED
    });
    unheard.map(|harm| crash - harm.from).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::examples::{at, session, well};
    use super::*;

    fn charged(history: &mut History, frames: i64) {
        let end = session(history).end.as_mut().expect("it ended");
        (end.frames, end.paid) = (frames, cost(frames));
    }

    #[test]
    fn frames_that_are_charged_and_never_came_are_found() {
        let mut history = well();
        charged(&mut history, 225);
        assert!(check(&history)[0].says.contains("225 frames were charged, and 200 came: 25 too many"));
    }

    #[test]
    fn what_is_unbilled_is_bounded_by_what_hit_the_owner() {
        let mut history = well();
        charged(&mut history, 130);
        assert_eq!(check(&history).len(), 1, "no fault explains it");
        let harm = |node, harm| Harmed { node, harm, from: at(6.0), until: at(9.0) };
        history.harms.push(harm(Some(1), Harm::Partition));
        assert_eq!(check(&history).len(), 1, "that node was no owner then");
        history.harms.push(harm(Some(0), Harm::Crash));
        assert_eq!(check(&history).len(), 1, "70 frames are more than 2 s");
        let mut partition = history.clone();
        partition.harms.push(harm(Some(0), Harm::Partition));
        assert_eq!(check(&partition), []);
        history.harms.push(Harmed { node: None, harm: Harm::Partition, from: at(4.0), until: at(7.0) });
        assert_eq!(check(&history), [], "nothing could be proved while the store was away");
    }

    #[test]
    fn an_hour_of_wrong_time_allows_nothing() {
        let mut history = well();
        charged(&mut history, 150);
        history.harms.push(Harmed { node: Some(0), harm: Harm::Inconvenience, from: at(0.0), until: at(9.0) });
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn frames_and_credits_that_differ_are_found() {
        let mut history = well();
        session(&mut history).end.as_mut().expect("it ended").paid += 1;
        assert!(check(&history)[0].says.contains("were charged"));
    }

    #[test]
    fn frames_that_two_connections_show_are_counted_once() {
        let mut history = well();
        let mut again = session(&mut history).frames.clone();
        again.iter_mut().for_each(|frame| frame.connection += 10);
        session(&mut history).frames.extend(again);
        assert_eq!(session(&mut history).received(), 200);
        assert_eq!(check(&history), []);
    }
}
