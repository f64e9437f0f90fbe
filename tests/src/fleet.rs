//! Several nodes on one Redis, and viewers who do not let go of a session when its node does.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use serde_json::Value;

use crate::redis_server::free_port;
use crate::watcher::Unit;
use crate::{Client, Node, NodeSetup, RedisServer, Watcher};

/// What nodes of a fleet prove themselves to each other with.
pub const CLUSTER_SECRET: &str = "a-secret-that-nodes-of-a-test-share-with-each-other";
/// What their tokens are signed with.
pub const TOKEN_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// The pause before a viewer who lost a session's node tries the next node.
const TRY_NEXT_AFTER: Duration = Duration::from_millis(100);

/// Nodes on one Redis.
pub struct Fleet {
    /// The store.
    pub redis: RedisServer,
    /// How each node is started, by its place.
    pub setups: Vec<NodeSetup>,
    /// The nodes that run; `None` where one was killed.
    pub nodes: Vec<Option<Node>>,
}

impl Fleet {
    /// Starts `count` nodes called `n1`, `n2`, …, each as `setup` makes it.
    ///
    /// # Errors
    /// When Redis or a node cannot be started.
    pub async fn start(count: usize, setup: impl Fn(NodeSetup) -> NodeSetup) -> anyhow::Result<Self> {
        let redis = RedisServer::start().await?;
        let setups: Vec<NodeSetup> = (1..=count)
            .map(|number| {
                let node = NodeSetup::on_redis(&redis.url()).set("node.name", &format!("n{number}"));
                let node = node.set("cluster.secret", CLUSTER_SECRET).set("tokens.key", TOKEN_KEY);
                // Fixed ports: a node that is started again is known by its address, and viewers come back to it.
                let address = || Ok::<_, std::io::Error>(format!("127.0.0.1:{}", free_port()?));
                Ok(setup(node.set("listen", &address()?).set("cluster.listen", &address()?)))
            })
            .collect::<anyhow::Result<_>>()?;
        let nodes = try_join_all(setups.iter().map(NodeSetup::start)).await?;
        Ok(Self { redis, setups, nodes: nodes.into_iter().map(Some).collect() })
    }

