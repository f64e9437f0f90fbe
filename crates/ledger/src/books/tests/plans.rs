//! Changes of plan: what comes at once, what comes at the period's end, and what of it is credited.

use super::*;

fn plan(name: &str, amount: &str, months: u8) -> PlanTerms {
    PlanTerms { name: name.into(), credits: credits(amount), months, max_sessions: 5 }
}

fn creator() -> PlanTerms {
    plan("creator", "1800", 1)
}

fn pro() -> PlanTerms {
    plan("pro", "10000", 1)
}

fn on(plan: PlanTerms) -> Scene {
    let mut scene = Scene::new();
    assert_eq!(scene.change_plan(Some(plan)), Outcome::PlanSet);
    scene
}

fn names(scene: &Scene) -> (Option<&str>, Option<Option<&str>>) {
    let account = &scene.books.account;
    (
        account.plan.as_ref().map(|plan| plan.name.as_str()),
        account.next_plan.as_ref().map(|next| next.plan.as_ref().map(|plan| plan.name.as_str())),
    )
}

#[test]
fn an_upgrade_grants_the_difference_for_the_part_of_the_period_that_is_left() {
    let mut scene = on(creator());
    let period = scene.books.account.period;
    scene.run(&Command::HoldJob { job: JobId(Uuid::from_u128(1)), amount: credits("800") });
    // 31 January to 28 February: a quarter of 28 days is gone.
    scene.advance(7 * DAY);
    assert_eq!(
        scene.books.account.as_of(scene.now()).plan_change(Some(&pro())),
        PlanChange::Upgrade { granted: credits("6150") }
    );
    scene.change_plan(Some(pro()));
    // What was left of the first 1800 stays, and 8200 x 3/4 come: never a whole new period beside an unused share.
    scene.check("7150", "800", "0");
    assert_eq!((scene.books.account.period, names(&scene)), (period, (Some("pro"), None)));
    // All of it ends with the period, and the next one is the new plan's.
    scene.advance(21 * DAY).run(&Command::Touch);
    scene.check("10000", "800", "0");
    assert_eq!(scene.totals().expired, credits("7150"));
}

#[test]
fn an_upgrade_at_the_first_instant_makes_it_whole_and_at_the_last_grants_next_to_nothing() {
    let mut first = on(creator());
    first.change_plan(Some(pro()));
    first.check("10000", "0", "0");
    let mut last = on(creator());
    last.advance(28 * DAY - 1).change_plan(Some(pro()));
    // 8200 x 1 ms / 28 days, rounded down.
    last.check("1800.000003", "0", "0");
}

#[test]
fn upgrades_in_steps_grant_what_one_would() {
    let mut steps = on(creator());
    steps.advance(14 * DAY);
    steps.change_plan(Some(pro()));
    steps.change_plan(Some(plan("business", "50000", 1)));
    let mut one = on(creator());
    one.advance(14 * DAY).change_plan(Some(plan("business", "50000", 1)));
    assert_eq!(steps.totals().available, one.totals().available);
    one.check("25900", "0", "0");
}

#[test]
fn a_downgrade_waits_for_the_end_of_the_period_and_keeps_its_anchor() {
    let mut scene = on(pro());
    scene.advance(DAY).change_plan(Some(creator()));
    scene.check("10000", "0", "0");
    assert_eq!(names(&scene), (Some("pro"), Some(Some("creator"))));
    scene.advance(27 * DAY - 1).run(&Command::Touch);
    scene.check("10000", "0", "0");
    scene.advance(1).run(&Command::Touch);
    scene.check("1800", "0", "0");
    assert_eq!(names(&scene), (Some("creator"), None));
    // On the 31st again: the anchor is the first plan's.
    let period = scene.books.account.period.expect("a plan");
    assert_eq!((period.month, period.ends_at), (1, START.plus_ms(59 * DAY)));
}

#[test]
fn a_downgrade_can_be_taken_back_until_it_comes() {
    let mut scene = on(pro());
    for take_back in [Command::KeepPlan, Command::ChangePlan { plan: Some(pro()), grant: grant_id(900) }] {
        scene.change_plan(Some(creator()));
        scene.run(&take_back);
        assert_eq!(names(&scene), (Some("pro"), None));
    }
    let entries = scene.entries.len();
    scene.run(&Command::KeepPlan);
    assert_eq!(scene.entries.len(), entries, "there was nothing to take back");
    // An upgrade replaces what was to come as well.
    scene.change_plan(Some(creator()));
    scene.change_plan(Some(plan("business", "50000", 1)));
    assert_eq!(names(&scene), (Some("business"), None));
}

