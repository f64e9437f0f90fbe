//! Creating, ending, room, and who sees what.

use std::time::Duration;

use footlight_actors::{Caller, CreateSession, NodeError, NodeOptions, SessionEventKind, SessionFilter, SpeakingSlots};
use footlight_ledger::{AccountStatus, EndReason, Microcredits, PauseReason};
use footlight_session::SessionState;

use crate::harness::{Setting, Stand};

#[actix_rt::test]
async fn an_account_sees_its_own_sessions_only() {
    let stand = Stand::start().await;
    let (mine, theirs) = (
        stand.account_with(Microcredits::from_credits(1)).await,
        stand.account_with(Microcredits::from_credits(1)).await,
    );
    let session = stand.session(mine, CreateSession::default()).await;
    let stranger = Caller::account(theirs);
    let node = &stand.node;
    assert!(matches!(node.session(stranger, session.id).await, Err(NodeError::NotFound { what: "session" })));
    assert!(matches!(node.stop(stranger, session.id).await, Err(NodeError::NotFound { .. })));
    assert!(matches!(node.pause(stranger, session.id).await, Err(NodeError::NotFound { .. })));
    assert!(matches!(node.interrupt(stranger, session.id).await, Err(NodeError::NotFound { .. })));
    assert!(matches!(node.events(stranger, session.id).await, Err(NodeError::NotFound { .. })));
    assert!(matches!(node.live(stranger, session.id).await, Err(NodeError::NotFound { .. })));
    let list = |who| node.list_sessions(who, None, 10, SessionFilter::default());
    assert_eq!(list(stranger).await.expect("a list").records.len(), 0);
    assert_eq!(list(session.who).await.expect("a list").records.len(), 1);
    assert_eq!(list(Caller::Operator).await.expect("a list").records[0].id, session.id);
    session.node.stop(session.who, session.id).await.expect("it stops");
    let listed = list(session.who).await.expect("a list").records;
    assert_eq!(listed[0].state, SessionState::Ended, "the list and the session say the same");
}

#[actix_rt::test]
async fn events_tell_a_session_s_life_from_its_present_state_to_its_end() {
    let stand = Stand::start().await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let session = stand.session(account, CreateSession::default()).await;
    let mut events = session.node.events(session.who, session.id).await.expect("events");
    let _watcher = session.watch().await;
    session.speak(0.4).await;
    session.until("it is spoken", |record| record.units == 10 && record.state == SessionState::Idle).await;
    session.node.stop(session.who, session.id).await.expect("it stops");
    let mut told = Vec::new();
    let mut last = 0;
    while let Some(event) = events.next().await {
        assert!(told.is_empty() || event.sequence == last + 1, "no event is missing");
        last = event.sequence;
        told.push(match event.kind {
            SessionEventKind::StateChanged { state, .. } => format!("{state:?}"),
            SessionEventKind::UtteranceStarted { .. } => "utterance".to_owned(),
            SessionEventKind::UtteranceEnded { position_ms, interrupted, .. } => format!("{position_ms} {interrupted}"),
            SessionEventKind::Ended { reason } => format!("{reason:?}"),
            other => format!("{other:?}"),
        });
    }
    if told[0] == "Starting" {
        told.remove(0);
    }
    assert_eq!(told[0], "Idle");
    assert!(told.contains(&"utterance".to_owned()) && told.contains(&"400 false".to_owned()), "{told:?}");
    let states: Vec<&str> =
        told.iter().map(String::as_str).filter(|it| ["Idle", "Running", "Stopped"].contains(it)).collect();
    assert_eq!(states, ["Idle", "Running", "Idle", "Stopped"]);
}

#[actix_rt::test]
async fn sessions_end_when_nobody_uses_them_or_at_their_age() {
    let stand = Stand::start().await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let idle = CreateSession { idle_timeout_s: Some(1), ..CreateSession::default() };
    let idle = stand.session(account, idle).await;
    idle.speak(0.5).await;
    let old = CreateSession { max_duration_s: Some(1), ..CreateSession::default() };
    let old = stand.session(account, old).await;
    let watcher = old.watch().await;
    old.speak(10.0).await;
    let record = idle.until_state(SessionState::Ended).await;
    assert_eq!((record.end_reason, record.units), (Some(EndReason::IdleTimeout), 0));
    let record = old.until_state(SessionState::Ended).await;
    assert_eq!(record.end_reason, Some(EndReason::MaxDuration));
    assert_eq!(watcher.leave().await, old.record().await.units);
    let error = idle.node.pause(idle.who, idle.id).await.expect_err("it is over");
    assert!(matches!(error, NodeError::Ended { reason: EndReason::IdleTimeout }), "{error}");
}

