//! Performing what the machine decided.

use std::sync::Arc;

use actix::{AsyncContext, Context};
use footlight_session::machine::{Effect, MeterOrder, News, StageOrder};
use footlight_session::{Input, SessionState};
use footlight_stage::{StageError, StageEvent};

use super::actor::{STAGE_BUSY_PAUSE, SessionActor};
use super::messages::Staged;
use crate::directory::Finality;
use crate::event::SessionEventKind;

impl SessionActor {
    pub(super) fn perform(&mut self, effect: Effect, inputs: &mut Vec<Input>, ctx: &mut Context<Self>) {
        match effect {
            Effect::Stage(order) => self.direct(order, inputs, ctx),
            Effect::Meter(order) => self.meter(order),
            Effect::TakeSlot => {
                self.slot_wish += 1;
                let weight = self.parts.seat.weight_milli();
                self.parts.supervisor.take_slot(weight, self.slot_wish, ctx.address().recipient());
            }
            Effect::FreeSlot => {
                self.slot_wish += 1;
                if std::mem::take(&mut self.holds_slot) {
                    self.parts.supervisor.free_slot(self.parts.seat.weight_milli());
                }
            }
            Effect::Tell(news) => self.announce(news),
        }
    }

    fn direct(&mut self, order: StageOrder, inputs: &mut Vec<Input>, ctx: &mut Context<Self>) {
        if matches!(order, StageOrder::Open | StageOrder::Close) {
            // What the one before was to do is over with it.
            self.orders.clear();
        }
        if order == StageOrder::Open {
            return self.open(inputs, ctx);
        }
        if order == StageOrder::DropSpeech {
            self.audio.clear();
        }
        let is_first = self.orders.is_empty();
        self.put_in_line(order);
        if is_first {
            self.give_orders(ctx);
        }
    }

    /// Behind those that the stage had no room for: orders are never dropped, and never overtake each other.
    fn put_in_line(&mut self, order: StageOrder) {
        let turns = |order: &StageOrder| matches!(order, StageOrder::Pause | StageOrder::Resume);
        match self.orders.back_mut() {
            // The last one counts. So the line stays short, whoever pauses and resumes meanwhile.
            Some(last) if turns(last) && turns(&order) => *last = order,
            Some(last) if *last == order => {}
            _ => self.orders.push_back(order),
        }
    }

    fn give_orders(&mut self, ctx: &mut Context<Self>) {
        while let Some(order) = self.orders.front().cloned() {
            match self.give(&order) {
                Ok(()) => {}
                Err(StageError::Busy { .. }) => {
                    // When some of those that wait are done.
                    ctx.run_later(STAGE_BUSY_PAUSE, |actor, ctx| actor.give_orders(ctx));
                    return;
                }
                // It broke: that comes as an event of its own.
                Err(error) => tracing::debug!(session = %self.parts.card.id, %error, "an order found no performance"),
            }
            self.orders.pop_front();
        }
    }

    fn give(&mut self, order: &StageOrder) -> Result<(), StageError> {
        let Some(performance) = self.parts.card.performance() else { return Ok(()) };
        match order {
            StageOrder::Open => Ok(()),
            StageOrder::Pause => performance.pause(),
            StageOrder::Resume => performance.resume(),
            // Whatever it answers, the utterances' ends are told by the stage.
            StageOrder::DropSpeech => performance.interrupt().map(drop),
            StageOrder::SpeakAgain(utterances) => {
                // In one order, which is given again as a whole where it finds no room.
                performance.go_on(utterances.iter().filter_map(|id| self.audio.get(id).cloned()).collect())
            }
            StageOrder::Close => {
                performance.close();
                self.parts.card.set_performance(None);
                Ok(())
            }
        }
    }

    fn open(&mut self, inputs: &mut Vec<Input>, ctx: &mut Context<Self>) {
        self.performance += 1;
        if self.performance > 1 {
            self.parts.metrics.restarts.with_label_values(&["renderer"]).inc();
        }
        let (number, session, line) = (self.performance, ctx.address(), self.line.clone());
        let sink = move |event: StageEvent| {
            // On a worker thread in the middle of a frame: straight to the meter, and on.
            if matches!(event, StageEvent::AskNow | StageEvent::SliceSpent)
                && let Some(line) = &line
            {
                line.ask();
            }
            if event != StageEvent::AskNow {
                // A handful per utterance; none per frame.
                session.do_send(Staged { performance: number, event });
            }
        };
        // What it needs was prepared before the session was admitted, so this does not block.
        let gate = Arc::clone(&self.parts.gate);
        let (stage, spec, sink) = (&self.parts.stage, self.parts.spec.clone(), Arc::new(sink));
        let opened = match &self.broken {
            Some(broken) => stage.open_after(broken, spec, gate, sink),
            None => stage.open(spec, gate, sink),
        };
        match opened {
            Ok(performance) => {
                self.broken = None;
                self.parts.card.set_performance(Some(performance));
            }
            Err(error) => {
                tracing::warn!(session = %self.parts.card.id, %error, "the renderer could not be opened");
                inputs.push(Input::RendererFailed);
            }
        }
    }

    fn meter(&self, order: MeterOrder) {
        let Some(line) = &self.line else { return };
        match order {
            MeterOrder::Want => line.want(),
            MeterOrder::Speak => line.speak(),
            MeterOrder::Silence => line.silence(),
            MeterOrder::Release => line.release(),
            MeterOrder::End(reason) => {
                // Here and not only in the meter: from this moment on no frame is counted, whatever waits in mailboxes.
                self.parts.gate.shut();
                line.end(reason);
            }
        }
    }

    fn announce(&mut self, news: News) {
        let kind = match news {
            News::State { state, pause_reasons } => {
                self.parts.seat.speaks(state == SessionState::Running);
                SessionEventKind::StateChanged { state, pause_reasons }
            }
            News::UtteranceStarted(utterance) => SessionEventKind::UtteranceStarted { utterance },
            News::UtteranceEnded { utterance, position_ms, interrupted, failed } => {
                self.audio.remove(&utterance);
                self.parts.keeper.over(self.parts.card.id, utterance);
                SessionEventKind::UtteranceEnded { utterance, position_ms, interrupted, failed }
            }
            News::CreditsLow(units) => {
                let remaining_ms = units.saturating_mul(60_000) / self.parts.pricing.units_per_minute;
                SessionEventKind::CreditsLow { remaining_ms }
            }
            News::Restarting(attempt) => SessionEventKind::RendererRestarted { attempt },
            News::Ended(reason) => {
                self.parts.seat.leave();
                self.parts.keeper.session_over(self.parts.card.id);
                SessionEventKind::Ended { reason }
            }
        };
        let changes_record = matches!(kind, SessionEventKind::StateChanged { .. });
        self.parts.card.tell((self.parts.wall)(), kind);
        // That it is over its record says only once its account does, which `settled` sees to: who crashes in between, or loses
        // the session, leaves one that recovery or an heir finds.
        if changes_record && !self.is_disowned && self.parts.card.end_reason().is_none() {
            self.parts.directory.put(self.parts.card.record(), Finality::MoreFollows);
        }
    }
}
