//! An engine that meters itself: the same slices, the same clock and the same gate as on a node, over HTTP.
//!
//! [`MeteredEngine`] is the handle that the engine holds; a task of its own, the driver, talks to the node. They share the
//! slice gate, so that counting a unit asks nobody.

mod driver;
mod former;
mod options;
mod status;
mod usage_file;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use footlight_ledger::{Counting, EndReason, Product, Units};
use footlight_session::{SliceGate, slice};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::api::Client;
use crate::error::ApiError;
use crate::shapes::{NewSession, Session};
use driver::{Driver, Wish};
use usage_file::{Noted, UsageFile};

pub use options::{EngineOptions, is_unmetered};
pub use status::{Allowed, Bill, EngineError, EngineStatus};

/// Wishes that may wait for the driver. It is never busy for long.
const WISHES_MAX: usize = 16;
/// Tries at beginning a session, and the pause after the first; each further one is twice as long.
const BEGIN_TRIES: u32 = 5;
const BEGIN_PAUSE: Duration = Duration::from_millis(250);
/// How long a node keeps a claim on a request that was never answered, and how often it is asked meanwhile.
const CLAIM_LAPSES: Duration = Duration::from_secs(75);
const CLAIM_PAUSE: Duration = Duration::from_secs(2);

/// An engine's half of a metered session.
///
/// One task or thread counts units; any may look at the status.
#[derive(Debug)]
pub struct MeteredEngine {
    line: Option<Line>,
}

/// What a metered engine has and a free one has not.
#[derive(Debug)]
struct Line {
    session: Session,
    counting: Counting,
    /// Where connected time is sold: whether it is being counted.
    is_connected: AtomicBool,
    gate: Arc<SliceGate>,
    usage: Arc<UsageFile>,
    status: watch::Receiver<EngineStatus>,
    wishes: mpsc::Sender<Wish>,
    driver: JoinHandle<()>,
}

impl MeteredEngine {
    /// Proves the secret, settles what a former run left in the state directory, and begins a session. Must be called within
    /// a tokio runtime.
    ///
    /// An unmetered engine (`FOOTLIGHT_UNMETERED=1`) and one of a product that needs no account make no request at all.
    ///
    /// # Errors
    /// [`EngineError::Secret`] at once when the secret is not valid; [`EngineError::Refused`] when the node will not begin a
    /// session; [`EngineError::Unreachable`] when it does not answer; [`EngineError::State`] when the state directory cannot
    /// be used.
    pub async fn start(options: EngineOptions) -> Result<Self, EngineError> {
        if options.unmetered {
            tracing::warn!(
                "UNMETERED: frames are made without an account and nothing is charged; for development alone"
            );
            return Ok(Self { line: None });
        }
        if options.product == Product::AudioOnly {
            return Ok(Self { line: None });
        }
        let client = Client::new(&options.url, &options.api_secret);
        let surface = options.product.surface();
        let token = retry(|| client.runtime_token(surface, None)).await?;
        if let Some(directory) = &options.state_dir {
            former::settle(&client, directory).await?;
        }
        let new = NewSession {
            product: Some(options.product),
            avatar: options.avatar.clone(),
            fps: Some(options.fps),
            metadata: options.metadata.clone(),
            ..NewSession::default()
        };
        let key = Uuid::now_v7().to_string();
        let session = retry(|| client.begin(&token, &new, &key)).await?;
        let malformed = |what: &str| {
            EngineError::Refused(ApiError::Malformed {
                url: client.url().to_owned(),
                detail: format!("a session of {} has no {what}", options.product),
            })
        };
        let engine = session.engine.clone().ok_or_else(|| malformed("engine"))?;
        let id = session.id.parse().map_err(|_| malformed("id"))?;
        let noted = Noted { session: id, epoch: engine.epoch, surface, url: client.url().to_owned() };
        let usage = Arc::new(UsageFile::create(options.state_dir.as_deref(), &noted)?);
        let gate = Arc::new(SliceGate::new(0));
        let (wishes, waiting) = mpsc::channel(WISHES_MAX);
        let (tell, status) = watch::channel(EngineStatus::default());
        let counting = engine.counting;
        let token = match engine.token.clone() {
            Some(token) => token,
            // The answer was a repeat: those come without.
            None => retry(|| client.runtime_token(surface, Some(id))).await?,
        };
        let driver = Driver::new(client, id, surface, engine, token, Arc::clone(&gate), Arc::clone(&usage), tell);
        let driver = tokio::spawn(driver.run(waiting));
        let is_connected = AtomicBool::new(false);
        Ok(Self { line: Some(Line { session, counting, is_connected, gate, usage, status, wishes, driver }) })
    }

