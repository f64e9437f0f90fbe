//! A receiver of webhooks, as a customer would run one: it verifies signatures with the reference implementation, and it
//! fails, is slow and goes away when it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The largest request taken.
const REQUEST_MAX: usize = 1 << 20;

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Manner {
    /// Takes everything.
    Works,
    /// Takes everything after a while.
    Slow(Duration),
    /// Answers everything with this status.
    Answers(u16),
    /// Fails every so many requests, in turn by a status, by hanging up before and by hanging up after it took the event.
    Flaky(usize),
    /// Hangs up on whoever connects.
    Down,
    /// Takes requests and never answers.
    Hangs,
}

/// One event that was taken.
#[derive(Debug, Clone)]
pub struct Got {
    /// The header `webhook-id`.
    pub id: String,
    /// The body's `type`.
    pub kind: String,
    /// The session that it is about.
    pub session: Option<String>,
    /// The body.
    pub body: Value,
}

/// A receiver; it ends when this is dropped.
pub struct Receiver {
    /// Its address.
    pub url: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    manner: Mutex<Manner>,
    secret: Mutex<Option<String>>,
    /// Events in the order in which they were taken first, and how often each came.
    got: Mutex<Vec<Got>>,
    times: Mutex<BTreeMap<String, usize>>,
    /// What was wrong with a request: nothing ever should be.
    wrong: Mutex<Vec<String>>,
    requests: AtomicUsize,
}

