//! The nodes: each on its machine, with a clock and a disk of its own where this machine can give it those.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::sync::Mutex;

use super::schedule::Schedule;
use super::store::Store;
use super::world::{Host, World};
use crate::fleet::{CLUSTER_SECRET, TOKEN_KEY};
use crate::node::ADMIN_TOKEN;
use crate::redis_server::free_port;
use crate::{Node, NodeSetup, Operator, SmallDisk};

/// Shorter than the default, so that a minute sees many of them end.
pub const LEASE: Duration = Duration::from_secs(5);
/// How long a node is tried to be started again: it does not begin without its store.
const START_WITHIN: Duration = Duration::from_secs(60);
/// Where Debian's `libfaketime` puts it, by architecture.
const FAKETIME: &str = "faketime/libfaketimeMT.so.1";

/// All nodes, by their places.
#[derive(Debug)]
pub struct Nodes {
    /// Their machines.
    pub hosts: Vec<Host>,
    /// Their public addresses, which stay theirs.
    pub urls: Arc<Vec<String>>,
    operators: Vec<Operator>,
    setups: Vec<NodeSetup>,
    running: Vec<Mutex<Option<Node>>>,
    clocks: Vec<Option<PathBuf>>,
    disks: Vec<Option<SmallDisk>>,
    /// What this machine cannot give them, in words.
    pub cannot: Vec<String>,
}

