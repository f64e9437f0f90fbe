//! Owners: take-over, the sweeper, late reports, tombstones.

use super::*;

fn take_over(owner: u128, proved: Units) -> Command {
    Command::TakeOver { session: session_id(1), owner: boot(owner), proved }
}

fn sweep(proved: Units) -> Command {
    Command::Sweep { sessions: vec![(session_id(1), proved)] }
}

fn speaking() -> Scene {
    let mut scene = Scene::with_credits("99");
    scene.begin(1);
    scene.run(&beat(1, 1, 1, 0, Ask::Slice));
    scene
}

#[test]
fn beginning_twice_is_beginning_once() {
    let mut scene = Scene::with_credits("1");
    scene.set_plan("0", 1, 1);
    assert_eq!(scene.begin(1), Outcome::Begun { epoch: 1 });
    assert_eq!(scene.begin(1), Outcome::Begun { epoch: 1 });
    assert_eq!(scene.books.account.open_sessions, 1);
    assert_eq!(refusal(scene.begin(2)), Refusal::TooManySessions { limit: 1 });
    scene.stop(1, 0);
    assert_eq!(refusal(scene.begin(1)), Refusal::SessionEnded { reason: EndReason::Stopped });
    assert_eq!(scene.begin(2), Outcome::Begun { epoch: 1 });
}

#[test]
fn without_a_plan_there_is_a_cap_as_well() {
    let mut scene = Scene::with_credits("1");
    scene.terms.max_sessions_without_plan = 2;
    assert_eq!(scene.begin(1), Outcome::Begun { epoch: 1 });
    assert_eq!(scene.begin(2), Outcome::Begun { epoch: 1 });
    assert_eq!(refusal(scene.begin(3)), Refusal::TooManySessions { limit: 2 });
    scene.set_plan("0", 1, 3);
    assert_eq!(scene.begin(3), Outcome::Begun { epoch: 1 }, "a plan has its own");
    scene.stop(1, 0);
    scene.set_plan("0", 1, 1);
    assert_eq!(refusal(scene.begin(4)), Refusal::TooManySessions { limit: 1 });
}

#[test]
fn an_heir_goes_on_from_what_was_proved_and_the_former_owner_is_fenced() {
    let mut scene = speaking();
    let taken = Outcome::TakenOver { epoch: 2, base: 400 };
    assert_eq!(scene.run(&take_over(2, 400)), taken);
    scene.check("98.466667", "0", "0.533333");
    for command in [beat(1, 1, 2, 900, Ask::Slice), end(1, 1, 2, 900)] {
        assert_eq!(refusal(scene.run(&command)), Refusal::Fenced { epoch: 1, current: 2 });
    }
    assert_eq!(refusal(scene.begin(1)), Refusal::Fenced { epoch: 1, current: 2 });
    // The heir's numbers begin anew; the repeat of its claim answers the same base.
    scene.run(&beat(1, 2, 1, 400, Ask::Slice));
    scene.run(&beat(1, 2, 2, 700, Ask::Slice));
    assert_eq!(scene.run(&take_over(2, 800)), taken);
    assert_eq!(scene.tab(1).settled_units, 700);
    // Less than is settled, or more than was permitted, is not what was used.
    assert_eq!(scene.run(&take_over(3, 10)), Outcome::TakenOver { epoch: 3, base: 700 });
    assert_eq!(scene.run(&take_over(4, 10_000)), Outcome::TakenOver { epoch: 4, base: 700 });
}

#[test]
fn the_sweeper_ends_what_nobody_speaks_for_and_gives_its_hold_back() {
    let mut scene = speaking();
    scene.advance(419 * SECOND);
    assert_eq!(scene.run(&sweep(600)), Outcome::Swept { ended: vec![] });
    scene.advance(SECOND);
    assert_eq!(scene.run(&sweep(600)), Outcome::Swept { ended: vec![session_id(1)] });
    scene.check("98.2", "0", "0.8");
    assert!(matches!(scene.tab(1).state, TabState::Ended { reason: EndReason::NodeLost, .. }));
    assert_eq!(scene.books.account.open_sessions, 0);
    assert_eq!(refusal(scene.run(&take_over(2, 600))), Refusal::SessionEnded { reason: EndReason::NodeLost });
}

