//! One session: slices, the last frame, grace, debt, overage, repeats.

use super::*;

#[test]
fn the_last_frame_that_a_tenth_of_a_credit_pays_for_is_the_75th() {
    for (fps, frames) in [(20, 60), (25, 75), (50, 150)] {
        let mut scene = Scene::with_credits("0.1");
        scene.begin_priced(1, essence(fps));
        let slice = scene.beat(1, 0, Ask::Slice);
        assert_eq!((slice.verdict, slice.slice_end, slice.grace_units), (Verdict::Final, frames, 0));
        scene.check("0", "0.1", "0");

        let used_up = scene.beat(1, frames, Ask::Slice);
        assert_eq!(used_up.verdict, Verdict::Refused(PauseReason::CreditsExhausted));
        assert_eq!((used_up.settled_units, used_up.charged), (frames, credits("0.1")));
        scene.check("0", "0", "0.1");

        assert!(scene.top_up("0.1").available_rose);
        let resumed = scene.beat(1, frames, Ask::Slice);
        assert_eq!((resumed.verdict, resumed.slice_end), (Verdict::Final, 2 * frames));
        scene.stop(1, 2 * frames);
        scene.check("0", "0", "0.2");
    }
}

#[test]
fn who_speaks_goes_on_to_the_last_frame_and_who_waits_needs_a_second() {
    // 1.4 s: a first slice of all, then 10 frames that come back, less than a second.
    let mut scene = Scene::with_credits("0.046667");
    scene.begin(1);
    assert_eq!(scene.beat(1, 0, Ask::Slice).slice_end, 35);
    scene.top_up("0.013333");
    let last = scene.beat(1, 35, Ask::Slice);
    assert_eq!((last.verdict, last.slice_end), (Verdict::Final, 45));
    assert_eq!(scene.beat(1, 45, Ask::Slice).verdict, Verdict::Refused(PauseReason::CreditsExhausted));

    scene.top_up("0.02");
    assert_eq!(scene.beat(1, 45, Ask::Slice).verdict, Verdict::Refused(PauseReason::CreditsExhausted));
    scene.top_up("0.02");
    assert_eq!(scene.beat(1, 45, Ask::Slice).slice_end, 75);
}

#[test]
fn a_slice_is_one_heartbeat_and_grows_before_it_ends() {
    let mut scene = Scene::with_credits("100");
    scene.begin(1);
    let first = scene.beat(1, 0, Ask::Slice);
    assert_eq!((first.verdict, first.slice_end, first.grace_units), (Verdict::Granted, 1_500, 7_500));
    let second = scene.beat(1, 1_125, Ask::Slice);
    assert_eq!(second.slice_end, 2_625);
    scene.check("96.5", "2", "1.5");
    // Kept while speech may go on, then given back.
    let kept = scene.beat(1, 1_500, Ask::Keep);
    assert_eq!((kept.verdict, kept.slice_end, kept.grace_units), (Verdict::Settled, 2_625, 7_500));
    let quiet = scene.beat(1, 1_500, Ask::Release);
    assert_eq!((quiet.slice_end, quiet.grace_units), (1_500, 0));
    scene.check("98", "0", "2");
}

#[test]
fn a_session_stopped_after_five_seconds_pays_five_seconds() {
    let mut scene = Scene::with_credits("99");
    scene.begin(1);
    scene.beat(1, 0, Ask::Slice);
    let answer = scene.stop(1, 125);
    assert_eq!((answer.verdict, answer.charged), (Verdict::Closed, credits("0.166666")));
    scene.check("98.833334", "0", "0.166666");
}

#[test]
fn a_whole_minute_is_paid_at_its_first_frame_where_the_operator_wants_it() {
    let mut scene = Scene::with_credits("3");
    scene.begin_priced(1, Pricing { rounding: Rounding::WholeMinute, ..essence(25) });
    let first = scene.beat(1, 0, Ask::Slice);
    assert_eq!((first.verdict, first.slice_end), (Verdict::Final, 1_500));
    assert_eq!(scene.beat(1, 1, Ask::Release).charged, credits("2"));
    // The rest of the minute is paid for.
    let rest = scene.beat(1, 1, Ask::Slice);
    assert_eq!((rest.verdict, rest.slice_end), (Verdict::Final, 1_500));
    scene.check("1", "0", "2");
}