#[actix_rt::test]
async fn a_full_node_refuses_and_a_place_that_is_left_is_free_again() {
    let options = NodeOptions { speaking_slots: SpeakingSlots::Fixed(2), ..Setting::default().options };
    let stand = Stand::with(Setting { options, ..Setting::default() }).await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let first = stand.session(account, CreateSession::default()).await;
    let _second = stand.session(account, CreateSession::default()).await;
    assert!(!stand.node.readiness().ready);
    let refused = stand.node.create_session(first.who, CreateSession::default()).await;
    assert!(matches!(refused, Err(NodeError::Capacity { used: 2, total: 2, .. })), "{refused:?}");
    first.node.stop(first.who, first.id).await.expect("it stops");
    stand.session(account, CreateSession::default()).await;
    let capacity = stand.until_capacity(|capacity| capacity.sessions.used == 2).await;
    assert_eq!((capacity.sessions.reserved, capacity.speaking_slots_milli.free()), (0, 0));
}

#[actix_rt::test]
async fn with_overcommit_speech_that_finds_no_slot_fails_and_costs_nothing() {
    let options =
        NodeOptions { speaking_slots: SpeakingSlots::Fixed(1), overcommit: 2.0, ..Setting::default().options };
    let stand = Stand::with(Setting { options, ..Setting::default() }).await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let first = stand.session(account, CreateSession::default()).await;
    let second = stand.session(account, CreateSession::default()).await;
    let (_one, _two) = (first.watch().await, second.watch().await);
    first.speak(2.0).await;
    first.until_state(SessionState::Running).await;
    let mut events = second.node.events(second.who, second.id).await.expect("events");
    second.speak(1.0).await;
    let failed = loop {
        let event = events.next().await.expect("the session goes on");
        if let SessionEventKind::UtteranceEnded { failed, .. } = event.kind {
            break failed;
        }
    };
    assert_eq!((failed.as_deref(), second.record().await.units), (Some("capacity"), 0));
    first.until("the first one is done", |record| record.units == 50).await;
    second.speak(1.0).await;
    second.until("the slot is free again", |record| record.units == 25).await;
}

#[actix_rt::test]
async fn a_drain_lets_speech_end_and_can_be_taken_back() {
    let stand = Stand::start().await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let speaking = stand.session(account, CreateSession::default()).await;
    let silent = stand.session(account, CreateSession::default()).await;
    silent.until_state(SessionState::Idle).await;
    let _watcher = speaking.watch().await;
    speaking.speak(1.0).await;
    speaking.until_state(SessionState::Running).await;
    let report = stand.node.drain(Duration::from_secs(10)).await;
    assert_eq!((report.still_speaking, report.sessions), (0, 2));
    assert_eq!(speaking.record().await.units, 25, "speech was spoken to its end");
    for session in [&speaking, &silent] {
        let record = session.until_state(SessionState::Paused).await;
        assert!(record.pause_reasons.contains(&PauseReason::NodeDraining));
    }
    let refused = stand.node.create_session(silent.who, CreateSession::default()).await;
    assert!(matches!(refused, Err(NodeError::Draining)));
    stand.node.undrain().await;
    speaking.until_state(SessionState::Idle).await;
    speaking.speak(1.0).await;
    speaking.until("it speaks again", |record| record.units == 50).await;
    stand.node.shutdown(Duration::from_secs(5)).await;
    assert_eq!(stand.store_record(&speaking).await.end_reason, Some(EndReason::NodeLost));
    stand.assert_settled(account).await;
}

#[actix_rt::test]
async fn a_suspended_account_pauses_at_the_next_heartbeat_and_goes_on_when_it_is_opened() {
    let terms = footlight_ledger::Terms { heartbeat_ms: 1_000, ..Setting::default().terms };
    let stand = Stand::with(Setting { terms, ..Setting::default() }).await;
    let account = stand.account_with(Microcredits::from_credits(10)).await;
    let session = stand.session(account, CreateSession::default()).await;
    let _watcher = session.watch().await;
    session.speak(8.0).await;
    session.until("it speaks", |record| record.units > 5).await;
    stand.node.set_status(account, AccountStatus::Suspended).await.expect("it is suspended");
    let record = session
        .within(Duration::from_secs(3), "it pauses", |it| it.pause_reasons.contains(&PauseReason::AccountSuspended))
        .await;
    assert!(record.units < 200);
    let refused = stand.node.create_session(session.who, CreateSession::default()).await;
    assert!(matches!(refused, Err(NodeError::Suspended)), "{refused:?}");
    stand.node.set_status(account, AccountStatus::Open).await.expect("it is opened");
    session.within(Duration::from_secs(1), "it runs", |record| record.state == SessionState::Running).await;
    session.until("all is spoken", |record| record.units == 200).await;
}

