//! The meter's handlers: translate, change a line, leave the rest to the next round.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, MessageResult};
use footlight_ledger::AccountId;
use footlight_session::Moment;
use footlight_session::meter::{Answer, Notice, TimingWheel};
use footlight_store::LedgerDesk;
use tokio::sync::oneshot;

use super::account::AccountLines;
use super::figures::MeterFigures;
use super::handle::{MeterOptions, MeterParts};
use super::line::Line;
use super::messages::{
    Answered, AnyMayHaveRisen, Figures, Key, Ping, Register, Rose, Said, StopMeter, StoreCameBack, TellWhenSettled,
    Tick, Word, WriteProgress,
};
use super::progress::ProgressSink;
use crate::metrics::Metrics;
use crate::panic::AbortOnPanic;
use crate::time::NodeClock;

/// The meter of one node. See the module's documentation.
pub(super) struct MeterActor {
    pub(super) desk: LedgerDesk,
    pub(super) options: MeterOptions,
    pub(super) node_clock: NodeClock,
    pub(super) progress: Box<dyn ProgressSink>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) lines: HashMap<Key, Line>,
    pub(super) accounts: HashMap<AccountId, AccountLines>,
    pub(super) wheel: TimingWheel<Key>,
    pub(super) account_wheel: TimingWheel<AccountId>,
    /// Lines to look at in the next round, in this order.
    pub(super) touched: Vec<Key>,
    /// Lines whose gates may move.
    pub(super) holding: HashSet<Key>,
    pub(super) ending: HashSet<Key>,
    /// When the last round sent something.
    pub(super) last_sent: Moment,
    pub(super) figures: MeterFigures,
    settled_waiters: Vec<oneshot::Sender<()>>,
}

/// How many of those who wait are asked for at once: a rise seldom pays for more, and if it does, each of their answers
/// brings the next.
const ASK_AT_ONCE: usize = 64;
/// How many are asked for when nothing says that credit came.
const ASK_UNPROMPTED: usize = 4;
/// Everything that failed while the store was away is sent again within this time, not at once.
const COME_BACK_OVER: Duration = Duration::from_millis(500);

impl MeterActor {
    pub(super) fn new(parts: MeterParts) -> Self {
        let MeterParts { desk, options, clock, progress, metrics } = parts;
        let now = clock.now();
        Self {
            desk,
            options,
            node_clock: clock,
            progress,
            metrics,
            lines: HashMap::new(),
            accounts: HashMap::new(),
            wheel: TimingWheel::new(now),
            account_wheel: TimingWheel::new(now),
            touched: Vec::new(),
            holding: HashSet::new(),
            ending: HashSet::new(),
            last_sent: Moment::default(),
            figures: MeterFigures::default(),
            settled_waiters: Vec::new(),
        }
    }

    /// Looks at a line in the next round.
    pub(super) fn touch(&mut self, key: Key) {
        if let Some(line) = self.lines.get_mut(&key)
            && !std::mem::replace(&mut line.is_touched, true)
        {
            self.touched.push(key);
        }
    }

    /// A round now rather than at the next tick, unless one has just sent something: speech that begins on a quiet node
    /// waits for no tick, and a busy node still batches.
    fn hurry(&mut self, ctx: &mut Context<Self>) {
        let now = self.node_clock.now();
        if self.last_sent.plus(self.options.tick) <= now {
            self.round(now, ctx.address());
        }
    }

    fn hear(&mut self, now: Moment, key: Key, word: Word) {
        if word == Word::Forget {
            return self.forget(key);
        }
        let Some(line) = self.lines.get_mut(&key) else { return };
        match word {
            Word::Want => line.clock.want(),
            Word::Ask => {
                line.bell.heard();
                line.clock.ask();
            }
            Word::Speak => line.clock.speak(),
            Word::Silence => line.clock.fall_silent(now, self.options.hold_after_speech),
            Word::Release => line.clock.fall_silent(now, Duration::ZERO),
            Word::LetGo => line.clock.let_go(&line.gate),
            Word::ComeBack => line.clock.come_back(now),
            Word::Forget => {}
            Word::End(reason) => line.clock.end(&line.gate, reason),
        }
        self.place(now, key);
        self.touch(key);
    }

    /// Puts a line where its clock says it belongs: in its account's queue, among the hopeful, among those that hold.
    pub(super) fn place(&mut self, now: Moment, key: Key) {
        let Some(line) = self.lines.get(&key) else { return };
        let clock = &line.clock;
        if clock.is_holding() {
            self.holding.insert(key)
        } else {
            self.holding.remove(&key)
        };
        if clock.is_ending() {
            self.ending.insert(key)
        } else {
            self.ending.remove(&key)
        };
        let account = line.account;
        let Some(lines) = self.accounts.get_mut(&account) else { return };
        if clock.is_hopeful() {
            lines.hopeful.insert(key)
        } else {
            lines.hopeful.remove(&key)
        };
        let others_waited = !lines.queue.is_empty();
        if clock.is_in_line() {
            lines.queue.join(now, key)
        } else {
            lines.queue.leave(key)
        };
        self.schedule_account(account);
        if !others_waited && self.accounts.get(&account).is_some_and(|lines| !lines.queue.is_empty()) {
            self.somebody_waits(account);
        }
    }

