//! The machine itself.

use std::collections::BTreeSet;
use std::time::Duration;

use footlight_ledger::{EndReason, PauseReason};

use super::effect::{Effect, Effects, MeterOrder, News, StageOrder};
use super::input::Input;
use super::speech::Speech;
use super::state::{State, is_lifted_by_a_slice};
use crate::{Moment, RestartBudget, UtteranceId};

/// How a session comes to its speaking slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotPolicy {
    /// One is reserved for its whole life.
    Reserved,
    /// One is taken when speech starts and given back when it ends; there may be none.
    OnDemand,
}

/// The rules of one session; fixed for its life.
#[derive(Debug, Clone)]
pub struct SessionRules {
    /// Ends it when it was silent or unwatched for this long.
    pub idle_timeout: Duration,
    /// Ends it at this age.
    pub max_duration: Duration,
    /// Ends it when it has been paused for this long.
    pub paused_timeout: Duration,
    /// Gives up on a renderer that does not get ready.
    pub start_timeout: Duration,
    /// How it comes to its speaking slot.
    pub slots: SlotPolicy,
    /// How often a renderer that fails is opened again.
    pub restarts: RestartBudget,
}

/// A session, from its creation to its end.
#[derive(Debug, Clone)]
pub struct SessionMachine {
    rules: SessionRules,
    state: State,
    created_at: Moment,
    /// Since when it is silent or unwatched; `None` while it speaks to somebody.
    unused_since: Option<Moment>,
    watched: bool,
    /// The stage waits for the gate to open, and says so only once.
    stage_waits: bool,
    /// Active frames flow, as far as the stage has said. A pause that is lifted before the stage came to it stops
    /// nothing, and brings no word that anything began again.
    stage_speaks: bool,
    slot: Slot,
    /// Pauses as soon as it falls silent.
    draining: bool,
    speech: Speech,
    /// Utterances that are being dropped for want of a slot: that is how their end is told.
    denied: Vec<UtteranceId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    None,
    Waiting,
    Taken,
}

/// What followers are told when an utterance was dropped for want of a speaking slot.
const CAPACITY: &str = "capacity";

impl SessionMachine {
    /// A session that starts at `now`, and what it does first.
    pub fn new(now: Moment, rules: SessionRules) -> (Self, Effects) {
        let give_up_at = now.plus(rules.start_timeout);
        let machine = Self {
            rules,
            state: State::Starting { held: BTreeSet::new(), open_at: None, give_up_at },
            created_at: now,
            unused_since: Some(now),
            watched: false,
            stage_waits: false,
            stage_speaks: false,
            slot: Slot::None,
            draining: false,
            speech: Speech::default(),
            denied: Vec::new(),
        };
        let mut effects = Effects::none();
        effects.stage(StageOrder::Open);
        (machine, effects)
    }

