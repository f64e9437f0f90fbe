//! A viewer who attaches to whichever node owns a session, and keeps every connection it ever made: what a former owner
//! still sends must not be missed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::history::{Frame, Owned, Source};
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

    /// All active frames that came, and who made them by what the session's owners were.
    #[must_use]
    pub fn frames(&self, owners: &[Owned]) -> Vec<Frame> {
        let tape = locked(&self.tape);
        let sources: Vec<(u32, Option<Source>)> =
            tape.connections.iter().map(|(owner, attached)| source(owners, owner, *attached)).collect();
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

/// Whose frames come over a connection to `owner`: its own, unless the session went elsewhere before the connection was there.
/// Then they are most likely its heir's, since the node passes those on, or is the heir itself.
fn source(owners: &[Owned], owner: &Owned, attached: Duration) -> (u32, Option<Source>) {
    let Some(at) = owners.iter().position(|other| other == owner) else { return (owner.epoch, None) };
    match owners.get(at + 1) {
        Some(next) if next.at <= attached + BLUR => (next.epoch, None),
        _ => (owner.epoch, Some(Source { epoch: owner.epoch, node: owner.node })),
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
        let owners = [owned(1, 1, 0), owned(10, 2, 1)];
        let first = Some(Source { epoch: 1, node: 0 });
        assert_eq!(source(&owners, &owners[0], Duration::from_secs(2)), (1, first));
        assert_eq!(source(&owners, &owners[0], Duration::from_millis(9_800)), (2, None));
        assert_eq!(source(&owners, &owners[1], Duration::from_secs(11)), (2, Some(Source { epoch: 2, node: 1 })));
        assert_eq!(source(&owners, &owned(3, 1, 2), Duration::from_secs(4)), (1, None), "nobody knows of it");
    }
}
