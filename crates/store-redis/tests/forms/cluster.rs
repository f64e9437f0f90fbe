//! A cluster: slots that move, masters that are lost, and the whole contract.

use std::sync::Arc;
use std::time::{Duration, Instant};

use footlight_ledger::{AccountId, Microcredits, Touched};
use footlight_store::contract::Opened;
use footlight_store::records::RecordKey;
use footlight_store::{Expected, Owner, RecordBatch, RecordOp, RecordOutcome, RecordVersion, Store};
use footlight_store_redis::testing::{RedisCluster, until};
use footlight_store_redis::{RedisOptions, RedisStore};
use uuid::Uuid;

use crate::load::{FIRST, Load, Player, desk_at, is_slow, top_up};

fn options(replicas: u32) -> RedisOptions {
    RedisOptions { replicas, ..RedisOptions::default() }
}

/// How long a slot is left with one key more moved.
const BETWEEN_KEYS: Duration = Duration::from_millis(30);

async fn slot_of(cluster: &RedisCluster, account: AccountId) -> u16 {
    cluster.slot_of(&format!("fl:{{{account}}}:a")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slots_that_move_lose_nothing_and_charge_once() {
    let cluster = RedisCluster::start(&[]).await;
    let load = Load::start(&cluster.address(), &options(1), 8).await;
    load.goes_on(5).await;
    let rounds = if is_slow() { 6 } else { 1 };
    let mut moved = 0;
    for _ in 0..rounds {
        for player in &load.players {
            let slot = slot_of(&cluster, player.account).await;
            let to = (cluster.master_of(slot).await + 1) % 3;
            cluster.move_slot(slot, to, BETWEEN_KEYS).await;
            moved += 1;
        }
        load.goes_on(3).await;
    }
    load.finish(&format!("{moved} slots moved")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_master_loses_no_acknowledged_top_up_and_charges_once() {
    let mut cluster = RedisCluster::start(&[]).await;
    let load = Load::start(&cluster.address(), &options(1), 8).await;
    load.goes_on(5).await;
    let losses = if is_slow() { vec![false, true, false, true] } else { vec![false] };
    for is_frozen in &losses {
        let slot = slot_of(&cluster, load.players[0].account).await;
        let master = cluster.master_of(slot).await;
        if *is_frozen {
            cluster.servers[master].freeze();
        } else {
            cluster.servers[master].kill();
        }
        let (paid, units) = (load.paid(), load.units());
        until("its replica takes over", || async { cluster.master_of(slot).await != master }).await;
        if *is_frozen {
            cluster.servers[master].thaw();
        } else {
            cluster.servers[master].restart();
        }
        until("the lost one follows", || async {
            cluster.servers[master].info("replication", "master_link_status").await.as_deref() == Some("up")
        })
        .await;
        load.goes_on(5).await;
        assert!(load.paid() > paid && load.units() > units);
    }
    load.finish(&format!("masters of a cluster lost, frozen: {losses:?}")).await;
}

/// One master is silent: accounts that other masters have are written all the while, in the same batches, at their usual
/// pace, and those of the silent one are not lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_master_stops_only_the_accounts_that_it_has() {
    let cluster = RedisCluster::start(&[]).await;
    let desk = desk_at(&cluster.address(), &options(0)).await;
    let mut players = Vec::new();
    for _ in 0..12 {
        players.push(Player::enter(&desk).await);
    }
    let slot = slot_of(&cluster, players[0].account).await;
    let silent = cluster.master_of(slot).await;
    let mut theirs = Vec::new();
    for player in &players {
        theirs.push(cluster.master_of(slot_of(&cluster, player.account).await).await != silent);
    }
    cluster.servers[silent].freeze();
    let name = |round: usize, at: usize| format!("silent-{round}-{at}");
    let begun = Instant::now();
    for round in 0..3 {
        let (told, mut answers) = tokio::sync::mpsc::unbounded_channel();
        for (at, player) in players.iter().enumerate() {
            let (desk, account, told) = (desk.clone(), player.account, told.clone());
            let command = top_up(name(round, at), Microcredits(1));
            tokio::spawn(async move {
                let answer = desk.submit(account, command).await;
                let _ = told.send((at, answer));
            });
        }
        drop(told);
        let mut served = 0;
        while served < theirs.iter().filter(|theirs| **theirs).count() {
            let (at, answer) = answers.recv().await.expect("an answer for each");
            if theirs[at] {
                answer.expect("it is written");
                served += 1;
            }
        }
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(12), "three rounds of others' accounts took {took:?}");
    cluster.servers[silent].thaw();
    // The same commands again: each has been done once in the end.
    for (at, player) in players.iter().enumerate() {
        for round in 0..3 {
            until("it is written", || async {
                desk.submit(player.account, top_up(name(round, at), Microcredits(1))).await.is_ok()
            })
            .await;
        }
        let books = desk.inspect(player.account, Touched::default()).await.expect("reads").expect("is there");
        let granted = books.account.totals.granted;
        assert_eq!(granted.0 - FIRST.0, 3, "each top-up once");
    }
}

/// What a node writes must never be written where the slot is not yet, or not any more: it would be in two places.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_in_one_place_while_their_slot_moves() {
    let cluster = RedisCluster::start(&[]).await;
    let store = RedisStore::connect(&cluster.address(), options(0)).await.expect("connects");
    let owner = Owner::Account(AccountId(Uuid::now_v7()));
    let put = |id: &str, version: u128| {
        let key = RecordKey { collection: "things", id: id.to_owned() };
        let next = RecordVersion(version);
        let op = RecordOp::Put { key, expected: Expected::Absent, next, due: None, body: b"body".to_vec() };
        vec![RecordBatch { owner, ops: vec![op] }]
    };
    use footlight_store::RecordStore as _;
    assert_eq!(store.write_records(put("one", 1)).await, [Ok(RecordOutcome::Written)]);

    let slot = cluster.slot_of(&format!("fl:{{{owner}}}:r:things")).await;
    let from = cluster.master_of(slot).await;
    let to = (from + 1) % 3;
    cluster.begin_move(slot, to).await;
    // Nothing has moved yet, but the slot is open at both ends.
    assert_eq!(store.write_records(put("one", 2)).await, [Ok(RecordOutcome::Conflict)], "the record is there");
    for write in store.write_records(put("two", 3)).await {
        match write {
            Ok(outcome) => assert_eq!(outcome, RecordOutcome::Written),
            Err(error) => assert!(error.is_transport(), "{error}"),
        }
    }
    cluster.finish_move(slot, to, Duration::ZERO).await;
    let there = store.get_records(owner, "things", &["one".to_owned()]).await.expect("reads");
    assert_eq!(there[0].as_ref().map(|record| record.version), Some(RecordVersion(1)));
    until("it takes records again", || async {
        matches!(store.write_records(put("two", 3)).await.as_slice(), [Ok(RecordOutcome::Written)])
    })
    .await;
    assert_eq!(
        store
            .list_records(owner, "things", footlight_store::RecordRange { limit: 10, ..Default::default() })
            .await
            .expect("reads")
            .len(),
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_keeps_the_contract() {
    let cluster = Arc::new(RedisCluster::start(&[]).await);
    let open = || async {
        for server in &cluster.servers {
            // Replicas refuse, and follow.
            let _ = server.try_run("FLUSHALL").await;
        }
        let store = RedisStore::connect(&cluster.address(), options(0)).await.expect("connects");
        let store: Arc<dyn Store> = Arc::new(store);
        Opened { store, keep: Box::new(()) }
    };
    footlight_store::store_contract_in_turn!(open);
}
