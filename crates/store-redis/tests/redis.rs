//! The Redis store keeps the contract on a real server, and its own promises when that server fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use footlight_ledger::{
    AccountId, Ask, BootId, Command, EndReason, GrantId, GrantKind, GrantName, Limits, Microcredits, Outcome, Pricing,
    Product, Rounding, SessionId, SliceAnswer, Terms, Timestamp,
};
use footlight_store::contract::Opened;
use footlight_store::desk::Clock;
use footlight_store::{LedgerDesk, Rise, Store, StoreError, audit_account};
use footlight_store_redis::testing::RedisServer;
use footlight_store_redis::{RedisOptions, RedisStore};
use uuid::Uuid;

mod contract {
    use super::*;

    async fn open() -> Opened {
        let server = RedisServer::start();
        let store = RedisStore::connect(&server.address(), RedisOptions::default()).await.expect("connects");
        Opened { store: Arc::new(store), keep: Box::new(server) }
    }

    footlight_store::store_contract!(open);
}

/// The year is simulated, so its commits are as far from the server's clock as its option says they may be; and what this
/// server keeps on its disk is nobody's money.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_on_each_plan() {
    let server = RedisServer::start_with(&[]);
    let options = RedisOptions {
        skew_max: Duration::from_secs(10 * 366 * 24 * 3_600),
        allow_unsafe: true,
        ..RedisOptions::default()
    };
    let store = RedisStore::connect(&server.address(), options).await.expect("connects");
    // Reading all of an account is a dozen round trips here: every hour of a year takes minutes.
    let audited_every_h = if std::env::var_os("FOOTLIGHT_SLOW_TESTS").is_some() { 1 } else { 24 };
    footlight_store::contract::year::a_year_on_each_plan(Arc::new(store), audited_every_h).await;
}

const PRICING: Pricing = Pricing { rate: Microcredits(2_000_000), units_per_minute: 1_500, rounding: Rounding::Exact };

fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    Timestamp(i64::try_from(since_epoch.as_millis()).expect("soon enough"))
}

fn desk_at(store: Arc<dyn Store>, clock: Clock) -> LedgerDesk {
    LedgerDesk::new(store, Terms::default(), clock, Arc::new(|| Uuid::now_v7().as_u128()))
}

async fn store_on(server: &RedisServer) -> Arc<dyn Store> {
    Arc::new(RedisStore::connect(&server.address(), RedisOptions::default()).await.expect("connects"))
}

fn top_up(name: &str, amount: i64) -> Command {
    Command::Grant {
        id: GrantId(Uuid::now_v7()),
        name: GrantName(name.to_owned()),
        kind: GrantKind::TopUp,
        amount: Microcredits(amount),
        expires_at: None,
    }
}

/// A speaking session on a new account with 100 credits.
async fn speaking(desk: &LedgerDesk) -> (AccountId, SessionId) {
    let (account, session) = (AccountId(Uuid::now_v7()), SessionId(Uuid::now_v7()));
    desk.open_account(account, Limits::default()).await.expect("opens");
    desk.submit(account, top_up("first", 100_000_000)).await.expect("grants");
    let begin = Command::BeginSession {
        session,
        product: Product::EssenceCloud,
        pricing: PRICING,
        secret: None,
        owner: BootId(Uuid::nil()),
    };
    assert_eq!(desk.submit(account, begin).await, Ok(Outcome::Begun { epoch: 1 }));
    beat(desk, account, session, 1, 0).await.expect("answers");
    (account, session)
}

async fn beat(
    desk: &LedgerDesk,
    account: AccountId,
    session: SessionId,
    number: u64,
    units: u64,
) -> Result<SliceAnswer, StoreError> {
    let beat = Command::Heartbeat { session, epoch: 1, number, units, ask: Ask::Slice };
    match desk.submit(account, beat).await? {
        Outcome::Heartbeat(answer) => Ok(answer),
        other => panic!("a slice was expected, not {other:?}"),
    }
}

