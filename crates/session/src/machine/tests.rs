//! Scenarios for the session machine, and what holds whatever happens to it.

use std::time::Duration;

use footlight_ledger::{EndReason, PauseReason};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{Moment, RestartBudget, SessionState, UtteranceId};

fn rules(slots: SlotPolicy) -> SessionRules {
    SessionRules {
        idle_timeout: Duration::from_secs(300),
        max_duration: Duration::from_secs(3_600),
        paused_timeout: Duration::from_secs(600),
        start_timeout: Duration::from_secs(30),
        slots,
        restarts: RestartBudget::new(2, Duration::from_secs(60)),
    }
}

/// A session under a clock that the test moves.
struct Stand {
    machine: SessionMachine,
    now: Moment,
}

impl Stand {
    fn starting(slots: SlotPolicy) -> Self {
        let (machine, effects) = SessionMachine::new(Moment(0), rules(slots));
        assert_eq!(effects.into_iter().collect::<Vec<_>>(), [Effect::Stage(StageOrder::Open)]);
        Self { machine, now: Moment(0) }
    }

    fn idle() -> Self {
        let mut stand = Self::starting(SlotPolicy::Reserved);
        stand.feed(Input::Ready);
        stand.feed(Input::Watched(true));
        stand
    }

    fn running() -> Self {
        let mut stand = Self::idle();
        stand.feed(Input::WantsToSpeak);
        stand.feed(Input::Granted);
        stand.feed(Input::StartedSpeaking);
        assert_eq!(stand.machine.state(), &State::Running);
        stand
    }

    fn feed(&mut self, input: Input) -> Vec<Effect> {
        self.machine.handle(self.now, input).into_iter().collect()
    }

    fn wait(&mut self, seconds: u64) -> Vec<Effect> {
        self.now = self.now.plus(Duration::from_secs(seconds));
        self.feed(Input::Deadline)
    }

    fn public(&self) -> SessionState {
        self.machine.state().public()
    }

    fn reasons(&self) -> Vec<PauseReason> {
        self.machine.state().pause_reasons().into_iter().collect()
    }
}

fn utterance(number: u128) -> UtteranceId {
    UtteranceId(Uuid::from_u128(number))
}

fn meter_orders(effects: &[Effect]) -> Vec<MeterOrder> {
    let order = |effect: &Effect| if let Effect::Meter(order) = effect { Some(*order) } else { None };
    effects.iter().filter_map(order).collect()
}

fn has(effects: &[Effect], order: StageOrder) -> bool {
    effects.contains(&Effect::Stage(order))
}

#[test]
fn speech_asks_for_a_slice_runs_with_one_and_keeps_it_a_while() {
    let mut stand = Stand::idle();
    assert_eq!(meter_orders(&stand.feed(Input::WantsToSpeak)), [MeterOrder::Want]);
    assert_eq!(stand.public(), SessionState::Idle);
    stand.feed(Input::Granted);
    assert_eq!(stand.public(), SessionState::Running);
    assert_eq!(meter_orders(&stand.feed(Input::StartedSpeaking)), [MeterOrder::Speak]);
    assert_eq!(meter_orders(&stand.feed(Input::FellSilent)), [MeterOrder::Silence]);
    assert_eq!(stand.public(), SessionState::Idle);
}

#[test]
fn exhausted_credits_pause_and_a_slice_resumes() {
    let mut stand = Stand::running();
    stand.feed(Input::SliceSpent);
    let effects = stand.feed(Input::Refused(PauseReason::CreditsExhausted));
    assert!(has(&effects, StageOrder::Pause));
    assert_eq!(meter_orders(&effects), [], "the wish stands");
    assert_eq!((stand.public(), stand.reasons()), (SessionState::Paused, vec![PauseReason::CreditsExhausted]));
    let effects = stand.feed(Input::Granted);
    assert!(has(&effects, StageOrder::Resume));
    assert_eq!(stand.public(), SessionState::Running);
}

