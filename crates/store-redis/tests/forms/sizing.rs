//! What things take of a server's memory: the figures in docs/redis.md.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use footlight_ledger::{
    AccountId, Ask, BootId, Command, EndReason, Limits, Microcredits, Product, SecretId, SessionId, Terms, Timestamp,
};
use footlight_session::{SessionRecord, SessionState, WhenUnwatched};
use footlight_store::{LedgerDesk, SessionPut};
use footlight_store_redis::testing::{RedisServer, SAFE};
use footlight_store_redis::{RedisOptions, RedisStore};
use uuid::Uuid;

use crate::load::{PRICING, is_slow, now, top_up};

const HOUR_MS: i64 = 3_600_000;

async fn memory(server: &RedisServer) -> u64 {
    server.info("memory", "used_memory").await.expect("it is told").parse().expect("it is a number")
}

/// Bytes on the disk after everything was written anew.
async fn disk(server: &RedisServer) -> u64 {
    server.run("BGREWRITEAOF").await;
    footlight_store_redis::testing::until("it is written", || async {
        server.info("persistence", "aof_rewrite_in_progress").await.as_deref() == Some("0")
            && server.info("persistence", "aof_rewrite_scheduled").await.as_deref() == Some("0")
    })
    .await;
    server.info("persistence", "aof_base_size").await.expect("it is told").parse().expect("it is a number")
}

fn record(account: AccountId, session: SessionId) -> SessionRecord {
    SessionRecord {
        id: session,
        account,
        secret: Some(SecretId(Uuid::now_v7())),
        state: SessionState::Running,
        pause_reasons: BTreeSet::new(),
        end_reason: None,
        product: Product::EssenceCloud,
        pricing: PRICING,
        avatar: "ada".to_owned(),
        fps: 25,
        width: 512,
        height: 512,
        background: None,
        when_unwatched: WhenUnwatched::Wait,
        idle_timeout_s: 300,
        max_duration_s: 3_600,
        units: 75_000,
        stalls: 0,
        credits_used: Microcredits(100_000_000),
        epoch: 1,
        node: "node-1".to_owned(),
        boot: BootId(Uuid::now_v7()),
        created_at: now(),
        ended_at: None,
        metadata: BTreeMap::from([("order".to_owned(), "42".to_owned())]),
        labels: BTreeMap::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_sessions_and_days_take_what_the_page_says() {
    let (accounts, per_account) = if is_slow() { (2_000, 5) } else { (100, 5) };
    let server = RedisServer::start_with(&SAFE);
    let options = RedisOptions { skew_max: Duration::from_secs(40 * 24 * 3_600), ..RedisOptions::default() };
    let store = Arc::new(RedisStore::connect(&server.address(), options).await.expect("connects"));
    let later = Arc::new(AtomicI64::new(0));
    let clock = {
        let later = Arc::clone(&later);
        move || Timestamp(now().0 + later.load(Relaxed))
    };
    let desk = LedgerDesk::new(store, Terms::default(), Arc::new(clock), Arc::new(|| Uuid::now_v7().as_u128()));
    let ids: Vec<_> = (0..=accounts).map(|_| AccountId(Uuid::now_v7())).collect();
    let mut empty = 0;
    for (at, account) in ids.iter().enumerate() {
        desk.open_account(*account, Limits::default()).await.expect("opens");
        desk.submit(*account, top_up("first".to_owned(), Microcredits(10_000_000_000))).await.expect("grants");
        if at == 0 {
            // Scripts and connections are there once and for all.
            empty = memory(&server).await;
        }
    }
    let ids = &ids[1..];
    let with_accounts = memory(&server).await;

    let mut sessions = Vec::new();
    for account in ids {
        for _ in 0..per_account {
            let session = SessionId(Uuid::now_v7());
            let begin = Command::BeginSession {
                session,
                product: Product::EssenceCloud,
                pricing: PRICING,
                secret: None,
                owner: BootId(Uuid::nil()),
            };
            desk.submit(*account, begin).await.expect("begins");
            let beat = Command::Heartbeat { session, epoch: 1, number: 1, units: 0, ask: Ask::Slice };
            desk.submit(*account, beat).await.expect("answers");
            sessions.push((*account, session));
        }
    }
    let with_sessions = memory(&server).await;

    // Each hour of a day each session speaks for a while: an entry in the journal for each.
    for hour in 1..=24 {
        later.store(hour * HOUR_MS, Relaxed);
        let number = u64::try_from(hour).expect("is positive") + 1;
        for (account, session) in &sessions {
            let beat = Command::Heartbeat { session: *session, epoch: 1, number, units: number * 900, ask: Ask::Slice };
            desk.submit(*account, beat).await.expect("answers");
        }
    }
    let with_a_day = memory(&server).await;
    let on_disk = disk(&server).await;
    for (account, session) in &sessions {
        let end = Command::EndSession {
            session: *session,
            epoch: 1,
            number: 99,
            units: 25 * 900,
            reason: EndReason::Stopped,
        };
        desk.submit(*account, end).await.expect("ends");
    }
    let with_ended = memory(&server).await;

    for (account, session) in &sessions {
        let put = desk.store().put_session(record(*account, *session)).await;
        assert_eq!(put, Ok(SessionPut::Written));
    }
    let with_records = memory(&server).await;

    let (accounts, sessions) = (accounts as u64, sessions.len() as u64);
    let account = (with_accounts - empty) / accounts;
    let session = (with_sessions - with_accounts) / sessions;
    let hour = (with_a_day - with_sessions) / sessions / 24;
    let record = (with_records - with_ended) / sessions;
    eprintln!(
        "{accounts} accounts, {sessions} sessions: {account} bytes an account with one top-up, {session} an open session, \
         {hour} for an hour of a session's usage; {} on the disk of {} in memory; ended: {} bytes a session more; {record} its record with its places in the lists",
        on_disk,
        with_a_day - empty,
        (i128::from(with_ended) - i128::from(with_a_day)) / i128::from(sessions),
    );
    // With few accounts, what the server allots in steps (its output and log buffers, its tables) weighs on each of them; the
    // page's figure is that of the long run.
    let account_max = if is_slow() { 6_000 } else { 12_000 };
    assert!(account < account_max && session < 600 && hour < 150 && record < 2_000, "docs/redis.md says less");
}
