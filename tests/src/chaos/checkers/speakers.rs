//! No session has two speakers: not in one epoch, and not a former owner after its heir has begun.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::history::{History, SessionSeen};
use super::{Finding, seconds, slack};

const NAME: &str = "speakers";

pub(super) fn check(history: &History) -> Vec<Finding> {
    let slack = slack(history);
    history.sessions.iter().flat_map(|(id, session)| check_session(id, session, slack)).collect()
}

fn check_session(id: &str, session: &SessionSeen, slack: Duration) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut owners: BTreeMap<u32, usize> = BTreeMap::new();
    let mut highest = 0;
    for owned in &session.owners {
        let first = *owners.entry(owned.epoch).or_insert(owned.node);
        if first != owned.node {
            let says = format!(
                "epoch {} belonged to n{} and, at {}, to n{}",
                owned.epoch,
                first + 1,
                seconds(owned.at),
                owned.node + 1
            );
            findings.push(Finding::of(NAME, id, says));
        }
        if owned.epoch < highest {
            let says = format!(
                "at {} the record went back from epoch {highest} to epoch {} of n{}: a former owner wrote it",
                seconds(owned.at),
                owned.epoch,
                owned.node + 1
            );
            findings.push(Finding::of(NAME, id, says));
        }
        highest = highest.max(owned.epoch);
    }
    findings.extend(late_speaker(id, session, slack));
    findings
}

/// Frames of an owner that came although a later one had begun.
fn late_speaker(id: &str, session: &SessionSeen, slack: Duration) -> Option<Finding> {
    let mut begun: BTreeMap<u32, Duration> = BTreeMap::new();
    for frame in &session.frames {
        if let Some(source) = frame.source {
            let first = begun.entry(source.epoch).or_insert(frame.at);
            *first = frame.at.min(*first);
        }
    }
    let late: Vec<_> = session
        .frames
        .iter()
        .filter_map(|frame| {
            let source = frame.source?;
            let heir = begun.range(source.epoch + 1..).map(|(epoch, first)| (*first, *epoch)).min()?;
            (frame.at > heir.0 + slack).then_some((frame, source, heir))
        })
        .collect();
    let (frame, source, (first, heir)) = *late.first()?;
    let says = format!(
        "{} frames of n{} in epoch {} came after epoch {heir} had begun at {}; the first at {}",
        late.len(),
        source.node + 1,
        source.epoch,
        seconds(first),
        seconds(frame.at)
    );
    Some(Finding::of(NAME, id, says))
}

#[cfg(test)]
mod tests {
    use super::super::examples::{at, frames, session, well};
    use super::*;
    use crate::chaos::history::Owned;

    #[test]
    fn two_owners_of_one_epoch_are_found() {
        let mut history = well();
        session(&mut history).owners.push(Owned { at: at(20.0), epoch: 2, node: 0 });
        assert!(check(&history)[0].says.contains("epoch 2 belonged to n2 and, at 20.00 s, to n1"));
    }

    #[test]
    fn a_record_that_a_former_owner_writes_is_found() {
        let mut history = well();
        session(&mut history).owners.push(Owned { at: at(20.0), epoch: 1, node: 0 });
        assert!(check(&history)[0].says.contains("went back from epoch 2"));
    }

    #[test]
    fn a_former_owner_who_speaks_beside_its_heir_is_found() {
        let mut history = well();
        session(&mut history).frames.extend(frames(3, 13.0, 1, 0));
        assert!(check(&history)[0].says.contains("3 frames of n1 in epoch 1 came after epoch 2 had begun"));
        history.lag = Duration::from_secs(2);
        assert_eq!(check(&history), [], "what was seen that late may have been sent before");
    }
}
