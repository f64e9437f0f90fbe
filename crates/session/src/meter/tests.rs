//! Scenarios for one slice clock, with answers written by hand; the ledger's own are met in the actors' tests.

use std::time::Duration;

use footlight_ledger::{
    Ask, EndReason, Microcredits, PauseReason, Pricing, Refusal, Rounding, SliceAnswer, Units, Verdict,
};
use proptest::prelude::*;

use super::*;
use crate::slice::Taken;
use crate::{Moment, SliceGate};

const OPTIONS: SliceClockOptions = SliceClockOptions {
    heartbeat: Duration::from_secs(60),
    min_slice: Duration::from_secs(1),
    grace: Duration::from_secs(300),
};

const HOLD: Duration = Duration::from_secs(10);

/// One session at 25 frames a second under a clock that the test moves.
struct Stand {
    clock: SliceClock,
    gate: SliceGate,
    now: Moment,
    others_wait: bool,
}

impl Stand {
    fn new() -> Self {
        let pricing =
            Pricing { rate: Microcredits::from_credits(2), units_per_minute: 1500, rounding: Rounding::Exact };
        let now = Moment(1_000);
        let first_beat = now.plus(Duration::from_secs(45));
        Self {
            clock: SliceClock::new(now, pricing, 1, 0, first_beat),
            gate: SliceGate::new(0),
            now,
            others_wait: false,
        }
    }

    fn wait(&mut self, ms: u64) -> &mut Self {
        self.now = self.now.plus(Duration::from_millis(ms));
        self
    }

    fn poll(&mut self) -> Option<Request> {
        self.clock.poll(self.now, &self.gate, self.others_wait, &OPTIONS)
    }

    fn expect(&mut self, kind: RequestKind) -> Request {
        let request = self.poll().expect("a request is due");
        assert_eq!(request.kind, kind);
        assert_eq!(self.poll(), None, "one request in the air at a time");
        request
    }

    fn answer(&mut self, request: Request, answer: Answer) -> Option<Notice> {
        self.clock.answer(self.now, &self.gate, request.number, &answer, 0.5, &OPTIONS)
    }

    fn settled(&mut self, request: Request, verdict: Verdict, slice_end: Units) -> Option<Notice> {
        let grace_units = if verdict == Verdict::Granted { 7500 } else { 0 };
        self.answer(
            request,
            Answer::Settled(SliceAnswer {
                verdict,
                settled_units: request.units,
                slice_end,
                grace_units,
                charged: Microcredits::ZERO,
                others_wait: self.others_wait,
            }),
        )
    }

    /// As the renderer does.
    fn speak(&mut self, frames: Units) -> Units {
        let mut sent = 0;
        for _ in 0..frames {
            match self.gate.take(1) {
                Taken::Yes => {
                    sent += 1;
                    if self.gate.crossed_ask_mark() {
                        self.clock.ask();
                    }
                }
                Taken::SliceSpent => {
                    self.clock.ask();
                    break;
                }
                Taken::Shut => break,
            }
        }
        sent
    }

    /// Wants, asks and gets a slice up to `slice_end`.
    fn speaking_up_to(slice_end: Units, verdict: Verdict) -> Self {
        let mut stand = Self::new();
        stand.clock.want();
        let request = stand.expect(RequestKind::Beat(Ask::Slice));
        stand.settled(request, verdict, slice_end);
        stand
    }
}

const SLICE: RequestKind = RequestKind::Beat(Ask::Slice);
const RELEASE: RequestKind = RequestKind::Beat(Ask::Release);

#[test]
fn nothing_is_held_before_speech_and_a_quiet_session_reports_once_a_heartbeat() {
    let mut stand = Stand::new();
    assert_eq!(stand.poll(), None);
    let request = stand.wait(45_000).expect(RELEASE);
    assert_eq!(stand.settled(request, Verdict::Settled, 0), None);
    assert_eq!(stand.clock.next_deadline(false, &OPTIONS), stand.now.plus(OPTIONS.heartbeat));
    assert_eq!(stand.speak(1), 0);
}

