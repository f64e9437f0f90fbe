//! Sessions whose engine is elsewhere: it counts what it uses, reports that and asks; this side has the account, and says
//! what people may see and do. No actor runs them: a report is a call, and between reports there is nothing to do but to
//! look whether one is overdue.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use footlight_ledger::{
    AccountId, Ask, Command, EndReason, Outcome, PauseReason, Refusal, SecretId, SessionId, SliceAnswer, Tab, TabState,
    Touched, Units, Verdict,
};
use footlight_session::{Inherited, SessionRecord, SessionState};
use parking_lot::Mutex;
use tokio::time::sleep;

use super::create::Order;
use super::{Inner, Node, sessions};
use crate::card::{Counter, SessionCard};
use crate::directory::Finality;
use crate::engine::{Engine, EngineLimits};
use crate::event::SessionEventKind;
use crate::{Caller, NodeError};

/// How often engines are looked at for having idled, paused or lived too long.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long after its record a session has begun in the books at the latest.
const BEGINS_WITHIN_MS: i64 = 60_000;
/// When a refused engine should try again, in seconds.
const FULL_RETRY_S: u32 = 5;

/// What an engine elsewhere reports, under a number that names the report for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineReport {
    /// The session's epoch, as its beginning told it.
    pub epoch: u32,
    /// Grows with every report.
    pub number: u64,
    /// Cumulative units of the session.
    pub units: Units,
    /// What it asks for.
    pub ask: Ask,
    /// Whether it is the last one: the session ends with it.
    pub is_last: bool,
}

/// What an engine is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineAnswer {
    /// What the account settled and gave.
    pub slice: SliceAnswer,
    /// Why it may not go on; it may when this is empty.
    pub pause_reasons: BTreeSet<PauseReason>,
    /// Why the session is over, if it is.
    pub end_reason: Option<EndReason>,
    /// Whether the session was over before this report: what it told was charged, and marked late.
    pub late: bool,
}

/// Where an engine's session is found.
enum Found {
    Live(Arc<SessionCard>),
    Over(Box<SessionRecord>),
}

impl Node {
    /// Takes an engine's report. The same number gets the same slice again, whatever it says the second time.
    ///
    /// # Errors
    /// [`NodeError::NotFound`]; [`NodeError::Ended`] when the settlement is closed; [`NodeError::Refused`] for a number or
    /// an epoch that is not the present one; [`NodeError::MadeHere`]; what the store said: then report again under the
    /// same number.
    pub async fn heartbeat(&self, who: Caller, id: SessionId, report: EngineReport) -> Result<EngineAnswer, NodeError> {
        let answered = self.try_heartbeat(who, id, report).await;
        let result = match &answered {
            Ok(_) => "settled",
            Err(NodeError::StoreUnreachable(_) | NodeError::Store(_)) => "unreachable",
            Err(_) => "refused",
        };
        self.inner.metrics.heartbeats.with_label_values(&[result]).inc();
        answered
    }

    async fn try_heartbeat(&self, who: Caller, id: SessionId, report: EngineReport) -> Result<EngineAnswer, NodeError> {
        match self.find_engine(who, id).await? {
            Found::Live(card) => self.heartbeat_of(&card, report).await,
            Found::Over(record) => self.late_report_of(*record, report).await,
        }
    }

