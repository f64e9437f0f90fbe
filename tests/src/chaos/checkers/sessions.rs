//! Every session is accounted for, and so is every process: what was begun is known and has ended, and everything came
//! back by itself.

use std::time::Duration;

use super::super::history::{Harm, History, SessionSeen};
use super::Finding;

const NAME: &str = "sessions";
/// How long a replica may be behind its master.
const REPLICATED_IN: Duration = Duration::from_secs(1);
/// How a session of this load may end.
const REASONS: [&str; 4] = ["stopped", "node_lost", "idle_timeout", "cancelled"];

pub(super) fn check(history: &History) -> Vec<Finding> {
    let troubles = history.troubles.iter().map(|trouble| Finding::general(NAME, trouble.clone()));
    let sessions = history.sessions.iter().filter_map(|(id, session)| check_session(history, id, session));
    troubles.chain(sessions).collect()
}

fn check_session(history: &History, id: &str, session: &SessionSeen) -> Option<Finding> {
    let says = match &session.end {
        None if is_forgotten(history, session) => return None,
        None if session.acknowledged => "its create was answered, and no node knows it".to_owned(),
        None => return None,
        Some(end) if end.state != "ended" => format!("it was stopped, and is `{}`", end.state),
        Some(end) if !REASONS.contains(&end.reason.as_str()) => format!("it ended as `{}`", end.reason),
        Some(_) => return None,
    };
    Some(Finding::of(NAME, id, says))
}

/// Whether a session began in the moments before a fail-over: what only the former master had of it is gone.
fn is_forgotten(history: &History, session: &SessionSeen) -> bool {
    let mut fail_overs = history.harms.iter().filter(|harm| harm.harm == Harm::FailOver);
    fail_overs.any(|harm| session.begun <= harm.until && harm.from <= session.begun + REPLICATED_IN)
}

#[cfg(test)]
mod tests {
    use super::super::examples::{at, session, well};
    use super::*;
    use crate::chaos::history::Harmed;

    #[test]
    fn sessions_that_are_gone_go_on_or_ended_strangely_are_found() {
        let mut history = well();
        session(&mut history).end.as_mut().expect("it ended").reason = "renderer_failed".into();
        assert!(check(&history)[0].says.contains("renderer_failed"));
        session(&mut history).end.as_mut().expect("it ended").state = "running".into();
        assert!(check(&history)[0].says.contains("is `running`"));
        session(&mut history).end = None;
        assert!(check(&history)[0].says.contains("no node knows it"));
        let mut failed_over = history.clone();
        let harm = Harmed { node: None, harm: Harm::FailOver, from: at(0.5), until: at(2.0) };
        failed_over.harms.push(harm);
        assert_eq!(check(&failed_over), [], "what a replica did not have yet is forgotten");
        session(&mut history).acknowledged = false;
        assert_eq!(check(&history), [], "nobody was told of it");
        history.troubles.push("n1 ended by itself".into());
        assert_eq!(check(&history).len(), 1);
    }
}
