//! A master, its replicas, and three Sentinels who watch them.

use std::process::{Child, Command, Stdio};

use super::server::{RedisServer, free_port, program};
use super::{SAFE, until};

/// What the Sentinels call the master.
const NAME: &str = "stage";

/// A silent master is taken for lost after this long: much sooner than anybody would want outside of tests.
const DOWN_AFTER_MS: u32 = 600;

/// A master, its replicas, and three Sentinels; all end when this is dropped.
pub struct Sentinels {
    /// The servers; which of them is the master changes.
    pub servers: Vec<RedisServer>,
    sentinels: Vec<Sentinel>,
}

struct Sentinel {
    port: u16,
    child: Child,
    _directory: tempfile::TempDir,
}

impl Sentinels {
    /// Starts them, and waits until the replicas follow and the Sentinels know all.
    ///
    /// # Panics
    /// When one does not start.
    pub async fn start(replicas: usize, arguments: &[&str]) -> Self {
        let master = RedisServer::start_with(&[&SAFE, arguments].concat());
        let port = master.port().to_string();
        let follows = ["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"];
        let mut servers = vec![master];
        for _ in 0..replicas {
            servers.push(RedisServer::start_with(&[&SAFE, arguments, &follows].concat()));
        }
        until("the replicas follow", || async {
            let mut all = true;
            for server in &servers[1..] {
                all &= server.info("replication", "master_link_status").await.as_deref() == Some("up");
            }
            all
        })
        .await;
        let mut watching = Self { sentinels: Vec::new(), servers };
        for _ in 0..3 {
            watching.sentinels.push(Sentinel::start(watching.servers[0].port()));
        }
        until("the Sentinels know each other", || async {
            let mut all = true;
            for sentinel in &watching.sentinels {
                all &= sentinel.tells("num-other-sentinels").await == Some(2);
                all &= sentinel.tells("num-slaves").await == Some(replicas as u64);
            }
            all
        })
        .await;
        watching
    }

    /// Their address.
    #[must_use]
    pub fn address(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
        format!("redis+sentinel://{}/{NAME}", hosts.join(","))
    }

    /// Which server is a master now, other than one.
    pub async fn master_but(&self, other: Option<usize>) -> Option<usize> {
        for (at, server) in self.servers.iter().enumerate() {
            if Some(at) != other && server.info("replication", "role").await.as_deref() == Some("master") {
                return Some(at);
            }
        }
        None
    }

    /// Kills one of the Sentinels.
    ///
    /// # Panics
    /// When that fails.
    pub fn kill_sentinel(&mut self, at: usize) {
        self.sentinels[at].child.kill().expect("it can be killed");
        self.sentinels[at].child.wait().expect("it can be waited for");
    }
}

impl Sentinel {
    fn start(master: u16) -> Self {
        let directory = tempfile::tempdir().expect("a directory for a Sentinel");
        let port = free_port();
        let config = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor {NAME} 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}\nsentinel failover-timeout {NAME} 3000\n"
        );
        let file = directory.path().join("sentinel.conf");
        std::fs::write(&file, config).expect("is written");
        let child = Command::new(program())
            .arg(&file)
            .arg("--sentinel")
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server can be run");
        Self { port, child, _directory: directory }
    }

    /// A number that it tells of the master.
    async fn tells(&self, name: &str) -> Option<u64> {
        let client = redis::Client::open(("127.0.0.1", self.port)).ok()?;
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        let told: Vec<String> =
            redis::cmd("SENTINEL").arg("MASTER").arg(NAME).query_async(&mut connection).await.ok()?;
        let at = told.iter().position(|told| told == name)?;
        told.get(at + 1)?.parse().ok()
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