    async fn heartbeat_of(&self, card: &Arc<SessionCard>, report: EngineReport) -> Result<EngineAnswer, NodeError> {
        let engine = card.engine().ok_or(NodeError::MadeHere)?;
        let is_held = engine.lock().is_held();
        let slice = self.report(card.account, card.id, report, is_held).await?;
        card.set_reported(slice.settled_units, slice.charged);
        if slice.verdict == Verdict::Closed {
            let late = !report.is_last;
            let reason = if late { self.ended_for(card.account, card.id).await? } else { EndReason::Stopped };
            // Somebody else may have ended it first, and said why.
            let reason = card.end_reason().unwrap_or(reason);
            self.inner.end_engine(card, reason);
            return Ok(EngineAnswer { slice, pause_reasons: BTreeSet::new(), end_reason: Some(reason), late });
        }
        let (told, pause_reasons) = {
            let mut engine = engine.lock();
            let told = engine.answered(self.inner.clock.now(), report.number, &slice);
            (told, engine.pause_reasons())
        };
        if told.has_moved {
            self.inner.tell_engine_moved(card);
        }
        if let Some(units) = told.last_slice {
            let remaining_ms = units.saturating_mul(60_000) / card.pricing().units_per_minute.max(1);
            card.tell(self.now(), SessionEventKind::CreditsLow { remaining_ms });
        }
        Ok(EngineAnswer { slice, pause_reasons, end_reason: None, late: false })
    }

    /// The report of a session that is over already: charged while the account takes it.
    async fn late_report_of(&self, mut record: SessionRecord, report: EngineReport) -> Result<EngineAnswer, NodeError> {
        let slice = self.report(record.account, record.id, report, true).await?;
        let end_reason = record.end_reason;
        if record.units < slice.settled_units || record.credits_used < slice.charged {
            (record.units, record.credits_used) = (slice.settled_units, slice.charged);
            self.inner.directory.put(record, Finality::Last);
        }
        Ok(EngineAnswer { slice, pause_reasons: BTreeSet::new(), end_reason, late: true })
    }

    async fn report(
        &self,
        account: AccountId,
        session: SessionId,
        report: EngineReport,
        is_held: bool,
    ) -> Result<SliceAnswer, NodeError> {
        let EngineReport { epoch, number, units, ask, is_last } = report;
        let command = if is_last {
            Command::EndSession { session, epoch, number, units, reason: EndReason::Stopped }
        } else {
            // Who is held back here gets nothing there, and gives back what it has.
            let ask = if is_held { Ask::Release } else { ask };
            Command::Heartbeat { session, epoch, number, units, ask }
        };
        match self.submit(account, command).await? {
            Outcome::Heartbeat(slice) | Outcome::Ended(slice) => Ok(slice),
            outcome => Err(NodeError::Internal { detail: format!("a report was answered by {outcome:?}") }),
        }
    }

    /// The session, if its engine is elsewhere. One that this node does not have in hand, because it was begun at another
    /// or before a restart, is taken in hand.
    async fn find_engine(&self, who: Caller, id: SessionId) -> Result<Found, NodeError> {
        if let Some(card) = self.inner.cards.get(id) {
            if !who.sees(card.account) {
                return Err(sessions::no_session());
            }
            return match card.end_reason() {
                Some(_) if card.engine().is_some() => Ok(Found::Over(Box::new(card.record()))),
                _ => Ok(Found::Live(card)),
            };
        }
        let record = self.session(who, id).await?;
        if !record.product.is_remote() {
            return Err(NodeError::MadeHere);
        }
        if record.state == SessionState::Ended {
            return Ok(Found::Over(Box::new(record)));
        }
        Ok(Found::Live(self.inner.adopt_engine(record)))
    }

    /// Why the account says that the session is over.
    async fn ended_for(&self, account: AccountId, session: SessionId) -> Result<EndReason, NodeError> {
        match self.tab(account, session).await?.map(|tab| tab.state) {
            Some(TabState::Ended { reason, .. }) => Ok(reason),
            // Forgotten since: nobody came back for a week.
            _ => Ok(EndReason::EngineLost),
        }
    }

    pub(super) async fn tab(&self, account: AccountId, session: SessionId) -> Result<Option<Tab>, NodeError> {
        let touched = Touched { sessions: vec![session], ..Touched::default() };
        let books = self.inner.parts.desk.inspect(account, touched).await?;
        Ok(books.and_then(|mut books| books.tabs.remove(&session)))
    }

