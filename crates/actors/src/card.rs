//! What anyone on the node may look up of a session without asking its actor.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use actix::Addr;
use footlight_ledger::{
    AccountId, EndReason, Microcredits, PauseReason, Pricing, SecretId, SessionId, Timestamp, Units,
};
use footlight_session::{Inherited, SessionChange, SessionRecord, SessionState, SliceGate, UtteranceId};
use footlight_stage::Performance;
use parking_lot::{Mutex, RwLock};
use tokio::sync::broadcast;

use crate::announce::Announcer;
use crate::engine::Engine;
use crate::event::{EVENTS_KEPT, EventStream, SessionEvent, SessionEventKind};
use crate::metrics::{Metrics, word};
use crate::session::SessionActor;

/// One session as the node's readers see it. Its actor writes it, or its engine's reports do.
pub(crate) struct SessionCard {
    pub(crate) id: SessionId,
    pub(crate) account: AccountId,
    pub(crate) secret: Option<SecretId>,
    pub(crate) counter: Counter,
    board: Mutex<Board>,
    metrics: Arc<Metrics>,
    /// Who tells the account of it, from when on it is among the node's cards.
    announcer: OnceLock<Arc<dyn Announcer>>,
    /// Whether another node tells its story now.
    is_hushed: AtomicBool,
    /// Whether it is on its way to another node.
    is_leaving: AtomicBool,
}

/// Who counts a session's units.
pub(crate) enum Counter {
    /// This node's stage, at the session's gate.
    Gate(Arc<SliceGate>),
    /// An engine elsewhere, by its reports.
    Reports(Mutex<Engine>),
}

struct Board {
    record: SessionRecord,
    /// What was charged in the end; until then the price of what was counted is shown.
    charged: Option<Microcredits>,
    stalls_before: u64,
    performance: Option<Performance>,
    addr: Option<Addr<SessionActor>>,
    sequence: u64,
    /// What accounts that follow from afar were told last that it is held back for, if it is.
    told_paused: Option<BTreeSet<PauseReason>>,
    /// Live utterances that somebody has to send again, from a position in milliseconds.
    resend: Vec<(UtteranceId, u64)>,
    /// It is another node's: nothing more is told.
    has_departed: bool,
    /// Made for the first follower: a channel is several kB, and most sessions have none.
    followers: Option<broadcast::Sender<SessionEvent>>,
}

impl SessionCard {
    pub(crate) fn new(record: SessionRecord, counter: Counter, metrics: Arc<Metrics>) -> Self {
        metrics.sessions.with_label_values(&[word(&record.state), word(&record.product)]).inc();
        Self {
            id: record.id,
            account: record.account,
            secret: record.secret,
            counter,
            board: Mutex::new(Board {
                record,
                charged: None,
                stalls_before: 0,
                performance: None,
                addr: None,
                sequence: 0,
                told_paused: None,
                resend: Vec::new(),
                has_departed: false,
                followers: None,
            }),
            metrics,
            announcer: OnceLock::new(),
            is_hushed: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
        }
    }

    /// The session as it is now.
    pub(crate) fn record(&self) -> SessionRecord {
        self.record_of(&self.board.lock())
    }

    fn record_of(&self, board: &Board) -> SessionRecord {
        let mut record = board.record.clone();
        if let Counter::Gate(gate) = &self.counter {
            record.units = gate.used();
            record.credits_used = board.charged.unwrap_or_else(|| record.pricing.cost(record.units));
        }
        record.stalls = board.stalls_before + board.performance.as_ref().map_or(0, |it| it.snapshot().stalls);
        record
    }

    /// What its engine elsewhere was heard to do; `None` for a session of this node's own.
    pub(crate) const fn engine(&self) -> Option<&Mutex<Engine>> {
        match &self.counter {
            Counter::Gate(_) => None,
            Counter::Reports(engine) => Some(engine),
        }
    }

    /// Counts nothing more.
    pub(crate) fn shut(&self) {
        if let Counter::Gate(gate) = &self.counter {
            gate.shut();
        }
    }

    /// What an engine elsewhere has used, and what that cost.
    pub(crate) fn set_reported(&self, units: Units, charged: Microcredits) {
        let mut board = self.board.lock();
        // Both only grow in the account; answers may overtake each other on their way here.
        board.record.units = board.record.units.max(units);
        board.record.credits_used = board.record.credits_used.max(charged);
    }

    /// The price it was opened at.
    pub(crate) fn pricing(&self) -> Pricing {
        self.board.lock().record.pricing
    }

    pub(crate) fn end_reason(&self) -> Option<EndReason> {
        self.board.lock().record.end_reason
    }