#[test]
fn the_next_slice_is_asked_for_at_three_quarters_and_speech_never_waits() {
    let mut stand = Stand::speaking_up_to(1000, Verdict::Granted);
    assert_eq!(stand.speak(749), 749);
    assert_eq!(stand.poll(), None);
    assert_eq!(stand.speak(1), 1);
    let request = stand.expect(SLICE);
    assert_eq!(request.units, 750);
    assert_eq!(stand.speak(100), 100, "what is left is used while the answer is on its way");
    assert_eq!(stand.settled(request, Verdict::Granted, 2250), None);
    assert_eq!(stand.speak(1000), 1000);
}

#[test]
fn a_last_slice_is_used_to_the_frame_then_asked_about_once_more_then_waited_for() {
    let mut stand = Stand::new();
    stand.clock.want();
    let request = stand.expect(SLICE);
    assert_eq!(stand.settled(request, Verdict::Final, 75), Some(Notice::GrantedLast { units: 75 }));
    assert_eq!(stand.speak(1000), 75);
    let request = stand.expect(SLICE);
    assert_eq!(request.units, 75);
    let refused = Verdict::Refused(PauseReason::CreditsExhausted);
    assert_eq!(stand.settled(request, refused, 75), Some(Notice::Refused(PauseReason::CreditsExhausted)));
    assert!(stand.clock.is_waiting());
    stand.clock.credits_rose();
    let request = stand.expect(SLICE);
    assert_eq!(stand.settled(request, refused, 75), None, "it knows already");
    stand.clock.credits_rose();
    let request = stand.expect(SLICE);
    assert_eq!(stand.settled(request, Verdict::Granted, 1575), Some(Notice::Granted));
    assert_eq!(stand.speak(10), 10);
}

#[test]
fn who_is_over_a_spending_limit_waits_outside_the_line_and_asks_when_more_is_allowed() {
    let mut stand = Stand::new();
    stand.clock.want();
    let request = stand.expect(SLICE);
    let refused = Verdict::Refused(PauseReason::SpendingLimit);
    assert_eq!(stand.settled(request, refused, 0), Some(Notice::Refused(PauseReason::SpendingLimit)));
    assert!(stand.clock.is_waiting() && stand.clock.is_hopeful() && !stand.clock.is_in_line());
    stand.clock.credits_rose();
    let request = stand.expect(SLICE);
    assert_eq!(stand.settled(request, Verdict::Granted, 1500), Some(Notice::Granted));
}

#[test]
fn credits_that_come_during_the_last_slice_are_asked_for_at_once() {
    let mut stand = Stand::speaking_up_to(75, Verdict::Final);
    stand.speak(10);
    stand.clock.credits_rose();
    let request = stand.expect(SLICE);
    assert_eq!(stand.settled(request, Verdict::Granted, 1510), None);
    assert_eq!(stand.speak(1500), 1500);
}

#[test]
fn a_slice_is_kept_a_while_after_speech_and_given_back_with_the_exact_count() {
    let mut stand = Stand::speaking_up_to(1500, Verdict::Granted);
    stand.speak(100);
    stand.clock.fall_silent(stand.now, HOLD);
    assert_eq!(stand.wait(9_999).poll(), None);
    let request = stand.wait(1).expect(RELEASE);
    assert_eq!(request.units, 100);
    assert_eq!(stand.speak(1), 0);
}

#[test]
fn a_silent_session_gives_its_slice_back_at_once_when_others_wait() {
    let mut stand = Stand::speaking_up_to(1500, Verdict::Granted);
    stand.clock.fall_silent(stand.now, HOLD);
    stand.others_wait = true;
    stand.expect(RELEASE);
}

