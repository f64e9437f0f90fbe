//! The meter from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix::{Actor, Addr, ArbiterHandle, Recipient};
use footlight_ledger::{AccountId, EndReason, Pricing, SessionId};
use footlight_session::meter::{SliceClock, SliceClockOptions};
use footlight_session::{Moment, SliceGate};
use footlight_store::{LedgerDesk, Rise};
use tokio::sync::{broadcast, oneshot};

use super::actor::MeterActor;
use super::figures::MeterFigures;
use super::line::{Bell, Line};
use super::messages::{
    AnyMayHaveRisen, Figures, Key, MeterNotice, Ping, Register, Rose, Said, StopMeter, StoreCameBack, TellWhenSettled,
    Word,
};
use super::progress::ProgressSink;
use crate::NodeError;
use crate::metrics::Metrics;
use crate::time::NodeClock;

/// The times the meter goes by.
#[derive(Debug, Clone, Copy)]
pub struct MeterOptions {
    /// Heartbeat, shortest slice and grace: the ledger's.
    pub clock: SliceClockOptions,
    /// How long a slice is kept after the last frame.
    pub hold_after_speech: Duration,
    /// How often due requests are collected.
    pub tick: Duration,
    /// The least first interval between heartbeats, as a share of one.
    pub first_beat_least: f32,
    /// How often progress is written down.
    pub progress_every: Duration,
}

/// What a meter is made of.
pub struct MeterParts {
    /// The door to the accounts.
    pub desk: LedgerDesk,
    /// The times it goes by.
    pub options: MeterOptions,
    /// The node's clock.
    pub clock: NodeClock,
    /// Where progress is written; `Box::new(())` for nowhere.
    pub progress: Box<dyn ProgressSink>,
    /// Where it counts.
    pub metrics: Arc<Metrics>,
}

/// A session that begins to be metered.
pub struct Registration {
    /// Which.
    pub session: SessionId,
    /// Who pays.
    pub account: AccountId,
    /// What for.
    pub pricing: Pricing,
    /// The session's epoch in the ledger.
    pub epoch: u32,
    /// Where its units are counted.
    pub gate: Arc<SliceGate>,
    /// Who is told of slices and refusals; nobody for a driver that only looks at its gate.
    pub listener: Option<Recipient<MeterNotice>>,
}

/// The meter from outside. Clones are the same meter.
#[derive(Clone)]
pub struct MeterHandle {
    addr: Addr<MeterActor>,
    clock: NodeClock,
    options: MeterOptions,
    next_key: Arc<AtomicU64>,
}

impl MeterHandle {
    /// Starts a meter on `arbiter`, which should carry nothing else.
    #[must_use]
    pub fn start(parts: MeterParts, arbiter: &ArbiterHandle) -> Self {
        let (clock, options) = (parts.clock, parts.options);
        let rises = parts.desk.on_rise();
        let addr = MeterActor::start_in_arbiter(arbiter, move |_| MeterActor::new(parts));
        arbiter.spawn(forward_rises(rises, addr.downgrade()));
        Self { addr, clock, options, next_key: Arc::new(AtomicU64::new(0)) }
    }

    /// Begins to meter a session. The line is the session's from now on; dropping it changes nothing, [`MeterLine::end`]
    /// does.
    pub fn register(&self, registration: Registration) -> MeterLine {
        let Registration { session, account, pricing, epoch, gate, listener } = registration;
        let key = Key(self.next_key.fetch_add(1, Ordering::Relaxed));
        let now = self.clock.now();
        let share = f64::from(self.options.first_beat_least.clamp(0.0, 1.0));
        let first_beat = now.plus(self.options.clock.heartbeat.mul_f64(share + (1.0 - share) * rand::random::<f64>()));
        let bell = Arc::new(Bell::default());
        let line = Line {
            session,
            account,
            clock: SliceClock::new(now, pricing, epoch, gate.used(), first_beat),
            seen_units: gate.used(),
            gate,
            listener,
            bell: Arc::clone(&bell),
            wheel_at: Moment::NEVER,
            is_touched: false,
            slot: None,
            units_per_minute: pricing.units_per_minute,
        };
        // One per session that was admitted.
        self.addr.do_send(Register { key, line: Box::new(line) });
        MeterLine { addr: self.addr.clone(), key, bell }
    }

