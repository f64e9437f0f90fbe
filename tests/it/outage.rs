//! The store goes away and comes back.

use std::time::Duration;

use anyhow::ensure;
use footlight_tests::{NodeSetup, RedisServer, speech};
use reqwest::StatusCode;
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
    customer.expect(reqwest::Method::DELETE, &stop, None).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let cost = i64::try_from(frames)? * 2_000_000 / 1_500;
    ensure!(customer.balance().await? == 10_000_000 - cost);
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
    customer.expect(reqwest::Method::DELETE, &format!("/v1/sessions/{id}"), None).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(customer.balance().await? == 10_000_000 - 500 * 2_000_000 / 1_500);
    node.operator().expect_balanced().await?;
    Ok(())
}
