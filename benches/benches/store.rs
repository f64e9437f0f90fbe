//! Settled heartbeats a second through the ledger desk, on both stores, beside what the bare store can do in the same run.
//!
//! `cargo bench -p footlight-benches --bench store [-- seconds]`. Every heartbeat is a real one: applied by the ledger,
//! written with its tab, answered. Needs `redis-server`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use footlight_ledger::{
    AccountId, Ask, BootId, Command, GrantId, GrantKind, GrantName, Limits, Microcredits, Outcome, Pricing, Product,
    Rounding, SessionId, Terms, Timestamp, Touched,
};
use footlight_store::{LedgerDesk, SqliteStore, Store, codec};
use footlight_store_redis::testing::RedisServer;
use footlight_store_redis::{RedisOptions, RedisStore};
use uuid::Uuid;

const PRICING: Pricing = Pricing { rate: Microcredits(2_000_000), units_per_minute: 1_500, rounding: Rounding::Exact };

/// Sessions an account, and accounts: a lone session, a usual account, a hot one.
const SHAPES: [(usize, usize); 3] = [(1, 10_000), (16, 1_000), (1_000, 16)];

/// Heartbeats submitted at once: what falls due within some 10 ms on a node with a million sessions.
const SUBMISSION: usize = 4_000;

/// About what a heartbeat writes: a tab.
const ROW: [u8; 250] = [7; 250];

fn main() {
    // `cargo bench` passes `--bench` along.
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(3.0);
    let time = Duration::from_secs_f64(seconds);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        println!("SQLite, WAL, synchronous=FULL");
        let directory = tempfile::tempdir().expect("a directory");
        bare_sqlite(directory.path(), time);
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&directory.path().join("store")).expect("opens"));
        all_shapes(&store, time).await;
        drop(store);

        // Always: what it says is on the disk. Every second: how fast it could be if nobody waited for the disk.
        for fsync in ["always", "everysec"] {
            println!("Redis, appendfsync {fsync}");
            let server = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", fsync]);
            bare_redis(&server, time).await;
            let options = RedisOptions {
                allow_unsafe: true,
                response_timeout: Duration::from_secs(30),
                skew_max: Duration::from_secs(60),
                ..RedisOptions::default()
            };
            let store = RedisStore::connect(&server.address(), options).await.expect("connects");
            let store: Arc<dyn Store> = Arc::new(store);
            all_shapes(&store, time).await;
        }
    });
}

fn report(what: &str, count: usize, took: Duration) {
    println!("  {what:<58} {:>12.0} /s", count as f64 / took.as_secs_f64());
}

async fn all_shapes(store: &Arc<dyn Store>, time: Duration) {
    for (sessions, accounts) in SHAPES {
        let desk = LedgerDesk::new(
            Arc::clone(store),
            Terms::default(),
            Arc::new(now),
            Arc::new(|| Uuid::now_v7().as_u128() ^ (u128::from(rand_bits()) << 64)),
        );
        let names = speaking(&desk, accounts, sessions).await;
        let (count, took) = beat(&desk, &names, time).await;
        let figures = desk.figures();
        report(&format!("heartbeats, {sessions} sessions on each of {accounts} accounts"), count, took);
        println!(
            "    {} calls, {:.1} ms each, {:.1} accounts a call",
            figures.commit_seconds.iter().sum::<u64>(),
            figures.commit_micros as f64 / 1_000.0 / figures.commit_seconds.iter().sum::<u64>() as f64,
            figures.commits as f64 / figures.commit_seconds.iter().sum::<u64>() as f64,
        );
        if sessions == 1 {
            sizes(&desk, names[0]).await;
        }
    }
}

async fn sizes(desk: &LedgerDesk, (account, session): (AccountId, SessionId)) {
    let touched = Touched { sessions: vec![session], ..Touched::default() };
    let books = desk.inspect(account, touched).await.expect("reads").expect("is there");
    let tab = &books.tabs[&session];
    let (before, count) = (resident_bytes(), 100_000);
    let cached: BTreeMap<_, _> = (0..count).map(|_| (SessionId(Uuid::now_v7()), tab.clone())).collect();
    println!(
        "    a tab is {} bytes, an account {} bytes; of {count} tabs the desk keeps, each takes {} bytes of memory",
        codec::encode(tab).len(),
        codec::encode(&books.account).len(),
        resident_bytes().saturating_sub(before) / cached.len() as u64
    );
}

/// Accounts with credits, and sessions that hold a slice.
async fn speaking(desk: &LedgerDesk, accounts: usize, sessions: usize) -> Vec<(AccountId, SessionId)> {
    let mut names = Vec::new();
    let mut commands = Vec::new();
    for _ in 0..accounts {
        let account = AccountId(Uuid::now_v7());
        desk.open_account(account, Limits::default()).await.expect("opens");
        commands.push((account, top_up()));
        for _ in 0..sessions {
            let session = SessionId(Uuid::now_v7());
            commands.push((account, begin(session)));
            names.push((account, session));
        }
    }
    for outcome in desk.submit_many(commands).await {
        assert!(matches!(outcome, Ok(Outcome::Begun { .. } | Outcome::Granted { .. })), "{outcome:?}");
    }
    names
}

