//! Makes the faults of a schedule, each in its time, and writes down what happened.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::task::{JoinSet, block_in_place};

use super::history::{Event, Harm, Harmed};
use super::nodes::Nodes;
use super::schedule::{Fault, Planned, Schedule};
use super::store::Store;
use super::world;

/// The most that is written of one event.
const WORDS_MAX: usize = 300;

/// What faults are made on.
#[derive(Debug)]
pub struct Faults {
    nodes: Arc<Nodes>,
    store: Arc<Store>,
    has_namespaces: bool,
    began: Instant,
    log: Mutex<Log>,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Log {
    /// For people.
    pub events: Vec<Event>,
    /// For checkers.
    pub harms: Vec<Harmed>,
    /// What destroying commands were answered with.
    pub flushes: Vec<Result<String, String>>,
    /// What could not be undone.
    pub troubles: Vec<String>,
}

impl Faults {
    /// Nothing happened yet. Moments count from `began`.
    #[must_use]
    pub fn new(nodes: Arc<Nodes>, store: Arc<Store>, has_namespaces: bool, began: Instant) -> Arc<Self> {
        Arc::new(Self { nodes, store, has_namespaces, began, log: Mutex::default() })
    }

    /// What happened so far; nothing is left.
    #[must_use]
    pub fn take(&self) -> Log {
        std::mem::take(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, write: impl FnOnce(&mut Log)) {
        write(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn say(&self, what: &str) {
        let event = Event { at: self.began.elapsed(), what: what.chars().take(WORDS_MAX).collect() };
        self.note(|log| log.events.push(event));
    }

    /// Makes all faults of a schedule, from now on, and comes back when all are over.
    pub async fn make(self: &Arc<Self>, schedule: &Schedule) {
        let begin = Instant::now();
        let mut making = JoinSet::new();
        for Planned { at, fault } in schedule.faults.clone() {
            let faults = Arc::clone(self);
            making.spawn(async move {
                tokio::time::sleep(at.saturating_sub(begin.elapsed())).await;
                faults.make_one(&fault).await;
            });
        }
        while making.join_next().await.is_some() {}
        tokio::time::sleep(schedule.lasts.saturating_sub(begin.elapsed())).await;
    }

    async fn make_one(&self, fault: &Fault) {
        if let Some(why) = self.impossible(fault).await {
            return self.say(&format!("left out: {fault} ({why})"));
        }
        self.say(&fault.to_string());
        let from = self.began.elapsed();
        let made = self.attempt(fault).await;
        let until = self.began.elapsed();
        if let Some(harm) = harm(fault) {
            self.note(|log| log.harms.push(Harmed { node: fault.node(), harm, from, until }));
        }
        match made {
            Ok(said) => self.say(&format!("over: {fault}{said}")),
            Err(error) => {
                self.say(&format!("trouble: {fault}: {error:#}"));
                self.note(|log| log.troubles.push(format!("{fault}: {error:#}")));
            }
        }
    }

    /// Why it cannot be made, on this machine or now; `None` when it can.
    async fn impossible(&self, fault: &Fault) -> Option<String> {
        let possible = match fault {
            // One that was killed comes up late where its store is away.
            Fault::Kill { node, .. } | Fault::Stop { node, .. } if !self.nodes.is_up(*node).await => {
                Err(anyhow::anyhow!("the node is starting still"))
            }
            Fault::Cut { .. } | Fault::Slow { .. } if !self.has_namespaces => Err(anyhow::anyhow!("no namespaces")),
            Fault::Clock { node, .. } => self.nodes.set_clock(*node, 0),
            Fault::FillDisk { node, .. } => self.nodes.disk(*node).map(drop),
            _ => Ok(()),
        };
        possible.err().map(|error| error.to_string())
    }

    /// Makes it, waits, and undoes it; answers what is to be said of it beside. Commands that change the network may wait for
    /// the kernel's lock on all networks: meanwhile the observer has to go on.
    async fn attempt(&self, fault: &Fault) -> anyhow::Result<String> {
        let Self { nodes, store, .. } = self;
        match fault {
            Fault::Kill { node, down } => {
                nodes.kill(*node).await?;
                tokio::time::sleep(*down).await;
                nodes.launch(*node).await?;
            }
            Fault::Stop { node, lasts } => {
                nodes.signal(*node, "STOP").await?;
                tokio::time::sleep(*lasts).await;
                nodes.signal(*node, "CONT").await?;
            }
            Fault::Cut { node, way, whom, lasts } => {
                let others = world::others(&nodes.hosts, &store.hosts, *node, *whom);
                let cut = |cut| block_in_place(|| nodes.hosts[*node].cut(&others, *way, cut));
                cut(true)?;
                tokio::time::sleep(*lasts).await;
                cut(false)?;
            }
            Fault::Slow { node, lasts } => {
                let how = block_in_place(|| nodes.hosts[*node].slow_down())?;
                tokio::time::sleep(*lasts).await;
                block_in_place(|| nodes.hosts[*node].speed_up())?;
                return Ok(format!(" ({how})"));
            }
            Fault::KillStore { down } => {
                store.kill().await?;
                tokio::time::sleep(*down).await;
                store.restart().await?;
            }
            Fault::FailOver => return Ok(format!(" (after {:.1} s)", store.fail_over().await?.as_secs_f64())),
            Fault::Flush => {
                let flushed = store.try_flush().await.map_err(|error| format!("{error:#}"));
                // A server that is away refuses nothing, and obeys nothing.
                self.note(|log| log.flushes.push(flushed));
            }
            Fault::Clock { node, by_ms, lasts } => {
                nodes.set_clock(*node, *by_ms)?;
                tokio::time::sleep(*lasts).await;
                nodes.set_clock(*node, 0)?;
            }
            Fault::FillDisk { node, lasts } => {
                let disk = nodes.disk(*node)?;
                block_in_place(|| disk.fill())?;
                tokio::time::sleep(*lasts).await;
                block_in_place(|| disk.make_room())?;
            }
        }
        ensure!(nodes.dead().await.is_empty(), "a node ended that nobody killed");
        Ok(String::new())
    }
}

/// What a fault does to whom it hits; `None`: nothing at all.
fn harm(fault: &Fault) -> Option<Harm> {
    match fault {
        Fault::Kill { .. } => Some(Harm::Crash),
        Fault::Stop { .. } | Fault::Cut { .. } | Fault::Slow { .. } | Fault::KillStore { .. } | Fault::FailOver => {
            Some(Harm::Partition)
        }
        Fault::Clock { .. } | Fault::FillDisk { .. } => Some(Harm::Inconvenience),
        Fault::Flush => None,
    }
}

/// Watches how late this process itself is, until dropped.
#[derive(Debug)]
pub struct Lag {
    worst: Arc<std::sync::atomic::AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Lag {
    /// Begins to watch.
    #[must_use]
    pub fn start() -> Self {
        let worst = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let shared = Arc::clone(&worst);
        let step = Duration::from_millis(20);
        let task = tokio::spawn(async move {
            loop {
                let asked = Instant::now();
                tokio::time::sleep(step).await;
                let late = asked.elapsed().saturating_sub(step).as_millis();
                shared.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), std::sync::atomic::Ordering::Relaxed);
            }
        });
        Self { worst, task }
    }

    /// The worst so far.
    #[must_use]
    pub fn worst(&self) -> Duration {
        Duration::from_millis(self.worst.load(std::sync::atomic::Ordering::Relaxed))
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.task.abort();
    }
}
