//! What is charged, to the frame, and what is free.

use std::time::{Duration, Instant};

use anyhow::ensure;
use footlight_tests::client::{cost, micro};
use footlight_tests::{NodeSetup, speech};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::stores;

const SOON: Duration = Duration::from_secs(20);

/// 0.1 credits at 2 credits a minute are 3 s: speech stops at that frame, and a top-up goes on at the next.
async fn stops_at_the_last_frame_paid_for(setup: &NodeSetup, fps: usize) -> anyhow::Result<()> {
    let node = setup.start().await?;
    let customer = node.customer("0.1").await?;
    let id = customer.create(json!({ "product": "essence_cloud", "fps": fps })).await?;
    let watcher = customer.watch(&id).await?;
    customer.speak(&id, speech::buzz(10.0, 16_000)).await?;

    let paid = 3 * fps;
    let paused = customer.wait_until(&id, SOON, |session| session["state"] == "paused").await?;
    ensure!(paused["pause_reasons"] == json!(["credits_exhausted"]), "{paused}");
    ensure!(paused["frames"] == json!(paid), "{paused}");
    ensure!(micro(&paused["credits_used"])? == 100_000, "{paused}");
    ensure!(customer.balance().await? == 0);
    watcher.wait_until(SOON, |seen| seen.active_frames() == paid).await?;
    // Nothing more comes while it is paused.
    tokio::time::sleep(Duration::from_millis(500)).await;
    ensure!(watcher.seen().active_frames() == paid);

    let topped_up = Instant::now();
    node.operator().grant(&customer.account, "0.1", "second").await?;
    watcher.wait_until(Duration::from_secs(1), |seen| seen.active_frames() > paid).await?;
    eprintln!("resumed {:?} after the top-up was asked for", topped_up.elapsed());
    let paused = customer
        .wait_until(&id, SOON, |session| session["state"] == "paused" && session["frames"] == json!(2 * paid))
        .await?;
    ensure!(micro(&paused["credits_used"])? == 200_000, "{paused}");
    ensure!(customer.balance().await? == 0);
    watcher.wait_until(SOON, |seen| seen.active_frames() == 2 * paid).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    ensure!(watcher.seen().active_frames() == 2 * paid);
    node.operator().expect_balanced().await?;
    Ok(())
}

#[tokio::test]
async fn speech_stops_at_the_last_frame_paid_for_on_the_embedded_store() -> anyhow::Result<()> {
    for fps in [25, 20, 50] {
        stops_at_the_last_frame_paid_for(&stores::embedded().setup, fps).await?;
    }
    Ok(())
}

#[tokio::test]
async fn speech_stops_at_the_last_frame_paid_for_on_redis() -> anyhow::Result<()> {
    for fps in [25, 20, 50] {
        stops_at_the_last_frame_paid_for(&stores::redis().await?.setup, fps).await?;
    }
    Ok(())
}

#[tokio::test]
async fn idle_paused_and_unwatched_time_is_free() -> anyhow::Result<()> {
    let idle = Duration::from_secs(if crate::slow_tests("a whole minute of idling") { 60 } else { 3 });
    let node = NodeSetup::embedded().without_pictures().start().await?;
    let customer = node.customer("10").await?;
    let id = customer.create(json!({})).await?;

    // Unwatched: speech waits.
    customer.speak(&id, speech::buzz(2.0, 16_000)).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(customer.session(&id).await?["frames"] == json!(0));

    // Watched: it is spoken, and paid for.
    let watcher = customer.watch(&id).await?;
    customer.wait_until(&id, SOON, |session| session["frames"] == json!(50)).await?;

    // Idle between two sentences.
    tokio::time::sleep(idle).await;
    ensure!(customer.session(&id).await?["frames"] == json!(50));
    customer.speak(&id, speech::buzz(2.0, 16_000)).await?;
    customer.wait_until(&id, SOON, |session| session["frames"] == json!(100)).await?;

    // Paused by request: speech waits.
    customer.expect(Method::POST, &format!("/v1/sessions/{id}/pause"), None).await?;
    customer.speak(&id, speech::buzz(2.0, 16_000)).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(customer.session(&id).await?["frames"] == json!(100));
    customer.expect(Method::POST, &format!("/v1/sessions/{id}/resume"), None).await?;
    customer.wait_until(&id, SOON, |session| session["frames"] == json!(150)).await?;

    // Disconnected in the middle of speech: what was sent is paid, the rest waits.
    customer.speak(&id, speech::buzz(4.0, 16_000)).await?;
    customer.wait_until(&id, SOON, |session| session["frames"].as_u64() > Some(175)).await?;
    drop(watcher);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let left = customer.session(&id).await?["frames"].clone();
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(customer.session(&id).await?["frames"] == left);
    ensure!(left.as_u64() < Some(250), "{left} frames although nobody watched");

    let stopped = customer.expect(Method::DELETE, &format!("/v1/sessions/{id}"), None).await?;
    let frames = left.as_i64().unwrap_or_default();
    ensure!(micro(&stopped["credits_used"])? == cost(frames), "{stopped}");
    // Settled and given back within a second.
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(customer.balance().await? == 10_000_000 - cost(frames));
    node.operator().expect_balanced().await?;
    Ok(())
}

#[tokio::test]
async fn a_refused_secret_costs_nothing_and_is_answered_at_once() -> anyhow::Result<()> {
    let node = NodeSetup::embedded().without_pictures().start().await?;
    let customer = node.customer("1").await?;
    let stranger = footlight_tests::Client::new(&node.url, "", "fl_live_nobody-has-this-secret");
    let asked = Instant::now();
    let (status, problem) = stranger.call(Method::POST, "/v1/sessions", Some(json!({}))).await?;
    ensure!(status == StatusCode::UNAUTHORIZED, "{status} {problem}");
    ensure!(problem["code"].is_string() && problem["detail"].is_string(), "{problem}");
    ensure!(asked.elapsed() < Duration::from_millis(500));
    ensure!(customer.balance().await? == 1_000_000);
    Ok(())
}

#[tokio::test]
async fn creating_twice_under_one_key_makes_one_session() -> anyhow::Result<()> {
    let node = NodeSetup::embedded().without_pictures().start().await?;
    let customer = node.customer("1").await?;
    let http = footlight_client::http_client(Duration::from_secs(60))?;
    let create = |body: serde_json::Value| {
        let request = http
            .post(format!("{}/v1/sessions", customer.url))
            .header("api-secret", &customer.secret)
            .header("idempotency-key", "the-same-key")
            .json(&body);
        async move { anyhow::Ok(request.send().await?) }
    };
    let first: serde_json::Value = create(json!({ "fps": 25 })).await?.json().await?;
    let second: serde_json::Value = create(json!({ "fps": 25 })).await?.json().await?;
    ensure!(first["id"].is_string() && first["id"] == second["id"], "{first} {second}");
    let other = create(json!({ "fps": 50 })).await?.status();
    ensure!(other == StatusCode::UNPROCESSABLE_ENTITY, "{other}");
    let listed = customer.expect(Method::GET, "/v1/sessions", None).await?;
    ensure!(listed["data"].as_array().map(Vec::len) == Some(1), "{listed}");
    Ok(())
}
