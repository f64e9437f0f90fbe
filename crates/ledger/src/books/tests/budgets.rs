//! Spending limits of secrets: to the unit, for whatever is opened with the secret, and for nothing else.

use super::*;

fn secret(number: u128) -> SecretId {
    SecretId(Uuid::from_u128(number))
}

fn limit(scene: &mut Scene, number: u128, amount: &str, per: LimitPer) -> Done {
    let limit = Some(SpendingLimit { credits: credits(amount), per });
    scene.apply(&Command::SetSpendingLimit { secret: secret(number), limit })
}

fn begin(scene: &mut Scene, session: u128, number: u128) -> Outcome {
    scene.begin_with(session, essence(25), Some(secret(number)))
}

fn budget(scene: &Scene) -> (Microcredits, Microcredits) {
    let budget = &scene.books.account.budgets[0];
    (budget.spent, budget.held)
}

#[test]
fn a_session_stops_at_the_frame_where_its_secrets_limit_ends() {
    let mut scene = Scene::with_credits("1000");
    limit(&mut scene, 1, "2.1", LimitPer::Total);
    begin(&mut scene, 1, 1);
    let first = scene.beat(1, 0, Ask::Slice);
    assert_eq!((first.verdict, first.slice_end), (Verdict::Granted, 1_500));
    assert_eq!(first.grace_units, 75, "grace ends where the limit does");
    let last = scene.beat(1, 1_200, Ask::Slice);
    assert_eq!((last.verdict, last.slice_end, last.grace_units), (Verdict::Final, 1_575, 0));
    assert_eq!(budget(&scene), (credits("1.6"), credits("0.5")));
    let refused = scene.beat(1, 1_575, Ask::Slice);
    assert_eq!(refused.verdict, Verdict::Refused(PauseReason::SpendingLimit));
    assert_eq!((refused.charged, budget(&scene)), (credits("2.1"), (credits("2.1"), credits("0"))));
    // It is not in line: what it cannot have is there for others.
    assert_eq!((scene.books.account.waiting, scene.books.account.speaking), (0, 0));
    assert_eq!(
        refusal(begin(&mut scene, 2, 1)),
        Refusal::OverSpendingLimit { limit: credits("2.1"), spent: credits("2.1") }
    );
    assert_eq!(begin(&mut scene, 3, 2), Outcome::Begun { epoch: 1 });
    assert_eq!(scene.beat(3, 0, Ask::Slice).slice_end, 1_500);
}

#[test]
fn sessions_of_one_secret_share_its_limit() {
    let mut scene = Scene::with_credits("1000");
    limit(&mut scene, 1, "3", LimitPer::Total);
    begin(&mut scene, 1, 1);
    begin(&mut scene, 2, 1);
    assert_eq!(scene.beat(1, 0, Ask::Slice).slice_end, 1_500);
    let second = scene.beat(2, 0, Ask::Slice);
    assert_eq!((second.verdict, second.slice_end), (Verdict::Final, 750));
    let third = scene.beat(1, 1_500, Ask::Slice);
    assert_eq!(third.verdict, Verdict::Refused(PauseReason::SpendingLimit));
    // What the second one gives back is a reason to ask again.
    let number = scene.next_number(2);
    let given_back = scene.apply(&beat(2, 1, number, 75, Ask::Release));
    assert!(given_back.available_rose);
    assert_eq!(scene.beat(1, 1_500, Ask::Slice).slice_end, 1_500 + 675);
}

