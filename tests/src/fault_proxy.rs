//! A network that fails on purpose, between a client and a node: requests that never arrive, arrive twice or late, and
//! replies that are lost after the work was done.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The longest request or reply that is passed on.
const MESSAGE_MAX: usize = 1 << 20;

/// How often each fault happens, in hundredths.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// The request never arrives.
    pub dropped: u32,
    /// It arrives, and its reply does not.
    pub reply_lost: u32,
    /// It arrives twice; the second reply is passed on.
    pub doubled: u32,
    /// It arrives late, by up to [`Faults::delay`].
    pub delayed: u32,
    /// See `delayed`.
    pub delay: Duration,
}

/// The network. It ends with its owner.
#[derive(Debug)]
pub struct FaultProxy {
    /// `http://127.0.0.1:…`, to be used in the node's place.
    pub url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: RwLock<String>,
    faults: Faults,
    seed: u64,
    is_cut: AtomicBool,
    connections: AtomicU64,
    heartbeats: AtomicU64,
    harmed: AtomicU64,
}

impl FaultProxy {
    /// Stands before the node at `url` (`http://host:port`). The same seed makes the same faults, connection by connection.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(url: &str, faults: Faults, seed: u64) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            upstream: RwLock::new(address(url).to_owned()),
            faults,
            seed,
            is_cut: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            heartbeats: AtomicU64::new(0),
            harmed: AtomicU64::new(0),
        });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                tokio::spawn(async move {
                    // A connection that breaks is what this is for.
                    let _ = shared.carry(client).await;
                });
            }
        });
        Ok(Self { url: own, shared, task })
    }

    /// Passes nothing on, or again.
    pub fn cut(&self, is_cut: bool) {
        self.shared.is_cut.store(is_cut, Relaxed);
    }

    /// Passes on to another node from now on.
    pub fn lead_to(&self, url: &str) {
        *self.shared.upstream.write().unwrap_or_else(PoisonError::into_inner) = address(url).to_owned();
    }

    /// Heartbeats that reached the node.
    #[must_use]
    pub fn heartbeats(&self) -> u64 {
        self.shared.heartbeats.load(Relaxed)
    }

    /// Requests that met a fault.
    #[must_use]
    pub fn harmed(&self) -> u64 {
        self.shared.harmed.load(Relaxed)
    }

    /// Connections that were opened to it.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Relaxed)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn address(url: &str) -> &str {
    url.trim_start_matches("http://").trim_end_matches('/')
}

impl Shared {
    async fn carry(&self, mut client: TcpStream) -> anyhow::Result<()> {
        let number = self.connections.fetch_add(1, Relaxed);
        let mut random = StdRng::seed_from_u64(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        while let Some(request) = read_message(&mut client).await? {
            if self.is_cut.load(Relaxed) {
                return Ok(());
            }
            let Faults { dropped, reply_lost, doubled, delayed, delay } = self.faults;
            let mut happens = |hundredths: u32| random.random_range(0..100) < hundredths;
            let (dropped, reply_lost, doubled, delayed) =
                (happens(dropped), happens(reply_lost), happens(doubled), happens(delayed));
            if dropped || reply_lost || doubled || delayed {
                self.harmed.fetch_add(1, Relaxed);
            }
            if dropped {
                return Ok(());
            }
            if delayed {
                tokio::time::sleep(delay.mul_f64(random.random())).await;
            }
            if doubled {
                self.ask(&request).await?;
            }
            let reply = self.ask(&request).await?;
            if reply_lost || self.is_cut.load(Relaxed) {
                return Ok(());
            }
            client.write_all(&reply).await?;
        }
        Ok(())
    }

    /// Asks the node on a connection of its own.
    async fn ask(&self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        let upstream = self.upstream.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut node = TcpStream::connect(upstream).await?;
        node.write_all(request).await?;
        if request.windows(11).take(200).any(|part| part == b"/heartbeats") {
            self.heartbeats.fetch_add(1, Relaxed);
        }
        read_message(&mut node).await?.context("the node closed the connection")
    }
}

/// One HTTP/1.1 message with a length; `None` when the connection is closed between two.
async fn read_message(stream: &mut TcpStream) -> anyhow::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    loop {
        if let Some(head) = message.windows(4).position(|part| part == b"\r\n\r\n").map(|at| at + 4) {
            let text = String::from_utf8_lossy(&message[..head]).to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(Ok(0), |length| length.trim().parse())?;
            if message.len() >= head + length {
                return Ok(Some(message));
            }
        }
        anyhow::ensure!(message.len() < MESSAGE_MAX, "a message is too long");
        if stream.read_buf(&mut message).await? == 0 {
            anyhow::ensure!(message.is_empty(), "the connection broke off in a message");
            return Ok(None);
        }
    }
}
