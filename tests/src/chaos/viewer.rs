//! A viewer who attaches to whichever node owns a session, and keeps every connection it ever made: what a former owner
//! still sends must not be missed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::history::{Frame, Harm, Harmed, Owned, Source};
use super::observer::Observer;
use crate::Watcher;

/// How often it looks for a new owner, and takes what came.
const EVERY: Duration = Duration::from_millis(50);
/// The pause between two attempts at the same owner.
const AGAIN_AFTER: Duration = Duration::from_millis(400);
/// How long attaching may take.
const ATTACH_WITHIN: Duration = Duration::from_secs(2);
/// Connections that are kept; the oldest gives way.
const CONNECTIONS_MAX: usize = 8;
/// How late a move of the session may be noticed.
const BLUR: Duration = Duration::from_millis(500);

/// What a viewer watches.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Who says where the session is.
    pub observer: Arc<Observer>,
    /// The nodes' own addresses, by their places.
    pub urls: Arc<Vec<String>>,
    /// The account's secret.
    pub secret: String,
    /// `ses_…`
    pub session: String,
    /// What moments count from.
    pub began: Instant,
}

/// A viewer; it watches until dropped.
#[derive(Debug)]
pub struct Viewer {
    tape: Arc<Mutex<Tape>>,
    task: tokio::task::JoinHandle<()>,
}

/// What was received.
#[derive(Debug, Default)]
struct Tape {
    /// Whom each connection was made to, and when it was there.
    connections: Vec<(Owned, Duration)>,
    /// Frames: when they came, their media time, and over which connection.
    frames: Vec<(Duration, u64, usize)>,
}

impl Viewer {
    /// Begins to watch.
    #[must_use]
    pub fn start(watched: Watched) -> Self {
        let tape = Arc::new(Mutex::new(Tape::default()));
        let task = tokio::spawn(watch(watched, Arc::clone(&tape)));
        Self { tape, task }
    }

    /// All active frames that came, and who made them by what the session's owners were and which nodes crashed.
    #[must_use]
    pub fn frames(&self, owners: &[Owned], harms: &[Harmed]) -> Vec<Frame> {
        let tape = locked(&self.tape);
        let sources: Vec<(u32, Option<Source>)> =
            tape.connections.iter().map(|(owner, attached)| source(owners, harms, owner, *attached)).collect();
        let frame = |&(at, pts_us, connection): &(Duration, u64, usize)| {
            let (epoch, source) = sources[connection];
            Frame { at, pts_us, connection, epoch, source }
        };
        tape.frames.iter().map(frame).collect()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whose frames come over a connection to `owner`: its own, unless the session went elsewhere before the connection was there, or
/// the node is another run by then. Then they are most likely its heir's, since the node passes those on, or is the heir itself.
fn source(owners: &[Owned], harms: &[Harmed], owner: &Owned, attached: Duration) -> (u32, Option<Source>) {
    let Some(at) = owners.iter().position(|other| other == owner) else { return (owner.epoch, None) };
    // It was the owner a little before that was seen.
    let from = owner.at.saturating_sub(BLUR);
    let crashed = harms.iter().any(|harm| {
        harm.node == Some(owner.node) && harm.harm == Harm::Crash && from <= harm.from && harm.from <= attached
    });
    let moved = owners[at + 1..].iter().rfind(|next| next.at <= attached + BLUR);
    match moved.or_else(|| owners.get(at + 1).filter(|_| crashed)) {
        Some(heir) => (heir.epoch, None),
        None => (owner.epoch, Some(Source { epoch: owner.epoch, node: owner.node })),
    }
}

async fn watch(watched: Watched, tape: Arc<Mutex<Tape>>) {
    let Watched { observer, urls, secret, session, began } = watched;
    let mut connections: Vec<(usize, Watcher)> = Vec::new();
    let mut tried: Option<Instant> = None;
    loop {
        let owner = observer.owner(&session).filter(|owner| {
            let tape = locked(&tape);
            !connections.iter().any(|(number, _)| tape.connections[*number].0 == *owner)
        });
        if let Some(owner) = owner
            && tried.is_none_or(|at| at.elapsed() > AGAIN_AFTER)
        {
            tried = Some(Instant::now());
            let attaching = Watcher::attach(&urls[owner.node], &secret, &session);
            if let Ok(Ok(watcher)) = tokio::time::timeout(ATTACH_WITHIN, attaching).await {
                let mut tape = locked(&tape);
                connections.push((tape.connections.len(), watcher));
                tape.connections.push((owner, began.elapsed()));
            }
            if connections.len() > CONNECTIONS_MAX {
                connections.remove(0);
            }
        }
        connections.retain(|(number, watcher)| {
            let mut seen = watcher.seen();
            let active = seen.units.drain(..).filter(|unit| unit.video && !unit.idle);
            let frames = active.map(|unit| (unit.came.saturating_duration_since(began), unit.pts_us, *number));
            locked(&tape).frames.extend(frames);
            !seen.closed
        });
        tokio::time::sleep(EVERY).await;
    }
}

fn locked(tape: &Mutex<Tape>) -> MutexGuard<'_, Tape> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_connection_made_while_the_session_moved_are_most_likely_the_heirs() {
        let owned = |at, epoch, node| Owned { at: Duration::from_secs(at), epoch, node };
        let owners = [owned(1, 1, 0), owned(10, 2, 1), owned(12, 3, 0)];
        let source =
            |owner: &Owned, attached, harms: &[_]| source(&owners, harms, owner, Duration::from_millis(attached));
        let first = Some(Source { epoch: 1, node: 0 });
        assert_eq!(source(&owners[0], 2_000, &[]), (1, first));
        assert_eq!(source(&owners[0], 9_800, &[]), (2, None));
        assert_eq!(source(&owners[0], 11_800, &[]), (3, None), "it moved twice");
        assert_eq!(source(&owners[1], 11_000, &[]), (2, Some(Source { epoch: 2, node: 1 })));
        assert_eq!(source(&owned(3, 1, 2), 4_000, &[]), (1, None), "nobody knows of it");
        let (from, until) = (Duration::from_secs(4), Duration::from_secs(6));
        let crash = |node| Harmed { node: Some(node), harm: Harm::Crash, from, until };
        assert_eq!(source(&owners[0], 7_000, &[crash(0)]), (2, None), "the next run has nothing of its own to say");
        assert_eq!(source(&owners[0], 7_000, &[crash(1)]), (1, first));
        assert_eq!(source(&owners[0], 2_000, &[crash(0)]), (1, first), "it crashed later");
    }
}