    /// Begins a session whose engine is elsewhere. It takes no seat: this node makes none of its frames.
    pub(super) async fn create_engine_session(
        &self,
        id: SessionId,
        account: AccountId,
        secret: Option<SecretId>,
        order: &Order,
    ) -> Result<SessionRecord, NodeError> {
        let inner = &self.inner;
        if inner.supervisor.is_draining() {
            return Err(NodeError::Draining);
        }
        let (used, total) = (inner.cards.engines() as u64, u64::from(inner.parts.options.max_engines));
        if used >= total {
            return Err(NodeError::Capacity { what: "engines", used, total, retry_after_s: FULL_RETRY_S });
        }
        let record = SessionRecord { state: SessionState::Idle, ..self.first_record(id, account, secret, order) };
        let mut opening = self.foresee(record).await?;
        self.open(&mut opening).await?;
        let record = opening.stays();
        inner.adopt_engine(record.clone());
        Ok(record)
    }

    /// Ends a session whose engine is elsewhere, at what it last reported. What it used since is charged when it reports.
    pub(super) async fn cut_engine(&self, card: &Arc<SessionCard>, reason: EndReason) -> Result<(), NodeError> {
        let cut = Command::CutSession { session: card.id, reason };
        let reason = match self.inner.parts.desk.submit(card.account, cut).await? {
            Outcome::Ended(slice) => {
                card.set_reported(slice.settled_units, slice.charged);
                reason
            }
            Outcome::Refused(Refusal::SessionEnded { reason }) => {
                if let Some(tab) = self.tab(card.account, card.id).await? {
                    card.set_reported(tab.settled_units, tab.charged);
                }
                reason
            }
            // The account has forgotten it: there is nothing left to settle.
            Outcome::Refused(Refusal::UnknownSession) => reason,
            outcome => return Err(NodeError::Internal { detail: format!("an end was answered by {outcome:?}") }),
        };
        self.inner.end_engine(card, reason);
        Ok(())
    }
}

impl Node {
    /// Ends a session whose time is over. One that another node has in hand by now, and hears the reports of, is that one's.
    async fn look_after(&self, card: &Arc<SessionCard>, reason: Option<EndReason>) -> Result<(), NodeError> {
        let record = self.inner.parts.store.get_session(card.id).await?;
        match record {
            Some(record) if record.boot != self.inner.boot => {
                tracing::debug!(session = %card.id, node = record.node, "another node has an engine's session in hand");
                self.forget_engine(card, Inherited::Moved);
                return Ok(());
            }
            Some(SessionRecord { end_reason: Some(reason), ended_at, units, credits_used, .. }) => {
                // Another node's sweep has ended it, and said so.
                card.set_reported(units, credits_used);
                card.hush();
                card.tell(ended_at.unwrap_or(self.now()), SessionEventKind::Ended { reason });
                self.inner.cards.remove(card.id);
                return Ok(());
            }
            _ => {}
        }
        let Some(reason) = reason else { return Ok(()) };
        if reason != EndReason::MaxDuration
            && let Some(engine) = card.engine()
            && let Some(tab) = self.tab(card.account, card.id).await?
            && engine.lock().has_reported(self.inner.clock.now(), tab.last_number)
        {
            // Elsewhere, without that this node heard of it: its time begins anew.
            return Ok(());
        }
        self.cut_engine(card, reason).await
    }

    /// A session that no node has in hand, since that which had it is gone: taken in hand if its engine is elsewhere.
    ///
    /// # Errors
    /// [`NodeError::Moving`] for one that is being created, or is made by a node; what the store said.
    pub(super) async fn in_hand(&self, record: SessionRecord) -> Result<Arc<SessionCard>, NodeError> {
        if !record.product.is_remote() {
            return Err(NodeError::Moving);
        }
        let begins_until = record.created_at.plus_ms(BEGINS_WITHIN_MS);
        if self.now() < begins_until && self.tab(record.account, record.id).await?.is_none() {
            return Err(NodeError::Moving);
        }
        Ok(self.inner.adopt_engine(record))
    }
}

impl Inner {
    /// Takes a session in hand whose engine is elsewhere.
    pub(super) fn adopt_engine(&self, record: SessionRecord) -> Arc<SessionCard> {
        self.take_engine(record, true)
    }