    /// A node that runs.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn node(&self, at: usize) -> &Node {
        self.nodes[at].as_ref().expect("the node runs")
    }

    /// The public addresses of all that run.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().flatten().map(|node| node.url.clone()).collect()
    }

    /// The place of the node with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn place_of(&self, name: &str) -> anyhow::Result<usize> {
        let number: usize = name.strip_prefix('n').and_then(|number| number.parse().ok()).context("a name like n1")?;
        ensure!((1..=self.nodes.len()).contains(&number), "there is no node {name}");
        Ok(number - 1)
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn kill(&mut self, at: usize) -> anyhow::Result<()> {
        self.nodes[at].take().context("the node runs")?.kill().await
    }

    /// Starts a killed node again.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self, at: usize) -> anyhow::Result<()> {
        self.nodes[at] = Some(self.setups[at].start().await?);
        Ok(())
    }

    /// SIGTERM, and a new run when it has ended.
    ///
    /// # Errors
    /// When it does not run, does not end in order, or does not start again.
    pub async fn restart_in_order(&mut self, at: usize) -> anyhow::Result<()> {
        let ended = self.nodes[at].take().context("the node runs")?.terminate().await?;
        ensure!(ended.success(), "a node that was terminated answered {ended}");
        self.restart(at).await
    }

    /// Runs a command of the binary as the operator, asking the node at `at`; answers its exit code and what it printed.
    ///
    /// # Errors
    /// When it cannot be run.
    pub async fn operate(&self, at: usize, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
        let mut command = self.setups[at].command(arguments);
        let output = command.env("FOOTLIGHT_ADMIN_URL", &self.node(at).admin_url).output().await?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
    }

    /// A viewer who follows the session wherever it goes.
    #[must_use]
    pub fn follow(&self, customer: &Client, session: &str) -> Follower {
        Follower::start(self.urls(), customer.secret.clone(), session.to_owned())
    }

    /// Waits until every node sees so many ready ones.
    ///
    /// # Errors
    /// When that does not happen within `limit`.
    pub async fn wait_ready(&self, count: usize, limit: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        for node in self.nodes.iter().flatten() {
            loop {
                let metrics = node.operator().metrics().await?;
                if metrics.contains(&format!("footlight_nodes{{state=\"ready\"}} {count}\n")) {
                    break;
                }
                ensure!(Instant::now() < deadline, "{} does not see {count} ready nodes", node.url);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }
}

/// What a follower has seen, over all its connections.
#[derive(Debug, Default)]
pub struct Followed {
    /// Media in the order it came, with the number of the connection that it came over.
    pub units: Vec<(usize, Unit)>,
    /// Events in the order they came.
    pub events: Vec<Value>,
    /// Connections so far.
    pub connections: usize,
}

impl Followed {
    /// Active video frames so far.
    #[must_use]
    pub fn active_frames(&self) -> usize {
        self.units.iter().filter(|(_, unit)| unit.video && !unit.idle).count()
    }

    /// The longest time without an active frame between the first and the last.
    #[must_use]
    pub fn longest_silence(&self) -> Duration {
        let came: Vec<Instant> =
            self.units.iter().filter(|(_, unit)| unit.video && !unit.idle).map(|(_, unit)| unit.came).collect();
        came.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// Active frames that came after `moment`.
    #[must_use]
    pub fn active_since(&self, moment: Instant) -> usize {
        let active = self.units.iter().filter(|(_, unit)| unit.video && !unit.idle);
        active.filter(|(_, unit)| unit.came > moment).count()
    }
}

/// A viewer who follows a session from node to node, until dropped.
#[derive(Debug)]
pub struct Follower {
    followed: Arc<Mutex<Followed>>,
    task: tokio::task::JoinHandle<()>,
}

impl Follower {
    /// Follows a session through any of `urls`.
    #[must_use]
    pub fn start(urls: Vec<String>, secret: String, session: String) -> Self {
        let followed = Arc::new(Mutex::new(Followed::default()));
        let shared = Arc::clone(&followed);
        let task = tokio::spawn(async move {
            for url in urls.iter().cycle() {
                let attached =
                    tokio::time::timeout(Duration::from_secs(5), Watcher::attach(url, &secret, &session)).await;
                if let Ok(Ok(watcher)) = attached {
                    let connection = {
                        let mut followed = lock(&shared);
                        followed.connections += 1;
                        followed.connections
                    };
                    drain(&watcher, connection, &shared).await;
                }
                tokio::time::sleep(TRY_NEXT_AFTER).await;
            }
        });
        Self { followed, task }
    }

    /// What came so far.
    pub fn seen(&self) -> MutexGuard<'_, Followed> {
        lock(&self.followed)
    }

    /// Waits until what came is as `wanted` says.
    ///
    /// # Errors
    /// When `limit` has passed.
    pub async fn wait_until(&self, limit: Duration, wanted: impl Fn(&Followed) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        while !wanted(&self.seen()) {
            ensure!(
                Instant::now() < deadline,
                "after {limit:?} still not: {} active frames over {} connections",
                { self.seen().active_frames() },
                { self.seen().connections }
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Passes on what a watcher sees until its connection ends.
async fn drain(watcher: &Watcher, connection: usize, into: &Mutex<Followed>) {
    loop {
        let closed = {
            let mut seen = watcher.seen();
            let mut followed = lock(into);
            followed.units.extend(seen.units.drain(..).map(|unit| (connection, unit)));
            followed.events.append(&mut seen.events);
            seen.closed
        };
        if closed {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn lock(followed: &Mutex<Followed>) -> MutexGuard<'_, Followed> {
    followed.lock().expect("no test panics while it holds what was seen")
}