impl Nodes {
    /// Starts them. What they log goes to `logs`.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start(
        world: &World,
        store: &Store,
        schedule: &Schedule,
        logs: &Path,
        binary: &Path,
    ) -> anyhow::Result<Self> {
        let mut nodes = Self {
            hosts: Vec::new(),
            urls: Arc::default(),
            operators: Vec::new(),
            setups: Vec::new(),
            running: Vec::new(),
            clocks: Vec::new(),
            disks: Vec::new(),
            cannot: Vec::new(),
        };
        let faketime = faketime();
        if faketime.is_none() {
            nodes.cannot.push("no clock jumps: `libfaketime` is not installed (Debian: faketime)".to_owned());
        }
        let mut urls = Vec::new();
        for place in 0..schedule.nodes {
            let host = world.host(u8::try_from(place + 1)?)?;
            let ports =
                if world.has_namespaces { [8_080, 9_090, 7_080] } else { [free_port()?, free_port()?, free_port()?] };
            let disk = SmallDisk::mount();
            if let (Err(error), 0) = (&disk, place) {
                nodes.cannot.push(format!("no full disks: {error}"));
            }
            let disk = disk.ok();
            let mut setup = NodeSetup::on_redis(&store.url()).without_pictures().with_binary(binary);
            for (key, value) in [
                ("node.name", format!("n{}", place + 1)),
                ("listen", format!("{}:{}", host.front, ports[0])),
                ("admin_listen", format!("{}:{}", host.front, ports[1])),
                ("cluster.listen", format!("{}:{}", host.back, ports[2])),
                ("cluster.secret", CLUSTER_SECRET.to_owned()),
                ("cluster.lease", format!("{LEASE:?}")),
                ("tokens.key", TOKEN_KEY.to_owned()),
                ("metering.heartbeat", format!("{:?}", schedule.heartbeat)),
                ("redis.replicas", store.replicas().to_string()),
                ("limits.account_units_per_minute", "0".to_owned()),
                ("stage.workers", "1".to_owned()),
                // Requests that fail are what this is about.
                ("log.filter", "warn,footlight_api::trace=error".to_owned()),
            ] {
                setup = setup.set(key, &value);
            }
            setup = setup.run_by(host.prefix()).log_to(logs.join(format!("n{}.log", place + 1)));
            if let Some(disk) = &disk {
                setup = setup.in_directory(&disk.path().join("data"));
            }
            let clock = faketime.as_ref().map(|_| logs.join(format!("n{}.clock", place + 1)));
            if let (Some(library), Some(clock)) = (&faketime, &clock) {
                std::fs::write(clock, "+0")?;
                setup = setup
                    .with_variable("LD_PRELOAD", library)
                    .with_variable("FAKETIME_TIMESTAMP_FILE", clock.to_str().context("a path in UTF-8")?)
                    .with_variable("FAKETIME_NO_CACHE", "1")
                    // Leases, slices and media time go by the monotonic clock, which no clock jump moves.
                    .with_variable("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            }
            urls.push(format!("http://{}:{}", host.front, ports[0]));
            nodes.operators.push(Operator::new(&format!("http://{}:{}", host.front, ports[1]), ADMIN_TOKEN));
            nodes.hosts.push(host);
            nodes.setups.push(setup);
            nodes.running.push(Mutex::new(None));
            nodes.clocks.push(clock);
            nodes.disks.push(disk);
        }
        nodes.urls = Arc::new(urls);
        for place in 0..schedule.nodes {
            nodes.launch(place).await?;
        }
        Ok(nodes)
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.setups.len()
    }

    /// A node's operator, whether the node runs or not.
    #[must_use]
    pub fn operator(&self, place: usize) -> &Operator {
        &self.operators[place]
    }

    /// A node's setup, for other commands of the binary.
    #[must_use]
    pub fn setup(&self, place: usize) -> &NodeSetup {
        &self.setups[place]
    }

    /// Starts a node, again and again while it does not.
    ///
    /// # Errors
    /// When it has not begun in a minute.
    pub async fn launch(&self, place: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_WITHIN;
        loop {
            match self.setups[place].start().await {
                Ok(node) => {
                    *self.running[place].lock().await = Some(node);
                    return Ok(());
                }
                Err(error) => ensure!(Instant::now() < deadline, "n{} does not start: {error:#}", place + 1),
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&self, place: usize) -> anyhow::Result<()> {
        self.running[place].lock().await.take().context("the node runs")?.kill().await
    }

    /// Whether a node has been started, and not been killed since.
    pub async fn is_up(&self, place: usize) -> bool {
        self.running[place].lock().await.is_some()
    }

    /// Sends a signal by name.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn signal(&self, place: usize, name: &str) -> anyhow::Result<()> {
        self.running[place].lock().await.as_ref().context("the node runs")?.signal(name).await
    }

    /// Nodes that ended although nobody killed them.
    pub async fn dead(&self) -> Vec<usize> {
        let mut dead = Vec::new();
        for (place, running) in self.running.iter().enumerate() {
            if running.lock().await.as_mut().is_some_and(|node| !node.is_alive()) {
                dead.push(place);
            }
        }
        dead
    }

    /// Sets a node's clock off by so much.
    ///
    /// # Errors
    /// When this machine cannot.
    pub fn set_clock(&self, place: usize, by_ms: i64) -> anyhow::Result<()> {
        let clock = self.clocks[place].as_ref().context("no `libfaketime`")?;
        // In one step: the node must not read half of it.
        let fresh = clock.with_extension("fresh");
        std::fs::write(&fresh, format!("{:+}", by_ms as f64 / 1_000.0))?;
        Ok(std::fs::rename(fresh, clock)?)
    }

    /// A node's disk.
    ///
    /// # Errors
    /// When this machine cannot give it one of its own.
    pub fn disk(&self, place: usize) -> anyhow::Result<&SmallDisk> {
        self.disks[place].as_ref().context("no small disk")
    }

    /// Whether every node sees all of them ready.
    pub async fn are_whole(&self) -> bool {
        let wanted = format!("footlight_nodes{{state=\"ready\"}} {}\n", self.count());
        for operator in &self.operators {
            let page = tokio::time::timeout(Duration::from_secs(2), operator.metrics()).await;
            if !matches!(page, Ok(Ok(page)) if page.contains(&wanted)) {
                return false;
            }
        }
        true
    }
}

/// The library that sets a process' clock, where Debian puts it.
fn faketime() -> Option<String> {
    let directories = std::fs::read_dir("/usr/lib").ok()?;
    let found = directories.flatten().map(|entry| entry.path().join(FAKETIME)).find(|path| path.is_file())?;
    found.to_str().map(str::to_owned)
}
