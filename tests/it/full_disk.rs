//! A disk with no room left: nothing stops, nothing is lost, and it says so.

use std::time::Duration;

use anyhow::ensure;
use footlight_tests::{NodeSetup, SmallDisk, speech};
use reqwest::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn a_full_disk_stops_no_speech_and_loses_no_usage() -> anyhow::Result<()> {
    let disk = match SmallDisk::mount() {
        Ok(disk) => disk,
        Err(why) => {
            eprintln!("skipped: no small disk can be mounted: {why}");
            return Ok(());
        }
    };
    let data = disk.path().join("data");
    let setup = NodeSetup::embedded().without_pictures().in_directory(&data).set("metering.heartbeat", "2s");
    let mut node = setup.start().await?;
    let customer = node.customer("5").await?;
    let id = customer.create(json!({})).await?;
    let watcher = customer.watch(&id).await?;
    customer.speak(&id, speech::buzz(10.0, 16_000)).await?;
    watcher.wait_until(Duration::from_secs(10), |seen| seen.active_frames() > 10).await?;

    disk.fill()?;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (status, problem) = customer.call(Method::POST, "/v1/sessions", Some(json!({}))).await?;
    ensure!(status == StatusCode::SERVICE_UNAVAILABLE && problem["code"] == "store_unreachable", "{status} {problem}");
    ensure!(node.is_alive() && node.operator().status_of("/healthz").await? == StatusCode::OK);

    // The session speaks to its end meanwhile; with room again all of it is charged.
    watcher.wait_until(Duration::from_secs(15), |seen| seen.active_frames() == 250).await?;
    disk.make_room()?;
    let charged = |session: &serde_json::Value| session["credits_used"] == serde_json::json!(0.333333);
    customer.wait_until(&id, Duration::from_secs(15), charged).await?;
    customer.create(json!({})).await?;
    node.operator().expect_balanced().await?;
    Ok(())
}
