//! Promises of a desk on any store: order, idempotency, and never a credit too many.

use std::sync::Arc;
use std::time::Duration;

use footlight_ledger::{Ask, Command, JobId, Limits, Microcredits, Outcome, Refusal, Touched};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::given::{
    PRICING, assert_sums, beat, begin, desk_on, desk_with, funded, new_account, new_session, slice, speak, top_up,
};
use crate::{DeskOptions, Rise, Store, StoreError};

/// Many commands of one submission are applied in their order, and each answer is at its command's place.
pub async fn commands_are_answered_in_their_order(store: Arc<dyn Store>) {
    let desk = desk_on(&store);
    let (one, two) = (funded(&desk, Microcredits(10_000_000)).await, funded(&desk, Microcredits(10_000_000)).await);
    let (first, second) = (new_session(), new_session());
    let commands = vec![
        (one, begin(first)),
        (two, begin(second)),
        (one, beat(first, 1, 0, Ask::Slice)),
        (two, beat(first, 1, 0, Ask::Slice)),
        (one, beat(first, 2, 25, Ask::Release)),
    ];
    let outcomes: Vec<_> =
        desk.submit_many(commands).await.into_iter().map(|outcome| outcome.expect("works")).collect();
    assert_eq!(outcomes[0], Outcome::Begun { epoch: 1 });
    assert_eq!(outcomes[1], Outcome::Begun { epoch: 1 });
    assert_eq!(slice(outcomes[2].clone()).slice_end, 1_500);
    assert_eq!(outcomes[3], Outcome::Refused(Refusal::UnknownSession));
    assert_eq!(slice(outcomes[4].clone()).charged, PRICING.cost(25));
    let spent = PRICING.cost(25);
    assert_sums(&*store, one, spent, Microcredits(10_000_000 - spent.0)).await;
}

/// The error says which account.
pub async fn an_unknown_account_is_named(store: Arc<dyn Store>) {
    let desk = desk_on(&store);
    let account = new_account();
    assert_eq!(desk.submit(account, Command::Touch).await, Err(StoreError::NoAccount { account }));
    assert_eq!(desk.inspect(account, Touched::default()).await, Ok(None));
}

/// A repeat answers the account that is there, and changes nothing.
pub async fn opening_twice_opens_once(store: Arc<dyn Store>) {
    let desk = desk_on(&store);
    let account = funded(&desk, Microcredits(5)).await;
    let again = desk.open_account(account, Limits::default()).await.expect("answers");
    assert_eq!(again.totals.granted, Microcredits(5));
}

/// The caller's name for a top-up is the top-up's name for ever; another body under it is refused.
pub async fn a_top_up_sent_twice_is_credited_once(store: Arc<dyn Store>) {
    let desk = desk_on(&store);
    let account = funded(&desk, Microcredits(100)).await;
    let mut sent = JoinSet::new();
    for _ in 0..20 {
        let desk = desk_on(&store);
        sent.spawn(async move { super::given::persist(&desk, account, top_up("order 7", Microcredits(50))).await });
    }
    let outcomes = sent.join_all().await;
    let fresh = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Granted { replayed: false, .. })).count();
    assert_eq!(fresh, 1, "{outcomes:?}");
    let other = desk.submit(account, top_up("order 7", Microcredits(51))).await;
    assert_eq!(other, Ok(Outcome::Refused(Refusal::NameTaken)));
    assert_sums(&*store, account, Microcredits::ZERO, Microcredits(150)).await;
}

/// Holds at the same moment are counted one after the other.
pub async fn twenty_jobs_of_75_on_500_get_exactly_six(store: Arc<dyn Store>) {
    let desk = desk_on(&store);
    let account = funded(&desk, Microcredits::from_credits(500)).await;
    let mut held = JoinSet::new();
    for _ in 0..20 {
        let desk = desk.clone();
        let job = JobId(Uuid::now_v7());
        let hold = Command::HoldJob { job, amount: Microcredits::from_credits(75) };
        held.spawn(async move { desk.submit(account, hold).await.expect("works") });
    }
    let outcomes = held.join_all().await;
    let granted = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::JobHeld { .. })).count();
    assert_eq!(granted, 6, "{outcomes:?}");
}

