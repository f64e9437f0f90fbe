//! A node in a process of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::{Client, Operator};

/// The operators' token of every test node.
pub const ADMIN_TOKEN: &str = "an-admin-token-for-tests";

/// How a node is to be started. Reads as prose: `NodeSetup::embedded().set("metering.heartbeat", "2s").start()`.
#[derive(Debug, Clone)]
pub struct NodeSetup {
    data_dir: PathBuf,
    /// Kept so that the directory lives as long as somebody may start a node in it.
    _keep: Option<std::sync::Arc<tempfile::TempDir>>,
    settings: Vec<(String, String)>,
    program: PathBuf,
    /// What the command line begins with.
    prefix: Vec<String>,
    environment: Vec<(String, String)>,
    log: Option<PathBuf>,
}

impl NodeSetup {
    /// A node on the embedded store, in a directory of its own that goes with it.
    ///
    /// # Panics
    /// When no temporary directory can be made.
    #[must_use]
    pub fn embedded() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let setup = Self {
            data_dir: directory.path().join("data"),
            _keep: Some(directory.into()),
            settings: Vec::new(),
            program: binary(),
            prefix: Vec::new(),
            environment: Vec::new(),
            log: None,
        };
        // Measuring the machine at every start would make tests slow and different from each other.
        setup.set("node.speaking_slots", "200").set("log.filter", "warn")
    }

    /// A node on a Redis.
    #[must_use]
    pub fn on_redis(url: &str) -> Self {
        Self::embedded().set("store", url)
    }

    /// Keeps its data in this directory instead.
    #[must_use]
    pub fn in_directory(mut self, directory: &Path) -> Self {
        self.data_dir = directory.to_owned();
        self
    }

    /// Sets one setting by its key.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Runs this binary instead of the one beside the test's own.
    #[must_use]
    pub fn with_binary(mut self, program: &Path) -> Self {
        self.program = program.to_owned();
        self
    }

    /// Runs it by another command: its command line follows these words.
    #[must_use]
    pub fn run_by(mut self, prefix: Vec<String>) -> Self {
        self.prefix = prefix;
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Appends what it logs to this file.
    #[must_use]
    pub fn log_to(mut self, file: PathBuf) -> Self {
        self.log = Some(file);
        self
    }

    /// Draws nothing: for tests of everything but pictures.
    #[must_use]
    pub fn without_pictures(self) -> Self {
        self.set("stage.renderer", "null")
    }

    /// The node's data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The command line of this setup with `arguments` after the binary's name.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut words = self.prefix.iter().map(OsStr::new).chain([self.program.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(arguments).kill_on_drop(true).stdin(Stdio::null());
        // What whoever runs the tests has set is not part of this setup.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FOOTLIGHT_") {
                command.env_remove(name);
            }
        }
        command.env("FOOTLIGHT_DATA_DIR", &self.data_dir).env("FOOTLIGHT_ADMIN_TOKEN", ADMIN_TOKEN);
        command.env("FOOTLIGHT_LISTEN", "127.0.0.1:0").env("FOOTLIGHT_ADMIN_LISTEN", "127.0.0.1:0");
        for (key, value) in &self.settings {
            command.env(format!("FOOTLIGHT_{}", key.to_uppercase().replace('.', "__")), value);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// When it ends or says nothing within 60 s.
    pub async fn start(&self) -> anyhow::Result<Node> {
        let mut command = self.command(&["serve", "--json"]);
        if let Some(log) = &self.log {
            command.stderr(std::fs::File::options().create(true).append(true).open(log)?);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started; build it first", self.program.display()))?;
        let stdout = child.stdout.take().context("the node's output is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let first =
            tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await.context("the node is silent")??;
        let Some(first) = first else {
            bail!("the node ended at once: {}", child.wait().await?);
        };
        let told: Value = serde_json::from_str(&first).with_context(|| format!("the node said `{first}`"))?;
        let address = |key: &str| -> anyhow::Result<String> {
            Ok(told[key].as_str().with_context(|| format!("no `{key}` in `{first}`"))?.to_owned())
        };
        let (listen, admin_listen) = (address("listen")?, address("admin_listen")?);
        // Whatever else it prints must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Node { child, url: format!("http://{listen}"), admin_url: format!("http://{admin_listen}") })
    }
}

/// A running node; killed when dropped.
#[derive(Debug)]
pub struct Node {
    child: Child,
    /// `http://127.0.0.1:…` of the public listener.
    pub url: String,
    /// `http://127.0.0.1:…` of the admin listener.
    pub admin_url: String,
}

impl Node {
    /// Its operator.
    #[must_use]
    pub fn operator(&self) -> Operator {
        Operator::new(&self.admin_url, ADMIN_TOKEN)
    }

    /// A customer with a new account that holds `credits`.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn customer(&self, credits: &str) -> anyhow::Result<Client> {
        let (account, secret) = self.operator().open_account(None).await?;
        if credits != "0" {
            self.operator().grant(&account, credits, "first").await?;
        }
        Ok(Client::new(&self.url, &account, &secret))
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        Ok(())
    }

    /// SIGTERM, and what it exits with.
    ///
    /// # Errors
    /// When it has not ended after 30 s.
    pub async fn terminate(mut self) -> anyhow::Result<std::process::ExitStatus> {
        let id = self.child.id().context("the node has ended already")?;
        let killed = Command::new("kill").args(["-TERM", &id.to_string()]).status().await?;
        anyhow::ensure!(killed.success(), "kill -TERM {id} failed");
        let status = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        Ok(status.context("the node has not ended 30 s after SIGTERM")??)
    }

    /// Sends it a signal by name: `STOP`, `CONT`.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn signal(&self, name: &str) -> anyhow::Result<()> {
        let id = self.child.id().context("the node has ended already")?;
        let sent = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status().await?;
        anyhow::ensure!(sent.success(), "kill -{name} {id} failed");
        Ok(())
    }

    /// Whether the process is still there.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Resident memory in bytes.
    #[must_use]
    pub fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    }
}

/// The binary beside this test's own: `target/<profile>/footlight`.
#[must_use]
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let mut directory = own.parent().map(Path::to_owned).unwrap_or_default();
    if directory.ends_with("deps") {
        directory.pop();
    }
    directory.join("footlight")
}
