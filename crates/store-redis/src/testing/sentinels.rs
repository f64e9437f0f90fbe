//! A master, its replicas, and three Sentinels who watch them.

use std::process::{Child, Command, Stdio};

use super::server::{RedisServer, free_port, program};
use super::{Authority, SAFE, until};

/// What the Sentinels call the master.
const NAME: &str = "stage";

/// A silent master is taken for lost after this long: much sooner than anybody would want outside of tests.
const DOWN_AFTER_MS: u32 = 600;

/// A master, its replicas, and three Sentinels; all end when this is dropped.
pub struct Sentinels {
    /// The servers; which of them is the master changes.
    pub servers: Vec<RedisServer>,
    sentinels: Vec<Sentinel>,
    scheme: &'static str,
}

struct Sentinel {
    /// For the test's own questions.
    port: u16,
    /// For those who ask for the master.
    asked: u16,
    child: Child,
    _directory: tempfile::TempDir,
}

impl Sentinels {
    /// Starts them, and waits until the replicas follow and the Sentinels know all.
    ///
    /// # Panics
    /// When one does not start.
    pub async fn start(replicas: usize, arguments: &[&str]) -> Self {
        Self::start_with(None, replicas, arguments).await
    }

    /// As [`Sentinels::start`]; with an authority all encrypt what they say, and take encrypted connections too.
    ///
    /// # Panics
    /// As [`Sentinels::start`].
    pub async fn start_with(authority: Option<&Authority>, replicas: usize, arguments: &[&str]) -> Self {
        let server = |arguments: &[&str]| match authority {
            Some(authority) => {
                RedisServer::start_with_tls(authority, &[&SAFE[..], &["--tls-replication", "yes"], arguments].concat())
            }
            None => {
                let server = RedisServer::start_with(&[&SAFE[..], arguments].concat());
                let port = server.port();
                (server, port)
            }
        };
        let (master, master_port) = server(arguments);
        let port = master_port.to_string();
        let follows = ["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"];
        let mut servers = vec![master];
        for _ in 0..replicas {
            servers.push(server(&[arguments, &follows[..]].concat()).0);
        }
        until("the replicas follow", || async {
            let mut all = true;
            for server in &servers[1..] {
                all &= server.info("replication", "master_link_status").await.as_deref() == Some("up");
            }
            all
        })
        .await;
        let scheme = if authority.is_some() { "rediss" } else { "redis" };
        let sentinels = (0..3).map(|_| Sentinel::start(authority, master_port)).collect();
        let watching = Self { sentinels, servers, scheme };
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
        let hosts: Vec<_> = self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.asked)).collect();
        format!("{}+sentinel://{}/{NAME}", self.scheme, hosts.join(","))
    }

    /// Which server is a master now, other than one, which is not even asked: it may be frozen.
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
    fn start(authority: Option<&Authority>, master: u16) -> Self {
        let directory = tempfile::tempdir().expect("a directory for a Sentinel");
        let port = free_port();
        let mut asked = port;
        let mut config = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor {NAME} 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}\nsentinel failover-timeout {NAME} 3000\n"
        );
        if let Some(authority) = authority {
            asked = free_port();
            config.push_str(&format!("tls-port {asked}\ntls-replication yes\ntls-auth-clients no\n"));
            for (name, file) in [("cert", "node.crt"), ("key", "node.key"), ("ca-cert", "ca.crt")] {
                config.push_str(&format!("tls-{name}-file {}\n", authority.path(file).display()));
            }
        }
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
        Self { port, asked, child, _directory: directory }
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