#[test]
fn a_late_report_is_charged_within_slice_and_grace_and_closes_the_settlement() {
    let mut scene = speaking();
    scene.advance(420 * SECOND);
    scene.run(&sweep(600));
    // The retry of a heartbeat that was answered before the end must not make anyone speak on.
    let Outcome::Heartbeat(repeat) = scene.run(&beat(1, 1, 1, 0, Ask::Slice)) else { panic!() };
    assert_eq!((repeat.verdict, repeat.slice_end), (Verdict::Closed, 600));

    let Outcome::Heartbeat(first) = scene.run(&beat(1, 1, 2, 1_500, Ask::Slice)) else { panic!() };
    assert_eq!((first.verdict, first.settled_units, first.charged), (Verdict::Closed, 1_500, credits("2")));
    let last = scene.run(&end(1, 1, 3, 100_000));
    let Outcome::Ended(answer) = last else { panic!("{last:?}") };
    assert_eq!(answer.settled_units, 9_000);
    assert_eq!(scene.run(&end(1, 1, 3, 100_000)), last);
    let over = Refusal::SessionEnded { reason: EndReason::NodeLost };
    assert_eq!(refusal(scene.run(&end(1, 1, 4, 100_000))), over);
    let late: Vec<_> =
        scene.entries.iter().filter(|entry| matches!(entry.kind, EntryKind::Usage { late: true, .. })).collect();
    assert_eq!(late.len(), 2);
}

#[test]
fn a_report_after_a_day_is_too_late_and_after_a_week_the_session_is_forgotten() {
    let mut scene = speaking();
    scene.advance(420 * SECOND);
    scene.run(&sweep(600));
    scene.advance(DAY);
    let over = Refusal::SessionEnded { reason: EndReason::NodeLost };
    assert_eq!(refusal(scene.run(&end(1, 1, 2, 1_000))), over);
    scene.advance(6 * DAY - 1);
    scene.run(&sweep(0));
    assert!(scene.books.tabs.contains_key(&session_id(1)));
    scene.advance(1);
    let _swept = scene.books.apply(&scene.terms, scene.now, &sweep(0));
    assert_eq!(scene.books.take_changes().tabs, BTreeMap::from([(session_id(1), None)]));
    assert_eq!(refusal(scene.run(&beat(1, 1, 5, 9, Ask::Slice))), Refusal::UnknownSession);
}

#[test]
fn a_session_that_is_cut_ends_at_what_is_settled_and_its_owner_may_still_report() {
    let mut scene = speaking();
    scene.run(&beat(1, 1, 2, 300, Ask::Slice));
    let cut = Command::CutSession { session: session_id(1), reason: EndReason::MaxDuration };
    let Outcome::Ended(answer) = scene.run(&cut) else { panic!() };
    assert_eq!((answer.verdict, answer.settled_units, answer.charged), (Verdict::Closed, 300, credits("0.4")));
    scene.check("98.6", "0", "0.4");
    assert_eq!(scene.books.account.open_sessions, 0);
    let over = Refusal::SessionEnded { reason: EndReason::MaxDuration };
    assert_eq!(refusal(scene.run(&cut)), over);
    // What its owner sent meanwhile is not lost, whichever number it has.
    let Outcome::Heartbeat(late) = scene.run(&beat(1, 1, 3, 450, Ask::Slice)) else { panic!() };
    assert_eq!((late.verdict, late.settled_units), (Verdict::Closed, 450));
    let Outcome::Ended(last) = scene.run(&end(1, 1, 4, 600)) else { panic!() };
    assert_eq!(last.charged, credits("0.8"));
    assert_eq!(refusal(scene.run(&end(1, 1, 5, 700))), over);
    scene.check("98.2", "0", "0.8");
}

#[test]
fn a_final_report_of_the_owner_is_the_last_word() {
    let mut scene = speaking();
    scene.run(&end(1, 1, 2, 300));
    let over = Refusal::SessionEnded { reason: EndReason::Stopped };
    assert_eq!(refusal(scene.run(&end(1, 1, 3, 400))), over);
    scene.check("98.6", "0", "0.4");
}
