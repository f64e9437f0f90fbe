//! What came of a seed: a line when the checkers are silent, and everything that helps when they are not.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::checkers::{self, Finding};
use super::history::{Event, FPS, History, Owned, SessionSeen};
use super::schedule::Schedule;

/// The most findings that are told of one seed.
const FINDINGS_MAX: usize = 20;

/// What came of a seed.
#[derive(Debug, Clone)]
pub struct Report {
    schedule: Schedule,
    findings: Vec<Finding>,
    events: Vec<Event>,
    /// What is known of the sessions that were found, in words.
    lives: Vec<String>,
    cannot: Vec<String>,
    figures: Figures,
}

/// How much there was to judge.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    faults: usize,
    sessions: usize,
    take_overs: usize,
    received: i64,
    charged: i64,
    worst_unbilled: i64,
    top_ups: usize,
    settled_after: Option<Duration>,
    lag: Duration,
}

impl Report {
    /// Judges a history.
    #[must_use]
    pub fn of(schedule: Schedule, history: History, cannot: Vec<String>) -> Self {
        let findings = checkers::judge(&history);
        let sessions = history.sessions.values();
        let figures = Figures {
            faults: history.events.iter().filter(|event| event.what.starts_with("over: ")).count(),
            sessions: history.sessions.len(),
            take_overs: sessions.clone().map(|session| session.owners.len().saturating_sub(1)).sum(),
            received: sessions.clone().map(SessionSeen::received).sum(),
            charged: sessions.filter_map(|session| Some(session.end.as_ref()?.frames)).sum(),
            worst_unbilled: checkers::worst_unbilled(&history),
            top_ups: history.top_ups.len(),
            settled_after: history.settled_after,
            lag: history.lag,
        };
        let lives = lives(&history, &findings);
        Self { schedule, findings, events: history.events, lives, cannot, figures }
    }

    /// Whether no checker found anything.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.findings.is_empty()
    }

    /// For machines.
    #[must_use]
    pub fn json(&self) -> Value {
        let Figures { faults, sessions, take_overs, received, charged, worst_unbilled, top_ups, settled_after, lag } =
            self.figures;
        let finding =
            |finding: &Finding| json!({ "checker": finding.checker, "session": finding.session, "says": finding.says });
        json!({
            "seed": self.schedule.seed,
            "silent": self.is_silent(),
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
            "events": self.events.iter().map(Event::to_string).collect::<Vec<_>>(),
            "left_out": self.cannot,
            "faults": faults,
            "sessions": sessions,
            "take_overs": take_overs,
            "frames_received": received,
            "frames_charged": charged,
            "worst_unbilled_frames": worst_unbilled,
            "top_ups": top_ups,
            "settled_after_ms": settled_after.map(millis),
            "lag_ms": millis(lag),
            "text": self.to_string(),
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What is known of each session that findings name.
fn lives(history: &History, findings: &[Finding]) -> Vec<String> {
    let named: BTreeSet<&String> = findings.iter().filter_map(|finding| finding.session.as_ref()).collect();
    let seen = named.into_iter().filter_map(|id| Some((id, history.sessions.get(id)?)));
    let life = |(id, session): (&String, &SessionSeen)| {
        let owner = |owned: &Owned| format!("n{} from {:.2} s", owned.node + 1, owned.at.as_secs_f64());
        let owners: Vec<String> = session.owners.iter().map(owner).collect();
        let begun = session.begun.as_secs_f64();
        format!("{id}: begun at {begun:.2} s; owners {}; in the end {:?}", owners.join(", "), session.end)
    };
    seen.take(FINDINGS_MAX).map(life).collect()
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:7.2} s  {}", self.at.as_secs_f64(), self.what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = self.session.as_ref().map(|session| format!(" {session}:")).unwrap_or_default();
        write!(f, "{}:{session} {}", self.checker, self.says)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { faults, sessions, take_overs, received, charged, worst_unbilled, top_ups, settled_after, lag } =
            self.figures;
        let verdict = match self.findings.len() {
            0 => "silent".to_owned(),
            1 => "1 FINDING".to_owned(),
            count => format!("{count} FINDINGS"),
        };
        write!(
            f,
            "seed {}: {verdict}; {faults} faults, {sessions} sessions, {take_overs} take-overs, {received} frames came and \
             {charged} were charged, worst unbilled {:.2} s, {top_ups} top-ups, settled {}, lag {} ms",
            self.schedule.seed,
            worst_unbilled as f64 / f64::from(FPS),
            settled_after.map_or_else(|| "never".to_owned(), |took| format!("in {} ms", millis(took))),
            millis(lag)
        )?;
        for what in &self.cannot {
            write!(f, "\n  left out: {what}")?;
        }
        if self.is_silent() {
            return Ok(());
        }
        for finding in self.findings.iter().take(FINDINGS_MAX) {
            write!(f, "\n  {finding}")?;
        }
        if self.findings.len() > FINDINGS_MAX {
            write!(f, "\n  and {} more", self.findings.len() - FINDINGS_MAX)?;
        }
        self.lives.iter().try_for_each(|life| write!(f, "\n  {life}"))?;
        write!(f, "\n  what happened:")?;
        self.events.iter().try_for_each(|event| write!(f, "\n  {event}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_told_with_the_seed_and_what_happened() {
        let mut history = History { settled_after: Some(Duration::ZERO), ..History::default() };
        history.events.push(Event { at: Duration::from_millis(1_500), what: "over: kill -9 n1".to_owned() });
        history.troubles.push("n1 ended by itself".to_owned());
        let schedule = Schedule::of(17, Duration::from_secs(20), 3);
        let report = Report::of(schedule, history, vec!["no full disks".to_owned()]);
        assert!(!report.is_silent());
        let text = report.to_string();
        for part in ["seed 17: 2 FINDINGS; 1 faults", "n1 ended by itself", "1.50 s  over: kill", "left out: no full"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(report.json()["seed"], 17);
    }
}