    /// The first one of an account has to wait: those who speak take turns from now on, and those who only keep a slice
    /// give it back.
    fn somebody_waits(&mut self, account: AccountId) {
        let Some(lines) = self.accounts.get(&account) else { return };
        let members: Vec<Key> = lines.members.iter().copied().filter(|key| self.holding.contains(key)).collect();
        for key in members {
            if let Some(line) = self.lines.get_mut(&key) {
                line.clock.take_turns(&line.gate);
                if line.gate.crossed_ask_mark() {
                    line.clock.ask();
                }
            }
            self.touch(key);
        }
    }

    pub(super) fn schedule_account(&mut self, account: AccountId) {
        let Some(lines) = self.accounts.get_mut(&account) else { return };
        let at = lines.queue.poll_at();
        if at < lines.wheel_at {
            lines.wheel_at = at;
            self.account_wheel.push(at, account);
        }
    }

    /// Has those ask again who wait for credit, in their order, and those who may yet be refused.
    pub(super) fn pump(&mut self, now: Moment, account: AccountId, hint: Hint) {
        let Some(lines) = self.accounts.get_mut(&account) else { return };
        let (most, hopeful) = match hint {
            Hint::CreditsRose => {
                lines.queue.hurry(now);
                (ASK_AT_ONCE, lines.hopeful.iter().copied().collect())
            }
            Hint::None => {
                lines.queue.polled(now);
                (ASK_UNPROMPTED, Vec::new())
            }
        };
        let asking: Vec<Key> = lines.queue.front(most).chain(hopeful).collect();
        self.schedule_account(account);
        for key in asking {
            if let Some(line) = self.lines.get_mut(&key) {
                line.clock.credits_rose();
            }
            self.touch(key);
        }
    }

    pub(super) fn tell_settled(&mut self) {
        if self.ending.is_empty() {
            for waiter in self.settled_waiters.drain(..) {
                // Whoever asked may have stopped waiting.
                let _ = waiter.send(());
            }
        }
    }

    fn forget(&mut self, key: Key) {
        let Some(line) = self.lines.remove(&key) else { return };
        // What is not settled is left for the heir to find.
        if let Some(slot) = line.slot.filter(|_| line.clock.is_aside() || line.clock.is_closed()) {
            self.progress.release(slot);
        }
        self.holding.remove(&key);
        self.ending.remove(&key);
        if let Some(lines) = self.accounts.get_mut(&line.account) {
            lines.members.remove(&key);
            lines.hopeful.remove(&key);
            lines.queue.leave(key);
            if lines.members.is_empty() {
                self.accounts.remove(&line.account);
            }
        }
    }
}

/// Why those who wait ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// Somebody said that credit came.
    CreditsRose,
    /// Nobody did; a hint may have been lost.
    None,
}

impl Actor for MeterActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Senders bound themselves: sessions by their number, the renderer by its bell, answers by requests in the air.
        ctx.set_mailbox_capacity(1024);
        actix_rt::spawn(every(self.options.tick, ctx.address(), || Tick));
        actix_rt::spawn(every(self.options.progress_every, ctx.address(), || WriteProgress));
    }
}

/// Sends a message every so often and waits until it was handled: after a stall there is one, not a burst.
async fn every<M>(interval: Duration, addr: actix::Addr<MeterActor>, message: impl Fn() -> M)
where
    M: actix::Message<Result = ()> + Send + 'static,
    MeterActor: Handler<M>,
{
    let addr = {
        let weak = addr.downgrade();
        drop(addr);
        weak
    };
    loop {
        tokio::time::sleep(interval).await;
        let Some(addr) = addr.upgrade() else { return };
        if addr.send(message()).await.is_err() {
            return;
        }
    }
}

impl Handler<Register> for MeterActor {
    type Result = ();

    fn handle(&mut self, message: Register, ctx: &mut Self::Context) {
        let _abort = AbortOnPanic("meter");
        let Register { key, line } = message;
        let mut line = *line;
        line.slot = self.progress.assign(&line.progress());
        self.accounts.entry(line.account).or_insert_with(AccountLines::new).members.insert(key);
        self.lines.insert(key, line);
        self.touch(key);
        self.hurry(ctx);
    }
}

impl Handler<Said> for MeterActor {
    type Result = ();

    fn handle(&mut self, message: Said, ctx: &mut Self::Context) {
        let _abort = AbortOnPanic("meter");
        self.hear(self.node_clock.now(), message.key, message.word);
        self.hurry(ctx);
    }
}

impl Handler<Rose> for MeterActor {
    type Result = ();

    fn handle(&mut self, message: Rose, ctx: &mut Self::Context) {
        let _abort = AbortOnPanic("meter");
        self.pump(self.node_clock.now(), message.0, Hint::CreditsRose);
        self.hurry(ctx);
    }
}

impl Handler<AnyMayHaveRisen> for MeterActor {
    type Result = ();

