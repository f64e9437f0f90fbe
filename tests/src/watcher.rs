//! A viewer: reads everything that a session's WebSocket sends, by the page `docs/websocket.md`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const VIDEO: u8 = 1;
const KEY: u8 = 1;
const IDLE: u8 = 2;
const DISCONTINUITY: u8 = 4;
/// What the system keeps for a narrow viewer beyond what it reads, in bytes; the system may make it a little more.
const NARROW: u32 = 4_096;

/// One access unit or packet as it came.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields of the header, as docs/websocket-media.md names them")]
pub struct Unit {
    pub video: bool,
    pub key: bool,
    pub idle: bool,
    pub discontinuity: bool,
    pub generation: u32,
    pub sequence: u32,
    pub pts_us: u64,
    pub duration_us: u32,
    pub came: Instant,
    pub body: Vec<u8>,
}

impl Unit {
    fn read(message: &[u8]) -> anyhow::Result<Self> {
        ensure!(message.len() >= 24, "a media message of {} bytes has no room for its header", message.len());
        let u32_at = |at: usize| u32::from_be_bytes(message[at..at + 4].try_into().expect("four bytes"));
        Ok(Self {
            video: message[0] == VIDEO,
            key: message[1] & KEY != 0,
            idle: message[1] & IDLE != 0,
            discontinuity: message[1] & DISCONTINUITY != 0,
            generation: u32_at(4),
            sequence: u32_at(8),
            pts_us: u64::from_be_bytes(message[12..20].try_into().expect("eight bytes")),
            duration_us: u32_at(20),
            came: Instant::now(),
            body: message[24..].to_vec(),
        })
    }
}

/// What a viewer has seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    /// Media in the order it came.
    pub units: Vec<Unit>,
    /// Events in the order they came.
    pub events: Vec<Value>,
    /// Whether the other side has closed.
    pub closed: bool,
}

impl Seen {
    /// How many active video frames came.
    #[must_use]
    pub fn active_frames(&self) -> usize {
        self.units.iter().filter(|unit| unit.video && !unit.idle).count()
    }

    /// The video as one Annex-B stream.
    #[must_use]
    pub fn annex_b(&self) -> Vec<u8> {
        self.units.iter().filter(|unit| unit.video).flat_map(|unit| unit.body.iter().copied()).collect()
    }
}

/// An attached viewer; detaches when dropped.
#[derive(Debug)]
pub struct Watcher {
    seen: Arc<Mutex<Seen>>,
    reads: Arc<AtomicBool>,
    outgoing: mpsc::Sender<Message>,
    task: tokio::task::JoinHandle<()>,
}

impl Watcher {
    /// Attaches to a session.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn attach(url: &str, secret: &str, session: &str) -> anyhow::Result<Self> {
        let address = format!("{}/v1/sessions/{session}/stream", url.replacen("http", "ws", 1));
        let mut request = address.into_client_request()?;
        request.headers_mut().insert("api-secret", secret.parse()?);
        let (socket, _) = tokio_tungstenite::connect_async(request).await.context("attaching a viewer")?;
        Ok(Self::over(socket))
    }

    /// As [`attach`](Self::attach), through a connection that holds very little of what is not read.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn attach_narrowly(url: &str, secret: &str, session: &str) -> anyhow::Result<Self> {
        let host = url.trim_start_matches("http://");
        let mut request = format!("ws://{host}/v1/sessions/{session}/stream").into_client_request()?;
        request.headers_mut().insert("api-secret", secret.parse()?);
        let connection = tokio::net::TcpSocket::new_v4()?;
        connection.set_recv_buffer_size(NARROW)?;
        let connection = connection.connect(host.parse()?).await?;
        let (socket, _) = tokio_tungstenite::client_async(request, connection).await.context("attaching a viewer")?;
        Ok(Self::over(socket))
    }

    fn over<S>(socket: WebSocketStream<S>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sink, mut stream) = socket.split();
        let reads = Arc::new(AtomicBool::new(true));
        let may_read = Arc::clone(&reads);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (outgoing, mut to_send) = mpsc::channel::<Message>(64);
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                if !may_read.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                }
                tokio::select! {
                    message = stream.next() => match message {
                        Some(Ok(Message::Binary(bytes))) => {
                            let unit = Unit::read(&bytes).expect("media has a header");
                            lock(&shared).units.push(unit);
                        }
                        Some(Ok(Message::Text(text))) => {
                            let event = serde_json::from_str(&text).expect("text messages are JSON");
                            lock(&shared).events.push(event);
                        }
                        Some(Ok(_)) => {}
                        Some(Err(_)) | None => break,
                    },
                    Some(message) = to_send.recv() => {
                        if sink.send(message).await.is_err() {
                            break;
                        }
                    }
                }
            }
            lock(&shared).closed = true;
        });
        Self { seen, reads, outgoing, task }
    }

    /// Stops reading, or goes on.
    pub fn reads(&self, reads: bool) {
        self.reads.store(reads, Ordering::Relaxed);
    }

    /// What came so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// Sends a command or audio.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&self, message: Message) -> anyhow::Result<()> {
        self.outgoing.send(message).await.context("the connection is gone")
    }

    /// Waits until what came is as `wanted` says.
    ///
    /// # Errors
    /// When `limit` has passed.
    pub async fn wait_until(&self, limit: Duration, wanted: impl Fn(&Seen) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        while !wanted(&self.seen()) {
            let summary = || {
                let seen = self.seen();
                format!(
                    "{} active frames of {} units, events {:?}",
                    seen.active_frames(),
                    seen.units.len(),
                    seen.events
                )
            };
            ensure!(Instant::now() < deadline, "after {limit:?} still not: {}", summary());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().expect("no test panics while it holds what was seen")
}
