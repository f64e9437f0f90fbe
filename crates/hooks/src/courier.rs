//! The courier: finds streams with something pending, claims them and has them delivered. Streams of one endpoint are
//! delivered side by side up to a bound, each in its order; endpoints do not wait for each other.

use std::sync::{Arc, Weak};
use std::time::Duration;

use footlight_ledger::{AccountId, HookId, Timestamp};
use footlight_store::{
    Due, DueQueue, Expected, Owner, Record, RecordBatch, RecordKey, RecordOp, RecordOutcome, RecordVersion, StoreError,
};
use parking_lot::Mutex;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::Inner;
use crate::documents::{LANES, Lane, lane_queue, put, read};
use crate::lane::Delivering;
use crate::options::ms;
use crate::receivers::Room;

/// How often the store is asked unprompted: for what another node, or nobody any more, has made due.
const POLL_EVERY: Duration = Duration::from_millis(500);

/// Endpoints looked at in one round.
const ENDPOINTS_MAX: usize = 4_096;

/// Streams of a resting endpoint that are put off in one round.
const PUT_OFF_MAX: usize = 256;

/// Deliveries under way to all endpoints together.
const UNDER_WAY_MAX: usize = 256;

/// Endpoints in one round that the store could not be reached for, before the round is given up.
const AWAY_MAX: usize = 8;

/// The wait after the store could not be reached.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Wakes the courier, and bounds what it does at once.
pub(crate) struct Courier {
    came: Notify,
    turns: Arc<tokio::sync::Semaphore>,
    /// The endpoint after which the next round begins.
    last: Mutex<Option<DueQueue>>,
}

impl Courier {
    pub(crate) fn new() -> Self {
        let turns = Arc::new(tokio::sync::Semaphore::new(UNDER_WAY_MAX));
        Self { came: Notify::new(), turns, last: Mutex::default() }
    }

    /// Something may be due.
    pub(crate) fn wake(&self) {
        self.came.notify_one();
    }

    /// Whether there is no turn left for anybody else.
    pub(crate) fn is_full(&self) -> bool {
        self.turns.available_permits() == 0
    }

    /// Deliveries under way.
    pub(crate) fn under_way(&self) -> usize {
        UNDER_WAY_MAX - self.turns.available_permits()
    }
}

/// Delivers until the hooks are gone.
pub(crate) async fn run(inner: Weak<Inner>) {
    let mut was_away = false;
    loop {
        let Some(hooks) = inner.upgrade() else { return };
        if hooks.is_stopping() {
            return;
        }
        match round(&hooks).await {
            Ok(()) => {
                was_away = false;
                let _ = tokio::time::timeout(POLL_EVERY, hooks.courier.came.notified()).await;
            }
            Err(error) => {
                if !std::mem::replace(&mut was_away, true) {
                    tracing::warn!(%error, "webhooks wait for the store");
                }
                drop(hooks);
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }
}

/// Endpoints take turns: a round begins after the one that the last round ended with.
async fn round(hooks: &Arc<Inner>) -> Result<(), StoreError> {
    let mut lines = hooks.store.due_queues(LANES, hooks.now(), ENDPOINTS_MAX).await?;
    take_turns(&mut lines, hooks.courier.last.lock().as_ref());
    let (mut times_away, mut away) = (0, None);
    for line in lines {
        if hooks.courier.is_full() || times_away == AWAY_MAX {
            break;
        }
        let DueQueue { owner, queue } = &line;
        let (Some(account), Ok(hook)) = (owner.account(), Uuid::parse_str(queue)) else { continue };
        let hook = HookId(hook);
        let done = match hooks.receivers.room(hook, &hooks.options) {
            Room::Rests(left) => put_off(hooks, account, hook, left).await,
            Room::Free(0) => Ok(()),
            Room::Free(room) => claim(hooks, account, hook, room.min(hooks.courier.turns.available_permits())).await,
        };
        match done {
            Err(error) if error.is_transport() => {
                times_away += 1;
                away = Some(error);
            }
            // What is wrong with one endpoint's records is wrong with those alone.
            Err(error) => tracing::error!(%error, %hook, "a webhook's deliveries cannot be worked off"),
            Ok(()) => {}
        }
        *hooks.courier.last.lock() = Some(line);
    }
    away.map_or(Ok(()), Err)
}

/// Brings lines into an order that is the same in every round, beginning after `last`.
fn take_turns(lines: &mut [DueQueue], last: Option<&DueQueue>) {
    lines.sort_unstable();
    if let Some(last) = last {
        let first = lines.partition_point(|line| line <= last);
        lines.rotate_left(first);
    }
}

/// Claims streams, each by itself: another node may be faster with some of them.
async fn claim(hooks: &Arc<Inner>, account: AccountId, hook: HookId, room: usize) -> Result<(), StoreError> {
    let owner = Owner::Account(account);
    let due = hooks.store.list_due(owner, LANES, &lane_queue(hook), hooks.now(), room).await?;
    if due.is_empty() {
        return Ok(());
    }
    let holder = rand::random::<u128>() | 1;
    let until = hooks.now().plus_ms(ms(hooks.options.lease()));
    let claims = moved(&due, hook, until, |lane| Lane { holder, ..lane });
    let batches = claims.iter().map(|claim| RecordBatch { owner, ops: vec![claim.op.clone()] }).collect();
    let outcomes = hooks.store.write_records(batches).await;
    let mut failed = None;
    for (Move { record, lane, next, .. }, outcome) in claims.into_iter().zip(outcomes) {
        match outcome {
            Ok(RecordOutcome::Written) => {}
            Ok(RecordOutcome::Conflict) => continue,
            // Of a claim whose reply got lost nobody knows; it ends by itself.
            Err(error) => {
                failed = Some(error);
                continue;
            }
        }
        let Ok(turn) = Arc::clone(&hooks.courier.turns).try_acquire_owned() else { continue };
        let Some((_, stream)) = record.id.split_once('/') else { continue };
        let delivering = Delivering::new(Arc::clone(hooks), account, hook, stream.to_owned(), lane, next);
        hooks.receivers.begin(hook);
        tokio::spawn(async move {
            let hooks = Arc::clone(delivering.hooks());
            let ended = UnderWay(hooks, hook);
            delivering.run().await;
            drop(turn);
            drop(ended);
        });
    }
    failed.map_or(Ok(()), Err)
}

/// A delivery under way; whatever ends it, there is room for the next.
struct UnderWay(Arc<Inner>, HookId);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.receivers.end(self.1);
        self.0.courier.wake();
    }
}

