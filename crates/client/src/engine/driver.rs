//! The task that talks to the node: it sends what the slice clock says, and moves the gate as it is answered.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use footlight_ledger::{
    Ask, Counting, EndReason, Microcredits, PauseReason, Pricing, Refusal, Rounding, SessionId, SliceAnswer, Surface,
    Units,
};
use footlight_session::meter::{Answer, Notice, Request, RequestKind, SliceClock, SliceClockOptions};
use footlight_session::{Moment, SliceGate};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::status::{Bill, EngineStatus};
use super::usage_file::UsageFile;
use crate::api::Client;
use crate::error::ApiError;
use crate::shapes::{self, Heartbeat, HeartbeatAnswer, Token};

/// How often it looks whether units flow, and counts connected time.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a slice is kept after the last unit, in case more come.
const HOLD_AFTER: Duration = Duration::from_secs(10);
/// A paused engine asks less and less often, down to this part of a heartbeat.
const RETRY_LAST_PART: u32 = 4;

/// What the engine wants of its driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// A unit is to be made, and the gate is empty.
    Speak,
    /// The ask mark was crossed.
    Ask,
    /// Nothing is made for now.
    Silence,
    /// It is over.
    End,
}

/// What came of sending a request.
enum Sent {
    Answered(HeartbeatAnswer),
    Refused(Refusal),
    Unreachable,
    /// The secret is no more: nothing will ever be answered again.
    SecretGone,
}

/// One session's driver.
pub(super) struct Driver {
    client: Client,
    session: SessionId,
    surface: Surface,
    counting: Counting,
    token: Token,
    gate: Arc<SliceGate>,
    usage: Arc<UsageFile>,
    status: watch::Sender<EngineStatus>,
    clock: SliceClock,
    options: SliceClockOptions,
    origin: Instant,
    others_wait: bool,
    /// When a paused session asks again, and after how long the time after.
    retry: Option<(Moment, Duration)>,
    seen_units: Units,
    moved_at: Moment,
    /// Since when connected time is not counted yet; `None` while nothing is connected.
    connected_since: Option<Instant>,
}

impl Driver {
    #[allow(clippy::too_many_arguments, reason = "each is one part, named where it is called")]
    pub(super) fn new(
        client: Client,
        session: SessionId,
        surface: Surface,
        engine: shapes::Engine,
        token: Token,
        gate: Arc<SliceGate>,
        usage: Arc<UsageFile>,
        status: watch::Sender<EngineStatus>,
    ) -> Self {
        let ms = Duration::from_millis;
        let options = SliceClockOptions {
            heartbeat: ms(engine.heartbeat_ms),
            min_slice: ms(engine.min_slice_ms),
            grace: ms(engine.grace_ms),
        };
        // The price is the node's affair; here only time and units meet.
        let units_per_minute = engine.units_per_minute.max(1);
        let pricing = Pricing { rate: Microcredits::ZERO, units_per_minute, rounding: Rounding::Exact };
        let first_beat = Moment::default().plus(options.heartbeat.mul_f64(0.5 + rand::random::<f64>() / 2.0));
        Self {
            client,
            session,
            surface,
            counting: engine.counting,
            token,
            gate,
            usage,
            status,
            clock: SliceClock::new(Moment::default(), pricing, engine.epoch, 0, first_beat),
            options,
            origin: Instant::now(),
            others_wait: false,
            retry: None,
            seen_units: 0,
            moved_at: Moment::default(),
            connected_since: None,
        }
    }

