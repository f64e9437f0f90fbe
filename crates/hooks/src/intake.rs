//! Events on their way to the outbox: told by whoever must not wait, written in batches.
//!
//! Each account has a line of its own, and lines take turns: one that cannot be written rests and holds up nobody else.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use footlight_ledger::AccountId;
use footlight_store::records::{check_batch, write_surely};
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

/// How long a line rests that could not be written; doubles while nothing at all can be, this many times.
const REST: Duration = Duration::from_millis(500);
const REST_DOUBLINGS_MAX: u32 = 2;

/// How often the task looks whether the hooks are gone.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// An event, and its number among all that were told.
type Told = (u64, Event);

/// Events that wait to be written.
pub(crate) struct Intake {
    queue: Mutex<Queue>,
    came: Notify,
    /// All events with lower numbers have been dealt with.
    done: watch::Sender<u64>,
}

#[derive(Default)]
struct Queue {
    /// What waits, by account. An account whose events are being written has a line too, if an empty one.
    lines: HashMap<AccountId, VecDeque<Told>>,
    /// Whose turn it is, one after the other.
    turns: VecDeque<AccountId>,
    /// Whose events could not be written, and until when they are left alone.
    resting: Vec<(Instant, AccountId)>,
    /// The numbers of what is not dealt with yet: it waits or is being written.
    open: BTreeSet<u64>,
    /// The number of the next event.
    next: u64,
}

/// Some events of one account, taken to be written.
struct Step {
    account: AccountId,
    events: Vec<Told>,
}

impl Intake {
    pub(crate) fn new() -> Self {
        Self { queue: Mutex::default(), came: Notify::new(), done: watch::Sender::new(0) }
    }

    /// Takes an event; never waits. Answers whether it was left out.
    pub(crate) fn tell(&self, event: Event, waiting_max: usize) -> bool {
        let mut guard = self.queue.lock();
        let queue = &mut *guard;
        // Sessions are bounded, and with them what does not pass: a full queue is bounded too.
        if queue.open.len() >= waiting_max && event.is_passing() {
            return true;
        }
        let number = queue.next;
        queue.next += 1;
        queue.open.insert(number);
        match queue.lines.entry(event.account) {
            Entry::Occupied(mut line) => line.get_mut().push_back((number, event)),
            Entry::Vacant(line) => {
                queue.turns.push_back(event.account);
                line.insert(VecDeque::from([(number, event)]));
            }
        }
        drop(guard);
        self.came.notify_one();
        false
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.lock().open.len()
    }

    /// Waits until everything that was told so far is in the outbox.
    pub(crate) async fn written(&self) {
        let told = self.queue.lock().next;
        let mut done = self.done.subscribe();
        // The sender lives as long as this does.
        let _ = done.wait_for(|done| *done >= told).await;
    }

    /// One step of each account whose turn it is. A second one of the same account waits until this one is given back:
    /// what belongs to one stream must not appear out of its order when the first step comes to nothing.
    fn take(&self, now: Instant) -> Vec<Step> {
        let mut guard = self.queue.lock();
        let queue = &mut *guard;
        let rested = queue.resting.extract_if(.., |(until, _)| *until <= now);
        queue.turns.extend(rested.map(|(_, account)| account));
        let mut steps = Vec::new();
        let mut count = 0;
        while count < AT_ONCE
            && let Some(account) = queue.turns.pop_front()
        {
            let Some(line) = queue.lines.get_mut(&account) else { continue };
            let events: Vec<Told> = line.drain(..line.len().min(STEP)).collect();
            count += events.len();
            steps.push(Step { account, events });
        }
        steps
    }

    /// Ends a step: what is `left` of it comes first again, when the line has rested.
    fn give_back(&self, account: AccountId, took: &[u64], left: Vec<Told>, rests_until: Option<Instant>) {
        let mut guard = self.queue.lock();
        let queue = &mut *guard;
        for number in took {
            queue.open.remove(number);
        }
        queue.open.extend(left.iter().map(|(number, _)| *number));
        if let Entry::Occupied(mut line) = queue.lines.entry(account) {
            left.into_iter().rev().for_each(|told| line.get_mut().push_front(told));
            if line.get().is_empty() {
                line.remove();
            } else {
                match rests_until {
                    Some(until) => queue.resting.push((until, account)),
                    None => queue.turns.push_back(account),
                }
            }
        }
        // Under the lock, so that it only grows.
        self.done.send_replace(queue.open.first().copied().unwrap_or(queue.next));
    }
}

