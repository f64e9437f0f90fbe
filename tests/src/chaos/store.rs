//! The nodes' Redis: one server, or a master and a replica behind a Sentinel.

use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::schedule::StoreForm;
use super::world::{Host, World};
use crate::redis_server::{documented_rule, free_port};

/// Whom the nodes log in as.
const USER: &str = "footlight";
const PASSWORD: &str = "chaos";
/// What the Sentinel calls the master, and how soon it takes it for lost.
const MASTER: &str = "stage";
const DOWN_AFTER_MS: u32 = 2_000;
/// How often the Sentinel is asked who is the master.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How long a server may take to answer, or a replica to take over.
const PATIENCE: Duration = Duration::from_secs(20);
/// Numbers of the servers' machines in the world; nodes have those below.
const FIRST_MACHINE: u8 = 101;
const SENTINEL_MACHINE: u8 = 120;

/// All servers.
#[derive(Debug)]
pub struct Store {
    form: StoreForm,
    /// Where they run.
    pub hosts: Vec<Host>,
    servers: Vec<Server>,
    sentinel: Option<Server>,
    /// Which of them is the master, by what the Sentinel says.
    master: Arc<AtomicUsize>,
    /// Follows what it says.
    following: Option<JoinHandle<()>>,
    /// When it chose another one.
    fail_overs: Arc<StdMutex<Vec<Instant>>>,
}

#[derive(Debug)]
struct Server {
    port: u16,
    address: String,
    directory: tempfile::TempDir,
    prefix: Vec<String>,
    child: Mutex<Option<Child>>,
}

