//! The store goes away and comes back.

use std::time::Duration;

use footlight_actors::{CreateSession, UnreadyReason};
use footlight_ledger::{Microcredits, PauseReason, Terms};
use footlight_session::SessionState;

use crate::harness::{Setting, Stand};

fn setting(grace_ms: i64) -> Setting {
    Setting { terms: Terms { heartbeat_ms: 2_000, grace_ms, ..Terms::default() }, ..Setting::default() }
}

#[actix_rt::test]
async fn speech_goes_on_without_the_store_and_is_charged_when_it_is_back() {
    let stand = Stand::with(setting(60_000)).await;
    let account = stand.account_with(Microcredits::from_credits(10)).await;
    let session = stand.session(account, CreateSession::default()).await;
    let watcher = session.watch().await;
    session.speak(12.0).await;
    session.until("it speaks", |record| record.units > 10).await;
    stand.store.set_away(true);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(stand.node.readiness().reasons, [UnreadyReason::StoreUnreachable]);
    session.until("it speaks far beyond its slice", |record| record.units > 150).await;
    assert_eq!(session.record().await.state, SessionState::Running);
    stand.store.set_away(false);
    session.until("all of it is spoken", |record| record.units == 300).await;
    assert!(stand.node.readiness().ready);
    assert_eq!(watcher.leave().await, 300);
    session.node.stop(session.who, session.id).await.expect("it stops");
    assert_eq!(stand.assert_settled(account).await.totals.spent.0, 400_000);
}

#[actix_rt::test]
async fn a_grace_that_is_used_up_pauses_and_the_store_s_return_resumes() {
    let stand = Stand::with(setting(2_500)).await;
    let account = stand.account_with(Microcredits::from_credits(10)).await;
    let session = stand.session(account, CreateSession::default()).await;
    let _watcher = session.watch().await;
    session.speak(12.0).await;
    session.until("it speaks", |record| record.units > 10).await;
    stand.store.set_away(true);
    let record = session
        .until("the grace is used up", |record| record.pause_reasons.contains(&PauseReason::StoreUnreachable))
        .await;
    assert!(record.units < 300);
    stand.store.set_away(false);
    session.until("all of it is spoken", |record| record.units == 300).await;
    session.node.stop(session.who, session.id).await.expect("it stops");
    assert_eq!(stand.assert_settled(account).await.totals.spent.0, 400_000);
}

#[actix_rt::test]
async fn a_session_that_ends_during_an_outage_is_settled_afterwards() {
    let stand = Stand::with(setting(60_000)).await;
    let account = stand.account_with(Microcredits::from_credits(10)).await;
    let session = stand.session(account, CreateSession::default()).await;
    let watcher = session.watch().await;
    session.speak(3.0).await;
    session.until("it speaks", |record| record.units > 10).await;
    stand.store.set_away(true);
    let record = session.node.stop(session.who, session.id).await.expect("it stops all the same");
    assert_eq!(record.state, SessionState::Ended);
    let seen = watcher.leave().await;
    stand.store.set_away(false);
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if stand.books(account).await.open_sessions == 0 {
            break;
        }
    }
    let books = stand.assert_settled(account).await;
    assert_eq!((books.open_sessions, books.totals.spent), (0, record.pricing.cost(seen)));
    assert_eq!(session.record().await.units, seen);
}
