//! One session's actor. Handlers translate, feed the machine, and perform what it decides.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, MessageResult, SpawnHandle};
use footlight_ledger::{EndReason, PauseReason, Pricing, Units};
use footlight_session::machine::StageOrder;
use footlight_session::meter::Notice;
use footlight_session::{Inherited, Input, Moment, SessionMachine, SessionRules, SliceGate, UtteranceId};
use footlight_stage::{
    Gesture, Performance, PerformanceSpec, Remainder, SpeakMode, Stage, StageEvent, Utterance, UtteranceOutcome,
};
use footlight_store::desk::Clock;
use tokio::sync::oneshot;

use super::messages::{
    DeadlineCame, Depart, Disown, Do, InterruptSpeech, LetGo, OpenLive, Ping, PlayGesture, SlotAnswered, Speak, Staged,
    StopSession, TakeBack,
};
use crate::NodeError;
use crate::card::SessionCard;
use crate::directory::{DirectoryWriter, Finality};
use crate::event::SessionEventKind;
use crate::meter::{MeterHandle, MeterLine, MeterNotice, Registration};
use crate::metrics::Metrics;
use crate::speech::SpeechKeeper;
use crate::supervisor::{Seat, SupervisorHandle};
use crate::time::NodeClock;

/// What a session actor is made of.
pub(crate) struct SessionParts {
    pub(crate) card: Arc<SessionCard>,
    pub(crate) gate: Arc<SliceGate>,
    pub(crate) rules: SessionRules,
    pub(crate) spec: PerformanceSpec,
    pub(crate) pricing: Pricing,
    pub(crate) epoch: u32,
    pub(crate) stage: Arc<Stage>,
    pub(crate) meter: MeterHandle,
    pub(crate) supervisor: SupervisorHandle,
    pub(crate) seat: Seat,
    pub(crate) directory: DirectoryWriter,
    pub(crate) clock: NodeClock,
    pub(crate) wall: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) keeper: SpeechKeeper,
    /// What a former owner left unsaid.
    pub(crate) remainders: Vec<Remainder>,
    /// What holds it back from the start.
    pub(crate) held: Vec<PauseReason>,
}

/// One session's actor.
pub(crate) struct SessionActor {
    pub(super) parts: SessionParts,
    /// There from the moment the actor has an address.
    pub(super) machine: Option<SessionMachine>,
    pub(super) line: Option<MeterLine>,
    /// Counts the performances it had.
    pub(super) performance: u32,
    /// The one that broke last: viewers see one session, whose clock and generations the next one goes on with.
    pub(super) broken: Option<Performance>,
    /// Audio that is not over: a renderer that breaks is given again what it had not come to.
    pub(super) audio: HashMap<UtteranceId, Remainder>,
    /// Orders that the stage has no room for yet.
    pub(super) orders: VecDeque<StageOrder>,
    /// Counts its wishes for a speaking slot.
    pub(super) slot_wish: u64,
    pub(super) holds_slot: bool,
    /// It stands still, on its way to another node.
    is_leaving: bool,
    /// Whoever waits until it is let go.
    leave_waiters: Vec<oneshot::Sender<Units>>,
    /// It is another node's, and only reports for the last time.
    pub(super) is_disowned: bool,
    timer: Option<(Moment, SpawnHandle)>,
    stop_waiters: Vec<oneshot::Sender<()>>,
    /// Set once nothing of it is left to do; if it is dropped without, it panicked.
    finished: bool,
}

impl SessionActor {
    pub(crate) fn new(parts: SessionParts) -> Self {
        Self {
            parts,
            machine: None,
            line: None,
            performance: 0,
            broken: None,
            audio: HashMap::new(),
            orders: VecDeque::new(),
            slot_wish: 0,
            holds_slot: false,
            is_leaving: false,
            leave_waiters: Vec::new(),
            is_disowned: false,
            timer: None,
            stop_waiters: Vec::new(),
            finished: false,
        }
    }