    pub(crate) fn performance(&self) -> Option<Performance> {
        self.board.lock().performance.clone()
    }

    pub(crate) fn set_performance(&self, performance: Option<Performance>) {
        let mut board = self.board.lock();
        let former = std::mem::replace(&mut board.performance, performance);
        board.stalls_before += former.map_or(0, |it| it.snapshot().stalls);
    }

    pub(crate) fn addr(&self) -> Option<Addr<SessionActor>> {
        self.board.lock().addr.clone()
    }

    pub(crate) fn set_addr(&self, addr: Option<Addr<SessionActor>>) {
        self.board.lock().addr = addr;
    }

    pub(crate) fn set_charged(&self, charged: Microcredits) {
        self.board.lock().charged = Some(charged);
    }

    /// Tells followers, and keeps what changes the record.
    pub(crate) fn tell(&self, at: Timestamp, kind: SessionEventKind) {
        let mut board = self.board.lock();
        if board.has_departed {
            return;
        }
        let change = board.change_of(&kind);
        match &kind {
            // Told by somebody who had not heard yet that it is over.
            SessionEventKind::StateChanged { .. } if board.record.state == SessionState::Ended => return,
            SessionEventKind::StateChanged { state, pause_reasons } => {
                self.count_move(&board.record, Some(*state));
                for reason in &board.record.pause_reasons {
                    self.metrics.paused.with_label_values(&[word(reason)]).dec();
                }
                for reason in pause_reasons {
                    self.metrics.paused.with_label_values(&[word(reason)]).inc();
                }
                board.record.state = *state;
                board.record.pause_reasons.clone_from(pause_reasons);
            }
            SessionEventKind::Ended { reason } => {
                if board.record.state == SessionState::Ended {
                    return;
                }
                self.count_move(&board.record, None);
                for reason in &board.record.pause_reasons {
                    self.metrics.paused.with_label_values(&[word(reason)]).dec();
                }
                self.metrics.ended.with_label_values(&[word(reason)]).inc();
                board.record.end(at, *reason);
            }
            SessionEventKind::UtteranceStarted { .. }
            | SessionEventKind::UtteranceEnded { .. }
            | SessionEventKind::GestureStarted { .. }
            | SessionEventKind::CreditsLow { .. }
            | SessionEventKind::RendererRestarted { .. }
            | SessionEventKind::SpeechResend { .. }
            | SessionEventKind::Lagged { .. } => {}
            SessionEventKind::Moved { .. } => {
                // One that is over is nobody's.
                if board.record.state == SessionState::Ended {
                    return;
                }
                self.count_move(&board.record, None);
                for reason in &board.record.pause_reasons {
                    self.metrics.paused.with_label_values(&[word(reason)]).dec();
                }
                board.has_departed = true;
            }
        }
        if let Some(change) = change {
            self.announce(change, &board);
        }
        board.sequence += 1;
        let event = SessionEvent { sequence: board.sequence, at, kind };
        if let Some(followers) = &board.followers {
            // Nobody may be left.
            let _ = followers.send(event);
        }
    }

    /// It goes on at another node: the last that is told of it here.
    pub(crate) fn depart(&self, at: Timestamp, why: Inherited) {
        self.hush();
        self.tell(at, SessionEventKind::Moved { why });
    }

    /// It is another node's, and was told so.
    pub(crate) fn has_departed(&self) -> bool {
        self.board.lock().has_departed
    }