#[test]
fn a_slice_that_the_stage_cannot_have_seen_yet_is_not_taken_back() {
    let mut stand = Stand::speaking_up_to(1500, Verdict::Granted);
    stand.others_wait = true;
    stand.clock.stands_still(stand.now, HOLD);
    assert_eq!(stand.poll(), None, "it came since the last look");
    stand.clock.stands_still(stand.now, HOLD);
    stand.expect(RELEASE);
}

#[test]
fn a_speaking_session_gives_way_at_the_end_of_its_turn_when_others_wait() {
    let mut stand = Stand::speaking_up_to(1500, Verdict::Granted);
    stand.speak(10);
    stand.others_wait = true;
    stand.clock.take_turns(&stand.gate);
    assert_eq!(stand.poll(), None, "a turn is a second");
    assert_eq!(stand.speak(15), 15);
    let request = stand.expect(RELEASE);
    assert_eq!((request.units, stand.speak(1)), (25, 0));
    stand.settled(request, Verdict::Settled, 25);
    stand.expect(SLICE);
}

#[test]
fn too_little_to_begin_with_is_used_to_its_end_before_others_are_asked_for() {
    let mut stand = Stand::speaking_up_to(60, Verdict::Granted);
    stand.speak(40);
    stand.others_wait = true;
    stand.clock.take_turns(&stand.gate);
    assert_eq!(stand.speak(19), 19);
    assert_eq!(stand.poll(), None, "less than a second is left of its slice");
    assert_eq!(stand.speak(10), 1);
    let request = stand.expect(SLICE);
    assert_eq!(request.units, 60);
}

#[test]
fn a_lost_reply_is_asked_for_again_under_its_own_name() {
    let mut stand = Stand::speaking_up_to(100, Verdict::Granted);
    stand.speak(75);
    let request = stand.expect(SLICE);
    assert_eq!(stand.answer(request, Answer::Unreachable), None);
    stand.speak(50);
    let again = stand.wait(100).expect(SLICE);
    assert_eq!(again, request);
    assert_eq!(stand.speak(50), 50, "it goes on in its grace");
    assert_eq!(stand.settled(again, Verdict::Granted, 200), None);
}

#[test]
fn a_grace_ends_and_the_session_goes_on_when_the_store_is_back() {
    let mut stand = Stand::speaking_up_to(100, Verdict::Granted);
    stand.speak(75);
    let request = stand.expect(SLICE);
    stand.answer(request, Answer::Unreachable);
    assert!(stand.clock.is_in_grace());
    assert_eq!(stand.speak(1000), 1000);
    stand.wait(299_999);
    assert_eq!(stand.clock.check_grace(stand.now, &stand.gate, &OPTIONS), None);
    stand.wait(1);
    let notice = stand.clock.check_grace(stand.now, &stand.gate, &OPTIONS);
    assert_eq!(notice, Some(Notice::Refused(PauseReason::StoreUnreachable)));
    assert_eq!(stand.speak(1), 0);
    let again = stand.expect(SLICE);
    assert_eq!(again, request);
    // The old report is answered first; what grace used is in the next one.
    assert_eq!(stand.settled(again, Verdict::Granted, 175), None);
    let fresh = stand.expect(SLICE);
    assert_eq!(fresh.units, 1075);
    assert_eq!(stand.settled(fresh, Verdict::Granted, 2575), Some(Notice::Granted));
    assert_eq!(stand.speak(10), 10);
}

#[test]
fn an_answer_that_is_slow_to_come_stops_nobody_who_has_grace() {
    let mut stand = Stand::speaking_up_to(100, Verdict::Granted);
    stand.speak(75);
    let request = stand.expect(SLICE);
    assert_eq!(stand.speak(100), 25);
    assert_eq!(stand.clock.next_deadline(false, &OPTIONS), stand.now.plus(Duration::from_secs(1)));
    stand.wait(1_000);
    assert_eq!(stand.clock.check_grace(stand.now, &stand.gate, &OPTIONS), None);
    assert_eq!(stand.speak(100), 100);
    assert_eq!(stand.settled(request, Verdict::Granted, 175), None);
    let fresh = stand.expect(SLICE);
    assert_eq!(fresh.units, 200, "what grace used is told at once");
}