    /// Feeds the machine and performs its effects; what those bring at once is fed in turn.
    pub(super) fn feed(&mut self, input: Input, ctx: &mut Context<Self>) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let Some(machine) = &mut self.machine else { return };
            let effects = machine.handle(self.parts.clock.now(), input);
            for effect in effects {
                self.perform(effect, &mut inputs, ctx);
            }
        }
        self.schedule(ctx);
    }

    /// Keeps one timer, for the machine's next deadline.
    fn schedule(&mut self, ctx: &mut Context<Self>) {
        let Some(machine) = &self.machine else { return };
        let deadline = machine.next_deadline();
        if self.timer.is_some_and(|(at, _)| at <= deadline && at > self.parts.clock.now()) {
            // An early timer finds nothing due and sets the next: cheaper than a new one at every touch.
            return;
        }
        if let Some((_, handle)) = self.timer.take() {
            ctx.cancel_future(handle);
        }
        if deadline != Moment::NEVER {
            let handle = ctx.notify_later(DeadlineCame, self.parts.clock.until(deadline));
            self.timer = Some((deadline, handle));
        }
    }

    fn running(&self) -> Result<footlight_stage::Performance, NodeError> {
        if let Some(reason) = self.parts.card.end_reason() {
            return Err(NodeError::Ended { reason });
        }
        if self.is_withheld() {
            return Err(NodeError::Moving);
        }
        // Between a renderer that failed and the next one there is none for a moment.
        self.parts.card.performance().ok_or(NodeError::WrongState { state: "starting", what: "speak yet; try again" })
    }

    /// The last settlement is in the store, or there is nothing to settle.
    fn settled(&mut self, ctx: &mut Context<Self>) {
        if self.is_disowned {
            return self.depart(Inherited::NodeLost, ctx);
        }
        self.parts.directory.put(self.parts.card.record(), Finality::Last);
        if self.parts.epoch > FIRST_EPOCH {
            // Only now: until its account says so, it may be another's yet.
            self.parts.keeper.clear_up(self.parts.card.account, self.parts.card.id);
        }
        self.leave(ctx);
    }

    /// Nothing of it is left to do.
    fn leave(&mut self, ctx: &mut Context<Self>) {
        self.finished = true;
        self.parts.card.set_addr(None);
        for waiter in self.stop_waiters.drain(..) {
            // Whoever stopped it may have stopped waiting.
            let _ = waiter.send(());
        }
        ctx.stop();
    }

    /// The session is another node's: those who watch are told, and nothing of it is written any more.
    fn depart(&mut self, why: Inherited, ctx: &mut Context<Self>) {
        if self.finished {
            return;
        }
        self.vanish(why);
        if std::mem::take(&mut self.holds_slot) {
            self.parts.supervisor.free_slot(self.parts.seat.weight_milli());
        }
        self.parts.seat.leave();
        if let Some(line) = &self.line {
            line.forget();
        }
        self.parts.directory.forget(self.parts.card.id);
        self.leave(ctx);
    }

    /// For those who watch it is gone from here.
    fn vanish(&mut self, why: Inherited) {
        let card = &self.parts.card;
        self.parts.gate.shut();
        // What its performance tells while it closes is nobody's business.
        self.performance += 1;
        self.parts.keeper.forget(card.id);
        // Told before its outlets end, so that nobody takes it for over.
        card.depart((self.parts.wall)(), why);
        if let Some(performance) = card.performance() {
            performance.close();
        }
        card.set_performance(None);
    }

    fn set_leaving(&mut self, is_leaving: bool) {
        self.is_leaving = is_leaving;
        self.parts.card.set_leaving(is_leaving);
    }

    /// Another node may be going on with it: nothing is decided here.
    fn is_withheld(&self) -> bool {
        self.is_leaving || !self.parts.stage.tenure().holds_now()
    }

    /// Queues what a former owner left unsaid.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        let remainders = std::mem::take(&mut self.parts.remainders);
        for remainder in &remainders {
            self.audio.insert(remainder.utterance.id, remainder.clone());
        }
        let ids: Vec<UtteranceId> = remainders.iter().map(|remainder| remainder.utterance.id).collect();
        if let Some(performance) = self.parts.card.performance().filter(|_| !remainders.is_empty())
            && let Err(error) = performance.go_on(remainders)
        {
            // It broke in this moment: the next one is given them.
            tracing::debug!(session = %self.parts.card.id, %error, "what was left unsaid found no performance");
        }
        for id in ids {
            self.feed(Input::Appended(id), ctx);
        }
    }

    /// Somebody who has the live utterances that a former owner did not finish is here, or wants them no more.
    fn resent(&self) {
        for utterance in self.parts.card.forget_resend() {
            self.parts.keeper.over(self.parts.card.id, utterance);
        }
    }
}

