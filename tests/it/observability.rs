//! What Prometheus and probes see.

use std::time::Duration;

use anyhow::ensure;
use footlight_tests::client::cost;
use footlight_tests::{NodeSetup, speech, tools};
use reqwest::StatusCode;
use serde_json::json;

#[tokio::test]
async fn the_metrics_page_pleases_promtool_and_names_no_session_or_account() -> anyhow::Result<()> {
    let node = NodeSetup::embedded().without_pictures().start().await?;
    let customer = node.customer("10").await?;
    let id = customer.create(json!({})).await?;
    let watcher = customer.watch(&id).await?;
    customer.speak(&id, speech::buzz(2.0, 16_000)).await?;
    watcher.wait_until(Duration::from_secs(10), |seen| seen.active_frames() == 50).await?;
    let page = node.operator().metrics().await?;
    ensure!(page.contains("footlight_"), "{page}");
    tools::check_metrics(&page)?;
    let digits = |name: &str| name.split_once('_').map(|(_, digits)| digits.to_owned()).unwrap_or_default();
    for name in [&id, &customer.account] {
        ensure!(!page.contains(&digits(name)), "{name} is on the metrics page");
    }
    ensure!(!page.contains("ses_") && !page.contains("acc_"), "ids on the metrics page");
    Ok(())
}

#[tokio::test]
async fn a_terminated_node_drains_and_exits_in_order() -> anyhow::Result<()> {
    let setup = NodeSetup::embedded().without_pictures().set("node.drain_deadline", "2s");
    let node = setup.start().await?;
    let operator = node.operator();
    ensure!(operator.status_of("/healthz").await? == StatusCode::OK);
    ensure!(operator.status_of("/readyz").await? == StatusCode::OK);
    let customer = node.customer("10").await?;
    let id = customer.create(json!({})).await?;
    let watcher = customer.watch(&id).await?;
    customer.speak(&id, speech::buzz(20.0, 16_000)).await?;
    watcher.wait_until(Duration::from_secs(10), |seen| seen.active_frames() > 25).await?;
    let status = node.terminate().await?;
    ensure!(status.success(), "{status}");

    // Started again, it knows what was spoken and owes nothing.
    let frames = i64::try_from(watcher.seen().active_frames())?;
    let node = setup.start().await?;
    let customer = customer.moved_to(&node.url);
    let session = customer.session(&id).await?;
    ensure!(session["state"] == "ended", "{session}");
    ensure!(session["frames"] == json!(frames), "{frames} came, {session}");
    ensure!(customer.balance().await? == 10_000_000 - cost(frames));
    node.operator().expect_balanced().await?;
    Ok(())
}