impl Store {
    /// Starts them.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start(world: &World, form: StoreForm) -> anyhow::Result<Self> {
        let count = if form == StoreForm::Sentinel { 2 } else { 1 };
        let mut hosts: Vec<Host> =
            (0..count).map(|at| world.host(FIRST_MACHINE + at)).collect::<anyhow::Result<_>>()?;
        let servers: Vec<Server> = hosts.iter().map(Server::at).collect::<anyhow::Result<_>>()?;
        let master = Arc::new(AtomicUsize::new(0));
        let fail_overs = Arc::default();
        let mut store = Self { form, hosts: Vec::new(), servers, sentinel: None, master, following: None, fail_overs };
        store.servers[0].run(&[]).await?;
        if form == StoreForm::Sentinel {
            store.servers[1].run(&store.follows(0)).await?;
            let machine = world.host(SENTINEL_MACHINE)?;
            let sentinel = Server::at(&machine)?;
            let Server { port, address, .. } = &store.servers[0];
            let config = format!(
                "port {}\nprotected-mode no\nsentinel monitor {MASTER} {address} {port} 1\nsentinel \
                 down-after-milliseconds {MASTER} {DOWN_AFTER_MS}\nsentinel failover-timeout {MASTER} 4000\n",
                sentinel.port
            );
            std::fs::write(sentinel.directory.path().join("sentinel.conf"), config)?;
            sentinel.spawn(&["sentinel.conf".to_owned(), "--sentinel".to_owned()]).await?;
            store.following = Some(store.follow(&sentinel));
            store.sentinel = Some(sentinel);
            store.wait_for_sentinel().await?;
            // Whoever is cut off from the store reaches no Sentinel either.
            hosts.push(machine);
        }
        store.hosts = hosts;
        Ok(store)
    }

    /// What nodes are given as `store`.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.sentinel {
            Some(sentinel) => {
                format!("redis+sentinel://{USER}:{PASSWORD}@{}:{}/{MASTER}", sentinel.address, sentinel.port)
            }
            None => format!("redis://{USER}:{PASSWORD}@{}:{}/0", self.servers[0].address, self.servers[0].port),
        }
    }

    /// On how many replicas a top-up must be.
    #[must_use]
    pub const fn replicas(&self) -> usize {
        match self.form {
            StoreForm::Single => 0,
            StoreForm::Sentinel => 1,
        }
    }

    /// Where the master is, for whoever looks on: the user of these addresses may do all.
    #[must_use]
    pub fn whereabouts(&self) -> Whereabouts {
        let addresses = self.servers.iter().map(|server| format!("redis://{}:{}/0", server.address, server.port));
        Whereabouts { addresses: addresses.collect(), master: Arc::clone(&self.master) }
    }

    /// `kill -9` of the only server, or of the master.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.servers[self.master.load(SeqCst)].kill().await
    }

    /// Starts the only server again on its files.
    ///
    /// # Errors
    /// When it does not answer in time.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.servers[0].run(&[]).await
    }

    /// Kills the master, waits for the other server to be promoted, and starts the former one as its replica.
    ///
    /// # Errors
    /// When nobody takes over in time.
    pub async fn fail_over(&self) -> anyhow::Result<Duration> {
        let former = self.master.load(SeqCst);
        self.servers[former].kill().await?;
        let killed = Instant::now();
        let took = loop {
            let next = self.master.load(SeqCst);
            if next != former && self.servers[next].role().await.is_ok_and(|role| role == "master") {
                break killed.elapsed();
            }
            ensure!(killed.elapsed() < PATIENCE, "no replica has taken over in {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        self.servers[former].run(&self.follows(1 - former)).await?;
        Ok(took)
    }

    /// When another server became the master: as planned, or since the Sentinel heard nothing of the former one for a
    /// while, on a busy machine.
    #[must_use]
    pub fn fail_overs(&self) -> Vec<Instant> {
        self.fail_overs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes whom a Sentinel names as the master.
    fn follow(&self, sentinel: &Server) -> JoinHandle<()> {
        let url = format!("redis://{}:{}/", sentinel.address, sentinel.port);
        let servers: Vec<(String, String)> =
            self.servers.iter().map(|server| (server.address.clone(), server.port.to_string())).collect();
        let (master, fail_overs) = (Arc::clone(&self.master), Arc::clone(&self.fail_overs));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(ASK_EVERY).await;
                let Ok(mut connection) = connect(&url).await else { continue };
                let told: redis::RedisResult<(String, String)> = redis::cmd("SENTINEL")
                    .arg("GET-MASTER-ADDR-BY-NAME")
                    .arg(MASTER)
                    .query_async(&mut connection)
                    .await;
                let place = told.ok().and_then(|told| servers.iter().position(|server| *server == told));
                if let Some(place) = place
                    && master.swap(place, SeqCst) != place
                {
                    fail_overs.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                }
            }
        })
    }

    /// What the server says to FLUSHALL and FLUSHDB from the nodes' own user; an error when it obeys.
    ///
    /// # Errors
    /// When it obeys, or cannot be reached.
    pub async fn try_flush(&self) -> anyhow::Result<String> {
        let server = &self.servers[self.master.load(SeqCst)];
        let url = format!("redis://{USER}:{PASSWORD}@{}:{}/0", server.address, server.port);
        let mut connection = connect(&url).await?;
        let mut said = String::new();
        for command in ["FLUSHALL", "FLUSHDB"] {
            match redis::cmd(command).query_async::<redis::Value>(&mut connection).await {
                Err(error) if error.code() == Some("NOPERM") => said = error.to_string(),
                Err(error) => return Err(error).context(command),
                Ok(_) => bail!("{command} was obeyed: everything is gone"),
            }
        }
        Ok(said)
    }

    fn follows(&self, master: usize) -> Vec<String> {
        let Server { address, port, .. } = &self.servers[master];
        let words = ["--replicaof", address.as_str(), &port.to_string(), "--repl-diskless-sync-delay", "0"];
        words.map(str::to_owned).to_vec()
    }

    async fn wait_for_sentinel(&self) -> anyhow::Result<()> {
        let sentinel = self.sentinel.as_ref().context("there is one")?;
        let url = format!("redis://{}:{}/", sentinel.address, sentinel.port);
        let started = Instant::now();
        loop {
            ensure!(started.elapsed() < PATIENCE, "the Sentinel does not know the replica");
            tokio::time::sleep(Duration::from_millis(50)).await;
            let Ok(mut connection) = connect(&url).await else { continue };
            let told: redis::RedisResult<Vec<String>> =
                redis::cmd("SENTINEL").arg("MASTER").arg(MASTER).query_async(&mut connection).await;
            let Ok(told) = told else { continue };
            let replicas = told.iter().position(|word| word == "num-slaves").and_then(|at| told.get(at + 1));
            if replicas.is_some_and(|count| count == "1") {
                return Ok(());
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(following) = &self.following {
            following.abort();
        }
    }
}

impl Server {
    fn at(host: &Host) -> anyhow::Result<Self> {
        // In a namespace of its own any port is free.
        let prefix = host.prefix();
        let port = if prefix.is_empty() { free_port()? } else { 6_379 };
        let address = host.back.to_string();
        Ok(Self { port, address, directory: tempfile::tempdir()?, prefix, child: Mutex::new(None) })
    }

    /// Starts it with further settings, and waits until it answers.
    async fn run(&self, settings: &[String]) -> anyhow::Result<()> {
        let config = format!(
            "port {}\nbind {}\nprotected-mode no\nsave \"\"\nappendonly yes\nappendfsync always\n\
             maxmemory-policy noeviction\nuser {USER} on >{PASSWORD} {}\n",
            self.port,
            self.address,
            documented_rule()?
        );
        std::fs::write(self.directory.path().join("redis.conf"), config)?;
        self.spawn(&[&["redis.conf".to_owned()][..], settings].concat()).await?;
        let started = Instant::now();
        while self.role().await.is_err() {
            ensure!(started.elapsed() < PATIENCE, "redis-server at {}:{} does not answer", self.address, self.port);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn spawn(&self, arguments: &[String]) -> anyhow::Result<()> {
        let words = [&self.prefix[..], &["redis-server".to_owned()], arguments].concat();
        let child = Command::new(&words[0])
            .args(&words[1..])
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("redis-server cannot be started; `cargo xtask setup` installs it")?;
        *self.child.lock().await = Some(child);
        Ok(())
    }

    async fn kill(&self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.lock().await.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// `master` or `slave`, once it has all of its data.
    async fn role(&self) -> anyhow::Result<String> {
        let mut connection = connect(&format!("redis://{}:{}/", self.address, self.port)).await?;
        let told: Vec<redis::Value> = redis::cmd("ROLE").query_async(&mut connection).await?;
        Ok(redis::from_redis_value(told.into_iter().next().context("a role")?)?)
    }
}

/// Where the master is.
#[derive(Debug, Clone)]
pub struct Whereabouts {
    addresses: Vec<String>,
    master: Arc<AtomicUsize>,
}

impl Whereabouts {
    /// A connection to the master.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn connect(&self) -> anyhow::Result<redis::aio::MultiplexedConnection> {
        connect(&self.addresses[self.master.load(SeqCst)]).await
    }

    /// Which server that is.
    #[must_use]
    pub fn master(&self) -> usize {
        self.master.load(SeqCst)
    }
}

async fn connect(url: &str) -> anyhow::Result<redis::aio::MultiplexedConnection> {
    let client = redis::Client::open(url)?;
    let config = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(1)))
        .set_response_timeout(Some(Duration::from_secs(1)));
    Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
}