#[test]
fn a_slice_that_was_taken_back_during_its_first_frame_is_asked_for_again() {
    let mut stand = Stand::idle();
    stand.feed(Input::StartedSpeaking);
    stand.feed(Input::FellSilent);
    assert_eq!(meter_orders(&stand.feed(Input::SliceSpent)), [MeterOrder::Want]);
    stand.feed(Input::Granted);
    assert_eq!(stand.public(), SessionState::Running);
    stand.feed(Input::Hold(PauseReason::ByRequest));
    assert_eq!(meter_orders(&stand.feed(Input::SliceSpent)), [], "who is held back asks when that is over");
}

#[test]
fn a_refusal_of_a_wish_that_was_dropped_meanwhile_pauses_nobody() {
    let mut stand = Stand::idle();
    stand.feed(Input::WantsToSpeak);
    stand.feed(Input::Interrupted);
    let effects = stand.feed(Input::Refused(PauseReason::CreditsExhausted));
    assert_eq!(effects, [Effect::Meter(MeterOrder::Silence)]);
    assert_eq!(stand.public(), SessionState::Idle);
    assert_eq!(meter_orders(&stand.feed(Input::WantsToSpeak)), [MeterOrder::Want]);
}

#[test]
fn a_slice_does_not_resume_what_a_person_paused() {
    let mut stand = Stand::running();
    stand.feed(Input::SliceSpent);
    stand.feed(Input::Refused(PauseReason::CreditsExhausted));
    let effects = stand.feed(Input::Hold(PauseReason::ByRequest));
    assert_eq!(meter_orders(&effects), [MeterOrder::Silence], "nobody asks for credit meanwhile");
    stand.feed(Input::Granted);
    assert_eq!(stand.reasons(), [PauseReason::ByRequest]);
    let effects = stand.feed(Input::Lift(PauseReason::ByRequest));
    assert!(has(&effects, StageOrder::Resume));
    assert_eq!(meter_orders(&effects), [MeterOrder::Want], "the stage said once that it waits");
}

#[test]
fn a_pause_that_is_lifted_before_the_stage_came_to_it_leaves_the_session_running() {
    let mut stand = Stand::running();
    stand.feed(Input::Refused(PauseReason::AccountSuspended));
    stand.feed(Input::Granted);
    assert_eq!(stand.public(), SessionState::Running, "the stage has said nothing, for nothing stopped");
    stand.feed(Input::Hold(PauseReason::ByRequest));
    let effects = stand.feed(Input::Lift(PauseReason::ByRequest));
    assert_eq!((stand.public(), meter_orders(&effects)), (SessionState::Running, vec![MeterOrder::Speak]));
    stand.feed(Input::Hold(PauseReason::ByRequest));
    stand.feed(Input::FellSilent);
    stand.feed(Input::Lift(PauseReason::ByRequest));
    assert_eq!(stand.public(), SessionState::Idle);
}

#[test]
fn a_person_s_resume_does_not_make_credit() {
    let mut stand = Stand::running();
    stand.feed(Input::Refused(PauseReason::CreditsExhausted));
    stand.feed(Input::Hold(PauseReason::ByRequest));
    let effects = stand.feed(Input::Lift(PauseReason::ByRequest));
    assert_eq!(stand.reasons(), [PauseReason::CreditsExhausted]);
    assert_eq!(meter_orders(&effects), [MeterOrder::Want]);
    assert!(!has(&effects, StageOrder::Resume));
}

#[test]
fn a_pause_while_starting_holds_once_it_is_ready_and_a_stop_cancels() {
    let mut stand = Stand::starting(SlotPolicy::Reserved);
    stand.feed(Input::Hold(PauseReason::ByRequest));
    assert!(has(&stand.feed(Input::Ready), StageOrder::Pause));
    assert_eq!(stand.reasons(), [PauseReason::ByRequest]);

    let mut stand = Stand::starting(SlotPolicy::Reserved);
    let effects = stand.feed(Input::Stop);
    assert_eq!(meter_orders(&effects), [MeterOrder::End(EndReason::Cancelled)]);
    assert!(effects.contains(&Effect::Tell(News::Ended(EndReason::Cancelled))));
}

