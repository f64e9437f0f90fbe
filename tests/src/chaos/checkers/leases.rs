//! No frame after a node lost its lease. Unless the store was away for all of them: then nobody can claim anything, and
//! nodes go on.

use std::time::Duration;

use super::super::history::{Frame, Harm, History, Source};
use super::{Finding, seconds, slack};

const NAME: &str = "leases";
/// How long nodes take to see that the store is back: until then they tell each other that it is away.
const LEARNS_IN: Duration = Duration::from_secs(2);

pub(super) fn check(history: &History) -> Vec<Finding> {
    history.sessions.iter().filter_map(|(id, session)| check_session(history, id, &session.frames)).collect()
}

fn check_session(history: &History, id: &str, frames: &[Frame]) -> Option<Finding> {
    let late: Vec<(&Frame, Source, Duration)> = frames
        .iter()
        .filter_map(|frame| {
            let source = frame.source?;
            let until = leased_until(history, source.node, frame.at)?;
            (frame.at > until + slack(history) && !may_go_on(history, frame.at)).then_some((frame, source, until))
        })
        .collect();
    let (frame, source, until) = *late.first()?;
    let last = late.last().map_or(frame.at, |(frame, ..)| frame.at);
    let says = format!(
        "{} frames of n{} came after the end of its lease at {}, from {} to {}",
        late.len(),
        source.node + 1,
        seconds(until),
        seconds(frame.at),
        seconds(last)
    );
    Some(Finding::of(NAME, id, says))
}

/// Until when a node had its lease, by what was known at a moment; `None` before anything was.
fn leased_until(history: &History, node: usize, moment: Duration) -> Option<Duration> {
    // A renewal is seen a little late, and a frame may come at once.
    let known = moment + slack(history);
    let leases = history.leases.get(node)?;
    leases.iter().take_while(|lease| lease.at <= known).map(|lease| lease.until).max()
}

/// Whether no node could reach the store, so that none could claim what another had.
fn may_go_on(history: &History, moment: Duration) -> bool {
    // Nodes that went on do so until they have renewed, within a lease of the others' last word that the store is away.
    let after = history.lease + LEARNS_IN + slack(history);
    let is_away = |(from, until): &(Duration, Duration)| *from <= moment + slack(history) && moment <= *until + after;
    let cut_off = (0..history.leases.len()).filter(|node| {
        history.harms.iter().any(|harm| {
            harm.node == Some(*node)
                && harm.harm != Harm::Inconvenience
                && harm.from <= moment
                && moment <= harm.until + after
        })
    });
    history.store_away.iter().any(is_away) || cut_off.count() == history.leases.len()
}

#[cfg(test)]
mod tests {
    use super::super::examples::{at, frames, session, well};
    use super::*;
    use crate::chaos::history::Harmed;

    #[test]
    fn frames_past_a_lease_are_found() {
        let mut history = well();
        // Its last renewal was at 4 s.
        session(&mut history).frames.extend(frames(50, 9.0, 1, 0));
        let findings = check(&history);
        assert!(findings[0].says.contains("frames of n1 came after the end of its lease at 9.00 s"), "{findings:?}");
    }

    #[test]
    fn nodes_go_on_while_the_store_is_away_for_all() {
        let mut history = well();
        session(&mut history).frames.extend(frames(50, 9.0, 1, 0));
        let mut away = history.clone();
        away.store_away.push((at(5.0), at(10.0)));
        assert_eq!(check(&away), []);
        let cut = |node| Harmed { node: Some(node), harm: Harm::Partition, from: at(4.0), until: at(11.0) };
        history.harms.push(cut(0));
        assert_eq!(check(&history).len(), 1, "the other one could claim");
        history.harms.push(cut(1));
        assert_eq!(check(&history), []);
    }
}
