//! Events on their way to the outbox: told by whoever must not wait, written in batches.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use footlight_ledger::AccountId;
use footlight_store::{Owner, RecordBatch, RecordOutcome, StoreError};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::Inner;
use crate::event::Event;
use crate::outbox;

/// Events written in one go.
const AT_ONCE: usize = 256;

/// Events of one account in one step of the store.
const STEP: usize = 64;

/// The wait after the store could not be reached.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Events that wait to be written.
pub(crate) struct Intake {
    queue: Mutex<Queue>,
    came: Notify,
    /// How many have been dealt with.
    done: watch::Sender<u64>,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    told: u64,
}

impl Intake {
    pub(crate) fn new() -> Self {
        Self { queue: Mutex::default(), came: Notify::new(), done: watch::Sender::new(0) }
    }

    /// Takes an event; never waits. Answers whether it was left out.
    pub(crate) fn tell(&self, event: Event, waiting_max: usize) -> bool {
        let mut queue = self.queue.lock();
        // Sessions are bounded, and with them what does not pass: a full queue is bounded too.
        if queue.events.len() >= waiting_max && event.is_passing() {
            return true;
        }
        queue.events.push_back(event);
        queue.told += 1;
        drop(queue);
        self.came.notify_one();
        false
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.lock().events.len()
    }

    /// Waits until everything that was told so far is in the outbox.
    pub(crate) async fn written(&self) {
        let told = self.queue.lock().told;
        let mut done = self.done.subscribe();
        // The sender lives as long as this does.
        let _ = done.wait_for(|done| *done >= told).await;
    }

    fn take(&self) -> Vec<Event> {
        let mut queue = self.queue.lock();
        let count = queue.events.len().min(AT_ONCE);
        queue.events.drain(..count).collect()
    }

    fn put_back(&self, events: Vec<Event>) {
        let mut queue = self.queue.lock();
        events.into_iter().rev().for_each(|event| queue.events.push_front(event));
    }

    fn dealt_with(&self, count: usize) {
        self.done.send_modify(|done| *done += count as u64);
    }
}

/// Writes what is told until the hooks are gone.
pub(crate) async fn run(inner: std::sync::Weak<Inner>) {
    loop {
        let Some(hooks) = inner.upgrade() else { return };
        let events = hooks.intake.take();
        hooks.metrics.waiting.set(i64::try_from(hooks.intake.waiting()).unwrap_or(i64::MAX));
        if events.is_empty() {
            // Looked at again now and then, so that the task ends with the hooks.
            let _ = tokio::time::timeout(Duration::from_secs(1), hooks.intake.came.notified()).await;
            continue;
        }
        let count = events.len();
        let Left { events, is_store_away } = write(&hooks, events).await;
        hooks.intake.dealt_with(count - events.len());
        if events.len() < count {
            hooks.courier.wake();
        }
        hooks.intake.put_back(events);
        if is_store_away {
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}

/// What is still to be written, in its order.
struct Left {
    events: Vec<Event>,
    is_store_away: bool,
}

/// Writes one step of each account. A second one of the same account waits for the next round: what belongs to one stream
/// must not appear out of its order when the first step comes to nothing.
async fn write(hooks: &Arc<Inner>, events: Vec<Event>) -> Left {
    let mut by_account: BTreeMap<AccountId, Vec<Event>> = BTreeMap::new();
    for event in events {
        by_account.entry(event.account).or_default().push(event);
    }
    let mut is_store_away = false;
    let mut left = Vec::new();
    let mut steps: Vec<(Vec<Event>, Vec<Event>, RecordBatch)> = Vec::new();
    for (account, mut events) in by_account {
        let endpoints = match hooks.book.of(account).await {
            Ok(endpoints) => endpoints,
            Err(error) if !is_for_good(&error) => {
                is_store_away = true;
                left.extend(events);
                continue;
            }
            Err(error) => {
                hooks.lose(events.len(), &error);
                continue;
            }
        };
        let rest = events.split_off(events.len().min(STEP));
        match outbox::ops(&events, &endpoints, hooks.now(), &hooks.options, &hooks.encode) {
            Some(ops) => steps.push((events, rest, RecordBatch { owner: Owner::Account(account), ops })),
            None => left.extend(rest),
        }
    }
    let batches: Vec<RecordBatch> = steps.iter().map(|(_, _, batch)| batch.clone()).collect();
    let outcomes = if batches.is_empty() { Vec::new() } else { hooks.store.write_records(batches).await };
    for ((events, rest, batch), outcome) in steps.into_iter().zip(outcomes) {
        let outcome = match outcome {
            Err(error) if error.is_outcome_unknown() => {
                footlight_store::records::write_surely(&*hooks.store, batch).await
            }
            outcome => outcome,
        };
        match outcome {
            Ok(RecordOutcome::Written) => hooks.metrics.told(&events),
            // One of them was told before: each for itself, so that the others are not lost with it.
            Ok(RecordOutcome::Conflict) => {
                let unwritten = one_by_one(hooks, events).await;
                is_store_away |= !unwritten.is_empty();
                left.extend(unwritten);
            }
            Err(error) if !is_for_good(&error) => {
                if !is_store_away {
                    tracing::warn!(%error, "events could not be written; they are tried again");
                }
                is_store_away = true;
                left.extend(events);
            }
            Err(error) => hooks.lose(events.len(), &error),
        }
        left.extend(rest);
    }
    Left { events: left, is_store_away }
}

/// Writes events step by step; answers those that the store could not be reached for, in their order.
async fn one_by_one(hooks: &Arc<Inner>, events: Vec<Event>) -> Vec<Event> {
    for (at, event) in events.iter().enumerate() {
        match one(hooks, event).await {
            // Told before is told.
            Ok(RecordOutcome::Conflict) => {}
            Ok(RecordOutcome::Written) => hooks.metrics.told(std::slice::from_ref(event)),
            Err(error) if !is_for_good(&error) => return events[at..].to_vec(),
            Err(error) => hooks.lose(1, &error),
        }
    }
    Vec::new()
}

/// Whether it is no use to try again. A store that is full, or cannot be reached, takes events another time.
const fn is_for_good(error: &StoreError) -> bool {
    matches!(error, StoreError::Corrupt { .. })
}

async fn one(hooks: &Arc<Inner>, event: &Event) -> Result<RecordOutcome, StoreError> {
    let endpoints = hooks.book.of(event.account).await?;
    let events = std::slice::from_ref(event);
    match outbox::ops(events, &endpoints, hooks.now(), &hooks.options, &hooks.encode) {
        Some(ops) => {
            let batch = RecordBatch { owner: Owner::Account(event.account), ops };
            footlight_store::records::write_surely(&*hooks.store, batch).await
        }
        None => Ok(RecordOutcome::Written),
    }
}
