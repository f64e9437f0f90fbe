//! Promises about failures: whatever gets lost, everything is charged once.

use std::sync::Arc;
use std::time::Duration;

use footlight_ledger::{Ask, Microcredits, Outcome};
use tokio::task::JoinSet;

use super::given::{
    PRICING, assert_sums, beat, begin, desk_on, desk_with, funded, new_account, new_session, persist, slice, speak,
    top_up,
};
use crate::faulty::{Faults, FaultyStore};
use crate::{DeskOptions, Store};

const NONE: Faults = Faults { seed: 1, before: 0, after: 0, instead: 0, late: 0, load: 0 };

/// Every reply of a commit is lost: the desk reads back, and the caller gets the answer of the commit that was written.
pub async fn a_reply_lost_charges_once(store: Arc<dyn Store>) {
    let sound = desk_on(&store);
    let account = funded(&sound, Microcredits(10_000_000)).await;
    let faulty: Arc<dyn Store> = Arc::new(FaultyStore::new(Arc::clone(&store), Faults { after: 1_000, ..NONE }));
    let desk = desk_on(&faulty);
    let session = new_session();
    assert_eq!(desk.submit(account, begin(session)).await, Ok(Outcome::Begun { epoch: 1 }));
    slice(desk.submit(account, beat(session, 1, 0, Ask::Slice)).await.expect("read back"));
    let answer = slice(desk.submit(account, beat(session, 2, 100, Ask::Release)).await.expect("read back"));
    assert_eq!(answer.charged, PRICING.cost(100));
    let granted = desk.submit(account, top_up("more", Microcredits(7))).await.expect("read back");
    assert!(matches!(granted, Outcome::Granted { replayed: false, .. }), "the first answer: {granted:?}");
    assert_eq!(desk.figures().recovered, 4, "{:?}", desk.figures());
    let spent = PRICING.cost(100);
    assert_sums(&*store, account, spent, Microcredits(10_000_007 - spent.0)).await;
}

/// A third of all commits fails in one way or another, from two nodes at once.
pub async fn random_faults_charge_exactly(store: Arc<dyn Store>) {
    let seed = u64::from(std::process::id());
    println!("faults of seed {seed}");
    let faults = |seed| Faults { seed, before: 80, after: 80, instead: 80, late: 80, load: 50 };
    let account = funded(&desk_on(&store), Microcredits(1_000_000_000)).await;
    let mut speaking = JoinSet::new();
    for node in 0..2 {
        let faulty: Arc<dyn Store> = Arc::new(FaultyStore::new(Arc::clone(&store), faults(seed + node)));
        let desk = desk_on(&faulty);
        for session in 0..4 {
            let desk = desk.clone();
            speaking.spawn(async move {
                let name = format!("{node}, {session}");
                let used = speak(&desk, account, new_session(), 600, 60).await;
                persist(&desk, account, top_up(&name, Microcredits(1))).await;
                used
            });
        }
    }
    let used = speaking.join_all().await;
    assert_eq!(used, [600; 8], "seed {seed}");
    let spent = Microcredits(8 * PRICING.cost(600).0);
    assert_sums(&*store, account, spent, Microcredits(1_000_000_008 - spent.0)).await;
}

/// Accounts that cannot be reached wait for another try beside the others, and not instead of them.
pub async fn accounts_out_of_reach_hold_nobody_up(store: Arc<dyn Store>) {
    let account = funded(&desk_on(&store), Microcredits(10_000_000)).await;
    let faulty = Arc::new(FaultyStore::new(Arc::clone(&store), NONE));
    let patient =
        DeskOptions { flights_max: 2, tries_max: 2, backoff: Duration::from_secs(6), ..DeskOptions::default() };
    let faulty_store: Arc<dyn Store> = Arc::clone(&faulty) as _;
    let desk = desk_with(&faulty_store, patient);
    let mut waiting = JoinSet::new();
    for _ in 0..8 {
        let lost = new_account();
        faulty.lose(lost);
        let desk = desk.clone();
        waiting.spawn(async move { desk.submit(lost, top_up("never", Microcredits(1))).await });
    }
    let session = new_session();
    assert_eq!(desk.submit(account, begin(session)).await, Ok(Outcome::Begun { epoch: 1 }));
    for number in 1..=5 {
        slice(desk.submit(account, beat(session, number, number, Ask::Slice)).await.expect("beats"));
    }
    assert!(waiting.try_join_next().is_none(), "those who wait were served first");
    for answer in waiting.join_all().await {
        assert!(answer.is_err_and(|error| error.is_transport()));
    }
}
