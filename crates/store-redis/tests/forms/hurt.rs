//! One server that restarts, forgets, hangs up and pauses under load.

use std::time::Duration;

use footlight_store_redis::RedisOptions;
use footlight_store_redis::testing::RedisServer;

use crate::load::{Load, is_slow};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_to_a_server_under_load_charges_once() {
    let mut server = RedisServer::start();
    let load = Load::start(&server.address(), &RedisOptions::default(), 8).await;
    load.goes_on(5).await;
    for _ in 0..if is_slow() { 10 } else { 1 } {
        server.run("SCRIPT FLUSH").await;
        load.goes_on(2).await;
        server.run("CLIENT KILL TYPE normal").await;
        load.goes_on(2).await;
        server.run("CLIENT KILL TYPE pubsub").await;
        // Shorter than the time limit of an answer, and longer.
        for pause in [500, 2_500] {
            server.run(&format!("CLIENT PAUSE {pause} ALL")).await;
            load.goes_on(2).await;
        }
        server.run("CLIENT PAUSE 2500 WRITE").await;
        load.goes_on(2).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.restart();
        load.goes_on(2).await;
    }
    load.finish("one server, hurt in each way").await;
}

/// What a replica that follows says to writes is not an answer to them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_reads_for_a_while_wrote_nothing() {
    let (server, other) = (RedisServer::start(), RedisServer::start());
    let desk = crate::load::desk_at(&server.address(), &RedisOptions::default()).await;
    let player = crate::load::Player::enter(&desk).await;
    player.beat(&desk, 10).await.expect("answers");
    // The other one is empty, so the server must not follow it really: it is a replica whose master does not answer.
    other.freeze();
    server.run(&format!("REPLICAOF 127.0.0.1 {}", other.port())).await;
    let error = player.beat(&desk, 10).await.expect_err("it takes no writes");
    assert!(error.is_transport() && !error.is_outcome_unknown(), "{error}");
    let error = player.pay(&desk).await.expect_err("it takes no writes");
    assert!(error.is_transport(), "{error}");
    server.run("REPLICAOF NO ONE").await;
    player.beat(&desk, 10).await.expect("answers again");
    player.pay(&desk).await.expect("is acknowledged");
    player.leave(&desk).await;
}