#[test]
fn the_meter_shuts_the_gate_before_the_stage_closes() {
    let effects = Stand::running().feed(Input::Stop);
    let at = |wanted: &Effect| effects.iter().position(|effect| effect == wanted).expect("it is done");
    assert!(at(&Effect::Meter(MeterOrder::End(EndReason::Stopped))) < at(&Effect::Stage(StageOrder::Close)));
}

#[test]
fn timers_end_what_is_silent_unwatched_paused_or_old() {
    let ends = |stand: &mut Stand, before: u64| {
        assert_eq!(stand.wait(before - 1), []);
        stand.wait(1);
        match stand.machine.state() {
            State::Ended { reason } => *reason,
            state => panic!("{state:?}"),
        }
    };
    assert_eq!(ends(&mut Stand::idle(), 300), EndReason::IdleTimeout);
    let mut unwatched = Stand::running();
    unwatched.feed(Input::Watched(false));
    assert_eq!(ends(&mut unwatched, 300), EndReason::IdleTimeout);
    let mut paused = Stand::running();
    paused.feed(Input::Hold(PauseReason::ByRequest));
    assert_eq!(ends(&mut paused, 600), EndReason::PausedTimeout);
    let mut revoked = Stand::running();
    revoked.feed(Input::Hold(PauseReason::KeyRevoked));
    assert_eq!(ends(&mut revoked, 600), EndReason::KeyRevoked);
    assert_eq!(ends(&mut Stand::running(), 3_600), EndReason::MaxDuration);
    assert_eq!(ends(&mut Stand::starting(SlotPolicy::Reserved), 30), EndReason::RendererFailed);
}

#[test]
fn speech_keeps_a_session_from_going_idle() {
    let mut stand = Stand::idle();
    stand.wait(299);
    stand.feed(Input::Appended(utterance(1)));
    assert_eq!(stand.wait(299), []);
    assert_eq!(stand.public(), SessionState::Idle);
}

#[test]
fn a_renderer_that_fails_is_opened_again_with_what_it_had_not_come_to() {
    let mut stand = Stand::running();
    for number in 1..=4 {
        stand.feed(Input::Appended(utterance(number)));
    }
    stand.feed(Input::UtteranceStarted(utterance(1)));
    let broke = |number| Input::UtteranceEnded {
        utterance: utterance(number),
        position_ms: 40,
        interrupted: false,
        failed: Some("it broke".to_owned()),
        is_kept: number != 4,
    };
    let told = stand.feed(broke(1));
    assert!(matches!(&told[..], [Effect::Tell(News::UtteranceEnded { failed: Some(_), .. })]));
    assert_eq!((stand.feed(broke(2)), stand.feed(broke(3))), (vec![], vec![]), "they are not lost");
    let told = stand.feed(broke(4));
    assert!(matches!(&told[..], [Effect::Tell(News::UtteranceEnded { .. })]), "live speech is not there any more");
    let effects = stand.feed(Input::RendererFailed);
    assert!(effects.contains(&Effect::Tell(News::Restarting(1))));
    assert_eq!(stand.public(), SessionState::Starting);
    assert!(has(&stand.wait(1), StageOrder::Open));
    let effects = stand.feed(Input::Ready);
    assert!(has(&effects, StageOrder::SpeakAgain(vec![utterance(2), utterance(3)])));
}

#[test]
fn a_renderer_that_fails_too_often_ends_the_session() {
    let mut stand = Stand::idle();
    for _ in 0..2 {
        stand.feed(Input::RendererFailed);
        stand.wait(1);
        stand.feed(Input::Ready);
    }
    stand.feed(Input::RendererFailed);
    assert_eq!(stand.machine.state(), &State::Ended { reason: EndReason::RendererFailed });
}