/// Writes what is told until the hooks are gone.
pub(crate) async fn run(inner: std::sync::Weak<Inner>) {
    // Rounds in a row in which nothing could be written.
    let mut failures = 0_u32;
    loop {
        let Some(hooks) = inner.upgrade() else { return };
        let steps = hooks.intake.take(Instant::now());
        hooks.metrics.waiting.set(i64::try_from(hooks.intake.waiting()).unwrap_or(i64::MAX));
        if steps.is_empty() {
            let _ = tokio::time::timeout(LOOK_EVERY, hooks.intake.came.notified()).await;
            continue;
        }
        let (mut wrote, mut failed) = (false, None);
        let rest = REST * (1 << failures.min(REST_DOUBLINGS_MAX));
        for Ended { account, took, left, error } in write(&hooks, steps).await {
            wrote |= left.len() < took.len();
            let until = error.is_some().then(|| Instant::now() + rest);
            failed = failed.or(error);
            hooks.intake.give_back(account, &took, left, until);
        }
        if wrote {
            hooks.courier.wake();
        }
        match failed {
            Some(error) if !wrote => {
                if failures == 0 {
                    tracing::warn!(%error, "events could not be written; they are tried again");
                }
                failures = failures.saturating_add(1);
            }
            _ => failures = 0,
        }
    }
}

/// What became of a step.
struct Ended {
    account: AccountId,
    /// The numbers of its events.
    took: Vec<u64>,
    /// Those that are still to be written, in their order.
    left: Vec<Told>,
    /// Why, if trying again at once is no use.
    error: Option<StoreError>,
}

impl Step {
    /// All of it has been dealt with.
    fn done(self) -> Ended {
        let took = self.numbers();
        Ended { account: self.account, took, left: Vec::new(), error: None }
    }

    /// It is tried again; after a rest, if something failed.
    fn again(self, error: Option<StoreError>) -> Ended {
        Ended { account: self.account, took: self.numbers(), left: self.events, error }
    }

    fn numbers(&self) -> Vec<u64> {
        self.events.iter().map(|(number, _)| *number).collect()
    }

    fn events(&self) -> Vec<Event> {
        self.events.iter().map(|(_, event)| event.clone()).collect()
    }
}

async fn write(hooks: &Arc<Inner>, steps: Vec<Step>) -> Vec<Ended> {
    let mut ended = Vec::new();
    let mut ready: Vec<(Step, RecordBatch)> = Vec::new();
    let mut is_store_away = false;
    for step in steps {
        if is_store_away {
            // It would only wait for the store's time limit once more.
            ended.push(step.again(None));
            continue;
        }
        let endpoints = match hooks.book.of(step.account).await {
            Ok(endpoints) => endpoints,
            Err(error) if is_for_good(&error) => {
                hooks.lose(step.events.len(), &error);
                ended.push(step.done());
                continue;
            }
            Err(error) => {
                is_store_away = error.is_transport();
                ended.push(step.again(Some(error)));
                continue;
            }
        };
        match outbox::ops(&step.events(), &endpoints, hooks.now(), &hooks.options, &hooks.encode) {
            Some(ops) => {
                let batch = RecordBatch { owner: Owner::Account(step.account), ops };
                match check_batch(&batch) {
                    Ok(()) => ready.push((step, batch)),
                    // One of them does not fit, whatever the store's state.
                    Err(_) => ended.push(one_by_one(hooks, step).await),
                }
            }
            None => ended.push(step.done()),
        }
    }
    let batches: Vec<RecordBatch> = ready.iter().map(|(_, batch)| batch.clone()).collect();
    let outcomes = if batches.is_empty() { Vec::new() } else { hooks.store.write_records(batches).await };
    for ((step, batch), outcome) in ready.into_iter().zip(outcomes) {
        let outcome = match outcome {
            Err(error) if error.is_outcome_unknown() => write_surely(&*hooks.store, batch).await,
            outcome => outcome,
        };
        ended.push(match outcome {
            Ok(RecordOutcome::Written) => {
                hooks.metrics.told(&step.events());
                step.done()
            }
            // One of them was told before: each for itself, so that the others are not lost with it.
            Ok(RecordOutcome::Conflict) => one_by_one(hooks, step).await,
            Err(error) if is_for_good(&error) => {
                hooks.lose(step.events.len(), &error);
                step.done()
            }
            Err(error) => step.again(Some(error)),
        });
    }
    ended
}

