//! What a crash leaves, and what the next run makes of it.

use std::time::Duration;

use footlight_actors::{Caller, CreateSession};
use footlight_ledger::{
    AccountId, Ask, BootId, Command, EndReason, Microcredits, Outcome, Pricing, Product, Rounding, SessionId, Terms,
    Touched, Units,
};
use footlight_session::SessionState;
use footlight_store::SessionDirectory as _;
use footlight_store::progress::{ProgressEntry, ProgressWriter};
use uuid::Uuid;

use crate::harness::{Session, Setting, Stand};

const PRICING: Pricing =
    Pricing { rate: Microcredits::from_credits(2), units_per_minute: 1500, rounding: Rounding::Exact };

/// Sessions are given up two seconds after they were last heard of.
fn impatient() -> Setting {
    let terms = Terms { heartbeat_ms: 1_000, grace_ms: 0, ..Terms::default() };
    let mut setting = Setting { terms, ..Setting::default() };
    setting.options.sweep_every = Duration::from_millis(100);
    setting
}

/// Begins a session of a node that is heard of no more, and has it hold a slice.
async fn abandoned(stand: &Stand, account: AccountId, owner: BootId) -> SessionId {
    let desk = stand.node.desk();
    let session = SessionId(Uuid::now_v7());
    let product = Product::EssenceCloud;
    let begin = Command::BeginSession { session, product, pricing: PRICING, secret: None, owner };
    desk.submit(account, begin).await.expect("it begins");
    let ask = Command::Heartbeat { session, epoch: 1, number: 1, units: 0, ask: Ask::Slice };
    let answer = desk.submit(account, ask).await.expect("it is answered");
    assert!(matches!(answer, Outcome::Heartbeat(answer) if answer.slice_end >= 20), "{answer:?}");
    session
}

/// What a former run wrote down last.
fn leave_progress(stand: &Stand, boot: BootId, account: AccountId, session: SessionId, units: Units) {
    let writer = ProgressWriter::start(stand.data_dir.path(), boot, Duration::from_secs(60)).expect("a record");
    let _slot = writer.assign(&ProgressEntry { session, account, epoch: 1, units, position_ms: 0 });
    writer.flush().expect("it is written");
}

async fn until_swept(stand: &Stand, account: AccountId) {
    for _ in 0..200 {
        if stand.books(account).await.open_sessions == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nobody swept it");
}

#[actix_rt::test]
async fn one_account_that_is_missing_keeps_nobody_else_from_being_recovered() {
    let setting = Setting::default();
    let stand = Stand::with(setting.clone()).await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let boot = BootId(Uuid::now_v7());
    let session = abandoned(&stand, account, boot).await;
    leave_progress(&stand, boot, account, session, 20);
    let (lost_boot, nobody) = (BootId(Uuid::now_v7()), AccountId(Uuid::now_v7()));
    leave_progress(&stand, lost_boot, nobody, SessionId(Uuid::now_v7()), 20);

    let next = stand.restart(&setting).await;
    assert!(next.readiness().ready);
    assert_eq!(stand.assert_settled(account).await.totals.spent, PRICING.cost(20));
    let kept = ProgressWriter::recover(stand.data_dir.path(), next.boot()).expect("the directory is there");
    let kept: Vec<BootId> = kept.into_iter().map(|(boot, _)| boot).collect();
    assert!(kept.contains(&lost_boot) && !kept.contains(&boot), "what could not be settled is kept");
}

/// Creates a session as far as the store is when `is_far_enough`, and there the node crashes.
async fn crash_while_creating(stand: &Stand, account: AccountId, is_far_enough: impl AsyncFn() -> bool) {
    let mut create = Box::pin(stand.node.create_session(Caller::account(account), CreateSession::default()));
    while !is_far_enough().await {
        assert!(futures_util::poll!(create.as_mut()).is_pending(), "it was answered before");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Dropping it would take it back, which whoever crashes does not.
    std::mem::forget(create);
}

#[actix_rt::test]
async fn the_next_run_finds_what_a_crash_left_of_a_create() {
    let setting = Setting::default();
    let stand = Stand::with(setting.clone()).await;
    let owned = async || stand.store.list_owned(stand.node.name(), stand.node.boot()).await.expect("it lists");
    let written = stand.account_with(Microcredits::from_credits(1)).await;
    crash_while_creating(&stand, written, async || owned().await.len() == 1).await;
    let begun = stand.account_with(Microcredits::from_credits(1)).await;
    crash_while_creating(&stand, begun, async || stand.books(begun).await.open_sessions == 1).await;
    let left = owned().await;
    assert_eq!(left.len(), 2, "each has a record by the time that it is in the books");

    let _next = stand.restart(&setting).await;
    for account in [written, begun] {
        assert_eq!(stand.assert_settled(account).await.open_sessions, 0);
    }
    for record in left {
        let ended = stand.store.get_session(record.id).await.expect("it answers").expect("it is there");
        assert_eq!((ended.end_reason, ended.units), (Some(EndReason::NodeLost), 0));
    }
}

#[actix_rt::test]
async fn usage_that_is_proved_after_a_session_was_swept_is_charged_as_late() {
    let setting = impatient();
    let stand = Stand::with(setting.clone()).await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let boot = BootId(Uuid::now_v7());
    let session = abandoned(&stand, account, boot).await;
    until_swept(&stand, account).await;
    assert_eq!(stand.books(account).await.totals.spent, Microcredits::ZERO);
    leave_progress(&stand, boot, account, session, 20);

    let next = stand.restart(&setting).await;
    assert_eq!(stand.assert_settled(account).await.totals.spent, PRICING.cost(20));
    let touched = Touched { sessions: vec![session], ..Touched::default() };
    let books = next.desk().inspect(account, touched).await.expect("it answers").expect("the account");
    assert_eq!(books.tabs[&session].settled_units, 20);
}

#[actix_rt::test]
async fn a_session_of_a_lost_node_is_over_for_its_users_once_it_is_swept() {
    let stand = Stand::with(impatient()).await;
    let account = stand.account_with(Microcredits::from_credits(1)).await;
    let boot = BootId(Uuid::now_v7());
    // Any record will do, under the name of a session that nobody runs.
    let session = stand.session(account, CreateSession::default()).await;
    let mut record = stand.store_record(&session).await;
    session.node.stop(session.who, session.id).await.expect("it stops");
    record.id = abandoned(&stand, account, boot).await;
    (record.node, record.boot) = ("lost".to_owned(), boot);
    let _written = stand.store.put_session(record.clone()).await.expect("it is written");
    until_swept(&stand, account).await;
    let ghost = Session { id: record.id, ..session };
    let ended = ghost.until("its record says so", |record| record.state == SessionState::Ended).await;
    assert_eq!((ended.end_reason, ended.credits_used), (Some(EndReason::NodeLost), Microcredits::ZERO));
}

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
