//! One server.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use rustix::process::{Pid, Signal, kill_process};

use super::{Authority, SAFE};

/// A server that is killed when this is dropped.
pub struct RedisServer {
    directory: tempfile::TempDir,
    port: u16,
    arguments: Vec<String>,
    child: Child,
}

impl RedisServer {
    /// Starts a server that syncs every write to the disk before it answers.
    ///
    /// # Panics
    /// When there is no redis-server, or it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&SAFE)
    }

    /// Starts a server with these settings, and otherwise those of a fresh Redis.
    ///
    /// # Panics
    /// As [`RedisServer::start`].
    #[must_use]
    pub fn start_with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory for redis");
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        // Another process may take a free port before redis does: then redis ends, and the next port is tried.
        for _ in 0..10 {
            let port = free_port();
            if let Some(child) = spawn(directory.path(), port, &arguments) {
                return Self { directory, port, arguments, child };
            }
        }
        panic!("redis-server did not start; run `redis-server` to see why");
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts a server as [`RedisServer::start_with`] does that takes encrypted connections too, on a port of its own, which
    /// is answered. They need no certificate unless `--tls-auth-clients yes` says so.
    ///
    /// # Panics
    /// As [`RedisServer::start`].
    #[must_use]
    pub fn start_with_tls(authority: &Authority, arguments: &[&str]) -> (Self, u16) {
        let port = free_port();
        let mut with_tls: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        with_tls.extend(["--tls-port".to_owned(), port.to_string(), "--tls-auth-clients".to_owned(), "no".to_owned()]);
        for (name, file) in [("cert", "node.crt"), ("key", "node.key"), ("ca-cert", "ca.crt")] {
            with_tls.extend([format!("--tls-{name}-file"), authority.path(file).display().to_string()]);
        }
        let with_tls: Vec<&str> = with_tls.iter().map(String::as_str).collect();
        (Self::start_with(&with_tls), port)
    }

    /// Its port for connections that are not encrypted.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// A connection for the test's own commands, as the default user.
    ///
    /// # Panics
    /// When it is not there.
    pub async fn control(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.address()).expect("an address");
        client.get_multiplexed_async_connection().await.expect("connects")
    }

    /// Runs a command of the test's own, written in words.
    ///
    /// # Panics
    /// When it is not there, or refuses.
    pub async fn run(&self, command: &str) -> redis::Value {
        self.try_run(command).await.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// As [`RedisServer::run`].
    ///
    /// # Errors
    /// When it refuses, or the connection ends.
    pub async fn try_run(&self, command: &str) -> redis::RedisResult<redis::Value> {
        let client = redis::Client::open(self.address())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut words = command.split_whitespace();
        let mut built = redis::cmd(words.next().expect("a command"));
        words.for_each(|word| {
            built.arg(word);
        });
        built.query_async(&mut connection).await
    }

    /// What `INFO` says under a name.
    ///
    /// # Panics
    /// When it is not there.
    pub async fn info(&self, section: &str, name: &str) -> Option<String> {
        let redis::Value::BulkString(text) = self.try_run(&format!("INFO {section}")).await.ok()? else { return None };
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
    }

    /// Kills it as `kill -9` does.
    ///
    /// # Panics
    /// When that fails.
    pub fn kill(&mut self) {
        self.child.kill().expect("redis can be killed");
        self.child.wait().expect("redis can be waited for");
    }

    /// Starts it again, with the data it had on disk, at the same address.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.child = spawn(self.directory.path(), self.port, &self.arguments).expect("redis starts again");
    }

    /// Makes it silent: connections stay, answers do not come.
    ///
    /// # Panics
    /// When that fails.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// When that fails.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("redis gets a signal");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port()
}

/// What is run: `redis-server`, or what the environment names for tests of another version (`REDIS_SERVER`).
pub(super) fn program() -> String {
    std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned())
}

/// `None` when it ended at once.
fn spawn(directory: &std::path::Path, port: u16, arguments: &[String]) -> Option<Child> {
    let mut child = Command::new(program())
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"])
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("redis-server cannot be run ({error}): install it, `apt-get install redis-server`")
        });
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if child.try_wait().expect("redis can be asked").is_some() {
            return None;
        }
        if answers(port) {
            return Some(child);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// Whether it has loaded its data and takes commands, of somebody who logs in perhaps.
fn answers(port: u16) -> bool {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
    let mut reply = [0; 5];
    stream.write_all(b"PING\r\n").is_ok()
        && stream.read_exact(&mut reply).is_ok()
        && (&reply == b"+PONG" || &reply == b"-NOAU")
}