#[test]
fn with_slots_on_demand_speech_waits_for_one_and_fails_without() {
    let mut stand = Stand::starting(SlotPolicy::OnDemand);
    stand.feed(Input::Ready);
    stand.feed(Input::Watched(true));
    stand.feed(Input::Appended(utterance(1)));
    assert_eq!(stand.feed(Input::WantsToSpeak), [Effect::TakeSlot]);
    assert_eq!(meter_orders(&stand.feed(Input::SlotTaken)), [MeterOrder::Want]);
    stand.feed(Input::Granted);
    let effects = stand.feed(Input::FellSilent);
    assert_eq!(effects[..2], [Effect::Meter(MeterOrder::Release), Effect::FreeSlot]);

    stand.feed(Input::WantsToSpeak);
    assert!(has(&stand.feed(Input::SlotDenied), StageOrder::DropSpeech));
    let ended = Input::UtteranceEnded {
        utterance: utterance(1),
        position_ms: 0,
        interrupted: true,
        failed: None,
        is_kept: true,
    };
    let told = stand.feed(ended);
    let failed = Some("capacity".to_owned());
    let news = News::UtteranceEnded { utterance: utterance(1), position_ms: 0, interrupted: false, failed };
    assert_eq!(told, [Effect::Tell(news)]);
}

#[test]
fn a_drain_pauses_when_speech_has_ended_and_is_taken_back() {
    let mut stand = Stand::running();
    stand.feed(Input::Hold(PauseReason::NodeDraining));
    assert_eq!(stand.public(), SessionState::Running);
    stand.feed(Input::FellSilent);
    assert_eq!(stand.reasons(), [PauseReason::NodeDraining]);
    stand.feed(Input::Lift(PauseReason::NodeDraining));
    assert_eq!(stand.public(), SessionState::Idle);
}

#[test]
fn a_session_that_comes_back_wants_again_what_the_meter_has_forgotten() {
    let mut stand = Stand::running();
    assert!(meter_orders(&stand.feed(Input::Regained)).is_empty(), "its speech stopped nowhere");
    // The gate was closed under its speech.
    stand.feed(Input::SliceSpent);
    assert_eq!(meter_orders(&stand.feed(Input::Regained)), [MeterOrder::Want]);
    stand.feed(Input::Refused(PauseReason::CreditsExhausted));
    assert_eq!(meter_orders(&stand.feed(Input::Regained)), [MeterOrder::Want]);
    stand.feed(Input::Hold(PauseReason::ByRequest));
    assert!(meter_orders(&stand.feed(Input::Regained)).is_empty(), "a person holds it back");
}