#[test]
fn a_limit_that_is_raised_lifted_or_renewed_lets_sessions_go_on() {
    let mut scene = Scene::with_credits("1000");
    limit(&mut scene, 1, "1", LimitPer::Month);
    begin(&mut scene, 1, 1);
    scene.beat(1, 0, Ask::Slice);
    assert_eq!(scene.beat(1, 750, Ask::Slice).verdict, Verdict::Refused(PauseReason::SpendingLimit));
    assert!(limit(&mut scene, 1, "1.5", LimitPer::Month).available_rose);
    assert_eq!(scene.beat(1, 750, Ask::Slice).slice_end, 1_125);
    assert_eq!(scene.beat(1, 1_125, Ask::Slice).verdict, Verdict::Refused(PauseReason::SpendingLimit));
    // 31 January, 10:30: February begins in thirteen and a half hours.
    scene.advance(14 * HOUR);
    assert_eq!(scene.beat(1, 1_125, Ask::Slice).slice_end, 1_125 + 1_125);
    assert_eq!(budget(&scene), (credits("0"), credits("1.5")));
    assert!(scene.apply(&Command::SetSpendingLimit { secret: secret(1), limit: None }).available_rose);
    assert_eq!(scene.beat(1, 1_200, Ask::Slice).slice_end, 1_200 + 1_500);
    assert!(scene.books.account.budgets.is_empty());
}

#[test]
fn a_limit_counts_from_when_it_is_set_and_from_each_sessions_next_heartbeat() {
    let mut scene = Scene::with_credits("1000");
    begin(&mut scene, 1, 1);
    scene.beat(1, 0, Ask::Slice);
    scene.beat(1, 600, Ask::Slice);
    limit(&mut scene, 1, "3", LimitPer::Total);
    assert_eq!(budget(&scene), (credits("0"), credits("0")));
    scene.beat(1, 900, Ask::Slice);
    assert_eq!(budget(&scene), (credits("0.4"), credits("2")));
    // Set anew, it begins again, whatever the session still holds of the former one.
    scene.run(&Command::SetSpendingLimit { secret: secret(1), limit: None });
    limit(&mut scene, 1, "5", LimitPer::Total);
    scene.beat(1, 900, Ask::Keep);
    assert_eq!(budget(&scene), (credits("0"), credits("2")));
    scene.stop(1, 1_000);
    assert_eq!(budget(&scene).1, credits("0"));
}

#[test]
fn a_secret_that_follows_another_goes_on_with_what_was_spent() {
    let mut scene = Scene::with_credits("1000");
    limit(&mut scene, 1, "3", LimitPer::Month);
    begin(&mut scene, 1, 1);
    scene.beat(1, 0, Ask::Slice);
    scene.beat(1, 1_500, Ask::Release);
    for _ in 0..2 {
        scene.run(&Command::CarrySpendingLimit { from: secret(1), to: secret(2) });
    }
    begin(&mut scene, 2, 2);
    let last = scene.beat(2, 0, Ask::Slice);
    assert_eq!((last.verdict, last.slice_end), (Verdict::Final, 750), "2 of 3 are spent");
    let followed = scene.books.account.budget(secret(2)).expect("a budget");
    assert_eq!((followed.limit.per, followed.spent), (LimitPer::Month, credits("2")));
    // Where there is no limit there is none to follow.
    scene.run(&Command::CarrySpendingLimit { from: secret(3), to: secret(4) });
    assert_eq!(scene.books.account.budget(secret(4)), None);
}

#[test]
fn what_a_lowered_limit_still_holds_lets_nothing_begin() {
    let mut scene = Scene::with_credits("1000");
    limit(&mut scene, 1, "10", LimitPer::Total);
    begin(&mut scene, 1, 1);
    scene.beat(1, 0, Ask::Slice);
    scene.beat(1, 1_500, Ask::Slice);
    // 2 are spent and 2 are held: nothing of a limit of 1 is left, and nothing comes back.
    limit(&mut scene, 1, "1", LimitPer::Total);
    assert_eq!(budget(&scene), (credits("2"), credits("2")));
    let refused = refusal(begin(&mut scene, 2, 1));
    assert_eq!(refused, Refusal::OverSpendingLimit { limit: credits("1"), spent: credits("2") });
}

#[test]
fn limits_are_few_and_never_negative() {
    let mut scene = Scene::new();
    assert!(matches!(refusal(limit(&mut scene, 1, "-1", LimitPer::Total).outcome), Refusal::OutOfRange { .. }));
    for number in 0..100 {
        assert_eq!(limit(&mut scene, number, "0", LimitPer::Month).outcome, Outcome::LimitsSet);
    }
    assert!(matches!(refusal(limit(&mut scene, 100, "1", LimitPer::Month).outcome), Refusal::OutOfRange { .. }));
}
