//! Session records on their way to the store, off the actors.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use footlight_ledger::SessionId;
use footlight_session::SessionRecord;
use footlight_store::{SessionPut, Store, StoreError};
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::announce;
use crate::card::Cards;
use crate::metrics::Metrics;

/// Records written in one go: enough to share a commit of the embedded store, few enough not to crowd out heartbeats.
const AT_ONCE: usize = 64;
/// The wait after a failed write.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Writes session records to the store. Per session the latest one wins, so the queue is never longer than there are
/// sessions, however fast they change and however long the store is away.
#[derive(Clone)]
pub(crate) struct DirectoryWriter {
    shared: Arc<Shared>,
}

struct Shared {
    cards: Arc<Cards>,
    pending: Mutex<Pending>,
    work: Notify,
    written: Notify,
}

#[derive(Default)]
struct Pending {
    records: HashMap<SessionId, Waiting>,
    /// Those that are being written, but for the forgotten ones.
    in_flight: HashSet<SessionId>,
}

struct Waiting {
    record: SessionRecord,
    finality: Finality,
}

/// Whether more will follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finality {
    /// The session lives, or its settlement is due.
    MoreFollows,
    /// This is the record that stays: once it is written the node forgets the session.
    Last,
}

impl DirectoryWriter {
    /// Starts the writer on the runtime that this is called in.
    pub(crate) fn start(store: Arc<dyn Store>, cards: Arc<Cards>, metrics: Arc<Metrics>) -> Self {
        let (pending, work, written) = (Mutex::default(), Notify::new(), Notify::new());
        let shared = Arc::new(Shared { cards, pending, work, written });
        tokio::spawn(write_for_ever(Arc::downgrade(&shared), store, metrics));
        Self { shared }
    }

    /// Writes `record` soon.
    pub(crate) fn put(&self, record: SessionRecord, finality: Finality) {
        {
            let mut pending = self.shared.pending.lock();
            // What was said last of a session stays the last word, whoever had not heard it yet.
            let is_over = pending.records.get(&record.id).is_some_and(|waiting| waiting.finality == Finality::Last);
            if !(is_over && finality == Finality::MoreFollows) {
                pending.records.insert(record.id, Waiting { record, finality });
            }
        }
        self.shared.work.notify_one();
    }

    /// Writes nothing more of a session that belongs to another node now, and forgets it.
    pub(crate) fn forget(&self, session: SessionId) {
        {
            let mut pending = self.shared.pending.lock();
            pending.records.remove(&session);
            // A write that is under way may fail: it is not tried again.
            pending.in_flight.remove(&session);
        }
        self.shared.written.notify_waiters();
        self.shared.cards.remove(session);
    }

    /// Waits until everything is written, but no longer than `deadline`. Answers whether it was.
    pub(crate) async fn flush(&self, deadline: Duration) -> bool {
        let written = async {
            loop {
                let notified = self.shared.written.notified();
                {
                    let pending = self.shared.pending.lock();
                    if pending.records.is_empty() && pending.in_flight.is_empty() {
                        return;
                    }
                }
                notified.await;
            }
        };
        // Whatever is left is recovered at the next start.
        tokio::time::timeout(deadline, written).await.is_ok()
    }
}

async fn write_for_ever(shared: std::sync::Weak<Shared>, store: Arc<dyn Store>, metrics: Arc<Metrics>) {
    loop {
        let Some(shared) = shared.upgrade() else { return };
        let batch = shared.take();
        if batch.is_empty() {
            // Looked at again now and then, so that the task ends with the node.
            let _ = tokio::time::timeout(Duration::from_secs(1), shared.work.notified()).await;
            continue;
        }
        announce::written(&**shared.cards.announcer()).await;
        let results = join_all(batch.iter().map(|waiting| store.put_session(waiting.record.clone()))).await;
        let failed = shared.take_in(batch, results, &metrics);
        shared.written.notify_waiters();
        if failed {
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}

impl Shared {
    fn take(&self) -> Vec<Waiting> {
        let mut pending = self.pending.lock();
        let ids: Vec<SessionId> = pending.records.keys().take(AT_ONCE).copied().collect();
        let batch: Vec<Waiting> = ids.iter().filter_map(|id| pending.records.remove(id)).collect();
        pending.in_flight = batch.iter().map(|waiting| waiting.record.id).collect();
        batch
    }

    /// Forgets what was written for the last time, and keeps what could not be written. Returns whether any could not.
    fn take_in(&self, batch: Vec<Waiting>, results: Vec<Result<SessionPut, StoreError>>, metrics: &Metrics) -> bool {
        let mut failed = false;
        let mut pending = self.pending.lock();
        let in_flight = std::mem::take(&mut pending.in_flight);
        for (waiting, result) in batch.into_iter().zip(results) {
            match result {
                Ok(put) => {
                    if put == SessionPut::Fenced {
                        // The heir's record stands; that this node lost the session its next heartbeat says.
                        metrics.fenced("record");
                    }
                    if waiting.finality == Finality::Last {
                        self.cards.remove(waiting.record.id);
                    }
                }
                Err(error) => {
                    metrics.store_failed(&error);
                    // That the store is away is told elsewhere, and once.
                    if !failed && !error.is_transport() {
                        tracing::warn!(%error, "a session record could not be written; it is tried again");
                    }
                    failed = true;
                    if in_flight.contains(&waiting.record.id) {
                        // One that came meanwhile is newer.
                        pending.records.entry(waiting.record.id).or_insert(waiting);
                    }
                }
            }
        }
        metrics.records_waiting.set(i64::try_from(pending.records.len()).unwrap_or(i64::MAX));
        failed
    }
}
