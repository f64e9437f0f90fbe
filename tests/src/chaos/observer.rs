//! Looks on: who owns each session, and until when each node has its lease, as Redis has them. The keys are those of
//! `crates/store-redis/src/keys.rs`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use redis::aio::MultiplexedConnection;

use super::history::{Leased, Owned};
use super::store::Whereabouts;

/// How often it looks.
pub const EVERY: Duration = Duration::from_millis(100);
/// What a session's value begins with.
const SEALED: u8 = 2;
/// Longer than the head of any session's value: epoch, and the owner's name.
const HEAD: isize = 64;

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Observed {
    /// Owners by session, in the order in which they were seen.
    pub owners: BTreeMap<String, Vec<Owned>>,
    /// Leases by the node's place.
    pub leases: Vec<Vec<Leased>>,
    /// When the store did not answer.
    pub away: Vec<(Duration, Duration)>,
}

/// Somebody who looks on until dropped.
#[derive(Debug)]
pub struct Observer {
    observed: Arc<Mutex<Observed>>,
    task: tokio::task::JoinHandle<()>,
}

impl Observer {
    /// Begins to look. Moments count from `began`; nodes are called `n1`, `n2`, ….
    #[must_use]
    pub fn start(store: Whereabouts, nodes: usize, began: Instant) -> Self {
        let observed = Arc::new(Mutex::new(Observed { leases: vec![Vec::new(); nodes], ..Observed::default() }));
        let shared = Arc::clone(&observed);
        let task = tokio::spawn(async move {
            let mut connection: Option<(usize, MultiplexedConnection)> = None;
            let mut away_since = None;
            loop {
                let asked = began.elapsed();
                // Of a former master nothing is believed.
                if connection.as_ref().is_some_and(|(master, _)| *master != store.master()) {
                    connection = None;
                }
                if connection.is_none() {
                    let master = store.master();
                    connection = store.connect().await.ok().map(|connected| (master, connected));
                }
                let looked = match &mut connection {
                    Some((_, connection)) => look(connection, &shared, began).await,
                    None => Err(anyhow::anyhow!("no connection")),
                };
                if looked.is_err() {
                    connection = None;
                    away_since.get_or_insert(asked);
                } else if let Some(since) = away_since.take() {
                    locked(&shared).away.push((since, began.elapsed()));
                }
                tokio::time::sleep(EVERY).await;
            }
        });
        Self { observed, task }
    }

    /// Looks at this session from now on.
    pub fn watch(&self, session: &str) {
        locked(&self.observed).owners.entry(session.to_owned()).or_default();
    }

    /// The session's owner, as last seen.
    #[must_use]
    pub fn owner(&self, session: &str) -> Option<Owned> {
        locked(&self.observed).owners.get(session)?.last().cloned()
    }

    /// All that was seen; nothing is left.
    #[must_use]
    pub fn take(&self) -> Observed {
        std::mem::take(&mut locked(&self.observed))
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked(observed: &Mutex<Observed>) -> std::sync::MutexGuard<'_, Observed> {
    observed.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn look(
    connection: &mut MultiplexedConnection,
    observed: &Mutex<Observed>,
    began: Instant,
) -> anyhow::Result<()> {
    let sessions: Vec<String> = locked(observed).owners.keys().cloned().collect();
    let mut pipe = redis::pipe();
    pipe.cmd("TIME").cmd("HGETALL").arg("fl:{nodes}:names");
    pipe.cmd("ZRANGE").arg("fl:{nodes}:leases").arg(0).arg(-1).arg("WITHSCORES");
    for session in &sessions {
        pipe.cmd("GETRANGE").arg(format!("fl:session:{{{session}}}")).arg(0).arg(HEAD);
    }
    let before = began.elapsed();
    let answers: Vec<redis::Value> = pipe.query_async(connection).await?;
    // Whatever was read is at least as old as this: owners are seen late rather than early.
    let at = began.elapsed();
    let mut answers = answers.into_iter();
    let mut next = || answers.next().context("one answer per question");
    let (seconds, micros): (u64, u64) = redis::from_redis_value(next()?)?;
    let now_ms = (seconds * 1_000 + micros / 1_000) as f64;
    let names: BTreeMap<String, Vec<u8>> = redis::from_redis_value(next()?)?;
    let ends: Vec<(Vec<u8>, f64)> = redis::from_redis_value(next()?)?;
    let mut seen = locked(observed);
    for (name, boot) in names {
        let Some(node) = place(&name) else { continue };
        let end = ends.iter().find(|(other, _)| *other == boot).map_or(0.0, |(_, end)| *end);
        let left = Duration::from_secs_f64(((end - now_ms) / 1_000.0).max(0.0));
        // A lease that is over ended before; that it ends later than it does is the harmless mistake.
        let until = if left.is_zero() { Duration::ZERO } else { at + left };
        if let Some(leases) = seen.leases.get_mut(node) {
            note_lease(leases, Leased { at: before, until });
        }
    }
    for session in sessions {
        let head: Vec<u8> = redis::from_redis_value(next()?)?;
        let Some((epoch, node)) = owner_in(&head) else { continue };
        let owners = seen.owners.entry(session).or_default();
        if owners.last().is_none_or(|last| (last.epoch, last.node) != (epoch, node)) {
            owners.push(Owned { at, epoch, node });
        }
    }
    Ok(())
}

fn note_lease(leases: &mut Vec<Leased>, lease: Leased) {
    // Renewals move the end; the clock's own small steps do not count.
    let moved = leases.last().is_none_or(|last| lease.until.abs_diff(last.until) > Duration::from_millis(20));
    if moved {
        leases.push(lease);
    }
}

/// The epoch and the owner's place, from the head of a session's value.
fn owner_in(head: &[u8]) -> Option<(u32, usize)> {
    let [SEALED, a, b, c, d, high, low, rest @ ..] = head else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let name = std::str::from_utf8(rest.get(..length)?).ok()?;
    Some((u32::from_be_bytes([*a, *b, *c, *d]), place(name)?))
}

fn place(name: &str) -> Option<usize> {
    name.strip_prefix('n')?.parse::<usize>().ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_read_from_the_head_of_a_record() {
        let head = [&[2, 0, 0, 1, 2, 0, 2][..], b"n3", b"document"].concat();
        assert_eq!(owner_in(&head), Some((258, 2)));
        assert_eq!(owner_in(&[2, 0, 0, 0, 1, 0, 9, b'n']), None, "cut short");
        assert_eq!(owner_in(&[]), None);
    }
}