/// Fifty sessions speak on an account that pays for a fraction of them: it is spent to the last whole unit, and not one
/// microcredit more.
pub async fn fifty_sessions_never_overspend(store: Arc<dyn Store>) {
    let desk = desk_on(&store);
    let funds = Microcredits(10_000_000);
    let account = funded(&desk, funds).await;
    let mut speaking = JoinSet::new();
    for _ in 0..50 {
        let desk = desk.clone();
        speaking.spawn(async move { speak(&desk, account, new_session(), 1_500, 150).await });
    }
    let used = speaking.join_all().await;
    let mut spent = Microcredits(used.iter().map(|units| PRICING.cost(*units).0).sum());
    assert!(spent <= funds, "spent {spent} of {funds}");
    assert_sums(&*store, account, spent, Microcredits(funds.0 - spent.0)).await;
    // Those fifty leave at their first refusal, though another may yet give credit back. None of it may be lost.
    let one_second = PRICING.cost(25);
    while funds.0 - spent.0 >= one_second.0 {
        let units = speak(&desk, account, new_session(), 1_500, 150).await;
        assert!(units >= 25, "{} credits are left and cannot be had", funds.0 - spent.0);
        spent.0 += PRICING.cost(units).0;
        assert!(spent <= funds, "spent {spent} of {funds}");
    }
    assert_sums(&*store, account, spent, Microcredits(funds.0 - spent.0)).await;
}

/// Two nodes write to one account: conflicts are applied again, and every frame is paid once.
pub async fn two_desks_on_one_account_charge_exactly(store: Arc<dyn Store>) {
    let desks = [desk_on(&store), desk_on(&store)];
    let account = funded(&desks[0], Microcredits(1_000_000_000)).await;
    let mut speaking = JoinSet::new();
    for session in 0..12 {
        let desk = desks[session % 2].clone();
        speaking.spawn(async move { speak(&desk, account, new_session(), 1_000, 77).await });
    }
    let used = speaking.join_all().await;
    assert_eq!(used, [1_000; 12]);
    let spent = Microcredits(12 * PRICING.cost(1_000).0);
    assert_sums(&*store, account, spent, Microcredits(1_000_000_000 - spent.0)).await;
}

/// Ten nodes write to one account without a pause: every command gets through, no caller is told to come back, and no
/// node is starved.
pub async fn ten_desks_on_one_account_all_get_through(store: Arc<dyn Store>) {
    const DESKS: i64 = 10;
    const BEATS: u64 = 30;
    let desks: Vec<_> = (0..DESKS).map(|_| desk_on(&store)).collect();
    let account = funded(&desks[0], Microcredits(1_000_000_000)).await;
    let mut beating = JoinSet::new();
    for desk in desks {
        beating.spawn(async move {
            let session = new_session();
            desk.submit(account, begin(session)).await.expect("begins");
            for number in 1..=BEATS {
                let answer =
                    slice(desk.submit(account, beat(session, number, number, Ask::Slice)).await.expect("beats"));
                assert!(answer.slice_end >= number, "{answer:?}");
            }
            desk.figures().conflicts
        });
    }
    let conflicts: u64 = beating.join_all().await.iter().sum();
    assert!(conflicts > 0, "they never met: this shows nothing");
    let books = desk_on(&store).inspect(account, Touched::default()).await.expect("reads").expect("is there");
    assert_eq!(books.account.totals.spent, Microcredits(DESKS * PRICING.cost(BEATS).0));
}

/// Whoever waits for credit hears of it, whichever desk it came through.
pub async fn a_rise_is_told(store: Arc<dyn Store>) {
    let desk = desk_on(&store);
    let mut rises = desk.on_rise();
    let account = funded(&desk, Microcredits(5)).await;
    // Other accounts of the same store rise too: what is asked is that this one is told.
    let told = async { while rises.recv().await.expect("rises are told") != Rise::Of(account) {} };
    tokio::time::timeout(Duration::from_secs(5), told).await.expect("within 5 s");
}

/// With room for nothing, every heartbeat reads first, and comes out the same.
pub async fn a_full_cache_only_costs_reads(store: Arc<dyn Store>) {
    let desk = desk_with(&store, DeskOptions { cached_tabs: 0, ..DeskOptions::default() });
    let account = funded(&desk, Microcredits(100_000_000)).await;
    assert_eq!(speak(&desk, account, new_session(), 300, 100).await, 300);
    let without = desk.figures().loads;
    let desk = desk_on(&store);
    assert_eq!(speak(&desk, account, new_session(), 300, 100).await, 300);
    assert!(desk.figures().loads < without, "{} reads with a cache, {without} without", desk.figures().loads);
}