    /// Runs until the last settlement is there.
    pub(super) async fn run(mut self, mut wishes: mpsc::Receiver<Wish>) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (answers, mut answered) = mpsc::channel(1);
        while !self.clock.is_closed() {
            let now = self.now();
            if let Some(request) = self.clock.poll(now, &self.gate, self.others_wait, &self.options) {
                self.usage.note_number(request.number);
                let (client, session, surface) = (self.client.clone(), self.session, self.surface);
                let (token, answers) = (self.token.clone(), answers.clone());
                tokio::spawn(async move {
                    let sent = send(&client, session, surface, token, request).await;
                    // The driver may be gone: then nobody waits for it.
                    let _ = answers.send((request.number, sent)).await;
                });
                continue;
            }
            let deadline = self.clock.next_deadline(self.others_wait, &self.options);
            let deadline = self.retry.map_or(deadline, |(at, _)| deadline.min(at));
            tokio::select! {
                Some((number, (token, sent))) = answered.recv() => {
                    self.token = token;
                    if self.take(number, sent) {
                        return;
                    }
                }
                wish = wishes.recv(), if !self.clock.is_ending() => self.obey(wish.unwrap_or(Wish::End)),
                _ = look.tick() => self.look(),
                () = tokio::time::sleep_until(self.instant(deadline)) => {}
            }
            self.on_time();
        }
    }

    fn now(&self) -> Moment {
        Moment::default().plus(self.origin.elapsed())
    }

    /// A millisecond late rather than early: a timer that fires before its deadline finds nothing due.
    fn instant(&self, moment: Moment) -> Instant {
        const FAR: Duration = Duration::from_secs(24 * 3600);
        self.origin + moment.since(Moment::default()).min(self.origin.elapsed() + FAR) + Duration::from_millis(1)
    }

    fn obey(&mut self, wish: Wish) {
        match wish {
            Wish::Speak => {
                if self.counting == Counting::Connected && self.connected_since.is_none() {
                    self.connected_since = Some(Instant::now());
                }
                // One that is told to wait is asked for by the clock of retries, not as often as its engine looks.
                if self.retry.is_none() || !self.clock.is_waiting() {
                    self.clock.want();
                }
            }
            Wish::Ask => self.clock.ask(),
            Wish::Silence => {
                self.count_connected();
                self.connected_since = None;
                self.retry = None;
                let now = self.now();
                self.clock.fall_silent(now, HOLD_AFTER.min(self.options.heartbeat));
                self.status.send_modify(|status| status.pause_reasons.clear());
            }
            Wish::End => {
                self.count_connected();
                self.connected_since = None;
                self.clock.end(&self.gate, EndReason::Stopped);
            }
        }
    }

    /// Looks whether units flow.
    fn look(&mut self) {
        self.count_connected();
        let (now, used) = (self.now(), self.gate.used());
        if used != self.seen_units {
            (self.seen_units, self.moved_at) = (used, now);
            self.clock.speak();
            if self.gate.crossed_ask_mark() {
                self.clock.ask();
            }
        } else if self.clock.is_holding() && now.since(self.moved_at) >= Duration::from_secs(1) {
            self.clock.stands_still(now, HOLD_AFTER.min(self.options.heartbeat));
        }
    }

    /// Takes the connected time since it was last counted, as far as the slice goes.
    fn count_connected(&mut self) {
        let Some(since) = &mut self.connected_since else { return };
        let now = Instant::now();
        let elapsed = now.duration_since(*since);
        let ms = Units::try_from(elapsed.as_millis()).unwrap_or(Units::MAX);
        // What does not fit the slice is not sold: the session is held back there, whoever noticed it when.
        let fits = ms.min(self.gate.remaining());
        if fits > 0 && self.gate.take(fits) == footlight_session::slice::Taken::Yes {
            self.usage.note_units(self.gate.used());
        }
        *since += Duration::from_millis(ms);
        if self.gate.remaining() == 0 && self.retry.is_none() {
            self.clock.want();
        }
    }

    /// What is due by the clock.
    fn on_time(&mut self) {
        let now = self.now();
        if let Some((at, pause)) = self.retry
            && at <= now
        {
            let last = (self.options.heartbeat / RETRY_LAST_PART).max(pause);
            self.retry = self.clock.is_waiting().then(|| (now.plus(pause), (pause * 2).min(last)));
            if self.clock.is_waiting() {
                self.clock.credits_rose();
            }
        }
        let notice = self.clock.check_grace(now, &self.gate, &self.options);
        self.tell(notice);
        let in_grace = self.clock.is_in_grace();
        self.status.send_if_modified(|status| std::mem::replace(&mut status.in_grace, in_grace) != in_grace);
    }

    /// Takes what a request came to. Answers whether all is over.
    fn take(&mut self, number: u64, sent: Sent) -> bool {
        let (now, jitter) = (self.now(), rand::random());
        let (answer, held) = match sent {
            Sent::Answered(answer) => {
                if let Some(token) = &answer.token {
                    self.token = token.clone();
                }
                self.others_wait = answer.others_wait;
                let credits = answer.credits_used;
                self.status.send_if_modified(|status| std::mem::replace(&mut status.credits, credits) != credits);
                let retry = Duration::from_millis(answer.retry_ms.clamp(50, 60_000));
                if answer.verdict == shapes::Verdict::Refused {
                    self.retry.get_or_insert((now.plus(retry), retry));
                } else {
                    self.retry = None;
                }
                let held: BTreeSet<PauseReason> = answer.pause_reasons.iter().copied().collect();
                if let Some(reason) = answer.end_reason {
                    self.status.send_modify(|status| status.ended = status.ended.or(Some(reason)));
                }
                (Answer::Settled(slice_of(&answer)), Some(held))
            }
            Sent::Refused(refusal) => (Answer::Refused(refusal), None),
            Sent::Unreachable => (Answer::Unreachable, None),
            Sent::SecretGone => {
                self.gate.shut();
                self.status.send_modify(|status| status.ended = Some(EndReason::KeyRevoked));
                return true;
            }
        };
        let notice = self.clock.answer(now, &self.gate, number, &answer, jitter, &self.options);
        if self.others_wait {
            self.clock.take_turns(&self.gate);
        }
        if self.gate.crossed_ask_mark() {
            self.clock.ask();
        }
        self.tell(notice);
        if self.gate.remaining() > 0 {
            // Whoever waits for a unit looks again, also where nothing else about the session changed.
            self.status.send_modify(|_| {});
        }
        if let Some(held) = held {
            // The node may hold it back for more than one reason, and for some though nothing was asked.
            self.status.send_if_modified(|status| {
                let is_news = status.pause_reasons != held;
                status.pause_reasons = held;
                is_news
            });
        }
        false
    }

    fn tell(&mut self, notice: Option<Notice>) {
        let Some(notice) = notice else { return };
        match notice {
            Notice::Granted => self.status.send_modify(|status| {
                status.pause_reasons.clear();
                status.last_slice = None;
            }),
            Notice::GrantedLast { units } => self.status.send_modify(|status| {
                status.pause_reasons.clear();
                status.last_slice = Some(units);
            }),
            Notice::Refused(reason) => {
                self.status.send_modify(|status| status.pause_reasons = BTreeSet::from([reason]))
            }
            Notice::Lost(reason) => self.status.send_modify(|status| status.ended = status.ended.or(Some(reason))),
            Notice::Fenced => self.finish(None, EndReason::EngineLost),
            // Nobody lets go of an engine's own clock.
            Notice::Aside { .. } => {}
            Notice::Closed(answer) => {
                let bill = Bill { units: answer.settled_units, credits: answer.charged };
                self.finish(Some(bill), EndReason::Stopped);
            }
            Notice::Forgotten => {
                let credits = self.status.borrow().credits;
                self.finish(Some(Bill { units: self.gate.used(), credits }), EndReason::Stopped);
            }
        }
    }

    fn finish(&mut self, bill: Option<Bill>, reason: EndReason) {
        self.usage.remove();
        self.status.send_modify(|status| {
            status.ended = status.ended.or(Some(reason));
            status.bill = bill;
        });
    }
}

