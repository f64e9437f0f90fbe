//! The one thread that writes: whatever waits is written in one transaction, so that many callers share one fsync.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::failure::{Failure, Place};
use crate::StoreError;

/// Tasks that may wait before callers wait with them.
const QUEUE: usize = 1_024;

/// The most tasks in one transaction: bounds how long the first one waits for the last.
const GROUP_MAX: usize = 512;

/// One caller's work inside a transaction that it may share with others. It is run again, alone, when a neighbour's
/// failure rolled it back: so it may be run more than once, and answers only when its transaction has ended.
trait Task: Send {
    fn run(&mut self, connection: &Connection) -> Result<(), Failure>;
    fn answer(self: Box<Self>, end: Result<(), StoreError>);
}

struct Call<F, T> {
    work: F,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Task for Call<F, T>
where
    F: Fn(&Connection) -> Result<T, Failure> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> Result<(), Failure> {
        self.result = Some((self.work)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, end: Result<(), StoreError>) {
        let Self { result, reply, .. } = *self;
        // Nobody may listen any more: a caller that went away reads the outcome back if it matters.
        let _ = reply.send(end.map(|()| result.expect("a task is run before its transaction ends")));
    }
}

/// The writing thread's queue.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Task>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. `keep` lives as long as it does: the directory's lock must outlast the last write.
    pub(super) fn start(connection: Connection, place: Place, keep: impl Send + 'static) -> Result<Self, StoreError> {
        let (queue, tasks) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                write_all(&connection, &place, tasks);
                drop(connection);
                drop(keep);
            })
            .map_err(|error| StoreError::Refused { detail: format!("no thread for the store: {error}") })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Runs `work` in a transaction and answers once that is on disk.
    pub(super) async fn call<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(&Connection) -> Result<T, Failure> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Box::new(Call { work, result: None, reply });
        let queue = self.queue.as_ref().expect("taken in drop only");
        queue.send(task).await.map_err(|_| StoreError::unreachable("the store's writer has stopped"))?;
        answer.await.map_err(|_| StoreError::unknown("the store's writer stopped while writing"))?
    }
}

/// Waits for what is queued to be written: a data directory can be opened again as soon as its store is dropped.
impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer ended in a panic");
        }
    }
}

fn write_all(connection: &Connection, place: &Place, mut tasks: mpsc::Receiver<Box<dyn Task>>) {
    let mut group = Vec::new();
    while tasks.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        match write_group(connection, place, &mut group) {
            Ok(()) => group.drain(..).for_each(|task| task.answer(Ok(()))),
            Err(error) if group.len() == 1 => group.drain(..).for_each(|task| task.answer(Err(error.clone()))),
            // One of them spoiled it for all: each on its own now, so that only the culprit fails.
            Err(_) => {
                for mut task in group.drain(..) {
                    let end = write_group(connection, place, std::slice::from_mut(&mut task));
                    task.answer(end);
                }
            }
        }
    }
}

fn write_group(connection: &Connection, place: &Place, group: &mut [Box<dyn Task>]) -> Result<(), StoreError> {
    let statement = |sql| connection.execute_batch(sql);
    statement("BEGIN IMMEDIATE").map_err(|error| place.failure(&error))?;
    for task in group {
        if let Err(failure) = task.run(connection) {
            roll_back(connection);
            return Err(place.explain(failure));
        }
    }
    statement("COMMIT").map_err(|error| {
        roll_back(connection);
        place.commit_failure(&error)
    })
}

fn roll_back(connection: &Connection) {
    // SQLite rolls back by itself after some errors (a full disk is one); then there is nothing left to do.
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "the store could not roll back");
    }
}