    fn handle(&mut self, _: AnyMayHaveRisen, ctx: &mut Self::Context) {
        let _abort = AbortOnPanic("meter");
        let now = self.node_clock.now();
        let eager = |lines: &AccountLines| !lines.queue.is_empty() || !lines.hopeful.is_empty();
        let accounts: Vec<AccountId> =
            self.accounts.iter().filter(|(_, lines)| eager(lines)).map(|(account, _)| *account).collect();
        for account in accounts {
            self.pump(now, account, Hint::CreditsRose);
        }
        self.hurry(ctx);
    }
}

impl Handler<StoreCameBack> for MeterActor {
    type Result = ();

    fn handle(&mut self, _: StoreCameBack, _: &mut Self::Context) {
        let _abort = AbortOnPanic("meter");
        let now = self.node_clock.now();
        let keys: Vec<Key> = self.lines.keys().copied().collect();
        for key in keys {
            if let Some(line) = self.lines.get_mut(&key) {
                line.clock.store_is_back(now.plus(COME_BACK_OVER.mul_f64(rand::random())));
            }
            self.touch(key);
        }
    }
}

impl Handler<Answered> for MeterActor {
    type Result = ();

    fn handle(&mut self, message: Answered, ctx: &mut Self::Context) {
        let _abort = AbortOnPanic("meter");
        let now = self.node_clock.now();
        for (key, number, answer) in message.0 {
            self.count(&answer);
            let Some(line) = self.lines.get_mut(&key) else { continue };
            if let (Answer::Settled(_), Some(lag)) = (&answer, line.clock.lag(now, number)) {
                self.figures.lag.note(lag);
                self.metrics.heartbeat_lag.observe(lag.as_secs_f64());
            }
            let options = &self.options.clock;
            let notice = line.clock.answer(now, &line.gate, number, &answer, rand::random(), options);
            let others_wait = self.accounts.get(&line.account).is_some_and(|lines| lines.queue.others_wait(key));
            if others_wait {
                line.clock.take_turns(&line.gate);
            }
            if line.gate.crossed_ask_mark() {
                // The mark was passed before it was set: no renderer will ring for it.
                line.clock.ask();
            }
            self.place(now, key);
            self.touch(key);
            self.pass_on(key, notice);
        }
        self.tell_settled();
        self.hurry(ctx);
    }
}

impl MeterActor {
    fn count_waiting(&self) -> usize {
        self.accounts.values().map(|lines| lines.queue.len()).sum()
    }

    fn count_in_grace(&self) -> usize {
        self.holding.iter().filter(|key| self.lines[*key].clock.is_in_grace()).count()
    }

    /// Tells the session, and forgets its line when nothing more will come of it.
    pub(super) fn pass_on(&mut self, key: Key, notice: Option<Notice>) {
        let Some(notice) = notice else { return };
        let Some(line) = self.lines.get(&key) else { return };
        line.tell(notice);
        match notice {
            Notice::Closed(_) | Notice::Forgotten | Notice::Fenced => self.forget(key),
            Notice::Granted
            | Notice::GrantedLast { .. }
            | Notice::Refused(_)
            | Notice::Lost(_)
            | Notice::Aside { .. } => {}
        }
    }
}

impl Handler<Tick> for MeterActor {
    type Result = ();

    fn handle(&mut self, _: Tick, ctx: &mut Self::Context) {
        let _abort = AbortOnPanic("meter");
        let now = self.node_clock.now();
        self.turn_wheels(now);
        self.round(now, ctx.address());
    }
}

impl Handler<WriteProgress> for MeterActor {
    type Result = ();

    fn handle(&mut self, _: WriteProgress, _: &mut Self::Context) {
        let _abort = AbortOnPanic("meter");
        self.write_progress(self.node_clock.now());
        let (waiting, in_grace) = (self.count_waiting(), self.count_in_grace());
        self.metrics.meter_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.metrics.meter_in_grace.set(i64::try_from(in_grace).unwrap_or(i64::MAX));
    }
}

impl Handler<TellWhenSettled> for MeterActor {
    type Result = ();

    fn handle(&mut self, message: TellWhenSettled, _: &mut Self::Context) {
        let _abort = AbortOnPanic("meter");
        self.settled_waiters.push(message.0);
        self.tell_settled();
    }
}

impl Handler<Ping> for MeterActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Figures> for MeterActor {
    type Result = MessageResult<Figures>;

    fn handle(&mut self, _: Figures, _: &mut Self::Context) -> Self::Result {
        let _abort = AbortOnPanic("meter");
        let count = |count: usize| count as u64;
        MessageResult(MeterFigures {
            lines: count(self.lines.len()),
            holding: count(self.holding.len()),
            waiting: count(self.count_waiting()),
            in_grace: count(self.count_in_grace()),
            ending: count(self.ending.len()),
            ..self.figures.clone()
        })
    }
}

impl Handler<StopMeter> for MeterActor {
    type Result = ();

    fn handle(&mut self, _: StopMeter, ctx: &mut Self::Context) {
        let _abort = AbortOnPanic("meter");
        self.write_progress(self.node_clock.now());
        ctx.stop();
    }
}