    /// The session's id, `ses_...`; `None` for an engine that is not metered.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.line.as_ref().map(|line| line.session.id.as_str())
    }

    /// How it stands now.
    #[must_use]
    pub fn status(&self) -> EngineStatus {
        self.line.as_ref().map_or_else(EngineStatus::default, |line| line.status.borrow().clone())
    }

    /// Units counted so far.
    #[must_use]
    pub fn counted(&self) -> Units {
        self.line.as_ref().map_or(0, |line| line.gate.used())
    }

    /// Counts one unit, or says why there is none. Waits while the node has not said yet; a pause it tells at once, and then
    /// it is asked again whenever the caller likes ([`MeteredEngine::resumed`] waits for that).
    ///
    /// Where connected time is sold, nothing is counted here: it says whether the session may go on.
    pub async fn next_unit(&self) -> Allowed {
        let Some(line) = &self.line else { return Allowed::Yes };
        let mut status = line.status.clone();
        loop {
            // Marked as seen before the gate is looked at: what comes after wakes the wait below.
            let stop = status.borrow_and_update().stop();
            if line.take() {
                return Allowed::Yes;
            }
            if let Some(stop) = stop {
                line.wish(Wish::Speak);
                return stop;
            }
            line.wish(Wish::Speak);
            if status.changed().await.is_err() {
                return Allowed::Ended(line.status.borrow().end_reason());
            }
        }
    }

    /// Waits until the session may go on, or is over.
    pub async fn resumed(&self) -> EngineStatus {
        let Some(line) = &self.line else { return EngineStatus::default() };
        let mut status = line.status.clone();
        // The sender lives as long as the driver; without one there is nothing to wait for.
        let _ = status.wait_for(|status| !status.is_paused()).await;
        status.borrow().clone()
    }

    /// Says that nothing is made at the moment: what is held goes back if that lasts. The next unit asks again.
    pub async fn idle(&self) {
        let Some(line) = &self.line else { return };
        line.usage.note_units(line.gate.used());
        line.is_connected.store(false, Ordering::Release);
        // Waited for: a wish to end must not overtake it.
        let _ = line.wishes.send(Wish::Silence).await;
    }

    /// Ends the session and settles it. While the node cannot be reached this waits, for as long as the caller does; what is
    /// not settled then is settled by the next start with the same state directory.
    ///
    /// # Errors
    /// [`EngineError::Secret`] when the secret was revoked meanwhile and nothing more is settled.
    pub async fn end(self) -> Result<Bill, EngineError> {
        let Some(mut line) = self.line else { return Ok(Bill::default()) };
        line.usage.note_units(line.gate.used());
        let _ = line.wishes.send(Wish::End).await;
        // It ends by itself once the last settlement is there. If it panicked, there is none.
        let _ = (&mut line.driver).await;
        let status = line.status.borrow().clone();
        match status.bill {
            Some(bill) => Ok(bill),
            None if status.ended != Some(EndReason::KeyRevoked) => Err(EngineError::Unsettled),
            None => Err(EngineError::Secret {
                detail: "the session could not be settled: its secret is not valid any more".to_owned(),
            }),
        }
    }
}

impl Line {
    /// Takes a unit at the gate, and notes the one before as handed out: this one may yet be lost on its way.
    fn take(&self) -> bool {
        if self.counting == Counting::Connected {
            let is_new = !self.is_connected.swap(true, Ordering::AcqRel);
            if is_new {
                // Time counts from now on, whatever is left of the slice from before.
                self.wish(Wish::Speak);
            }
            return self.gate.remaining() > 0;
        }
        let before = self.gate.used();
        if self.gate.take(1) != slice::Taken::Yes {
            return false;
        }
        self.usage.note_units(before);
        if self.gate.crossed_ask_mark() {
            self.wish(Wish::Ask);
        }
        true
    }

    fn wish(&self, wish: Wish) {
        // Full only when it has more than enough to do; it looks at the gate by itself every second.
        let _ = self.wishes.try_send(wish);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // An engine that is dropped without its end makes nothing more. Its usage stays on disk.
        self.gate.shut();
        self.driver.abort();
    }
}

/// Calls until the node answers, a bounded number of times. A refusal is final at once, a bad secret above all.
async fn retry<T, F>(call: impl Fn() -> F) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, ApiError>>,
{
    let (began, mut pause, mut tries) = (Instant::now(), BEGIN_PAUSE, 1);
    loop {
        let wait = match call().await {
            // A node that went down over it has left a claim behind, which lapses.
            Err(error) if error.code() == Some("idempotency_in_progress") && began.elapsed() < CLAIM_LAPSES => {
                CLAIM_PAUSE
            }
            Err(error) if error.is_passing() && tries < BEGIN_TRIES => {
                tracing::debug!(%error, "the node is asked again");
                tries += 1;
                pause *= 2;
                pause / 2
            }
            answered => return answered.map_err(EngineError::from),
        };
        tokio::time::sleep(wait.mul_f64(0.5 + rand::random::<f64>() / 2.0)).await;
    }
}