impl Receiver {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/hooks", listener.local_addr()?);
        let shared = Arc::new(Shared {
            manner: Mutex::new(Manner::Works),
            secret: Mutex::default(),
            got: Mutex::default(),
            times: Mutex::default(),
            wrong: Mutex::default(),
            requests: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                // Whoever hangs up in the middle is not our concern.
                tokio::spawn(async move { drop(shared.serve(stream).await) });
            }
        });
        Ok(Self { url, shared, task })
    }

    /// Verifies everything from now on with this secret.
    pub fn expect_secret(&self, secret: &str) {
        *self.shared.secret.lock().expect("not poisoned") = Some(secret.to_owned());
    }

    /// Answers like this from now on.
    pub fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().expect("not poisoned") = manner;
    }

    /// The events that were taken, each once, in the order of their first arrival.
    #[must_use]
    pub fn got(&self) -> Vec<Got> {
        self.shared.got.lock().expect("not poisoned").clone()
    }

    /// Requests so far, whatever became of them.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// How often the event that came most often came.
    #[must_use]
    pub fn most_often(&self) -> usize {
        self.shared.times.lock().expect("not poisoned").values().copied().max().unwrap_or(0)
    }

    /// What was wrong with requests.
    ///
    /// # Errors
    /// When anything was.
    pub fn expect_sound(&self) -> anyhow::Result<()> {
        let wrong = self.shared.wrong.lock().expect("not poisoned");
        ensure!(wrong.is_empty(), "{} requests were wrong: {:?}", wrong.len(), wrong.first());
        Ok(())
    }

    /// Waits until what was taken is as `wanted` says.
    ///
    /// # Errors
    /// When `limit` has passed.
    pub async fn wait_until(&self, limit: Duration, wanted: impl Fn(&[Got]) -> bool) -> anyhow::Result<Vec<Got>> {
        let deadline = Instant::now() + limit;
        loop {
            let got = self.got();
            if wanted(&got) {
                return Ok(got);
            }
            if Instant::now() > deadline {
                let kinds: Vec<&str> = got.iter().rev().take(20).map(|got| got.kind.as_str()).collect();
                bail!("after {limit:?} there are {} events; the last ones: {kinds:?}", got.len());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The kinds of a session's events, in the order of their first arrival.
#[must_use]
pub fn kinds_of<'a>(got: &'a [Got], session: &str) -> Vec<&'a str> {
    got.iter().filter(|got| got.session.as_deref() == Some(session)).map(|got| got.kind.as_str()).collect()
}

/// The sessions that events are about.
#[must_use]
pub fn sessions_of(got: &[Got]) -> BTreeSet<String> {
    got.iter().filter_map(|got| got.session.clone()).collect()
}

impl Shared {
    fn manner(&self) -> Manner {
        *self.manner.lock().expect("not poisoned")
    }

    async fn serve(&self, mut stream: TcpStream) -> anyhow::Result<()> {
        let mut buffer = Vec::new();
        loop {
            if self.manner() == Manner::Down {
                return Ok(());
            }
            let Some((headers, body)) = read_request(&mut stream, &mut buffer).await? else { return Ok(()) };
            let number = self.requests.fetch_add(1, Ordering::Relaxed);
            let mut status = 204;
            match self.manner() {
                Manner::Works => {}
                Manner::Slow(wait) => tokio::time::sleep(wait).await,
                Manner::Answers(answer) => status = answer,
                Manner::Flaky(every) if number.is_multiple_of(every) => match number / every % 3 {
                    0 => status = 503,
                    1 => return Ok(()),
                    _ => {
                        // Its answer gets lost: this one comes again.
                        self.take(&headers, &body);
                        return Ok(());
                    }
                },
                Manner::Flaky(_) => {}
                Manner::Down => return Ok(()),
                Manner::Hangs => std::future::pending().await,
            }
            if (200..300).contains(&status) {
                self.take(&headers, &body);
            }
            let answer = format!("HTTP/1.1 {status} Thanks\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await?;
        }
    }

    fn take(&self, headers: &HeaderMap, body: &[u8]) {
        match self.check(headers, body) {
            Ok(got) => {
                let mut times = self.times.lock().expect("not poisoned");
                let count = times.entry(got.id.clone()).or_default();
                *count += 1;
                if *count == 1 {
                    self.got.lock().expect("not poisoned").push(got);
                }
            }
            Err(error) => self.wrong.lock().expect("not poisoned").push(format!("{error:#}")),
        }
    }

    fn check(&self, headers: &HeaderMap, body: &[u8]) -> anyhow::Result<Got> {
        let secret = self.secret.lock().expect("not poisoned").clone().context("no secret is known yet")?;
        Webhook::new(&secret)?.verify(body, headers).context("the signature")?;
        let id = headers.get("webhook-id").context("no id")?.to_str()?.to_owned();
        let body: Value = serde_json::from_slice(body)?;
        ensure!(body["id"] == id.as_str(), "the body's id is {} and not {id}", body["id"]);
        let kind = body["type"].as_str().context("no type")?.to_owned();
        let session = kind.starts_with("session.").then(|| body["data"]["id"].as_str().map(str::to_owned)).flatten();
        ensure!(session.is_some() == kind.starts_with("session."), "{kind} without a session");
        Ok(Got { id, kind, session, body })
    }
}

/// Reads one request; `None` when the connection ends before it begins.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<Option<(HeaderMap, Vec<u8>)>> {
    let head_end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        ensure!(buffer.len() < REQUEST_MAX, "the head has no end");
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    };
    let head = std::str::from_utf8(&buffer[..head_end])?;
    let mut headers = HeaderMap::new();
    for line in head.split("\r\n").skip(1) {
        let (name, value) = line.split_once(':').context("a header without a colon")?;
        headers.insert(HeaderName::from_bytes(name.trim().as_bytes())?, HeaderValue::from_str(value.trim())?);
    }
    ensure!(head.starts_with("POST /hooks HTTP/1.1"), "not a POST: {head}");
    let len: usize = headers.get("content-length").context("no length")?.to_str()?.parse()?;
    ensure!(len < REQUEST_MAX, "the body is too long");
    while buffer.len() < head_end + 4 + len {
        ensure!(stream.read_buf(buffer).await? > 0, "the body is cut off");
    }
    let body = buffer[head_end + 4..head_end + 4 + len].to_vec();
    buffer.drain(..head_end + 4 + len);
    Ok(Some((headers, body)))
}
