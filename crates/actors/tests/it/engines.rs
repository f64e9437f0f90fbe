//! Sessions whose engine is elsewhere, and which node has them in hand.

use std::time::{Duration, Instant};

use footlight_actors::{CreateSession, EngineReport, Node};
use footlight_ledger::{Ask, Microcredits, PauseReason, Product, Units};
use footlight_session::SessionState;
use footlight_store::SessionDirectory as _;

use crate::harness::{Session, Setting, Stand};

/// The shortest that a session may idle.
const IDLE_TIMEOUT_S: u32 = 1;

/// A session of a node on a store that others share.
async fn begun() -> (Stand, Session) {
    let stand = Stand::with(Setting::shared("a")).await;
    let account = stand.account_with(Microcredits::from_credits(10)).await;
    let create = CreateSession {
        product: Some(Product::EssenceSelfHosted),
        idle_timeout_s: Some(IDLE_TIMEOUT_S),
        ..CreateSession::default()
    };
    let session = stand.session(account, create).await;
    (stand, session)
}

async fn report(node: &Node, session: &Session, number: u64, units: Units) {
    let report = EngineReport { epoch: 1, number, units, ask: Ask::Slice, is_last: false };
    let answer = node.heartbeat(session.who, session.id, report).await.expect("it is answered");
    assert_eq!((answer.end_reason, answer.pause_reasons.len()), (None, 0));
}

#[actix_rt::test]
async fn a_session_that_another_node_hears_of_is_not_ended_for_idling_here() {
    let (stand, session) = begun().await;
    let (other, _data_dir) = stand.other(&Setting::shared("b")).await;
    let since = Instant::now();
    let mut number = 0;
    while since.elapsed() < Duration::from_secs(2 * u64::from(IDLE_TIMEOUT_S) + 2) {
        number += 1;
        report(&other, &session, number, number).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(!stand.node.has(session.id), "it is not in hand here any more");
    let record = stand.store.get_session(session.id).await.expect("it is read").expect("it is there");
    assert_eq!((record.state, record.boot), (SessionState::Running, other.boot()));
}

#[actix_rt::test]
async fn a_session_that_no_node_has_in_hand_is_paused_and_stopped_at_any() {
    let (stand, session) = begun().await;
    report(&stand.node, &session, 1, 0).await;
    report(&stand.node, &session, 2, 5).await;
    assert!(stand.node.shutdown(Duration::from_secs(5)).await, "nothing is left to do");
    let (other, _data_dir) = stand.other(&Setting::shared("b")).await;
    let paused = other.pause(session.who, session.id).await.expect("it is paused");
    assert!(paused.pause_reasons.contains(&PauseReason::ByRequest));
    let stopped = other.stop(session.who, session.id).await.expect("it is stopped");
    assert_eq!((stopped.state, stopped.units), (SessionState::Ended, 5));
}