impl Actor for SessionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.parts.card.set_addr(Some(ctx.address()));
        // From now on whoever empties the node finds it.
        self.parts.seat.begin();
        let registration = Registration {
            session: self.parts.card.id,
            account: self.parts.card.account,
            pricing: self.parts.pricing,
            epoch: self.parts.epoch,
            gate: Arc::clone(&self.parts.gate),
            listener: Some(ctx.address().recipient()),
        };
        self.line = Some(self.parts.meter.register(registration));
        let (machine, effects) = SessionMachine::new(self.parts.clock.now(), self.parts.rules.clone());
        self.machine = Some(machine);
        let mut inputs = Vec::new();
        for effect in effects {
            self.perform(effect, &mut inputs, ctx);
        }
        let held = std::mem::take(&mut self.parts.held).into_iter().map(Input::Hold);
        for input in held.chain(inputs) {
            self.feed(input, ctx);
        }
        self.go_on(ctx);
        self.schedule(ctx);
    }
}

/// A session that panics ends; its frames are settled like those of any other.
impl Drop for SessionActor {
    fn drop(&mut self) {
        if self.finished || self.parts.supervisor.has_stopped() {
            // What a node that stops leaves unsettled, the next run or an heir settles.
            return;
        }
        tracing::error!(session = %self.parts.card.id, "the session's actor died; the session ends");
        self.parts.metrics.restarts.with_label_values(&["session_actor"]).inc();
        if self.holds_slot {
            self.parts.supervisor.free_slot(self.parts.seat.weight_milli());
        }
        if let Some(line) = &self.line {
            line.end(EndReason::RendererFailed);
        }
        self.parts.keeper.session_over(self.parts.card.id);
        self.parts.supervisor.bury(Arc::clone(&self.parts.card));
    }
}

impl Handler<Do> for SessionActor {
    type Result = ();

    fn handle(&mut self, message: Do, ctx: &mut Self::Context) {
        self.feed(message.0, ctx);
    }
}

impl Handler<Ping> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Speak> for SessionActor {
    type Result = Result<Option<oneshot::Receiver<()>>, NodeError>;

    fn handle(&mut self, message: Speak, ctx: &mut Self::Context) -> Self::Result {
        let Speak { id, audio, mode } = message;
        let utterance = Utterance { id, audio: Arc::clone(&audio) };
        self.running()?.speak(utterance.clone(), mode)?;
        self.resent();
        let input = match mode {
            SpeakMode::Append => Input::Appended(id),
            SpeakMode::Replace => {
                self.audio.clear();
                Input::Replaced(id)
            }
        };
        self.audio.insert(id, Remainder { utterance, from: 0 });
        self.feed(input, ctx);
        // Queued before it is kept, so that speech begins no later for it.
        let card = &self.parts.card;
        Ok(self.parts.keeper.keep(card.account, card.id, id, audio))
    }
}

impl Handler<OpenLive> for SessionActor {
    type Result = Result<footlight_stage::LiveFeed, NodeError>;