#[test]
fn a_plan_that_is_ended_runs_to_the_end_of_its_period() {
    let mut scene = on(creator());
    scene.top_up("7");
    scene.change_plan(None);
    assert_eq!(names(&scene), (Some("creator"), Some(None)));
    scene.advance(28 * DAY).run(&Command::Touch);
    assert_eq!((names(&scene), scene.books.account.period), ((None, None), None));
    scene.check("7", "0", "0");
    scene.advance(400 * DAY).run(&Command::Touch);
    assert_eq!(scene.totals().granted, credits("1807"));
}

#[test]
fn going_annual_begins_a_year_at_once_and_going_monthly_waits_for_its_end() {
    let mut scene = on(creator());
    scene.advance(10 * DAY);
    let annual = plan("creator", "21600", 12);
    let change = scene.books.account.as_of(scene.now()).plan_change(Some(&annual));
    assert_eq!(change, PlanChange::Anew { granted: credits("21600"), expires: credits("1800") });
    scene.change_plan(Some(annual));
    scene.check("21600", "0", "0");
    let year = scene.books.account.period.expect("a plan");
    assert_eq!((year.starts_at, year.ends_at), (scene.now(), scene.now().plus_ms(365 * DAY)));
    // More a month for a shorter term would cost the rest of the year: it waits as well.
    for monthly in [creator(), pro()] {
        assert_eq!(scene.books.account.plan_change(Some(&monthly)), PlanChange::Later { at: year.ends_at });
    }
    // A longer term of less a month is no upgrade either.
    let less = plan("less", "1000", 12);
    assert!(matches!(on(creator()).books.account.plan_change(Some(&less)), PlanChange::Later { .. }));
    scene.change_plan(Some(pro()));
    scene.advance(365 * DAY).run(&Command::Touch);
    scene.check("10000", "0", "0");
    let month = scene.books.account.period.expect("a plan");
    assert_eq!((month.anchor, month.month, month.starts_at), (year.anchor, 12, year.ends_at));
}

#[test]
fn a_change_that_was_missed_comes_at_its_own_boundary() {
    let (mut late, mut in_time) = (on(pro()), on(pro()));
    for scene in [&mut late, &mut in_time] {
        scene.change_plan(Some(plan("creator", "21600", 12)));
    }
    for _ in 0..40 {
        in_time.advance(DAY).run(&Command::Touch);
    }
    late.advance(40 * DAY).run(&Command::Touch);
    assert_eq!(late.books.account.grants, in_time.books.account.grants);
    assert_eq!(late.books.account.period, in_time.books.account.period);
    let period = late.books.account.period.expect("a plan");
    assert_eq!((period.month, period.starts_at), (1, START.plus_ms(28 * DAY)));
}

#[test]
fn a_change_has_a_name_and_the_same_one_changes_once() {
    let mut scene = on(creator());
    let change = |plan| Command::ChangePlan { plan: Some(plan), grant: grant_id(700) };
    scene.advance(DAY).run(&change(pro()));
    let books = scene.books.clone();
    assert_eq!(scene.run(&change(pro())), Outcome::PlanSet);
    assert_eq!(scene.books, books);
    assert_eq!(refusal(scene.run(&change(creator()))), Refusal::NameTaken);
    assert!(matches!(refusal(scene.change_plan(Some(plan("odd", "1", 3)))), Refusal::OutOfRange { .. }));
    scene.run(&Command::SetStatus { status: AccountStatus::Closed });
    assert_eq!(refusal(scene.change_plan(Some(creator()))), Refusal::Closed);
}

#[test]
fn an_upgrade_repays_debt_first() {
    let mut scene = on(plan("tiny", "0", 1));
    scene.terms.heartbeat_ms = 10 * SECOND;
    scene.top_up("0.5");
    scene.begin(1);
    scene.beat(1, 0, Ask::Slice);
    // 2 credits: half of one is there, one becomes debt, the cap forgives the rest.
    scene.beat(1, 1_500, Ask::Release);
    assert_eq!(scene.totals().debt, credits("1"));
    scene.change_plan(Some(plan("more", "3", 1)));
    scene.check("2", "0", "1.5");
    assert_eq!(scene.totals().debt, credits("0"));
}