/// Streams of an endpoint that is left alone need not be looked at until then.
async fn put_off(hooks: &Arc<Inner>, account: AccountId, hook: HookId, left: Duration) -> Result<(), StoreError> {
    let owner = Owner::Account(account);
    let due = hooks.store.list_due(owner, LANES, &lane_queue(hook), hooks.now(), PUT_OFF_MAX).await?;
    if due.is_empty() {
        return Ok(());
    }
    let until = hooks.now().plus_ms(ms(left) + 1);
    let moves = moved(&due, hook, until, |lane| lane);
    let batches = moves.into_iter().map(|moved| RecordBatch { owner, ops: vec![moved.op] }).collect();
    // What conflicts is moved by somebody else.
    hooks.store.write_records(batches).await.into_iter().try_for_each(|outcome| outcome.map(drop))
}

/// A stream that is to be looked at later.
struct Move {
    record: Record,
    lane: Lane,
    next: RecordVersion,
    op: RecordOp,
}

/// Streams with another due time, if they are still as they were read.
fn moved(due: &[Record], hook: HookId, until: Timestamp, change: impl Fn(Lane) -> Lane) -> Vec<Move> {
    let moved = |record: &Record| {
        let lane = read(record).unwrap_or_else(|error| {
            // There is nothing in it that could not be begun anew.
            tracing::error!(%error, %hook, "how a stream of a webhook stood is not known any more");
            Lane::default()
        });
        let lane = change(lane);
        let due = Some(Due { queue: lane_queue(hook), at: until });
        let key = RecordKey::new(LANES, record.id.clone());
        let (next, op) = put(key, Expected::Version(record.version), due, &lane);
        Move { record: record.clone(), lane, next, op }
    };
    due.iter().map(moved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_take_turns() {
        let line = |name: u8| DueQueue { owner: Owner::Service, queue: char::from(name).to_string() };
        let order = |lines: &[DueQueue]| lines.iter().map(|line| line.queue.as_str()).collect::<String>();
        let mut lines: Vec<DueQueue> = b"cabd".iter().copied().map(line).collect();
        for (last, expected) in [(None, "abcd"), (Some(b'b'), "cdab"), (Some(b'd'), "abcd"), (Some(b'B'), "abcd")] {
            take_turns(&mut lines, last.map(line).as_ref());
            assert_eq!(order(&lines), expected);
        }
    }
}