#[test]
fn there_is_no_grace_after_a_last_slice_nor_before_a_first() {
    let mut stand = Stand::speaking_up_to(75, Verdict::Final);
    assert_eq!(stand.speak(100), 75);
    let request = stand.expect(SLICE);
    let unreachable = Some(Notice::Refused(PauseReason::StoreUnreachable));
    assert_eq!(stand.answer(request, Answer::Unreachable), unreachable);
    assert_eq!(stand.speak(1), 0);

    let mut stand = Stand::new();
    stand.clock.want();
    let request = stand.expect(SLICE);
    assert_eq!(stand.answer(request, Answer::Unreachable), unreachable);
}

#[test]
fn a_refusal_that_is_not_about_credit_closes_the_gate_at_once() {
    let mut stand = Stand::speaking_up_to(1500, Verdict::Granted);
    stand.speak(10);
    let request = stand.wait(60_000).expect(SLICE);
    let refused = Verdict::Refused(PauseReason::AccountSuspended);
    assert_eq!(stand.settled(request, refused, 1500), Some(Notice::Refused(PauseReason::AccountSuspended)));
    assert_eq!(stand.speak(1), 0);
    let request = stand.expect(RELEASE);
    assert_eq!(request.units, 10, "what it held goes back, less what was used");
    stand.settled(request, Verdict::Settled, 10);
    stand.clock.credits_rose();
    let request = stand.expect(SLICE);
    assert_eq!(stand.settled(request, Verdict::Granted, 1510), Some(Notice::Granted));
}

#[test]
fn the_end_overtakes_what_is_in_the_air_and_is_sent_until_it_is_settled() {
    let mut stand = Stand::speaking_up_to(100, Verdict::Granted);
    stand.speak(80);
    let beat = stand.expect(SLICE);
    stand.speak(3);
    stand.clock.end(&stand.gate, EndReason::Stopped);
    assert_eq!(stand.speak(1), 0);
    let end = stand.expect(RequestKind::End(EndReason::Stopped));
    assert_eq!((end.units, end.number), (83, beat.number + 1));
    assert_eq!(stand.settled(beat, Verdict::Granted, 1580), None, "the overtaken answer opens nothing");
    stand.answer(end, Answer::Unreachable);
    let again = stand.wait(2_000).expect(RequestKind::End(EndReason::Stopped));
    assert_eq!(again, end);
    assert!(matches!(stand.settled(again, Verdict::Closed, 83), Some(Notice::Closed(_))));
    assert!(stand.clock.is_closed());
    assert_eq!(stand.clock.next_deadline(false, &OPTIONS), Moment::NEVER);
}

#[test]
fn a_session_that_the_ledger_ended_takes_no_more_frames() {
    let mut stand = Stand::speaking_up_to(1000, Verdict::Granted);
    stand.speak(800);
    let request = stand.expect(SLICE);
    let swept = Answer::Refused(Refusal::SessionEnded { reason: EndReason::EngineLost });
    assert_eq!(stand.answer(request, swept.clone()), Some(Notice::Lost(EndReason::EngineLost)));
    assert_eq!(stand.speak(1), 0);
    let request = stand.expect(RequestKind::End(EndReason::EngineLost));
    assert_eq!(stand.answer(request, swept), Some(Notice::Forgotten), "its settlement is closed");
}

#[test]
fn what_was_counted_after_a_session_was_swept_is_told_as_a_late_report() {
    let mut stand = Stand::speaking_up_to(1000, Verdict::Granted);
    stand.speak(800);
    let request = stand.expect(SLICE);
    stand.speak(20);
    assert_eq!(stand.settled(request, Verdict::Closed, 800), Some(Notice::Lost(EndReason::NodeLost)));
    let late = stand.expect(RequestKind::End(EndReason::NodeLost));
    assert_eq!((late.units, late.number), (820, request.number + 1));
    assert!(matches!(stand.settled(late, Verdict::Closed, 820), Some(Notice::Closed(_))));
}