    /// Where it is in its life.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Whether it is over.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended { .. })
    }

    /// When to feed [`Input::Deadline`] though nothing happens.
    #[must_use]
    pub fn next_deadline(&self) -> Moment {
        let of_state = match &self.state {
            State::Ended { .. } => return Moment::NEVER,
            State::Starting { open_at, give_up_at, .. } => open_at.unwrap_or(*give_up_at).min(*give_up_at),
            State::Idle | State::Running => Moment::NEVER,
            State::Paused { since, .. } => since.plus(self.rules.paused_timeout),
        };
        of_state.min(self.idle_deadline()).min(self.created_at.plus(self.rules.max_duration))
    }

    /// Takes in what happened, and says what to do about it.
    pub fn handle(&mut self, now: Moment, input: Input) -> Effects {
        let mut effects = Effects::none();
        if self.is_ended() {
            return effects;
        }
        let before = (self.state.public(), self.state.pause_reasons());
        self.take(now, input, &mut effects);
        self.pause_for_drain(now, &mut effects);
        self.watch_the_clock(now);
        if !self.is_ended() && before != (self.state.public(), self.state.pause_reasons()) {
            let (state, pause_reasons) = (self.state.public(), self.state.pause_reasons());
            effects.tell(News::State { state, pause_reasons });
        }
        effects
    }

    fn take(&mut self, now: Moment, input: Input, effects: &mut Effects) {
        match input {
            Input::Ready => self.ready(now, effects),
            Input::RendererFailed => self.renderer_failed(now, effects),
            Input::Appended(utterance) => {
                self.speech.append(utterance);
                self.touch(now);
            }
            Input::Replaced(utterance) => {
                self.speech.replace(utterance);
                self.touch(now);
            }
            Input::Interrupted => {
                self.speech.clear();
                self.stage_waits = false;
                self.touch(now);
                self.fall_silent(effects);
            }
            Input::WantsToSpeak => {
                self.stage_waits = true;
                if matches!(self.state, State::Idle | State::Running) {
                    self.want(effects);
                }
            }
            Input::SliceSpent => {
                self.stage_waits = true;
                self.stage_speaks = false;
                // The meter was rung too, but does not listen if it has just taken the slice back as one that nobody uses.
                if matches!(self.state, State::Idle | State::Running) {
                    self.want(effects);
                }
            }
            Input::StartedSpeaking => self.started_speaking(effects),
            Input::FellSilent => {
                self.stage_speaks = false;
                self.fall_silent(effects);
            }
            Input::UtteranceStarted(utterance) => {
                self.speech.begin(utterance);
                effects.tell(News::UtteranceStarted(utterance));
            }
            Input::UtteranceEnded { utterance, failed: Some(_), is_kept: true, .. }
                if self.speech.is_queued(utterance) =>
            {
                // The renderer breaks, and had not come to this one: it is spoken once there is another.
            }
            Input::UtteranceEnded { utterance, position_ms, interrupted, failed, is_kept: _ } => {
                self.utterance_ended(utterance, position_ms, interrupted, failed, effects);
            }
            Input::Watched(watched) => {
                self.watched = watched;
                // The stage says it anew when it still waits.
                self.stage_waits = false;
                self.touch(now);
                if !watched {
                    self.fall_silent(effects);
                }
            }
            Input::SlotTaken => self.slot_taken(effects),
            Input::SlotDenied => self.slot_denied(effects),
            Input::Granted => self.granted(effects),
            Input::GrantedLast(units) => {
                self.granted(effects);
                effects.tell(News::CreditsLow(units));
            }
            Input::Refused(reason) => self.hold_back(now, reason, effects),
            Input::Lost(reason) => self.end(reason, EndedBy::Ledger, effects),
            Input::Regained => self.regained(effects),
            Input::Hold(PauseReason::NodeDraining) => self.draining = true,
            Input::Hold(reason) => self.hold_back(now, reason, effects),
            Input::Lift(reason) => self.lift(now, reason, effects),
            Input::Stop => {
                let is_starting = matches!(self.state, State::Starting { .. });
                let reason = if is_starting { EndReason::Cancelled } else { EndReason::Stopped };
                self.end(reason, EndedBy::Node, effects);
            }
            Input::End(reason) => self.end(reason, EndedBy::Node, effects),
            Input::Deadline => self.deadline(now, effects),
        }
    }

    fn ready(&mut self, now: Moment, effects: &mut Effects) {
        let State::Starting { held, open_at: None, .. } = &mut self.state else { return };
        let reasons = std::mem::take(held);
        if reasons.is_empty() {
            self.state = State::Idle;
        } else {
            effects.stage(StageOrder::Pause);
            self.state = State::Paused { reasons, since: now };
        }
        let queued = self.speech.queued();
        if self.rules.restarts.taken() > 0 && !queued.is_empty() {
            effects.stage(StageOrder::SpeakAgain(queued));
        }
    }

    fn renderer_failed(&mut self, now: Moment, effects: &mut Effects) {
        self.fall_silent(effects);
        self.stage_waits = false;
        self.stage_speaks = false;
        self.watched = false;
        if let Some(utterance) = self.speech.take_begun() {
            let failed = Some("the renderer failed".to_owned());
            effects.tell(News::UtteranceEnded { utterance, position_ms: 0, interrupted: false, failed });
        }
        let Some(pause) = self.rules.restarts.take(now) else {
            return self.end(EndReason::RendererFailed, EndedBy::Node, effects);
        };
        let held = match &self.state {
            State::Starting { held, .. } => held.clone(),
            // A slice is asked for again once there is something to say, and refused again if it must be.
            State::Paused { reasons, .. } => {
                reasons.iter().copied().filter(|reason| !is_lifted_by_a_slice(*reason)).collect()
            }
            State::Idle | State::Running | State::Ended { .. } => BTreeSet::new(),
        };
        if matches!(self.state, State::Paused { .. }) {
            effects.meter(MeterOrder::Silence);
        }
        let open_at = now.plus(pause);
        let give_up_at = open_at.plus(self.rules.start_timeout);
        self.state = State::Starting { held, open_at: Some(open_at), give_up_at };
        effects.tell(News::Restarting(self.rules.restarts.taken()));
    }

    fn want(&mut self, effects: &mut Effects) {
        match (self.rules.slots, self.slot) {
            (SlotPolicy::Reserved, _) | (SlotPolicy::OnDemand, Slot::Taken) => effects.meter(MeterOrder::Want),
            (SlotPolicy::OnDemand, Slot::None) => {
                self.slot = Slot::Waiting;
                effects.push(Effect::TakeSlot);
            }
            (SlotPolicy::OnDemand, Slot::Waiting) => {}
        }
    }

    fn regained(&mut self, effects: &mut Effects) {
        match &self.state {
            State::Idle | State::Running if self.stage_waits => self.want(effects),
            State::Paused { reasons, .. } if reasons.iter().all(|reason| is_lifted_by_a_slice(*reason)) => {
                effects.meter(MeterOrder::Want);
            }
            State::Starting { .. } | State::Idle | State::Running | State::Paused { .. } | State::Ended { .. } => {}
        }
    }

    fn slot_taken(&mut self, effects: &mut Effects) {
        match self.slot {
            Slot::Waiting => self.slot = Slot::Taken,
            // Nobody wants it any more.
            Slot::None => return effects.push(Effect::FreeSlot),
            // Said twice.
            Slot::Taken => return,
        }
        if self.stage_waits {
            effects.meter(MeterOrder::Want);
        }
    }

    fn slot_denied(&mut self, effects: &mut Effects) {
        if self.slot != Slot::Waiting {
            return;
        }
        self.slot = Slot::None;
        self.stage_waits = false;
        self.denied = self.speech.queued();
        self.denied.extend(self.speech.take_begun());
        self.speech.clear();
        effects.stage(StageOrder::DropSpeech);
        self.fall_silent(effects);
    }

    fn free_slot(&mut self, effects: &mut Effects) {
        if self.slot != Slot::None {
            self.slot = Slot::None;
            effects.push(Effect::FreeSlot);
        }
    }

    fn started_speaking(&mut self, effects: &mut Effects) {
        self.stage_waits = false;
        self.stage_speaks = true;
        effects.meter(MeterOrder::Speak);
        if self.state == State::Idle {
            self.state = State::Running;
            // It found its last slice still open.
            self.catch_up_on_slot(effects);
        }
    }

    /// Speech that has begun without a slot waits for one like any other, and is dropped if there is none.
    fn catch_up_on_slot(&mut self, effects: &mut Effects) {
        if self.rules.slots == SlotPolicy::OnDemand && self.slot == Slot::None {
            self.slot = Slot::Waiting;
            effects.push(Effect::TakeSlot);
        }
    }

    /// Nothing is said for now. While paused this changes nothing: who is held back for want of credit still wants it.
    fn fall_silent(&mut self, effects: &mut Effects) {
        match self.state {
            State::Idle | State::Running => {
                self.state = State::Idle;
                self.free_slot_and_slice(effects);
            }
            State::Starting { .. } | State::Paused { .. } | State::Ended { .. } => {}
        }
    }

    fn free_slot_and_slice(&mut self, effects: &mut Effects) {
        // With slots on demand a slice that is kept would let speech start without a slot.
        effects.meter(match self.rules.slots {
            SlotPolicy::Reserved => MeterOrder::Silence,
            SlotPolicy::OnDemand => MeterOrder::Release,
        });
        self.free_slot(effects);
    }

    fn utterance_ended(
        &mut self,
        utterance: UtteranceId,
        position_ms: u64,
        interrupted: bool,
        failed: Option<String>,
        effects: &mut Effects,
    ) {
        self.speech.end(utterance);
        let was_denied = self.denied.iter().position(|denied| *denied == utterance);
        let news = match was_denied.map(|at| self.denied.swap_remove(at)) {
            Some(_) => {
                News::UtteranceEnded { utterance, position_ms, interrupted: false, failed: Some(CAPACITY.to_owned()) }
            }
            None => News::UtteranceEnded { utterance, position_ms, interrupted, failed },
        };
        effects.tell(news);
    }

    /// There is a slice: whatever only a slice could lift is lifted.
    fn granted(&mut self, effects: &mut Effects) {
        match &mut self.state {
            State::Idle => {
                if self.stage_waits {
                    self.state = State::Running;
                    self.catch_up_on_slot(effects);
                }
            }
            State::Paused { reasons, .. } => {
                reasons.retain(|reason| !is_lifted_by_a_slice(*reason));
                if reasons.is_empty() {
                    effects.stage(StageOrder::Resume);
                    let speaks = self.stage_waits || self.stage_speaks;
                    self.state = if speaks { State::Running } else { State::Idle };
                    if speaks {
                        self.catch_up_on_slot(effects);
                    }
                }
            }
            State::Starting { .. } | State::Running | State::Ended { .. } => {}
        }
    }

    fn hold_back(&mut self, now: Moment, reason: PauseReason, effects: &mut Effects) {
        let wanted = is_lifted_by_a_slice(reason);
        match &mut self.state {
            State::Starting { held, .. } => {
                if !wanted {
                    held.insert(reason);
                }
            }
            State::Paused { reasons, .. } => {
                if wanted {
                    // One answer of the meter replaces the other.
                    reasons.retain(|reason| !is_lifted_by_a_slice(*reason));
                }
                reasons.insert(reason);
                if reasons.iter().any(|reason| !is_lifted_by_a_slice(*reason)) {
                    effects.meter(MeterOrder::Silence);
                }
            }
            // The refusal answers a wish that was dropped meanwhile. The next speech asks anew.
            State::Idle if wanted && !self.stage_waits => effects.meter(MeterOrder::Silence),
            State::Idle | State::Running => {
                effects.stage(StageOrder::Pause);
                if wanted {
                    self.free_slot(effects);
                } else {
                    self.free_slot_and_slice(effects);
                }
                self.state = State::Paused { reasons: BTreeSet::from([reason]), since: now };
            }
            State::Ended { .. } => {}
        }
    }

    fn lift(&mut self, now: Moment, reason: PauseReason, effects: &mut Effects) {
        if reason == PauseReason::NodeDraining {
            self.draining = false;
        }
        let reasons = match &mut self.state {
            State::Starting { held, .. } => {
                held.remove(&reason);
                return;
            }
            State::Paused { reasons, .. } => reasons,
            State::Idle | State::Running | State::Ended { .. } => return,
        };
        if !reasons.remove(&reason) {
            return;
        }
        if reasons.is_empty() {
            effects.stage(StageOrder::Resume);
            self.state = State::Idle;
            self.touch(now);
            if self.stage_speaks {
                self.started_speaking(effects);
            }
            if self.stage_waits {
                self.want(effects);
            }
        } else if reasons.iter().all(|reason| is_lifted_by_a_slice(*reason)) {
            effects.meter(MeterOrder::Want);
        }
    }

    fn pause_for_drain(&mut self, now: Moment, effects: &mut Effects) {
        if !self.draining {
            return;
        }
        match &self.state {
            State::Idle if !self.stage_waits => self.hold_back(now, PauseReason::NodeDraining, effects),
            State::Paused { reasons, .. } if !reasons.contains(&PauseReason::NodeDraining) => {
                self.hold_back(now, PauseReason::NodeDraining, effects);
            }
            State::Starting { held, .. } if !held.contains(&PauseReason::NodeDraining) => {
                self.hold_back(now, PauseReason::NodeDraining, effects);
            }
            State::Starting { .. } | State::Idle | State::Running | State::Paused { .. } | State::Ended { .. } => {}
        }
    }

    fn deadline(&mut self, now: Moment, effects: &mut Effects) {
        if self.created_at.plus(self.rules.max_duration) <= now {
            return self.end(EndReason::MaxDuration, EndedBy::Node, effects);
        }
        match &mut self.state {
            State::Starting { give_up_at, .. } if *give_up_at <= now => {
                self.end(EndReason::RendererFailed, EndedBy::Node, effects);
            }
            State::Starting { open_at, .. } if open_at.is_some_and(|at| at <= now) => {
                *open_at = None;
                effects.stage(StageOrder::Open);
            }
            State::Paused { reasons, since } if since.plus(self.rules.paused_timeout) <= now => {
                let reason = if reasons.contains(&PauseReason::KeyRevoked) {
                    EndReason::KeyRevoked
                } else if reasons.contains(&PauseReason::AccountSuspended) {
                    EndReason::AccountSuspended
                } else {
                    EndReason::PausedTimeout
                };
                self.end(reason, EndedBy::Node, effects);
            }
            State::Starting { .. } | State::Paused { .. } | State::Ended { .. } => {}
            State::Idle | State::Running => {
                if self.idle_deadline() <= now {
                    self.end(EndReason::IdleTimeout, EndedBy::Node, effects);
                }
            }
        }
    }

    fn end(&mut self, reason: EndReason, by: EndedBy, effects: &mut Effects) {
        self.free_slot(effects);
        if by == EndedBy::Node {
            // The meter first: it shuts the gate, so that closing the stage cannot count a frame more.
            effects.meter(MeterOrder::End(reason));
        }
        effects.stage(StageOrder::Close);
        self.speech.clear();
        self.state = State::Ended { reason };
        effects.tell(News::Ended(reason));
    }

    /// Somebody did something with it.
    fn touch(&mut self, now: Moment) {
        self.unused_since = self.unused_since.map(|_| now);
    }

    fn watch_the_clock(&mut self, now: Moment) {
        let speaks_to_somebody = self.state == State::Running && self.watched;
        self.unused_since = if speaks_to_somebody { None } else { Some(self.unused_since.unwrap_or(now)) };
    }

    fn idle_deadline(&self) -> Moment {
        match (&self.state, self.unused_since) {
            (State::Idle | State::Running, Some(since)) => since.plus(self.rules.idle_timeout),
            _ => Moment::NEVER,
        }
    }
}

/// Who knows of an end first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndedBy {
    /// The ledger has to be told.
    Node,
    /// The ledger told.
    Ledger,
}