    fn handle(&mut self, message: OpenLive, ctx: &mut Self::Context) -> Self::Result {
        let feed = self.running()?.live(message.0)?;
        self.resent();
        self.parts.keeper.keep_live(self.parts.card.account, self.parts.card.id, message.0);
        self.feed(Input::Appended(message.0), ctx);
        Ok(feed)
    }
}

impl Handler<InterruptSpeech> for SessionActor {
    type Result = Result<oneshot::Receiver<footlight_stage::Interrupted>, NodeError>;

    fn handle(&mut self, _: InterruptSpeech, ctx: &mut Self::Context) -> Self::Result {
        // Sent here and now: speech that is submitted after this must not be dropped with what came before.
        let interrupted = self.running()?.interrupt()?;
        self.resent();
        self.audio.clear();
        self.feed(Input::Interrupted, ctx);
        Ok(interrupted)
    }
}

impl Handler<PlayGesture> for SessionActor {
    type Result = Result<Arc<Gesture>, NodeError>;

    fn handle(&mut self, message: PlayGesture, _: &mut Self::Context) -> Self::Result {
        // The machine is not told: a gesture is free, and keeps no session from its timeouts.
        Ok(self.running()?.gesture(&message.0)?)
    }
}

impl Handler<StopSession> for SessionActor {
    type Result = MessageResult<StopSession>;

    fn handle(&mut self, _: StopSession, ctx: &mut Self::Context) -> Self::Result {
        let (reply, settled) = oneshot::channel();
        self.stop_waiters.push(reply);
        self.feed(Input::Stop, ctx);
        MessageResult(settled)
    }
}

impl Handler<SlotAnswered> for SessionActor {
    type Result = ();

    fn handle(&mut self, message: SlotAnswered, ctx: &mut Self::Context) {
        if message.wish != self.slot_wish {
            if message.taken {
                self.parts.supervisor.free_slot(self.parts.seat.weight_milli());
            }
            return;
        }
        self.holds_slot = message.taken;
        self.feed(if message.taken { Input::SlotTaken } else { Input::SlotDenied }, ctx);
    }
}

impl Handler<DeadlineCame> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: DeadlineCame, ctx: &mut Self::Context) {
        if self.is_withheld() {
            // What it comes to, its owner decides: this node, once it may again, or another.
            let handle = ctx.notify_later(DeadlineCame, LOOK_AGAIN);
            self.timer = Some((self.parts.clock.now().plus(LOOK_AGAIN), handle));
            return;
        }
        self.timer = None;
        self.feed(Input::Deadline, ctx);
    }
}

impl Handler<MeterNotice> for SessionActor {
    type Result = ();

    fn handle(&mut self, message: MeterNotice, ctx: &mut Self::Context) {
        match message.0 {
            Notice::Granted => self.feed(Input::Granted, ctx),
            Notice::GrantedLast { units } => self.feed(Input::GrantedLast(units), ctx),
            Notice::Refused(reason) => self.feed(Input::Refused(reason), ctx),
            Notice::Lost(reason) => self.feed(Input::Lost(reason), ctx),
            Notice::Fenced => self.depart(Inherited::NodeLost, ctx),
            Notice::Aside { .. } if self.is_disowned => self.depart(Inherited::NodeLost, ctx),
            Notice::Aside { units } => {
                for waiter in self.leave_waiters.drain(..) {
                    // Whoever moves it may have given up.
                    let _ = waiter.send(units);
                }
            }
            Notice::Closed(answer) => {
                self.parts.card.set_charged(answer.charged);
                self.settled(ctx);
            }
            Notice::Forgotten => self.settled(ctx),
        }
    }
}

impl Handler<Staged> for SessionActor {
    type Result = ();