#[test]
fn a_session_with_another_owner_reports_nothing_more() {
    let mut stand = Stand::speaking_up_to(1000, Verdict::Granted);
    stand.speak(800);
    let request = stand.expect(SLICE);
    let fenced = Answer::Refused(Refusal::Fenced { epoch: 1, current: 2 });
    assert_eq!(stand.answer(request, fenced), Some(Notice::Fenced));
    assert_eq!((stand.speak(1), stand.poll()), (0, None));
}

#[test]
fn a_wish_that_is_dropped_while_refused_is_told_to_the_account() {
    let mut stand = Stand::new();
    stand.clock.want();
    let request = stand.expect(SLICE);
    stand.settled(request, Verdict::Refused(PauseReason::CreditsExhausted), 0);
    stand.clock.fall_silent(stand.now, HOLD);
    stand.expect(RELEASE);
}

#[test]
fn a_wheel_gives_each_deadline_once_and_none_early() {
    let mut wheel = TimingWheel::new(Moment(0));
    let deadlines = [0_u64, 5, 15, 16, 17, 1_000, 65_535, 65_536, 200_000];
    for at in deadlines {
        wheel.push(Moment(at), at);
    }
    wheel.push(Moment::NEVER, 1);
    let mut popped = Vec::new();
    for now in (0..=300_000).step_by(20) {
        wheel.pop(Moment(now), |at, key| {
            assert_eq!(at.0, key);
            assert!(key <= now && key + 20 > now, "{key} came at {now}");
            popped.push(key);
        });
    }
    popped.sort_unstable();
    assert_eq!(popped, deadlines);
    assert!(wheel.is_empty());
}

#[test]
fn a_wheel_catches_up_after_a_stall_of_many_turns() {
    let mut wheel = TimingWheel::new(Moment(0));
    for at in (0..100_000).step_by(7) {
        wheel.push(Moment(at), at);
    }
    let mut count = 0;
    wheel.pop(Moment(1_000_000), |_, _| count += 1);
    assert_eq!((count, wheel.len()), (14_286, 0));
    wheel.push(Moment(3), 3);
    wheel.pop(Moment(1_000_001), |_, _| count += 1);
    assert_eq!(count, 14_287, "a deadline in the past comes at the next turn");
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Want,
    Speak(u8),
    Silent,
    Wait(u16),
    OthersWait(bool),
    Rose,
    Answer { verdict: u8, more: u16 },
    Unreachable,
    CheckGrace,
    End,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Want),
        6 => any::<u8>().prop_map(Step::Speak),
        1 => Just(Step::Silent),
        3 => any::<u16>().prop_map(Step::Wait),
        1 => any::<bool>().prop_map(Step::OthersWait),
        1 => Just(Step::Rose),
        6 => (any::<u8>(), any::<u16>()).prop_map(|(verdict, more)| Step::Answer { verdict, more }),
        2 => Just(Step::Unreachable),
        1 => Just(Step::CheckGrace),
        1 => Just(Step::End),
    ]
}