/// Rounds of heartbeats of all sessions, two seconds of frames each, until the time is up.
async fn beat(desk: &LedgerDesk, names: &[(AccountId, SessionId)], time: Duration) -> (usize, Duration) {
    let started = Instant::now();
    let (mut count, mut number) = (0, 0);
    while started.elapsed() < time {
        number += 1;
        let beat = |&(account, session): &(AccountId, SessionId)| {
            let units = 50 * (number - 1);
            (account, Command::Heartbeat { session, epoch: 1, number, units, ask: Ask::Slice })
        };
        // Two submissions under way, as from two meters: one is applied while the other is written.
        for pair in names.chunks(2 * SUBMISSION) {
            let (one, two) = pair.split_at(pair.len().min(SUBMISSION));
            let (one, two) = tokio::join!(
                desk.submit_many(one.iter().map(beat).collect()),
                desk.submit_many(two.iter().map(beat).collect())
            );
            for outcome in one.into_iter().chain(two) {
                assert!(matches!(outcome, Ok(Outcome::Heartbeat(_))), "{outcome:?}");
                count += 1;
            }
        }
    }
    (count, started.elapsed())
}

/// The floor: rows of a tab's size, alone and in large transactions, on the same disk with the same settings.
fn bare_sqlite(directory: &std::path::Path, time: Duration) {
    let connection = rusqlite::Connection::open(directory.join("bare.db")).expect("opens");
    connection.query_row("PRAGMA journal_mode = wal", [], |_| Ok(())).expect("sets");
    connection
        .execute_batch("PRAGMA synchronous = full; CREATE TABLE t (id BLOB PRIMARY KEY, d BLOB) WITHOUT ROWID")
        .expect("creates");
    for group in [1, SUBMISSION] {
        let mut insert = connection.prepare("INSERT INTO t VALUES (?1, ?2)").expect("prepares");
        let (started, mut count) = (Instant::now(), 0);
        while started.elapsed() < time {
            connection.execute_batch("BEGIN IMMEDIATE").expect("begins");
            for _ in 0..group {
                insert.execute(rusqlite::params![Uuid::now_v7().as_bytes(), ROW]).expect("inserts");
            }
            connection.execute_batch("COMMIT").expect("commits");
            count += group;
        }
        report(&format!("bare inserts of 250 bytes, {group} in a transaction"), count, started.elapsed());
    }
}

/// The floor: pipelines of SETs of a tab's size, and of the smallest script that compares and sets.
async fn bare_redis(server: &RedisServer, time: Duration) {
    const SWAP: &str =
        "if redis.call('GETRANGE', KEYS[1], 0, 0) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) end return 1";
    let client = redis::Client::open(server.address()).expect("an address");
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(10)));
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.expect("connects");
    let mut load = redis::cmd("SCRIPT");
    let digest: String = load.arg("LOAD").arg(SWAP).query_async(&mut connection).await.expect("loads");
    let set = |key: usize| {
        let mut set = redis::cmd("SET");
        set.arg(key).arg(&ROW[..]);
        set
    };
    let swap = |key: usize| {
        let mut swap = redis::cmd("EVALSHA");
        swap.arg(&digest).arg(1).arg(key).arg("").arg(&ROW[..]);
        swap
    };
    let commands: [(&str, &dyn Fn(usize) -> redis::Cmd); 2] = [("SETs", &set), ("compare-and-set scripts", &swap)];
    for (what, command) in commands {
        let (started, mut count) = (Instant::now(), 0);
        while started.elapsed() < time {
            let mut pipeline = redis::Pipeline::with_capacity(SUBMISSION);
            for key in 0..SUBMISSION {
                pipeline.add_command(command(key)).ignore();
            }
            let done: Result<(), _> = pipeline.query_async(&mut connection).await;
            done.expect("answers");
            count += SUBMISSION;
        }
        report(&format!("bare {what} of 250 bytes, {SUBMISSION} in a pipeline"), count, started.elapsed());
    }
}

fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    Timestamp(i64::try_from(since_epoch.as_millis()).expect("soon enough"))
}

/// Uuids of one millisecond share their first half.
fn rand_bits() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}

fn top_up() -> Command {
    Command::Grant {
        id: GrantId(Uuid::now_v7()),
        name: GrantName("first".to_owned()),
        kind: GrantKind::TopUp,
        amount: Microcredits::from_credits(1_000_000),
        expires_at: None,
    }
}

fn begin(session: SessionId) -> Command {
    let owner = BootId(Uuid::nil());
    Command::BeginSession { session, product: Product::EssenceCloud, pricing: PRICING, secret: None, owner }
}

fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|statm| statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()));
    pages.unwrap_or(0) * 4_096
}
