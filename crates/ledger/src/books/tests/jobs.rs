//! One-time work.

use super::*;

fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

fn hold(number: u128, amount: &str) -> Command {
    Command::HoldJob { job: job(number), amount: credits(amount) }
}

#[test]
fn twenty_holds_of_75_on_500_grant_exactly_six() {
    let mut scene = Scene::with_credits("500");
    let held = (0..20).filter(|number| matches!(scene.run(&hold(*number, "75")), Outcome::JobHeld { .. })).count();
    assert_eq!(held, 6);
    scene.check("50", "450", "0");
}

#[test]
fn a_job_is_held_once_and_ends_once() {
    let mut scene = Scene::with_credits("500");
    for _ in 0..2 {
        assert_eq!(scene.run(&hold(1, "250")), Outcome::JobHeld { amount: credits("250") });
    }
    assert_eq!(refusal(scene.run(&hold(1, "200"))), Refusal::NameTaken);
    for _ in 0..2 {
        assert_eq!(scene.run(&Command::SettleJob { job: job(1) }), Outcome::JobSettled { amount: credits("250") });
    }
    assert!(matches!(refusal(scene.run(&Command::ReleaseJob { job: job(1) })), Refusal::JobClosed { .. }));
    scene.run(&hold(2, "250"));
    for _ in 0..2 {
        assert_eq!(scene.run(&Command::ReleaseJob { job: job(2) }), Outcome::JobReleased { amount: credits("250") });
    }
    assert!(matches!(refusal(scene.run(&Command::SettleJob { job: job(2) })), Refusal::JobClosed { .. }));
    assert_eq!(refusal(scene.run(&Command::SettleJob { job: job(3) })), Refusal::UnknownJob);
    scene.check("250", "0", "250");
}

#[test]
fn a_job_that_never_ends_is_given_back_after_a_day() {
    let mut scene = Scene::with_credits("500");
    scene.run(&hold(1, "250"));
    let sweep = Command::SweepJobs { jobs: vec![job(1), job(2)] };
    scene.advance(DAY - 1);
    assert_eq!(scene.run(&sweep), Outcome::JobsSwept { released: vec![] });
    scene.advance(1);
    let swept = scene.apply(&sweep);
    assert_eq!(swept.outcome, Outcome::JobsSwept { released: vec![job(1)] });
    assert!(swept.available_rose);
    scene.check("500", "0", "0");
}

#[test]
fn overage_pays_for_no_job() {
    let mut scene = Scene::with_credits("10");
    scene.set_limits("0", "1000");
    let expected = Refusal::CreditsExhausted { available: credits("10"), needed: credits("10.5") };
    assert_eq!(refusal(scene.run(&hold(1, "10.5"))), expected);
}