proptest! {
    /// Whatever happens in whatever order: frames stay within what was granted plus grace, reports grow, numbers grow,
    /// a retry is the request it repeats, and an ended session takes nothing more.
    #[test]
    fn frames_never_pass_what_was_granted(steps in prop::collection::vec(step(), 1..200)) {
        let mut stand = Stand::new();
        let mut in_the_air: Option<Request> = None;
        let mut last_request: Option<Request> = None;
        let mut most_granted: Units = 0;
        let mut ended_at: Option<Units> = None;
        for step in steps {
            match step {
                Step::Want => stand.clock.want(),
                Step::Speak(frames) => {
                    stand.speak(Units::from(frames));
                }
                Step::Silent => stand.clock.fall_silent(stand.now, HOLD),
                Step::Wait(ms) => {
                    stand.wait(u64::from(ms));
                }
                Step::OthersWait(wait) => {
                    stand.others_wait = wait;
                    if wait {
                        stand.clock.take_turns(&stand.gate);
                    }
                }
                Step::Rose => stand.clock.credits_rose(),
                Step::Answer { verdict, more } => if let Some(request) = in_the_air.take() {
                    let ended = matches!(request.kind, RequestKind::End(_));
                    let asked = request.kind == SLICE;
                    let (verdict, slice_end) = match verdict % 3 {
                        _ if ended => (Verdict::Closed, request.units),
                        _ if !asked => (Verdict::Settled, request.units),
                        0 => (Verdict::Granted, request.units + Units::from(more)),
                        1 => (Verdict::Final, request.units + Units::from(more)),
                        _ => (Verdict::Refused(PauseReason::CreditsExhausted), request.units),
                    };
                    let grace = if verdict == Verdict::Granted { 7500 } else { 0 };
                    most_granted = most_granted.max(slice_end + grace);
                    stand.settled(request, verdict, slice_end);
                },
                Step::Unreachable => if let Some(request) = in_the_air.take() {
                    stand.answer(request, Answer::Unreachable);
                },
                Step::CheckGrace => {
                    stand.clock.check_grace(stand.now, &stand.gate, &OPTIONS);
                }
                Step::End => {
                    stand.clock.end(&stand.gate, EndReason::Stopped);
                    ended_at.get_or_insert(stand.gate.used());
                    in_the_air = None;
                }
            }
            if let Some(request) = stand.poll() {
                prop_assert!(in_the_air.is_none(), "two requests in the air");
                prop_assert!(request.units <= stand.gate.used());
                if let Some(last) = last_request {
                    prop_assert!(request == last || (request.number > last.number && request.units >= last.units));
                }
                last_request = Some(request);
                in_the_air = Some(request);
            }
            prop_assert!(stand.gate.used() <= most_granted, "{} of {most_granted}", stand.gate.used());
            if let Some(units) = ended_at {
                prop_assert_eq!(stand.gate.used(), units);
            }
        }
    }
}

#[test]
fn a_session_that_is_let_go_gives_all_back_and_says_nothing_more_until_it_comes_back() {
    let mut stand = Stand::speaking_up_to(1000, Verdict::Granted);
    stand.speak(800);
    // Its wish for more is in the air, and may still be answered.
    let wish = stand.expect(SLICE);
    stand.clock.let_go(&stand.gate);
    let request = stand.expect(RELEASE);
    assert_eq!((request.units, request.number), (800, wish.number + 1));
    assert_eq!(stand.settled(wish, Verdict::Granted, 2000), None);
    assert_eq!(stand.speak(1), 0);
    assert_eq!(stand.settled(request, Verdict::Settled, 800), Some(Notice::Aside { units: 800 }));
    stand.clock.want();
    assert_eq!((stand.wait(600_000).poll(), stand.clock.is_aside()), (None, true));

    stand.clock.come_back(stand.now);
    stand.clock.want();
    let request = stand.expect(SLICE);
    assert_eq!(stand.settled(request, Verdict::Granted, 1500), Some(Notice::Granted));
    assert_eq!(stand.speak(1), 1);
}

#[test]
fn a_session_that_was_taken_over_before_it_was_let_go_or_ended_is_fenced() {
    for ends in [false, true] {
        let mut stand = Stand::speaking_up_to(1000, Verdict::Granted);
        stand.speak(500);
        if ends {
            stand.clock.end(&stand.gate, EndReason::Stopped);
        } else {
            stand.clock.let_go(&stand.gate);
        }
        let request = stand.poll().expect("it reports");
        let fenced = Answer::Refused(Refusal::Fenced { epoch: 1, current: 2 });
        assert_eq!(stand.answer(request, fenced), Some(Notice::Fenced));
        assert_eq!(stand.poll(), None);
    }
}