#[test]
fn free_sessions_get_whole_slices_of_nothing() {
    let mut scene = Scene::new();
    scene.begin_priced(1, Pricing { rate: Microcredits::ZERO, ..essence(25) });
    assert_eq!(scene.beat(1, 0, Ask::Slice).slice_end, 1_500);
    let answer = scene.beat(1, 1_500, Ask::Slice);
    assert_eq!((answer.verdict, answer.slice_end, answer.charged), (Verdict::Granted, 3_000, credits("0")));
    assert_eq!(scene.books.account.speaking, 0);
}

#[test]
fn the_same_number_gets_the_same_answer_and_a_lower_one_is_stale() {
    let mut scene = Scene::with_credits("99");
    scene.begin(1);
    let first = scene.run(&beat(1, 1, 3, 0, Ask::Slice));
    let books = scene.books.clone();
    assert_eq!(scene.run(&beat(1, 1, 3, 900, Ask::Release)), first);
    assert_eq!(scene.books, books);
    let stale = refusal(scene.run(&beat(1, 1, 2, 900, Ask::Slice)));
    assert_eq!(stale, Refusal::Stale { number: 2, last: 3 });
    assert_eq!(scene.books, books);
    // Gaps are fine: the reports between were lost, and units are cumulative.
    scene.run(&beat(1, 1, 9, 1_000, Ask::Slice));
    assert_eq!(scene.tab(1).settled_units, 1_000);
    // A heartbeat's number cannot end the session, an end's repeat answers the end.
    assert_eq!(refusal(scene.run(&end(1, 1, 9, 1_000))), Refusal::Stale { number: 9, last: 9 });
    let ended = scene.run(&end(1, 1, 10, 1_200));
    assert_eq!(scene.run(&end(1, 1, 10, 1_200)), ended);
}

#[test]
fn usage_in_grace_is_charged_then_owed_up_to_the_cap_then_forgiven() {
    // 60 s of slice and 15 s left; the engine goes on for 5 minutes without the store.
    let mut scene = Scene::with_credits("2.5");
    scene.begin(1);
    assert_eq!(scene.beat(1, 0, Ask::Slice).grace_units, 7_500);
    let answer = scene.beat(1, 9_000, Ask::Slice);
    assert_eq!(answer.verdict, Verdict::Refused(PauseReason::Debt));
    assert_eq!((answer.settled_units, answer.charged, answer.grace_units), (9_000, credits("3.5"), 0));
    assert_eq!((scene.totals().debt, scene.tab(1).forgiven), (credits("1"), credits("8.5")));
    scene.check("0", "0", "3.5");

    assert!(matches!(refusal(scene.begin(2)), Refusal::InDebt { .. }));
    // What becomes available repays first; then it may go on, and what was forgiven is never charged.
    scene.top_up("0.4");
    assert_eq!(scene.beat(1, 9_000, Ask::Slice).verdict, Verdict::Refused(PauseReason::Debt));
    assert!(scene.top_up("2.6").available_rose);
    scene.check("2", "0", "3.5");
    assert_eq!(scene.beat(1, 9_000, Ask::Slice).slice_end, 10_500);
    assert_eq!(scene.stop(1, 10_500).charged, credits("5.5"));
}

#[test]
fn usage_in_grace_uses_overage_before_it_makes_debt() {
    let mut scene = Scene::with_credits("2.5");
    scene.set_limits("1", "0.5");
    scene.begin(1);
    scene.beat(1, 0, Ask::Slice);
    // 3.2 credits: 2.5 of the grant, 0.5 of overage, 0.2 owed.
    assert_eq!(scene.beat(1, 2_400, Ask::Slice).verdict, Verdict::Refused(PauseReason::Debt));
    let Totals { debt, overage_spent, spent, .. } = scene.totals();
    assert_eq!([debt, overage_spent, spent], ["0.2", "0.5", "2.7"].map(credits));
}

#[test]
fn more_than_was_ever_permitted_is_not_believed_until_it_is() {
    let mut scene = Scene::with_credits("0.1");
    scene.begin(1);
    scene.beat(1, 0, Ask::Slice);
    assert_eq!(scene.beat(1, u64::MAX, Ask::Slice).settled_units, 75);
    assert_eq!(scene.totals().debt, Microcredits::ZERO);
    scene.top_up("1");
    assert_eq!(scene.beat(1, 80, Ask::Slice).slice_end, 825);
    assert_eq!(scene.beat(1, 80, Ask::Keep).settled_units, 80);
}

