//! Grants: what burns first, what expires, periods, names, voids.

use super::*;

fn left(scene: &Scene) -> Vec<(GrantKind, Microcredits)> {
    scene.books.account.grants.iter().map(|grant| (grant.kind, grant.available)).collect()
}

#[test]
fn plan_burns_before_promo_before_top_up_and_the_earliest_expiry_first() {
    let mut scene = Scene::with_credits("5");
    let soon = Some(scene.now().plus_ms(DAY));
    let later = Some(scene.now().plus_ms(2 * DAY));
    scene.grant(GrantKind::Promo, "4", None);
    scene.grant(GrantKind::Promo, "3", later);
    scene.grant(GrantKind::Promo, "2", soon);
    scene.set_plan("1", 1, 10);
    let order = [
        ("1", GrantKind::Plan),
        ("2", GrantKind::Promo),
        ("3", GrantKind::Promo),
        ("4", GrantKind::Promo),
        ("5", GrantKind::TopUp),
    ];
    assert_eq!(left(&scene), order.map(|(amount, kind)| (kind, credits(amount))));
    scene.run(&Command::HoldJob { job: JobId(Uuid::from_u128(1)), amount: credits("6.5") });
    let rest = ["0", "0", "0", "3.5", "5"].map(credits);
    assert_eq!(left(&scene).iter().map(|(_, amount)| *amount).collect::<Vec<_>>(), rest);
}

#[test]
fn a_hold_across_a_period_roll_is_spent_but_not_given_back() {
    let mut scene = Scene::with_credits("10");
    scene.set_plan("1.5", 1, 10);
    scene.begin(1);
    // 1.5 of the plan, 0.5 of the top-up.
    assert_eq!(scene.beat(1, 0, Ask::Slice).slice_end, 1_500);
    scene.advance(28 * DAY);
    scene.run(&Command::Touch);
    scene.check("11", "2", "0");
    // 0.5 used: from the old plan grant. 1 of it expires, the top-up's 0.5 returns.
    scene.beat(1, 375, Ask::Release);
    scene.check("11.5", "0", "0.5");
    assert_eq!(scene.totals().expired, credits("1"));
    assert_eq!(left(&scene), [(GrantKind::Plan, credits("1.5")), (GrantKind::TopUp, credits("10"))]);
}

#[test]
fn a_hold_goes_back_last_part_first() {
    let mut scene = Scene::new();
    let expires_at = scene.now().plus_ms(HOUR);
    scene.grant(GrantKind::Promo, "1", Some(expires_at));
    scene.grant(GrantKind::Promo, "2", Some(expires_at));
    let job = JobId(Uuid::from_u128(1));
    scene.run(&Command::HoldJob { job, amount: credits("3") });
    scene.advance(HOUR).run(&Command::ReleaseJob { job });
    let expired: Vec<_> = scene
        .entries
        .iter()
        .filter_map(|entry| match entry.kind {
            EntryKind::Expired { amount, .. } => Some(amount),
            _ => None,
        })
        .collect();
    assert_eq!(expired, ["2", "1"].map(credits));
    scene.check("0", "0", "0");
}

#[test]
fn periods_keep_their_anchor_through_short_months() {
    let mut scene = Scene::new();
    scene.set_plan("99", 1, 1);
    let starts: Vec<_> = [0, 28, 59, 89, 120]
        .into_iter()
        .map(|days| {
            // 2026: Jan 31, Feb 28, Mar 31, Apr 30, May 31, each at 10:30.
            let due = START.plus_ms(days * DAY);
            scene.now = due.plus_ms(-1);
            scene.run(&Command::Touch);
            scene.now = due;
            scene.run(&Command::Touch);
            assert_eq!(scene.books.account.period.expect("a plan").starts_at, due);
            scene.totals().granted
        })
        .collect();
    assert_eq!(starts, ["99", "198", "297", "396", "495"].map(credits));
    scene.check("99", "0", "0");
}

#[test]
fn an_annual_plan_grants_once_a_year() {
    let mut scene = Scene::new();
    scene.set_plan("21600", 12, 3);
    scene.advance(364 * DAY);
    scene.run(&Command::Touch);
    assert_eq!(scene.totals().granted, credits("21600"));
    scene.advance(DAY);
    scene.run(&Command::Touch);
    assert_eq!((scene.totals().granted, scene.totals().expired), (credits("43200"), credits("21600")));
}

#[test]
fn the_same_period_makes_the_same_grant_on_every_node() {
    let mut scene = Scene::new();
    scene.set_plan("99", 1, 1);
    let mut other = Scene::new();
    other.set_plan("99", 1, 1);
    scene.advance(40 * DAY).run(&Command::Touch);
    other.advance(41 * DAY).run(&Command::Touch);
    assert_eq!(scene.books.account.grants, other.books.account.grants);
}

#[test]
fn missed_periods_grant_nothing_but_repay_what_is_owed() {
    let mut scene = Scene::new();
    scene.set_plan("1", 1, 1);
    scene.set_limits("3", "0");
    scene.terms.heartbeat_ms = 10 * SECOND;
    scene.begin(1);
    scene.beat(1, 0, Ask::Slice);
    scene.beat(1, 3_000, Ask::Release);
    assert_eq!(scene.totals().debt, credits("3"));
    let mut in_time = Scene::new();
    (in_time.books, in_time.entries) = (scene.books.clone(), scene.entries.clone());
    for _ in 0..300 {
        in_time.advance(DAY).run(&Command::Touch);
    }
    scene.advance(300 * DAY).run(&Command::Touch);
    // Two whole grants and the third went into the debt; the others were missed, but for the present one.
    assert_eq!((scene.totals().debt, scene.totals().granted), (credits("0"), credits("5")));
    assert_eq!(scene.books.account.grants, in_time.books.account.grants);
    assert_eq!(scene.books.account.period, in_time.books.account.period);
}