    fn handle(&mut self, message: Staged, ctx: &mut Self::Context) {
        if message.performance != self.performance {
            return;
        }
        let input = match message.event {
            StageEvent::Ready => Input::Ready,
            StageEvent::WantsToSpeak => Input::WantsToSpeak,
            StageEvent::SliceSpent => Input::SliceSpent,
            StageEvent::StartedSpeaking => Input::StartedSpeaking,
            StageEvent::FellSilent => Input::FellSilent,
            StageEvent::Watched(watched) => Input::Watched(watched),
            StageEvent::UtteranceStarted { utterance, units, .. } => {
                self.parts.keeper.begun(self.parts.card.id, utterance, units);
                Input::UtteranceStarted(utterance)
            }
            StageEvent::UtteranceEnded { utterance, position_ms, outcome } => {
                let (interrupted, failed) = match outcome {
                    UtteranceOutcome::Completed => (false, None),
                    UtteranceOutcome::Interrupted => (true, None),
                    UtteranceOutcome::Failed { detail } => (false, Some(detail)),
                };
                if failed.is_none() {
                    self.audio.remove(&utterance);
                }
                let is_kept = self.audio.contains_key(&utterance);
                Input::UtteranceEnded { utterance, position_ms, interrupted, failed, is_kept }
            }
            StageEvent::Failed { detail } => {
                tracing::warn!(session = %self.parts.card.id, detail, "the renderer failed");
                self.broken = self.parts.card.performance();
                self.parts.card.set_performance(None);
                Input::RendererFailed
            }
            StageEvent::GestureStarted { gesture } => {
                let kind = SessionEventKind::GestureStarted { gesture };
                return self.parts.card.tell((self.parts.wall)(), kind);
            }
            // The meter hears it directly.
            StageEvent::AskNow => return,
        };
        self.feed(input, ctx);
    }
}

impl Handler<LetGo> for SessionActor {
    type Result = Result<oneshot::Receiver<Units>, NodeError>;

    fn handle(&mut self, _: LetGo, _: &mut Self::Context) -> Self::Result {
        if let Some(reason) = self.parts.card.end_reason() {
            return Err(NodeError::Ended { reason });
        }
        if self.is_leaving {
            // The meter tells of it once.
            return Err(NodeError::Moving);
        }
        let (reply, let_go) = oneshot::channel();
        self.leave_waiters.push(reply);
        self.set_leaving(true);
        // Here and not only in the meter: whatever waits in mailboxes, no frame is counted from now on but by a grant that
        // is on its way, and the meter counts those.
        self.parts.gate.close();
        if let Some(line) = &self.line {
            line.let_go();
        }
        Ok(let_go)
    }
}

impl Handler<TakeBack> for SessionActor {
    type Result = ();

    fn handle(&mut self, _: TakeBack, ctx: &mut Self::Context) {
        self.leave_waiters.clear();
        self.set_leaving(false);
        if let Some(line) = &self.line {
            line.come_back();
        }
        self.feed(Input::Regained, ctx);
    }
}

impl Handler<Depart> for SessionActor {
    type Result = ();

    fn handle(&mut self, message: Depart, ctx: &mut Self::Context) {
        self.depart(message.0, ctx);
    }
}

impl Handler<Disown> for SessionActor {
    type Result = MessageResult<Disown>;

    fn handle(&mut self, _: Disown, ctx: &mut Self::Context) -> Self::Result {
        let (reply, gone) = oneshot::channel();
        self.stop_waiters.push(reply);
        self.is_disowned = true;
        self.set_leaving(true);
        self.vanish(Inherited::NodeLost);
        match &self.line {
            Some(line) => line.let_go(),
            None => self.depart(Inherited::NodeLost, ctx),
        }
        ctx.run_later(DISOWN_PATIENCE, |actor, ctx| actor.depart(Inherited::NodeLost, ctx));
        MessageResult(gone)
    }
}

/// Later ones had other owners before.
const FIRST_EPOCH: u32 = 1;
/// How soon a deadline is looked at again that came while another node may have had the session.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long the last report of a session waits that is another node's.
const DISOWN_PATIENCE: Duration = Duration::from_secs(3);
/// How long an order to a stage that has too many waits before it is given again.
pub(super) const STAGE_BUSY_PAUSE: Duration = Duration::from_millis(20);