/// Writes the events of a step each by itself, until the store cannot.
async fn one_by_one(hooks: &Arc<Inner>, step: Step) -> Ended {
    let took = step.numbers();
    let Step { account, mut events } = step;
    for (at, (_, event)) in events.iter().enumerate() {
        match one(hooks, event).await {
            Ok(()) => {}
            Err(error) if is_for_good(&error) => hooks.lose(1, &error),
            Err(error) => return Ended { account, took, left: events.split_off(at), error: Some(error) },
        }
    }
    Ended { account, took, left: Vec::new(), error: None }
}

/// Writes one event, or loses it when it does not fit.
async fn one(hooks: &Arc<Inner>, event: &Event) -> Result<(), StoreError> {
    let endpoints = hooks.book.of(event.account).await?;
    let events = std::slice::from_ref(event);
    let Some(ops) = outbox::ops(events, &endpoints, hooks.now(), &hooks.options, &hooks.encode) else { return Ok(()) };
    let batch = RecordBatch { owner: Owner::Account(event.account), ops };
    if let Err(error) = check_batch(&batch) {
        hooks.lose(1, &error);
        return Ok(());
    }
    // Told before is told.
    if write_surely(&*hooks.store, batch).await? == RecordOutcome::Written {
        hooks.metrics.told(events);
    }
    Ok(())
}

/// Whether it is no use to try again. A store that is full, busy or away takes events another time.
const fn is_for_good(error: &StoreError) -> bool {
    matches!(error, StoreError::Corrupt { .. } | StoreError::NoAccount { .. })
}

#[cfg(test)]
mod tests {
    use footlight_ledger::{EventId, JobId, Microcredits, Timestamp};
    use uuid::Uuid;

    use super::*;
    use crate::event::News;

    fn event(account: u128) -> Event {
        let news = News::JobFinished {
            job: JobId(Uuid::nil()),
            kind: "agent".to_owned(),
            state: "done".to_owned(),
            charged: Microcredits::ZERO,
            error: None,
        };
        Event { id: EventId(Uuid::nil()), account: AccountId(Uuid::from_u128(account)), at: Timestamp(0), news }
    }

    fn numbers(steps: &[Step]) -> Vec<Vec<u64>> {
        steps.iter().map(Step::numbers).collect()
    }

    #[test]
    fn what_could_not_be_written_comes_first_again_and_holds_up_its_own_account_only() {
        let intake = Intake::new();
        for account in [1, 2, 1, 2] {
            assert!(!intake.tell(event(account), 100));
        }
        let now = Instant::now();
        let steps = intake.take(now);
        assert_eq!(numbers(&steps), [[0, 2], [1, 3]]);
        intake.tell(event(1), 100);
        assert!(intake.take(now).is_empty(), "both accounts are being written");
        let mut steps = steps.into_iter();
        let (one, two) = (steps.next().expect("a step"), steps.next().expect("a step"));
        intake.give_back(two.account, &two.numbers(), Vec::new(), None);
        assert_eq!(*intake.done.borrow(), 0, "a later event does not stand for an earlier one");
        let rested = now + Duration::from_secs(9);
        intake.give_back(one.account, &one.numbers(), one.events, Some(rested));
        intake.tell(event(2), 100);
        assert_eq!(numbers(&intake.take(now)), [[5]]);
        let steps = intake.take(rested);
        assert_eq!(numbers(&steps), [[0, 2, 4]]);
        for step in steps {
            intake.give_back(step.account, &step.numbers(), Vec::new(), None);
        }
        assert_eq!((*intake.done.borrow(), intake.waiting()), (5, 1), "the one in hand is open");
    }
}