    /// Says that more may have become available to an account.
    pub fn credits_rose(&self, account: AccountId) {
        self.addr.do_send(Rose(account));
    }

    /// Says that the store answers again.
    pub fn store_came_back(&self) {
        self.addr.do_send(StoreCameBack);
    }

    /// Waits until no settlement is due any more, but no longer than `deadline`. Returns whether all were settled.
    pub async fn settled(&self, deadline: Duration) -> bool {
        let (reply, settled) = oneshot::channel();
        self.addr.do_send(TellWhenSettled(reply));
        matches!(tokio::time::timeout(deadline, settled).await, Ok(Ok(())))
    }

    /// How it stands.
    ///
    /// # Errors
    /// [`NodeError::Internal`] once it has stopped.
    pub async fn figures(&self) -> Result<MeterFigures, NodeError> {
        let stopped = |_| NodeError::Internal { detail: "the meter has stopped".to_owned() };
        self.addr.send(Figures).await.map_err(stopped)
    }

    /// Returns once it has come to this message.
    ///
    /// # Errors
    /// [`NodeError::Internal`] once it has stopped.
    pub async fn ping(&self) -> Result<(), NodeError> {
        let stopped = |_| NodeError::Internal { detail: "the meter has stopped".to_owned() };
        self.addr.send(Ping).await.map_err(stopped)
    }

    /// Stops it. What is not settled stays in the progress record.
    pub async fn stop(&self) {
        // It may have stopped already.
        let _ = self.addr.send(StopMeter).await;
    }
}

/// A session's line to the meter.
#[derive(Clone)]
pub struct MeterLine {
    addr: Addr<MeterActor>,
    key: Key,
    bell: Arc<Bell>,
}

impl MeterLine {
    /// There is something to say, and the gate is empty.
    pub fn want(&self) {
        self.say(Word::Want);
    }

    /// The ask mark was passed, or the slice is spent. Cheap, never blocks, and may be called from any thread.
    pub fn ask(&self) {
        if self.bell.ring() {
            self.say(Word::Ask);
        }
    }

    /// Frames flow: the slice is in use.
    pub fn speak(&self) {
        self.say(Word::Speak);
    }

    /// Nothing is said for now: the slice is kept for a while, a wish is dropped.
    pub fn silence(&self) {
        self.say(Word::Silence);
    }

    /// As [`MeterLine::silence`], and the slice goes back at once.
    pub fn release(&self) {
        self.say(Word::Release);
    }

    /// The session is to go on at another node: its gate closes, what it used is settled and what it holds goes back. The
    /// listener hears [`Notice::Aside`](footlight_session::meter::Notice::Aside) when that is done, and nothing more is
    /// said of it.
    pub fn let_go(&self) {
        self.say(Word::LetGo);
    }

    /// A session that was let go goes on here after all.
    pub fn come_back(&self) {
        self.say(Word::ComeBack);
    }

    /// The session is another node's. What is not settled stays in the progress record.
    pub fn forget(&self) {
        self.say(Word::Forget);
    }

    /// The session is over: the gate shuts, and its count is settled however long the store takes. The listener hears
    /// [`Notice::Closed`](footlight_session::meter::Notice::Closed) when it is.
    pub fn end(&self, reason: EndReason) {
        self.say(Word::End(reason));
    }

    fn say(&self, word: Word) {
        // Each word answers one thing that happened to the session, and the bell keeps a renderer from repeating itself.
        self.addr.do_send(Said { key: self.key, word });
    }
}

async fn forward_rises(mut rises: broadcast::Receiver<Rise>, meter: actix::WeakAddr<MeterActor>) {
    loop {
        let rise = rises.recv().await;
        let Some(meter) = meter.upgrade() else { return };
        // Awaited, so that hints wait in the desk's bounded queue rather than in the mailbox.
        let sent = match rise {
            Ok(Rise::Of(account)) => meter.send(Rose(account)).await,
            Ok(Rise::Any) | Err(broadcast::error::RecvError::Lagged(_)) => meter.send(AnyMayHaveRisen).await,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if sent.is_err() {
            return;
        }
    }
}
