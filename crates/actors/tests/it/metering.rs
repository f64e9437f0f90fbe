//! What is paid for, to the frame.

use std::time::{Duration, Instant};

use footlight_actors::{CreateSession, NodeOptions};
use footlight_ledger::{Microcredits, PauseReason};
use footlight_session::SessionState;
use footlight_store::AccountStore as _;

use crate::harness::{Session, Setting, Stand, TENTH};

fn at(fps: u32) -> CreateSession {
    CreateSession { fps: Some(fps), ..CreateSession::default() }
}

/// 0.1 credits are 3 s: 3 x fps frames, then the light goes off; another 0.1 buys exactly as many.
async fn pays_to_the_frame(stand: &Stand, fps: u32) {
    let account = stand.account_with(TENTH).await;
    let session = stand.session(account, at(fps)).await;
    let watcher = session.watch().await;
    session.speak(10.0).await;
    let exhausted = |record: &footlight_session::SessionRecord| {
        record.state == SessionState::Paused && record.pause_reasons.contains(&PauseReason::CreditsExhausted)
    };
    let record = session.until("the credits run out", exhausted).await;
    let frames = u64::from(3 * fps);
    assert_eq!((record.units, record.credits_used), (frames, TENTH), "at {fps} frames a second");
    assert_eq!(stand.assert_settled(account).await.totals.available, Microcredits::ZERO);

    stand.top_up(account, "second", TENTH).await;
    session.within(Duration::from_secs(1), "running again", |record| record.state == SessionState::Running).await;
    let record = session.until("the credits run out again", exhausted).await;
    assert_eq!((record.units, record.credits_used.0), (2 * frames, 200_000));
    assert_eq!(watcher.leave().await, 2 * frames, "what was seen is what was paid");
    let record = session.node.stop(session.who, session.id).await.expect("it stops");
    assert_eq!((record.state, record.credits_used.0), (SessionState::Ended, 200_000));
    assert_eq!(stand.assert_settled(account).await.totals.spent.0, 200_000);
}

#[actix_rt::test]
async fn the_last_credits_are_spent_to_the_frame_at_every_frame_rate() {
    let stand = Stand::start().await;
    futures_util::future::join_all([20, 25, 30, 50].map(|fps| pays_to_the_frame(&stand, fps))).await;
}

#[actix_rt::test]
async fn fifty_sessions_on_little_credit_take_turns_and_spend_no_more_than_there_is() {
    let stand = Stand::start().await;
    // 120 s of speech for 50 sessions that want 4 s each.
    let account = stand.account_with(Microcredits::from_credits(4)).await;
    let sessions: Vec<Session> = futures_util::future::join_all((0..50).map(|_| stand.session(account, at(25)))).await;
    let mut watchers = Vec::new();
    for session in &sessions {
        watchers.push(session.watch().await);
    }
    futures_util::future::join_all(sessions.iter().map(|session| session.speak(4.0))).await;

    let mut units = Vec::new();
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        units.clear();
        for session in &sessions {
            units.push(session.record().await.units);
        }
        // Less than the shortest slice is left: nobody can be served any more.
        if units.iter().sum::<u64>() > 3_000 - 25 {
            break;
        }
    }
    assert!(units.iter().all(|units| *units >= 25), "somebody was never served: {units:?}");
    for session in &sessions {
        session.node.stop(session.who, session.id).await.expect("it stops");
    }
    let mut seen = 0;
    for watcher in watchers {
        seen += watcher.leave().await;
    }
    let books = stand.assert_settled(account).await;
    let mut cost = 0;
    for session in &sessions {
        let record = session.record().await;
        cost += record.credits_used.0;
        assert_eq!(record.credits_used, record.pricing.cost(record.units));
    }
    assert_eq!(books.totals.spent.0, cost, "the account paid what the sessions show");
    assert!(seen <= 3_000 && seen > 3_000 - 25, "{seen} frames were seen of the 3 000 that there was credit for");
}

#[actix_rt::test]
async fn only_speech_that_somebody_sees_is_paid_for() {
    let stand = Stand::start().await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let session = stand.session(account, at(25)).await;
    session.speak(1.0).await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(session.record().await.units, 0, "unwatched speech waits");
    let watcher = session.watch().await;
    session.until("one second is spoken", |record| record.units == 25).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let record = session.until_state(SessionState::Idle).await;
    assert_eq!(record.units, 25, "idle time is free");
    session.node.pause(session.who, session.id).await.expect("it pauses");
    session.speak(1.0).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let record = session.record().await;
    assert_eq!((record.units, record.state), (25, SessionState::Paused), "paused time is free, and speech waits");
    session.node.resume(session.who, session.id).await.expect("it resumes");
    session.until("the second one is spoken", |record| record.units == 50).await;
    // A frame is counted before it is handed out.
    session.until_state(SessionState::Idle).await;
    assert_eq!(watcher.leave().await, 50);
    let record = session.node.stop(session.who, session.id).await.expect("it stops");
    // 50 frames at 2 credits for 1 500, rounded down.
    assert_eq!(record.credits_used.0, 66_666);
    assert_eq!(stand.assert_settled(account).await.totals.spent.0, 66_666);
}

#[actix_rt::test]
async fn a_top_up_does_not_resume_what_a_person_paused() {
    let stand = Stand::start().await;
    let account = stand.account_with(TENTH).await;
    let session = stand.session(account, at(25)).await;
    let _watcher = session.watch().await;
    session.speak(10.0).await;
    session.until("the credits run out", |record| record.pause_reasons.contains(&PauseReason::CreditsExhausted)).await;
    session.node.pause(session.who, session.id).await.expect("it pauses");
    stand.top_up(account, "second", TENTH).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let record = session.record().await;
    assert_eq!((record.state, record.units), (SessionState::Paused, 75));
    session.node.resume(session.who, session.id).await.expect("it resumes");
    session.until("speech goes on", |record| record.units == 150).await;
}

#[actix_rt::test]
async fn journals_are_kept_as_long_as_the_operator_wants_them() {
    let kept = Duration::from_secs(1);
    let options =
        NodeOptions { journal_kept: Some(kept), trim_every: Duration::from_millis(50), ..NodeOptions::default() };
    let stand = Stand::with(Setting { options, ..Setting::default() }).await;
    let since = Instant::now();
    let account = stand.account_with(TENTH).await;
    let entries = async || stand.store.list_entries(account, 0, 10).await.expect("entries are listed");
    while !entries().await.is_empty() {
        assert!(since.elapsed() < 10 * kept, "it is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(since.elapsed() >= kept, "it was kept for a while");
    stand.top_up(account, "second", TENTH).await;
    assert_eq!(entries().await.len(), 1, "what came later is kept");
    let audit = footlight_store::audit_account(&*stand.store, account).await.expect("an audit").expect("the account");
    assert_eq!((audit.entries, audit.differences), (2, Vec::new()), "what went is counted all the same");
    assert_eq!(stand.assert_settled(account).await.totals.granted.0, 2 * TENTH.0);
}