#[test]
fn an_answer_that_was_lost_does_not_make_honest_usage_free() {
    let mut scene = Scene::with_credits("3");
    scene.begin(1);
    assert_eq!(scene.beat(1, 0, Ask::Slice).grace_units, 7_500);
    // The final answer never arrives; the engine goes on with the grace of the one before.
    assert_eq!(scene.beat(1, 1_200, Ask::Slice).verdict, Verdict::Final);
    let back = scene.beat(1, 2_500, Ask::Slice);
    assert_eq!((back.settled_units, back.charged), (2_500, credits("3.333333")));
    assert_eq!(scene.totals().debt, credits("0.333333"));
}

#[test]
fn overage_is_used_only_where_it_is_allowed_and_apart_from_grants() {
    let mut scene = Scene::with_credits("1");
    scene.set_limits("0", "0.5");
    scene.begin(1);
    let slice = scene.beat(1, 0, Ask::Slice);
    assert_eq!((slice.verdict, slice.slice_end), (Verdict::Final, 1_125));
    assert_eq!(scene.totals().overage_held, credits("0.5"));
    // Grants are spent first, and overage is given back first.
    scene.beat(1, 900, Ask::Release);
    assert_eq!((scene.totals().overage_held, scene.totals().overage_spent), (credits("0"), credits("0.2")));
    scene.check("0", "0", "1");
    assert_eq!(scene.beat(1, 900, Ask::Slice).slice_end, 1_125);
    let over = scene.beat(1, 1_125, Ask::Slice);
    assert_eq!(over.verdict, Verdict::Refused(PauseReason::SpendingLimit));
    assert_eq!(scene.totals().overage_spent, credits("0.5"));
    assert!(scene.set_limits("0", "0.6").available_rose);
}

#[test]
fn a_suspended_account_lets_a_session_settle_what_it_holds_and_nothing_more() {
    let mut scene = Scene::with_credits("99");
    scene.begin(1);
    scene.beat(1, 0, Ask::Slice);
    scene.run(&Command::SetStatus { status: AccountStatus::Suspended });
    let answer = scene.beat(1, 500, Ask::Slice);
    assert_eq!(answer.verdict, Verdict::Refused(PauseReason::AccountSuspended));
    // Frames made until the answer arrived are paid from the hold, which then goes back.
    let settled = scene.beat(1, 510, Ask::Release);
    assert_eq!((settled.settled_units, settled.charged), (510, credits("0.68")));
    scene.check("98.32", "0", "0.68");
    assert_eq!(refusal(scene.begin(2)), Refusal::Suspended);
    assert!(scene.apply(&Command::SetStatus { status: AccountStatus::Open }).available_rose);
}

#[test]
fn usage_is_one_entry_per_session_and_clock_hour() {
    let mut scene = Scene::with_credits("120");
    scene.begin(1);
    scene.beat(1, 0, Ask::Slice);
    for minute in 1..=60 {
        scene.advance(60 * SECOND);
        scene.beat(1, minute * 1_500, Ask::Slice);
    }
    scene.stop(1, 60 * 1_500);
    let usages: Vec<_> = scene
        .entries
        .iter()
        .filter_map(|entry| match &entry.kind {
            EntryKind::Usage { usage, late: false, .. } => Some((usage.hour, usage.units)),
            _ => None,
        })
        .collect();
    // It began at half past: the report of minute 30 falls into the new hour.
    let hour = scene.tab(1).begun_at.hour();
    assert_eq!(usages, [(hour, 29 * 1_500), (hour + 1, 31 * 1_500)]);
}

#[test]
fn a_clock_that_jumps_back_changes_nothing() {
    let mut scene = Scene::with_credits("99");
    scene.begin(1);
    scene.beat(1, 0, Ask::Slice);
    let latest = scene.books.account.now;
    scene.advance(-10 * DAY);
    scene.beat(1, 100, Ask::Slice);
    assert_eq!(scene.books.account.now, latest);
    assert_eq!(scene.tab(1).sweep_at, latest.plus_ms(420 * SECOND));
}

#[test]
fn prices_out_of_range_open_no_session() {
    let mut scene = Scene::with_credits("99");
    for (rate, units_per_minute) in [(-1, 1_500), (i64::MAX, 1_500), (1, 0), (1, u64::MAX)] {
        let pricing = Pricing { rate: Microcredits(rate), units_per_minute, rounding: Rounding::Exact };
        assert!(matches!(refusal(scene.begin_priced(1, pricing)), Refusal::OutOfRange { .. }));
    }
    assert!(scene.books.tabs.is_empty());
}