    /// As [`Inner::adopt_engine`], for one whose beginning was told by another node.
    pub(super) fn adopt_engine_of(&self, record: SessionRecord) -> Arc<SessionCard> {
        self.take_engine(record, false)
    }

    fn take_engine(&self, mut record: SessionRecord, is_new: bool) -> Arc<SessionCard> {
        let was_here = record.boot == self.boot;
        record.node.clone_from(&self.parts.options.name);
        record.boot = self.boot;
        let engine = Engine::new(self.clock.now(), &record.pause_reasons);
        record.state = engine.state();
        let metrics = Arc::clone(&self.metrics);
        let card = self.cards.get_or_insert(record.id, is_new, || {
            SessionCard::new(record, Counter::Reports(Mutex::new(engine)), metrics)
        });
        if !was_here {
            // Whoever had it in hand sees by this that it has not any more.
            self.directory.put(card.record(), Finality::MoreFollows);
        }
        card
    }

    /// Holds an engine back from its next report on.
    pub(super) fn hold_engine(&self, card: &SessionCard, engine: &Mutex<Engine>, reason: PauseReason) {
        let is_new = engine.lock().hold(self.clock.now(), reason);
        if is_new {
            self.tell_engine_moved(card);
        }
    }

    /// Takes that back.
    pub(super) fn lift_engine(&self, card: &SessionCard, engine: &Mutex<Engine>, reason: PauseReason) {
        let was_held = engine.lock().lift(self.clock.now(), reason);
        if was_held {
            self.tell_engine_moved(card);
        }
    }

    fn tell_engine_moved(&self, card: &SessionCard) {
        let Some(engine) = card.engine() else { return };
        let (state, pause_reasons) = {
            let engine = engine.lock();
            (engine.state(), engine.pause_reasons())
        };
        if card.end_reason().is_some() || card.has_departed() {
            return;
        }
        card.tell((self.parts.clock)(), SessionEventKind::StateChanged { state, pause_reasons });
        self.directory.put(card.record(), Finality::MoreFollows);
    }

    /// Says that a session is over whose engine is elsewhere.
    pub(super) fn end_engine(&self, card: &SessionCard, reason: EndReason) {
        let now = (self.parts.clock)();
        card.tell(now, SessionEventKind::Ended { reason });
        let mut record = card.record();
        if record.end_reason.is_none() {
            // Its card was dropped meanwhile; it is over all the same.
            record.end(now, reason);
        }
        self.directory.put(record, Finality::Last);
    }
}

/// Ends what has idled, paused or lived for too long. Engines that are not heard of are the sweeper's.
pub(super) async fn watch(node: Weak<Inner>) {
    loop {
        sleep(LOOK_EVERY).await;
        let Some(inner) = node.upgrade() else { return };
        if !inner.parts.stage.tenure().holds_now() {
            continue;
        }
        let now = inner.clock.now();
        let wall = (inner.parts.clock)();
        let missed_after = Duration::from_millis(u64::try_from(2 * inner.parts.terms.heartbeat_ms).unwrap_or(u64::MAX));
        let node = Node { inner };
        for card in node.inner.cards.all() {
            let Some(engine) = card.engine() else { continue };
            if card.end_reason().is_some() {
                continue;
            }
            let record = card.record();
            let limits = EngineLimits {
                idle_timeout: Duration::from_secs(u64::from(record.idle_timeout_s)),
                paused_timeout: node.inner.parts.options.paused_timeout,
            };
            let lives_until = record.created_at.plus_ms(i64::from(record.max_duration_s) * 1000);
            let reason =
                if wall >= lives_until { Some(EndReason::MaxDuration) } else { engine.lock().overstayed(now, &limits) };
            let is_missed = engine.lock().is_missed(now, missed_after);
            if reason.is_none() && !is_missed {
                continue;
            }
            if let Err(error) = node.look_after(&card, reason).await {
                // The next look tries again.
                tracing::warn!(session = %card.id, %error, "an engine's session could not be looked after");
            }
        }
    }
}