/// Sends one request, with a fresh token if the old one is over. Answers the token to go on with.
async fn send(client: &Client, session: SessionId, surface: Surface, token: Token, request: Request) -> (Token, Sent) {
    let (ask, end) = match request.kind {
        RequestKind::Beat(ask) => (ask, false),
        RequestKind::End(_) => (Ask::Release, true),
    };
    let Request { epoch, number, units, .. } = request;
    let heartbeat = Heartbeat { epoch, request_number: number, units, ask, end };
    let answer = client.heartbeat(&token, session, heartbeat).await;
    let is_over =
        |error: &ApiError| matches!(error.code(), Some("token_expired" | "token_invalid" | "api_secret_invalid"));
    let (token, answer) = match answer {
        Err(error) if is_over(&error) => match client.runtime_token(surface, Some(session)).await {
            Ok(fresh) => {
                let answer = client.heartbeat(&fresh, session, heartbeat).await;
                (fresh, answer)
            }
            Err(error) => (token, Err(error)),
        },
        answer => (token, answer),
    };
    let sent = match answer {
        Ok(answer) => Sent::Answered(answer),
        Err(error) => said(&error, number),
    };
    (token, sent)
}

/// What an error means for the clock.
fn said(error: &ApiError, number: u64) -> Sent {
    let ApiError::Problem { code, last, end_reason, .. } = error else {
        tracing::debug!(%error, "a heartbeat was not answered");
        return Sent::Unreachable;
    };
    match code.as_str() {
        "stale_request" => Sent::Refused(Refusal::Stale { number, last: last.unwrap_or(number) }),
        "fenced" => Sent::Refused(Refusal::Fenced { epoch: 0, current: 0 }),
        "unknown_session" => Sent::Refused(Refusal::UnknownSession),
        "session_ended" => {
            let word = end_reason.clone().unwrap_or_default();
            let reason = serde_json::from_value(word.into()).unwrap_or(EndReason::Stopped);
            Sent::Refused(Refusal::SessionEnded { reason })
        }
        "api_secret_invalid" | "api_secret_missing" => Sent::SecretGone,
        _ if error.is_passing() => Sent::Unreachable,
        _ => {
            // It was answered, so there is no grace. Nothing that this engine can mend by itself: it is held back.
            tracing::error!(%error, "a heartbeat was refused");
            Sent::Refused(Refusal::Suspended)
        }
    }
}

fn slice_of(answer: &HeartbeatAnswer) -> SliceAnswer {
    use footlight_ledger::Verdict;
    let verdict = match answer.verdict {
        shapes::Verdict::Granted => Verdict::Granted,
        shapes::Verdict::Final => Verdict::Final,
        shapes::Verdict::Settled => Verdict::Settled,
        shapes::Verdict::Refused => {
            Verdict::Refused(answer.pause_reasons.first().copied().unwrap_or(PauseReason::ByRequest))
        }
        shapes::Verdict::Ended => Verdict::Closed,
    };
    SliceAnswer {
        verdict,
        settled_units: answer.settled_units,
        slice_end: answer.slice_end,
        grace_units: answer.grace_units,
        charged: answer.credits_used,
        others_wait: answer.others_wait,
    }
}