fn reason() -> impl Strategy<Value = PauseReason> {
    prop_oneof![
        Just(PauseReason::CreditsExhausted),
        Just(PauseReason::ByRequest),
        Just(PauseReason::StoreUnreachable),
        Just(PauseReason::NodeDraining),
        Just(PauseReason::KeyRevoked),
        Just(PauseReason::AccountSuspended),
        Just(PauseReason::Debt),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let name = (0_u128..8).prop_map(utterance);
    prop_oneof![
        Just(Input::Ready),
        Just(Input::RendererFailed),
        name.clone().prop_map(Input::Appended),
        name.clone().prop_map(Input::Replaced),
        Just(Input::Interrupted),
        Just(Input::WantsToSpeak),
        Just(Input::SliceSpent),
        Just(Input::StartedSpeaking),
        Just(Input::FellSilent),
        name.clone().prop_map(Input::UtteranceStarted),
        (name, any::<bool>(), any::<bool>()).prop_map(|(utterance, interrupted, failed)| Input::UtteranceEnded {
            utterance,
            position_ms: 0,
            interrupted,
            failed: failed.then(|| "it broke".to_owned()),
            is_kept: !interrupted,
        }),
        any::<bool>().prop_map(Input::Watched),
        Just(Input::SlotTaken),
        Just(Input::SlotDenied),
        Just(Input::Granted),
        Just(Input::GrantedLast(10)),
        Just(Input::Regained),
        reason().prop_map(Input::Refused),
        reason().prop_map(Input::Hold),
        reason().prop_map(Input::Lift),
        Just(Input::Deadline),
        Just(Input::Deadline),
        Just(Input::Deadline),
    ]
}

proptest! {
    /// Whatever comes in whatever order: a session that is held back does not run, the stage is paused exactly while the
    /// session is, slots are not taken twice, followers know the state, and it ends within its bounds for good.
    #[test]
    fn a_session_keeps_its_promises(
        inputs in prop::collection::vec((input(), 0_u64..120_000), 1..300),
        on_demand in any::<bool>(),
    ) {
        let slots = if on_demand { SlotPolicy::OnDemand } else { SlotPolicy::Reserved };
        let mut stand = Stand::starting(slots);
        // The wish for a slot, or the slot; and whether the wish was not answered yet.
        let (mut slot, mut waits) = (false, false);
        let (mut paused, mut ended) = (false, false);
        let mut told = (SessionState::Starting, std::collections::BTreeSet::new());
        for (input, ms) in inputs {
            stand.now = stand.now.plus(Duration::from_millis(ms));
            if waits && matches!(input, Input::SlotTaken | Input::SlotDenied) {
                (slot, waits) = (input == Input::SlotTaken, false);
            }
            let effects = stand.feed(input.clone());
            if ended {
                prop_assert!(effects.is_empty(), "{input:?} moved an ended session: {effects:?}");
                continue;
            }
            if input == Input::RendererFailed {
                // What it was told is gone with it.
                paused = false;
            }
            let mut orders = 0;
            for effect in &effects {
                match effect {
                    Effect::Stage(StageOrder::Pause) => {
                        prop_assert!(!paused, "paused twice");
                        paused = true;
                    }
                    Effect::Stage(StageOrder::Resume) => {
                        prop_assert!(paused, "resumed what was not paused");
                        paused = false;
                    }
                    Effect::TakeSlot => {
                        prop_assert!(on_demand && !slot, "a second slot");
                        (slot, waits) = (true, true);
                    }
                    Effect::FreeSlot => (slot, waits) = (false, false),
                    Effect::Meter(MeterOrder::End(_)) => orders += 1,
                    Effect::Tell(News::State { state, pause_reasons }) => told = (*state, pause_reasons.clone()),
                    Effect::Tell(News::Ended(_)) => {
                        prop_assert_eq!(orders, 1, "an end is settled once");
                        ended = true;
                    }
                    Effect::Stage(_) | Effect::Meter(_) | Effect::Tell(_) => {}
                }
            }
            let state = stand.machine.state();
            if let State::Paused { reasons, .. } = state {
                prop_assert!(!reasons.is_empty());
            }
            if on_demand && state.public() == SessionState::Running {
                prop_assert!(slot, "it speaks without a slot after {:?}", input);
            }
            if !ended {
                prop_assert_eq!(&told, &(state.public(), state.pause_reasons()), "followers know the state");
                if state.public() != SessionState::Starting {
                    prop_assert_eq!(paused, state.public() == SessionState::Paused, "after {:?}", input);
                }
                let bound = Moment::default().plus(Duration::from_secs(3_600));
                prop_assert!(stand.machine.next_deadline() <= bound);
            }
        }
        while !stand.machine.is_ended() {
            let deadline = stand.machine.next_deadline();
            prop_assert!(deadline != Moment::NEVER);
            stand.now = stand.now.plus(deadline.since(stand.now));
            let before = stand.now;
            let effects = stand.feed(Input::Deadline);
            prop_assert!(
                stand.machine.is_ended() || !effects.is_empty() || stand.machine.next_deadline() > before,
                "a deadline that changes nothing comes again for ever"
            );
        }
    }
}
