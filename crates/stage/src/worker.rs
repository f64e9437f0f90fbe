//! One worker thread: runs the performances it carries, the one that is due first first.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

use crate::StageError;
use crate::performance::{Command, Shared};
use crate::performer::{Backstage, Pace, Performer};
use crate::stats::WorkerStats;

/// Names a performance on its stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PerformerKey(pub(crate) u64);

/// Errands looked at between two frames, so that a flood of them delays no frame for long.
const ERRANDS_PER_FRAME: usize = 64;

/// How long a worker without any performance sleeps.
const NOTHING_DUE: Duration = Duration::from_secs(3600);

/// What a worker is sent.
pub(crate) enum Errand {
    /// Carry one more performance.
    Open(Box<Performer>, Arc<Shared>),
    /// Tell one of them something.
    Command(PerformerKey, Command),
    /// Run this between two frames.
    Run(Box<dyn FnOnce(&mut Backstage) + Send>),
    /// Drop everything and end.
    Shutdown,
}

/// One thread's performances.
pub(crate) struct Worker {
    errands: Receiver<Errand>,
    backstage: Backstage,
    /// Performances carried, in thousandths of a reference stream; new ones go where it is least.
    load: Arc<AtomicU64>,
    carried: HashMap<PerformerKey, Carried>,
    /// Frames by when they are due. Entries that no longer match their performance are passed over.
    due: BinaryHeap<Reverse<(Instant, PerformerKey)>>,
}

struct Carried {
    performer: Box<Performer>,
    shared: Arc<Shared>,
    due: Option<Instant>,
}

impl Worker {
    pub(crate) fn new(errands: Receiver<Errand>, backstage: Backstage, load: Arc<AtomicU64>) -> Self {
        Self { errands, backstage, load, carried: HashMap::new(), due: BinaryHeap::new() }
    }

    /// Works until the stage shuts down.
    pub(crate) fn run(mut self) {
        loop {
            for _ in 0..ERRANDS_PER_FRAME {
                match self.errands.try_recv() {
                    Ok(Errand::Shutdown) | Err(TryRecvError::Disconnected) => return,
                    Ok(errand) => self.do_errand(errand),
                    Err(TryRecvError::Empty) => break,
                }
            }
            let now = Instant::now();
            let wait = match self.next_due() {
                Some((due, key)) if due <= now => {
                    self.tick(key, now);
                    continue;
                }
                Some((due, _)) => due - now,
                None => NOTHING_DUE,
            };
            match self.errands.recv_timeout(wait) {
                Ok(Errand::Shutdown) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(errand) => self.do_errand(errand),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// The frame that is due first.
    fn next_due(&mut self) -> Option<(Instant, PerformerKey)> {
        while let Some(&Reverse((due, key))) = self.due.peek() {
            if self.carried.get(&key).is_some_and(|carried| carried.due == Some(due)) {
                return Some((due, key));
            }
            self.due.pop();
        }
        None
    }

    fn do_errand(&mut self, errand: Errand) {
        match errand {
            Errand::Open(performer, shared) => {
                let key = shared.key;
                self.carried.insert(key, Carried { performer, shared, due: None });
                self.with_performer(key, |performer, _| Ok(performer.begin()));
            }
            Errand::Command(key, command) => {
                // A performance that is over gets no answer: dropping the command tells whoever waits for one.
                let Some(carried) = self.carried.get(&key) else { return };
                carried.shared.fetched();
                self.with_performer(key, |performer, backstage| performer.obey(command, Instant::now(), backstage));
            }
            Errand::Run(errand) => {
                let backstage = &mut self.backstage;
                if let Err(panic) = catch_unwind(AssertUnwindSafe(move || errand(backstage))) {
                    tracing::error!(detail = panic_text(&*panic), "an errand panicked; the worker goes on");
                }
            }
            Errand::Shutdown => {}
        }
    }

    fn tick(&mut self, key: PerformerKey, now: Instant) {
        self.due.pop();
        self.with_performer(key, |performer, backstage| performer.tick(now, backstage));
    }

    /// Runs a performer so that whatever it breaks is its own performance alone, and notes when it is due again.
    fn with_performer(
        &mut self,
        key: PerformerKey,
        work: impl FnOnce(&mut Performer, &mut Backstage) -> Result<Pace, StageError>,
    ) {
        let Some(carried) = self.carried.get_mut(&key) else { return };
        let backstage = &mut self.backstage;
        // What a panic leaves half done is the performer, which is dropped, and the pool of spare cameras, which only
        // ever holds whole ones.
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&mut carried.performer, backstage)));
        let failure = match outcome {
            Ok(Ok(Pace::At(due))) => {
                if carried.due != Some(due) {
                    carried.due = Some(due);
                    self.due.push(Reverse((due, key)));
                }
                return;
            }
            Ok(Ok(Pace::Asleep)) => {
                carried.due = None;
                return;
            }
            Ok(Ok(Pace::Over)) => None,
            Ok(Err(error)) => Some(describe(&error)),
            Err(panic) => Some(format!("a worker panicked: {}", panic_text(&*panic))),
        };
        self.drop_performer(key, failure);
    }

    fn drop_performer(&mut self, key: PerformerKey, failure: Option<String>) {
        let Some(mut carried) = self.carried.remove(&key) else { return };
        self.load.fetch_sub(carried.performer.weight_milli(), Ordering::AcqRel);
        let Some(detail) = failure else { return };
        WorkerStats::count(&self.backstage.stats.failures, 1);
        tracing::error!(session = %carried.performer.session(), detail, "performance failed");
        // Even telling and dropping may run into what broke.
        let told = catch_unwind(AssertUnwindSafe(move || {
            carried.performer.fail(detail);
            drop(carried);
        }));
        if let Err(panic) = told {
            tracing::error!(detail = panic_text(&*panic), "performance failed again while it ended");
        }
    }
}

/// An error with its causes, as one line.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
