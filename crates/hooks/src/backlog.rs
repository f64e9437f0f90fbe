//! Bounding what waits for one endpoint: a receiver that is down for days, or slower than what happens, must not fill the
//! store for everybody.

use std::time::Duration;

use footlight_ledger::HookId;
use footlight_store::{
    DueQueue, Expected, Owner, RecordBatch, RecordKey, RecordOp, RecordOutcome, RecordRange, StoreError,
};
use uuid::Uuid;

use crate::Inner;
use crate::documents::{DELIVERIES, Delivery, LANES, PENDING, read};
use crate::options::ms;

/// Endpoints looked at in one round.
const ENDPOINTS_MAX: usize = 4_096;

/// Names of pending events read in one go.
const NAMES_AT_ONCE: usize = 4_096;

/// Deliveries read, and dropped, in one go.
const AT_ONCE: usize = 64;

/// Streams are due within this time of a look, however long they wait.
const AHEAD: Duration = Duration::from_secs(3_600);

/// A pending event of an endpoint. They are in the order in which they happened: ids of events grow with time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Pending {
    event: String,
    stream: String,
}

/// Looks at all endpoints for which something waits, and drops what is too much. One that cannot be looked at does not keep
/// the others.
pub(crate) async fn bound(hooks: &Inner) -> Result<(), StoreError> {
    let ahead = hooks.now().plus_ms(ms(hooks.options.last_retry * 2 + AHEAD));
    for DueQueue { owner, queue } in hooks.store.due_queues(LANES, ahead, ENDPOINTS_MAX).await? {
        let Ok(hook) = Uuid::parse_str(&queue) else { continue };
        if let Err(error) = bound_one(hooks, owner, HookId(hook)).await {
            if error.is_transport() {
                return Err(error);
            }
            tracing::error!(%error, %queue, "what waits for a webhook could not be bounded");
        }
    }
    Ok(())
}

async fn bound_one(hooks: &Inner, owner: Owner, hook: HookId) -> Result<(), StoreError> {
    let mut pending = list(hooks, owner, hook).await?;
    let mut excess = pending.len().saturating_sub(hooks.options.max_pending);
    if excess == 0 {
        return Ok(());
    }
    tracing::warn!(%hook, excess, "too many events wait for a webhook; the oldest are dropped");
    pending.sort_unstable();
    for is_passing_only in [true, false] {
        for some in pending.chunks(AT_ONCE) {
            if excess == 0 {
                return Ok(());
            }
            excess -= drop_some(hooks, owner, hook, some, is_passing_only, excess).await?;
        }
    }
    Ok(())
}

/// What waits for an endpoint.
async fn list(hooks: &Inner, owner: Owner, hook: HookId) -> Result<Vec<Pending>, StoreError> {
    let (prefix, mut after) = (format!("{}/", hook.0.simple()), None);
    let mut pending = Vec::new();
    loop {
        let range = RecordRange { prefix: prefix.clone(), after: after.take(), limit: NAMES_AT_ONCE, backwards: false };
        let records = hooks.store.list_records(owner, PENDING, range).await?;
        let names = records.iter().filter_map(|record| record.id[prefix.len()..].split_once('/'));
        pending.extend(names.map(|(stream, event)| Pending { event: event.to_owned(), stream: stream.to_owned() }));
        if records.len() < NAMES_AT_ONCE {
            return Ok(pending);
        }
        after = records.into_iter().next_back().map(|last| last.id);
    }
}

/// Drops at most `count` of these, with their log; answers how many. One that is delivered meanwhile stays in the log.
async fn drop_some(
    hooks: &Inner,
    owner: Owner,
    hook: HookId,
    pending: &[Pending],
    is_passing_only: bool,
    count: usize,
) -> Result<usize, StoreError> {
    let hook = hook.0.simple();
    let ids: Vec<String> = pending.iter().map(|pending| format!("{hook}/{}", pending.event)).collect();
    let deliveries = hooks.store.get_records(owner, DELIVERIES, &ids).await?;
    let found = pending.iter().zip(deliveries).filter_map(|(pending, record)| Some((pending, record?)));
    // What cannot be read cannot be sent either.
    let is_wanted = |delivery: Result<Delivery, StoreError>| delivery.is_ok_and(|it| !it.kind.is_passing());
    let dropped = found.filter(|(_, record)| !(is_passing_only && is_wanted(read(record)))).take(count);
    let batches = dropped.map(|(Pending { event, stream }, record)| {
        let expected = Expected::Version(record.version);
        let pending = RecordKey::new(PENDING, format!("{hook}/{stream}/{event}"));
        let ops = vec![
            RecordOp::Delete { key: RecordKey::new(DELIVERIES, record.id), expected },
            RecordOp::Delete { key: pending, expected: Expected::Any },
        ];
        RecordBatch { owner, ops }
    });
    let batches: Vec<RecordBatch> = batches.collect();
    if batches.is_empty() {
        return Ok(0);
    }
    let mut count = 0;
    for outcome in hooks.store.write_records(batches).await {
        count += usize::from(outcome? == RecordOutcome::Written);
    }
    hooks.metrics.dropped.inc_by(count as u64);
    Ok(count)
}