    /// It is on its way to another node, and takes nothing; or it stays after all.
    pub(crate) fn set_leaving(&self, is_leaving: bool) {
        self.is_leaving.store(is_leaving, Ordering::Release);
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Acquire)
    }

    /// What a former owner told of it, and what its followers are to send again.
    pub(crate) fn inherit(&self, former: &SessionRecord, resend: Vec<(UtteranceId, u64)>) {
        let mut board = self.board.lock();
        board.told_paused = (former.state == SessionState::Paused).then(|| former.pause_reasons.clone());
        board.stalls_before = former.stalls;
        board.resend = resend;
    }

    /// Somebody speaks or interrupts: nothing is to be sent again.
    pub(crate) fn forget_resend(&self) -> Vec<UtteranceId> {
        std::mem::take(&mut self.board.lock().resend).into_iter().map(|(utterance, _)| utterance).collect()
    }

    /// Tells the account nothing more: the session belongs to another node.
    pub(crate) fn hush(&self) {
        self.is_hushed.store(true, Ordering::Release);
    }

    /// The node runs it now. `is_new`: nobody has told of it before.
    fn begin(&self, announcer: &Arc<dyn Announcer>, is_new: bool) {
        if self.announcer.set(Arc::clone(announcer)).is_ok() && is_new {
            self.announce(SessionChange::Started, &self.board.lock());
        }
    }

    /// Under the board's lock, so that changes are told in their order.
    fn announce(&self, change: SessionChange, board: &Board) {
        if let Some(announcer) = self.announcer.get()
            && !self.is_hushed.load(Ordering::Acquire)
        {
            announcer.session(change, self.record_of(board));
        }
    }

    /// Its events from now on.
    pub(crate) fn follow(&self, now: Timestamp) -> EventStream {
        let mut board = self.board.lock();
        let (state, pause_reasons) = (board.record.state, board.record.pause_reasons.clone());
        let kind = match board.record.end_reason {
            Some(reason) => SessionEventKind::Ended { reason },
            None => SessionEventKind::StateChanged { state, pause_reasons },
        };
        let first = SessionEvent { sequence: board.sequence, at: now, kind };
        if state == SessionState::Ended {
            return EventStream::over(first);
        }
        let resend = board.resend.iter().map(|&(utterance, resend_from_ms)| SessionEvent {
            sequence: board.sequence,
            at: now,
            kind: SessionEventKind::SpeechResend { utterance, resend_from_ms },
        });
        let first = std::iter::once(first).chain(resend).collect();
        let followers = board.followers.get_or_insert_with(|| broadcast::Sender::new(EVENTS_KEPT));
        EventStream::new(first, followers.subscribe())
    }

    fn count_move(&self, from: &SessionRecord, to: Option<SessionState>) {
        let product = word(&from.product);
        self.metrics.sessions.with_label_values(&[word(&from.state), product.clone()]).dec();
        if let Some(to) = to {
            self.metrics.sessions.with_label_values(&[word(&to), product]).inc();
        }
    }
}

impl Board {
    /// What an event means to an account that follows from afar, if anything.
    fn change_of(&mut self, kind: &SessionEventKind) -> Option<SessionChange> {
        match kind {
            SessionEventKind::StateChanged { state: SessionState::Paused, pause_reasons } => {
                let is_news = self.told_paused.as_ref() != Some(pause_reasons);
                self.told_paused = Some(pause_reasons.clone());
                is_news.then_some(SessionChange::Paused)
            }
            SessionEventKind::StateChanged { .. } => self.told_paused.take().map(|_| SessionChange::Resumed),
            SessionEventKind::Ended { .. } => Some(SessionChange::Ended),
            SessionEventKind::UtteranceStarted { .. }
            | SessionEventKind::UtteranceEnded { .. }
            | SessionEventKind::GestureStarted { .. }
            | SessionEventKind::CreditsLow { .. }
            | SessionEventKind::RendererRestarted { .. }
            | SessionEventKind::SpeechResend { .. }
            | SessionEventKind::Moved { .. }
            | SessionEventKind::Lagged { .. } => None,
        }
    }
}

/// The sessions of this node, ended ones included until their record is in the store.
pub(crate) struct Cards {
    cards: RwLock<HashMap<SessionId, Arc<SessionCard>>>,
    announcer: Arc<dyn Announcer>,
}

impl Cards {
    pub(crate) fn new(announcer: Arc<dyn Announcer>) -> Self {
        Self { cards: RwLock::default(), announcer }
    }

    /// Who tells accounts of them.
    pub(crate) fn announcer(&self) -> &Arc<dyn Announcer> {
        &self.announcer
    }

    pub(crate) fn insert(&self, card: Arc<SessionCard>, is_new: bool) {
        card.begin(&self.announcer, is_new);
        self.cards.write().insert(card.id, card);
    }

    /// The card that is there, or else the one that `make` makes.
    pub(crate) fn get_or_insert(
        &self,
        id: SessionId,
        is_new: bool,
        make: impl FnOnce() -> SessionCard,
    ) -> Arc<SessionCard> {
        let card = Arc::clone(self.cards.write().entry(id).or_insert_with(|| Arc::new(make())));
        card.begin(&self.announcer, is_new);
        card
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<Arc<SessionCard>> {
        self.cards.read().get(&id).cloned()
    }

    /// How many of them have their engine elsewhere.
    pub(crate) fn engines(&self) -> usize {
        self.cards.read().values().filter(|card| card.engine().is_some()).count()
    }

    pub(crate) fn remove(&self, id: SessionId) {
        self.cards.write().remove(&id);
    }

    pub(crate) fn all(&self) -> Vec<Arc<SessionCard>> {
        self.cards.read().values().cloned().collect()
    }
}
