//! What a crash leaves, and what the next run makes of it.

use std::time::Duration;

use footlight_actors::CreateSession;
use footlight_ledger::{EndReason, Microcredits};
use footlight_session::SessionState;

use crate::harness::{Session, Setting, Stand};

#[actix_rt::test]
async fn the_next_run_settles_what_was_proved_and_fences_the_last_one() {
    let setting = Setting::default();
    let stand = Stand::with(setting.clone()).await;
    let account = stand.account_with(Microcredits::from_credits(10)).await;
    let session = stand.session(account, CreateSession::default()).await;
    let _watcher = session.watch().await;
    session.speak(30.0).await;
    let before = session.until("it has spoken a while", |record| record.units > 60).await;
    tokio::time::sleep(Duration::from_millis(1_600)).await;

    // The first run still runs, as one would that was cut off and taken for dead.
    let next = stand.restart(&setting).await;
    let in_next = Session { node: next.clone(), ..session.clone() };
    let record = in_next.record().await;
    assert_eq!((record.state, record.end_reason), (SessionState::Ended, Some(EndReason::NodeLost)));
    assert!(record.units > before.units, "the progress record proves more than no heartbeat at all");
    let spoken = session.record().await.units;
    assert!(spoken - record.units <= 60, "at most two seconds and what the start took: {spoken} and {}", record.units);
    assert_eq!(record.credits_used, record.pricing.cost(record.units));

    // When the first run reports again it is told that it lost the session.
    let lost = session.node.stop(session.who, session.id).await.expect("it is over");
    assert_eq!(lost.state, SessionState::Ended);
    let books = stand.assert_settled(account).await;
    assert_eq!((books.totals.spent, books.open_sessions), (record.credits_used, 0), "nothing is charged twice");
    assert!(next.metrics().contains("footlight_sessions_recovered_total 1"));
}
