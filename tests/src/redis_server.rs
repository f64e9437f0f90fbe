//! A real redis-server of our own: on a free port, killed, restarted.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::{Child, Command};

/// A Redis that keeps every write (`appendfsync always`); ends with its owner.
#[derive(Debug)]
pub struct RedisServer {
    child: Option<Child>,
    port: u16,
    directory: tempfile::TempDir,
}

impl RedisServer {
    /// Starts one.
    ///
    /// # Errors
    /// When redis-server is missing or does not answer.
    pub async fn start() -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut server = Self { child: None, port, directory: tempfile::tempdir()? };
        server.restart().await?;
        Ok(server)
    }

    /// Its address for `--store`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Starts it again on the same port and files.
    ///
    /// # Errors
    /// When redis-server is missing or does not answer within 10 s.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        let directory: PathBuf = self.directory.path().to_owned();
        let child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"])
            .arg("--dir")
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("redis-server cannot be started: apt-get install redis-server")?;
        self.child = Some(child);
        let client = redis::Client::open(self.url())?;
        for _ in 0..200 {
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await
                && redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok()
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("redis-server on port {} does not answer", self.port)
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }
}

/// What docs/redis.md lets the nodes' user do: the words after its name and its password.
///
/// # Errors
/// When the page does not have the rule any more.
pub fn documented_rule() -> anyhow::Result<&'static str> {
    let mut lines = include_str!("../../docs/redis.md").lines();
    let rule = lines.find_map(|line| line.strip_prefix("ACL SETUSER footlight on >CHANGE-ME "));
    rule.context("docs/redis.md has no rule")
}

/// A port that nobody has now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
