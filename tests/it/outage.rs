//! The store goes away and comes back.

use std::time::{Duration, Instant};

use anyhow::ensure;
use footlight_tests::client::cost;
use footlight_tests::{Fleet, NodeSetup, RedisServer, speech};
use reqwest::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn sessions_speak_through_an_outage_and_everything_is_settled() -> anyhow::Result<()> {
    let away = Duration::from_secs(if crate::slow_tests("Redis away for 20 s") { 20 } else { 5 });
    let mut redis = RedisServer::start().await?;
    let setup = NodeSetup::on_redis(&redis.url()).without_pictures().set("metering.heartbeat", "2s");
    let node = setup.start().await?;
    let customer = node.customer("10").await?;
    let id = customer.create(json!({})).await?;
    let watcher = customer.watch(&id).await?;
    let seconds = away.as_secs_f64() + 10.0;
    customer.speak(&id, speech::buzz(seconds, 16_000)).await?;
    watcher.wait_until(Duration::from_secs(5), |seen| seen.active_frames() > 25).await?;

    redis.kill().await?;
    let before = watcher.seen().active_frames();
    tokio::time::sleep(away).await;
    let spoken = watcher.seen().active_frames() - before;
    ensure!(spoken as f64 > away.as_secs_f64() * 25.0 * 0.9, "only {spoken} frames while Redis was away");
    ensure!(node.operator().status_of("/readyz").await? == StatusCode::SERVICE_UNAVAILABLE);
    ensure!(node.operator().status_of("/healthz").await? == StatusCode::OK);

    redis.restart().await?;
    let mut ready = StatusCode::SERVICE_UNAVAILABLE;
    for _ in 0..100 {
        ready = node.operator().status_of("/readyz").await?;
        if ready == StatusCode::OK {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(ready == StatusCode::OK, "{ready} although Redis is back");
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred frames")]
    let frames = (seconds * 25.0) as usize;
    watcher.wait_until(Duration::from_secs(40), |seen| seen.active_frames() == frames).await?;
    let stop = format!("/v1/sessions/{id}");
    customer.expect(Method::DELETE, &stop, None).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(customer.balance().await? == 10_000_000 - cost(i64::try_from(frames)?));
    node.operator().expect_balanced().await?;
    Ok(())
}

#[tokio::test]
async fn past_the_grace_sessions_pause_and_resume_when_the_store_is_back() -> anyhow::Result<()> {
    let mut redis = RedisServer::start().await?;
    let setup = NodeSetup::on_redis(&redis.url())
        .without_pictures()
        .set("metering.heartbeat", "2s")
        .set("metering.grace", "3s");
    let node = setup.start().await?;
    let customer = node.customer("10").await?;
    let id = customer.create(json!({})).await?;
    let watcher = customer.watch(&id).await?;
    customer.speak(&id, speech::buzz(20.0, 16_000)).await?;
    watcher.wait_until(Duration::from_secs(5), |seen| seen.active_frames() > 25).await?;

    redis.kill().await?;
    let paused = customer.wait_until(&id, Duration::from_secs(15), |session| session["state"] == "paused").await?;
    ensure!(paused["pause_reasons"] == json!(["store_unreachable"]), "{paused}");
    let at_pause = watcher.seen().active_frames();
    // A slice of 2 s and a grace of 3 s, from a heartbeat at any moment before the outage.
    ensure!(at_pause < 25 * 9, "{at_pause} frames");

    redis.restart().await?;
    watcher.wait_until(Duration::from_secs(40), |seen| seen.active_frames() == 500).await?;
    customer.expect(Method::DELETE, &format!("/v1/sessions/{id}"), None).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(customer.balance().await? == 10_000_000 - cost(500));
    node.operator().expect_balanced().await?;
    Ok(())
}

/// How soon everything is as before when the store is back.
const BACK_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_store_that_is_away_for_long_takes_no_node_down() -> anyhow::Result<()> {
    if !crate::slow_tests("three nodes without their Redis") {
        return Ok(());
    }
    // Seven minutes against a grace of five; or both, and the heartbeat, a thirtieth of that.
    let scale = if std::env::var_os("FOOTLIGHT_REAL_TIME").is_some() { 1 } else { 30 };
    let (grace, away) = (Duration::from_secs(300) / scale, Duration::from_secs(420) / scale);
    let heartbeat = Duration::from_secs(60) / scale;
    let mut fleet = Fleet::start(3, |node| {
        let node = node.without_pictures().set("metering.heartbeat", &format!("{}s", heartbeat.as_secs()));
        node.set("metering.grace", &format!("{}s", grace.as_secs()))
    })
    .await?;
    fleet.wait_ready(3, BACK_WITHIN).await?;
    let customer = fleet.node(0).customer("1000").await?;
    let seconds = away.as_secs_f64() + 30.0;
    let mut sessions = Vec::new();
    for url in fleet.urls().iter().cycle().take(9) {
        let customer = customer.moved_to(url);
        let id = customer.create(json!({})).await?;
        let node = customer.session(&id).await?["node"].as_str().unwrap_or_default().to_owned();
        let own = fleet.node(fleet.place_of(&node)?).url.clone();
        let watcher = customer.moved_to(&own).watch(&id).await?;
        customer.speak(&id, speech::buzz(seconds, 8_000)).await?;
        watcher.wait_until(Duration::from_secs(5), |seen| seen.active_frames() > 5).await?;
        sessions.push((id, watcher));
    }

    let before: Vec<usize> = sessions.iter().map(|(_, watcher)| watcher.seen().active_frames()).collect();
    fleet.redis.kill().await?;
    let killed = Instant::now();
    tokio::time::sleep(grace * 4 / 5).await;
    for ((id, watcher), before) in sessions.iter().zip(before) {
        let spoken = watcher.seen().active_frames() - before;
        let due = killed.elapsed().as_secs_f64() * 25.0;
        ensure!(spoken as f64 > due * 0.8, "{id}: {spoken} of {due:.0} frames inside the grace");
    }
    for node in fleet.nodes.iter().flatten() {
        ensure!(node.operator().status_of("/readyz").await? == StatusCode::SERVICE_UNAVAILABLE);
        ensure!(node.operator().status_of("/healthz").await? == StatusCode::OK);
    }
    tokio::time::sleep(away.saturating_sub(killed.elapsed())).await;
    // Past the grace nobody's secret can be looked up any more; those who watch were told.
    for (id, watcher) in &sessions {
        let seen = watcher.seen();
        let state = seen.events.iter().rev().find(|event| event["type"] == "state");
        let is_paused = state.is_some_and(|state| state["pause_reasons"] == json!(["store_unreachable"]));
        ensure!(is_paused, "{id} past the grace: {state:?}");
    }
    for node in fleet.nodes.iter_mut().flatten() {
        ensure!(node.is_alive(), "a node has exited");
    }

    fleet.redis.restart().await?;
    let back = Instant::now();
    let before: Vec<usize> = sessions.iter().map(|(_, watcher)| watcher.seen().active_frames()).collect();
    for ((id, watcher), before) in sessions.iter().zip(before) {
        let left = BACK_WITHIN.saturating_sub(back.elapsed());
        let speaks = watcher.wait_until(left, |seen| seen.active_frames() > before + 5).await;
        ensure!(speaks.is_ok(), "{id} does not speak {BACK_WITHIN:?} after the store is back");
    }
    fleet.wait_ready(3, BACK_WITHIN.saturating_sub(back.elapsed())).await?;
    for node in fleet.nodes.iter().flatten() {
        ensure!(node.operator().status_of("/readyz").await? == StatusCode::OK);
    }
    eprintln!("away for {away:?}; all as before after {:?}", back.elapsed());

    let mut paid = 0;
    for (id, watcher) in &sessions {
        let stopped = customer.expect(Method::DELETE, &format!("/v1/sessions/{id}"), None).await?;
        let frames = stopped["frames"].as_i64().unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let received = i64::try_from(watcher.seen().active_frames())?;
        ensure!((received - 3..=received + 3).contains(&frames), "charged {frames}, received {received}");
        paid += cost(frames);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(customer.balance().await? == 1_000_000_000 - paid, "charged otherwise than the sessions say");
    fleet.node(0).operator().expect_balanced().await?;
    Ok(())
}