/// Ends the session at `units`; charged for exactly those, and the books balance.
async fn assert_charged_once(desk: &LedgerDesk, account: AccountId, session: SessionId, number: u64, units: u64) {
    let end = Command::EndSession { session, epoch: 1, number, units, reason: EndReason::Stopped };
    let outcome = desk.submit(account, end).await.expect("answers");
    assert!(matches!(outcome, Outcome::Ended(answer) if answer.charged == PRICING.cost(units)), "{outcome:?}");
    let audit = audit_account(&**desk.store(), account).await.expect("audits").expect("is there");
    assert_eq!(audit.differences, Vec::<String>::new());
    assert_eq!(audit.totals.spent, PRICING.cost(units));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_scripts_are_loaded_again() {
    let server = RedisServer::start();
    let desk = desk_at(store_on(&server).await, Arc::new(now));
    let (account, session) = speaking(&desk).await;
    let client = redis::Client::open(server.address()).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("connects");
    for number in 2..5 {
        let flushed: Result<(), _> = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut connection).await;
        flushed.expect("flushes");
        beat(&desk, account, session, number, number * 10).await.expect("answers");
    }
    assert_charged_once(&desk, account, session, 9, 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_fails_fast_and_loses_nothing() {
    let mut server = RedisServer::start();
    let desk = desk_at(store_on(&server).await, Arc::new(now));
    let (account, session) = speaking(&desk).await;
    beat(&desk, account, session, 2, 100).await.expect("answers");
    server.kill();
    let started = Instant::now();
    let error = beat(&desk, account, session, 3, 200).await.expect_err("nobody is there");
    assert!(error.is_transport(), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3), "took {:?}", started.elapsed());
    assert!(desk.store().ping().await.is_err());
    server.restart();
    tokio::time::sleep(Duration::from_millis(300)).await;
    beat(&desk, account, session, 3, 200).await.expect("answers again");
    assert_charged_once(&desk, account, session, 4, 250).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_is_an_unknown_outcome_and_charges_once() {
    let server = RedisServer::start();
    let desk = desk_at(store_on(&server).await, Arc::new(now));
    let (account, session) = speaking(&desk).await;
    server.freeze();
    let waiting = tokio::spawn({
        let desk = desk.clone();
        async move { beat(&desk, account, session, 2, 100).await }
    });
    // Longer than the time limit: the commit lies in the server's socket, and is executed when it goes on.
    tokio::time::sleep(Duration::from_millis(2_600)).await;
    server.thaw();
    match waiting.await.expect("runs") {
        Ok(answer) => assert_eq!(answer.charged, PRICING.cost(100)),
        Err(error) => assert!(error.is_transport(), "{error}"),
    }
    assert!(desk.figures().unknown >= 1, "{:?}", desk.figures());
    let again = beat(&desk, account, session, 2, 100).await.expect("answers again");
    assert_eq!(again.charged, PRICING.cost(100));
    assert_charged_once(&desk, account, session, 3, 150).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_a_wrong_clock_writes_nothing() {
    let server = RedisServer::start();
    let store = store_on(&server).await;
    let right = desk_at(Arc::clone(&store), Arc::new(now));
    let (account, session) = speaking(&right).await;
    let fast = desk_at(Arc::clone(&store), Arc::new(|| now().plus_ms(5_000)));
    let error = beat(&fast, account, session, 2, 100).await.expect_err("is refused");
    assert!(matches!(error, StoreError::ClockSkew { skew_ms: 4_500..=5_500 }), "{error}");
    let slow = desk_at(store, Arc::new(|| now().plus_ms(-8_000)));
    let error = beat(&slow, account, session, 2, 100).await.expect_err("is refused");
    assert!(matches!(error, StoreError::ClockSkew { skew_ms: -8_500..=-7_500 }), "{error}");
    assert_charged_once(&right, account, session, 2, 75).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_long_on_its_way_is_no_wrong_clock() {
    let server = RedisServer::start();
    let store = store_on(&server).await;
    let desk = desk_at(Arc::clone(&store), Arc::new(now));
    let (account, session) = speaking(&desk).await;
    let late = desk_at(store, Arc::new(|| now().plus_ms(-3_000)));
    assert_eq!(beat(&late, account, session, 2, 100).await.expect("is written").charged, PRICING.cost(100));
    assert_charged_once(&desk, account, session, 3, 150).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_may_lose_what_it_acknowledged_is_refused() {
    let evicting: &[&str] =
        &["--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"];
    let lossy: &[&str] = &["--appendonly", "no"];
    for (arguments, advice) in [(evicting, "noeviction"), (lossy, "appendonly yes")] {
        let server = RedisServer::start_with(arguments);
        let error = RedisStore::connect(&server.address(), RedisOptions::default()).await.err().expect("is refused");
        assert!(matches!(error, StoreError::Refused { .. }) && error.to_string().contains(advice), "{error}");
        let allowed = RedisOptions { allow_unsafe: true, ..RedisOptions::default() };
        RedisStore::connect(&server.address(), allowed).await.expect("is taken when told");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_there_is_said_within_the_time_limit() {
    let mut server = RedisServer::start();
    server.kill();
    let started = Instant::now();
    let error = RedisStore::connect(&server.address(), RedisOptions::default()).await.err().expect("is not there");
    assert!(error.is_transport() && !error.is_outcome_unknown(), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3), "took {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_refuses_and_says_what_to_do() {
    let server = RedisServer::start();
    let desk = desk_at(store_on(&server).await, Arc::new(now));
    let (account, session) = speaking(&desk).await;
    let client = redis::Client::open(server.address()).expect("an address");
    let mut connection = client.get_multiplexed_async_connection().await.expect("connects");
    let limit = |bytes: &'static str| {
        let mut set = redis::cmd("CONFIG");
        set.arg("SET").arg("maxmemory").arg(bytes);
        set
    };
    let full: Result<(), _> = limit("1").query_async(&mut connection).await;
    full.expect("sets");
    let error = beat(&desk, account, session, 2, 100).await.expect_err("is refused");
    assert!(matches!(&error, StoreError::Refused { detail } if detail.contains("maxmemory")), "{error}");
    let roomy: Result<(), _> = limit("0").query_async(&mut connection).await;
    roomy.expect("sets");
    assert_charged_once(&desk, account, session, 2, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_top_up_of_another_process_is_heard() {
    let server = RedisServer::start();
    let (one, other) = (store_on(&server).await, store_on(&server).await);
    let (waiting, topping) = (desk_at(one, Arc::new(now)), desk_at(other, Arc::new(now)));
    let (account, _) = speaking(&waiting).await;
    let mut rises = waiting.on_rise();
    // The listener connects on its own time; until it has, hints are lost, as hints may be.
    for number in 0..50 {
        topping.submit(account, top_up(&format!("{number}"), 1)).await.expect("grants");
        if let Ok(told) = tokio::time::timeout(Duration::from_millis(100), rises.recv()).await {
            if told == Ok(Rise::Any) {
                continue;
            }
            assert_eq!(told, Ok(Rise::Of(account)));
            return;
        }
    }
    panic!("nothing was heard");
}
