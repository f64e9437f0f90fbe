//! Each active frame is charged at most once, and at least once but for what could not be proved: what an owner made in the last
//! two seconds before another took over, and since nobody could hear it.
//!
//! An owner that is heard again settles all that it made meanwhile, so a fault that no take-over follows excuses nothing.

use std::time::Duration;

use super::super::history::{FPS, Harm, Harmed, History, Owned, SessionEnd, SessionSeen};
use super::Finding;
use crate::client::cost;

const NAME: &str = "charges";
/// What an owner that can be heard may leave unproved: a progress record is made each second, and written within another.
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
    let allowed = allowed(history, session, end);
    let unbilled = received - end.frames;
    if unbilled > allowed + on_the_way {
        found(format!(
            "{unbilled} of {received} frames were not charged ({:.1} s); its owners were lost in ways that allow {allowed}",
            unbilled as f64 / f64::from(FPS)
        ));
    }
    if end.paid != cost(end.frames) {
        found(format!("{} frames cost {} and were charged {} microcredits", end.frames, cost(end.frames), end.paid));
    }
    findings
}

/// How many frames of a session may be unbilled, by how it lost its owners.
fn allowed(history: &History, session: &SessionSeen, end: &SessionEnd) -> i64 {
    let mut allowed = 0;
    for (at, owned) in session.owners.iter().enumerate() {
        let (until, lost) = match session.owners.get(at + 1) {
            // Those in between were never seen.
            Some(next) => (next.at, next.epoch.saturating_sub(owned.epoch)),
            None => (Duration::MAX, u32::from(end.reason == "node_lost")),
        };
        let frames = session.frames_of(owned.epoch);
        // What was never seen of an owner is not counted either.
        let Some(last) = frames.iter().map(|frame| frame.at).filter(|at| *at < until).max() else { continue };
        let lost_to = |harm: &Harmed| harm.from < until && last < again(history, harm);
        if lost > 0 && harms(history, owned).any(lost_to) {
            let unproved = in_frames(UNPROVED * lost + unheard(history, owned, last));
            allowed += if lost == 1 { unproved.min(i64::try_from(frames.len()).unwrap_or(i64::MAX)) } else { unproved };
        }
    }
    allowed
}

fn in_frames(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX) * i64::from(FPS) / 1_000
}

/// The faults that can part a session from its owner.
fn harms<'a>(history: &'a History, owned: &Owned) -> impl Iterator<Item = &'a Harmed> {
    let node = owned.node;
    let parts = |harm: &&Harmed| harm.harm != Harm::Inconvenience;
    history.harms.iter().filter(parts).filter(move |harm| harm.node.is_none_or(|hit| hit == node))
}

/// For how long an owner could not be heard at a moment: what it had proved by then is that much older.
fn unheard(history: &History, owned: &Owned, at: Duration) -> Duration {
    let partitions = harms(history, owned).filter(|harm| harm.harm != Harm::Crash);
    let unheard = partitions.filter(|harm| harm.from <= at && at <= again(history, harm)).map(|harm| at - harm.from);
    unheard.max().unwrap_or_default()
}

/// When whoever a fault hit is heard again, at the latest: a connection doubles its pauses between two tries, so it may be silent
/// once more as long as it was.
fn again(history: &History, harm: &Harmed) -> Duration {
    harm.until + (harm.until - harm.from).min(history.lease) + UNPROVED
}

#[cfg(test)]
mod tests {
    use super::super::examples::{at, session, well};
    use super::*;
    use crate::chaos::history::Frame;

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

    /// The first owner's last frame came at 5 s.
    fn harmed(node: impl Into<Option<usize>>, harm: Harm, from: f64, until: f64) -> Harmed {
        Harmed { node: node.into(), harm, from: at(from), until: at(until) }
    }

    #[test]
    fn what_is_unbilled_is_bounded_by_how_its_owner_was_lost() {
        let mut history = well();
        charged(&mut history, 130);
        assert_eq!(check(&history).len(), 1, "no fault explains it");
        history.harms.push(harmed(1, Harm::Partition, 3.0, 9.0));
        assert_eq!(check(&history).len(), 1, "that node was no owner then");
        history.harms.push(harmed(0, Harm::Crash, 5.0, 9.0));
        assert_eq!(check(&history).len(), 1, "70 frames are more than 2 s");
        let mut cut_off = history.clone();
        cut_off.harms.push(harmed(0, Harm::Partition, 4.0, 5.0));
        assert_eq!(check(&cut_off), [], "the last second was not heard");
        history.harms.push(harmed(None, Harm::Partition, 4.0, 7.0));
        assert_eq!(check(&history), [], "nothing could be proved while the store was away");
    }

    #[test]
    fn a_fault_that_no_owner_was_lost_to_excuses_nothing() {
        let mut history = well();
        charged(&mut history, 190);
        history.harms.push(harmed(1, Harm::Partition, 13.0, 15.0));
        assert_eq!(check(&history).len(), 1, "the second owner was heard again");
        session(&mut history).end.as_mut().expect("it ended").reason = "node_lost".into();
        assert_eq!(check(&history), []);
        session(&mut history).end.as_mut().expect("it ended").reason = "stopped".into();
        history.harms.push(harmed(0, Harm::Partition, 1.0, 1.5));
        charged(&mut history, 100);
        assert_eq!(check(&history).len(), 1, "the first owner was heard again for seconds");
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
        let unsure = session(&mut history).frames.clone().into_iter().map(|frame| Frame { source: None, ..frame });
        session(&mut history).frames.extend(unsure);
        let mut again = session(&mut history).frames.clone();
        again.iter_mut().for_each(|frame| frame.connection += 10);
        session(&mut history).frames.extend(again);
        assert_eq!(session(&mut history).received(), 200);
        assert_eq!(check(&history), []);
    }
}