#[test]
fn a_new_plan_ends_the_old_one_and_a_repeat_changes_nothing() {
    let mut scene = Scene::with_credits("5");
    scene.set_plan("99", 1, 1);
    scene.advance(DAY);
    let plan = PlanTerms { name: "creator".into(), credits: credits("1800"), months: 1, max_sessions: 3 };
    let change = Command::SetPlan { plan: Some(plan), grant: grant_id(500) };
    assert_eq!(scene.run(&change), Outcome::PlanSet);
    assert_eq!(scene.totals().expired, credits("99"));
    scene.check("1805", "0", "0");
    let books = scene.books.clone();
    assert_eq!(scene.run(&change), Outcome::PlanSet);
    assert_eq!(scene.books, books);
    assert_eq!(scene.run(&Command::SetPlan { plan: None, grant: grant_id(501) }), Outcome::PlanSet);
    scene.check("5", "0", "0");
    scene.advance(90 * DAY).run(&Command::Touch);
    scene.check("5", "0", "0");
}

#[test]
fn a_name_is_one_operation_for_ever() {
    let mut scene = Scene::new();
    let top_up = |id, amount: &str| Command::Grant {
        id: grant_id(id),
        name: GrantName("invoice 12".into()),
        kind: GrantKind::TopUp,
        amount: credits(amount),
        expires_at: None,
    };
    scene.run(&top_up(1, "100"));
    let repeat = Outcome::Granted { grant: grant_id(1), amount: credits("100"), replayed: true };
    assert_eq!(scene.run(&top_up(2, "100")), repeat);
    assert_eq!(refusal(scene.run(&top_up(3, "101"))), Refusal::NameTaken);
    scene.check("100", "0", "0");

    let void = |name: &str, amount: &str| Command::VoidGrant {
        name: GrantName(name.into()),
        grant: grant_id(1),
        amount: credits(amount),
    };
    assert_eq!(refusal(scene.run(&void("invoice 12", "60"))), Refusal::NameTaken);
    assert_eq!(scene.run(&void("refund", "60")), Outcome::Voided { amount: credits("60") });
    assert_eq!(scene.run(&void("refund", "60")), Outcome::Voided { amount: credits("60") });
    assert_eq!(scene.run(&void("refund 2", "60")), Outcome::Voided { amount: credits("40") });
    assert_eq!(refusal(scene.run(&void("refund 3", "1"))), Refusal::UnknownGrant);
    assert_eq!((scene.totals().voided, scene.totals().granted), (credits("100"), credits("100")));
}

#[test]
fn each_kind_of_grant_says_when_it_ends() {
    let mut scene = Scene::new();
    let past = Some(scene.now());
    let later = Some(scene.now().plus_ms(90 * DAY));
    let cases = [
        (GrantKind::TopUp, later, Refusal::TopUpExpires),
        (GrantKind::Plan, None, Refusal::NoPeriod),
        (GrantKind::Promo, past, Refusal::AlreadyExpired { expires_at: scene.now() }),
    ];
    for (kind, expires_at, expected) in cases {
        assert_eq!(refusal(scene.grant(kind, "1", expires_at).outcome), expected);
    }
    for amount in ["0", "-1", "1000000000.000001"] {
        assert!(matches!(refusal(scene.grant(GrantKind::TopUp, amount, None).outcome), Refusal::OutOfRange { .. }));
    }
    scene.set_plan("0", 1, 1);
    scene.grant(GrantKind::Plan, "1", later);
    let period = scene.books.account.period.expect("a plan");
    assert_eq!(scene.books.account.grants[0].expires_at, Some(period.ends_at));
}

#[test]
fn a_promo_expires_on_time_even_when_nobody_looks() {
    let mut scene = Scene::new();
    let expires_at = scene.now().plus_ms(DAY);
    scene.grant(GrantKind::Promo, "5", Some(expires_at));
    assert_eq!(scene.books.account.as_of(expires_at.plus_ms(-1)).spendable(), credits("5"));
    assert_eq!(scene.books.account.as_of(expires_at).spendable(), credits("0"));
    assert_eq!(scene.books.account.balance().promo, credits("5"));
    scene.advance(DAY);
    assert!(matches!(refusal(scene.begin(1)), Refusal::CreditsExhausted { .. }));
    assert_eq!(scene.totals().expired, credits("5"));
}

#[test]
fn a_closed_account_stays_closed_and_takes_no_money() {
    let mut scene = Scene::with_credits("5");
    scene.set_plan("99", 1, 1);
    scene.run(&Command::SetStatus { status: AccountStatus::Closed });
    assert_eq!(refusal(scene.run(&Command::SetStatus { status: AccountStatus::Open })), Refusal::Closed);
    assert_eq!(refusal(scene.top_up("1").outcome), Refusal::Closed);
    scene.advance(40 * DAY).run(&Command::Touch);
    scene.check("5", "0", "0");
}
