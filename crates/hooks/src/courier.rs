//! The courier: finds streams with something pending, claims them and has them delivered. Streams of one endpoint are
//! delivered side by side up to a bound, each in its order; endpoints do not wait for each other.

use std::sync::{Arc, Weak};
use std::time::Duration;

use footlight_ledger::{AccountId, HookId, Timestamp};
use footlight_store::{
    Due, DueQueue, Expected, Owner, Record, RecordBatch, RecordKey, RecordOp, RecordOutcome, RecordVersion, StoreError,
};
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

/// The wait after the store could not be reached.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Wakes the courier, and bounds what it does at once.
pub(crate) struct Courier {
    came: Notify,
    turns: Arc<tokio::sync::Semaphore>,
}

impl Courier {
    pub(crate) fn new() -> Self {
        Self { came: Notify::new(), turns: Arc::new(tokio::sync::Semaphore::new(UNDER_WAY_MAX)) }
    }

    /// Something may be due.
    pub(crate) fn wake(&self) {
        self.came.notify_one();
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

async fn round(hooks: &Arc<Inner>) -> Result<(), StoreError> {
    for DueQueue { owner, queue } in hooks.store.due_queues(LANES, hooks.now(), ENDPOINTS_MAX).await? {
        let (Some(account), Ok(hook)) = (owner.account(), Uuid::parse_str(&queue)) else { continue };
        let hook = HookId(hook);
        let done = match hooks.receivers.room(hook, &hooks.options) {
            Room::Rests(left) => put_off(hooks, account, hook, left).await,
            Room::Free(room) => match room.min(hooks.courier.turns.available_permits()) {
                0 => Ok(()),
                room => claim(hooks, account, hook, room).await,
            },
        };
        match done {
            Err(error) if error.is_transport() => return Err(error),
            // What is wrong with one endpoint's records is wrong with those alone.
            Err(error) => tracing::error!(%error, %hook, "a webhook's deliveries cannot be worked off"),
            Ok(()) => {}
        }
    }
    Ok(())
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
    let claims = moved(&due, hook, until, |lane| Lane { holder, ..lane })?;
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
    let moves = moved(&due, hook, until, |lane| lane)?;
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
fn moved(
    due: &[Record],
    hook: HookId,
    until: Timestamp,
    change: impl Fn(Lane) -> Lane,
) -> Result<Vec<Move>, StoreError> {
    due.iter()
        .map(|record| {
            let lane = change(read(record)?);
            let due = Some(Due { queue: lane_queue(hook), at: until });
            let key = RecordKey::new(LANES, record.id.clone());
            let (next, op) = put(key, Expected::Version(record.version), due, &lane);
            Ok(Move { record: record.clone(), lane, next, op })
        })
        .collect()
}