#[actix_rt::test]
async fn what_cannot_be_made_is_refused_by_its_name() {
    let stand = Stand::start().await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let who = Caller::account(account);
    let refused = async |create: CreateSession| stand.node.create_session(who, create).await.expect_err("refused");
    let field = async |create: CreateSession| match refused(create).await {
        NodeError::InvalidField { field, .. } => field,
        other => panic!("{other}"),
    };
    let order = CreateSession::default;
    assert_eq!(field(CreateSession { fps: Some(24), ..order() }).await, "fps");
    assert_eq!(field(CreateSession { width: Some(511), ..order() }).await, "width");
    assert_eq!(field(CreateSession { height: Some(100_000), ..order() }).await, "height");
    assert_eq!(field(CreateSession { background: Some("#12345é".into()), ..order() }).await, "background");
    assert_eq!(field(CreateSession { idle_timeout_s: Some(0), ..order() }).await, "idle_timeout_s");
    assert_eq!(field(CreateSession { max_duration_s: Some(u32::MAX), ..order() }).await, "max_duration_s");
    let metadata = [(String::new(), String::new())].into();
    assert_eq!(field(CreateSession { metadata, ..order() }).await, "metadata");
    let unknown = refused(CreateSession { avatar: Some("nobody".to_owned()), ..order() }).await;
    assert!(matches!(unknown, NodeError::UnknownAvatar { .. }), "{unknown}");
    let poor = Caller::account(stand.account_with(Microcredits(10)).await);
    let refused = stand.node.create_session(poor, order()).await;
    assert!(matches!(refused, Err(NodeError::CreditsExhausted { .. })), "{refused:?}");
    stand.until_capacity(|capacity| capacity.sessions.used + capacity.sessions.reserved == 0).await;
    let page = stand.node.metrics();
    assert!(page.contains("footlight_session_refusals_total{reason=\"invalid\"} 8"), "{page}");
    assert!(!page.contains("acc_") && !page.contains("ses_"), "no id is in a label");
}

#[actix_rt::test]
async fn an_interrupt_leaves_nothing_to_say_and_speech_can_follow_at_once() {
    let stand = Stand::start().await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let session = stand.session(account, CreateSession::default()).await;
    let _watcher = session.watch().await;
    session.speak(20.0).await;
    session.until("it speaks", |record| record.units > 10).await;
    let cut = session.node.interrupt(session.who, session.id).await.expect("it is interrupted");
    let units = session.record().await.units;
    assert_eq!((cut.generation, cut.position_ms), (1, units * 40));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(session.record().await.units, units);
    session.until_state(SessionState::Idle).await;
    session.speak(1.0).await;
    session.until("it speaks again", |record| record.units == units + 25).await;
}

#[actix_rt::test]
async fn a_session_can_be_cancelled_while_it_starts() {
    let stand = Stand::start().await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let session = stand.session(account, CreateSession::default()).await;
    let record = session.node.stop(session.who, session.id).await.expect("it stops");
    assert_eq!((record.state, record.units), (SessionState::Ended, 0));
    assert!(matches!(record.end_reason, Some(EndReason::Cancelled | EndReason::Stopped)));
    let again = session.node.stop(session.who, session.id).await.expect("a repeat is harmless");
    assert_eq!(again.end_reason, record.end_reason);
    assert_eq!(stand.assert_settled(account).await.open_sessions, 0);
}

#[actix_rt::test]
async fn a_create_that_is_given_up_half_way_gives_its_place_back() {
    let stand = Stand::start().await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let mut create = Box::pin(stand.node.create_session(Caller::account(account), CreateSession::default()));
    while stand.books(account).await.open_sessions == 0 {
        assert!(futures_util::poll!(create.as_mut()).is_pending(), "its account was not asked first");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(create);
    for _ in 0..400 {
        if stand.books(account).await.open_sessions == 0 {
            stand.until_capacity(|capacity| capacity.sessions.used + capacity.sessions.reserved == 0).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("its place is taken for ever");
}

#[actix_rt::test]
async fn speech_that_is_submitted_behind_an_interrupt_is_spoken() {
    let stand = Stand::start().await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let session = stand.session(account, CreateSession::default()).await;
    let _watcher = session.watch().await;
    for spoken in 1..=5 {
        let interrupt = session.node.interrupt(session.who, session.id);
        let (interrupted, ()) = futures_util::join!(interrupt, session.speak(0.4));
        interrupted.expect("it is interrupted");
        session.until("it is spoken", |record| record.units == 10 * spoken).await;
    }
}

#[actix_rt::test]
async fn the_metrics_page_tells_what_became_of_credits() {
    let stand = Stand::start().await;
    let account = stand.account_with(Microcredits::from_credits(3)).await;
    let session = stand.session(account, CreateSession::default()).await;
    let _watcher = session.watch().await;
    session.speak(0.6).await;
    session.until("it is spoken", |record| record.units == 15).await;
    session.node.stop(session.who, session.id).await.expect("it stops");
    let page = stand.node.metrics();
    for line in [
        "footlight_credits_granted_total{kind=\"top_up\"} 3",
        "footlight_credits_spent_total{from=\"grants\"} 0.02",
        "footlight_credits_expired_total 0",
        "footlight_sum_rule_failures_total 0",
        "footlight_fenced_writes_total 0",
        "footlight_sessions_waiting 0",
        "footlight_sessions_in_grace 0",
    ] {
        assert!(page.lines().any(|it| it == line), "`{line}` is not on the page:\n{page}");
    }
}
