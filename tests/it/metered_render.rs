//! `footlight render --metered`: a whole engine in one command.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use footlight_tests::{Client, FaultProxy, Faults, NodeSetup, RedisServer, speech, tools};
use serde_json::json;
use tokio::process::Command;

const TEN_SECONDS: f64 = 10.0;

fn render(setup: &NodeSetup, url: &str, secret: &str, directory: &Path) -> Command {
    let (audio, video) = (directory.join("speech.wav"), directory.join("out.mp4"));
    let mut command = setup.command(&["render", "--metered", url]);
    command.arg(audio).arg("-o").arg(video).arg("--state-dir").arg(directory.join("engine"));
    command.env("FOOTLIGHT_API_SECRET", secret);
    command
}

async fn stops_where_the_credits_end(setup: NodeSetup) -> anyhow::Result<()> {
    let node = setup.clone().without_pictures().start().await?;
    // Three seconds at one credit a minute.
    let customer: Client = node.customer("0.05").await?;
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("speech.wav"), speech::buzz(TEN_SECONDS, 16_000))?;
    let done = render(&setup, &node.url, &customer.secret, directory.path()).output().await?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    ensure!(done.status.code() == Some(3), "exit {:?}: {said}", done.status.code());
    ensure!(said.contains("stopped after 75 of 250 frames: credits_exhausted"), "{said}");
    let video = directory.path().join("out.mp4");
    ensure!(tools::frame_count(&video)? == 75);
    ensure!(customer.balance().await? == 0);
    let sessions = customer.expect(reqwest::Method::GET, "/v1/sessions", None).await?;
    let session = &sessions["data"][0];
    ensure!(session["state"] == "ended" && session["frames"] == json!(75), "{session}");
    node.operator().expect_balanced().await?;

    // With nothing left it says so before it renders anything.
    let broke = render(&setup, &node.url, &customer.secret, directory.path()).output().await?;
    ensure!(broke.status.code() == Some(3), "{:?}", broke.status);
    // And topped up, it renders to the end.
    node.operator().grant(&customer.account, "1", "more").await?;
    let whole = render(&setup, &node.url, &customer.secret, directory.path()).output().await?;
    ensure!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    ensure!(tools::frame_count(&video)? == 250);
    ensure!(customer.balance().await? == 1_000_000 - 250 * 1_000_000 / 1_500);
    Ok(())
}

#[tokio::test]
async fn it_stops_at_the_frame_where_the_credits_end_on_sqlite() -> anyhow::Result<()> {
    stops_where_the_credits_end(NodeSetup::embedded()).await
}

#[tokio::test]
async fn it_stops_at_the_frame_where_the_credits_end_on_redis() -> anyhow::Result<()> {
    let redis = RedisServer::start().await?;
    stops_where_the_credits_end(NodeSetup::on_redis(&redis.url())).await
}

#[tokio::test]
async fn unmetered_it_renders_everything_and_opens_no_connection() -> anyhow::Result<()> {
    let proxy = FaultProxy::start("http://127.0.0.1:9", Faults::default(), 1).await?;
    let setup = NodeSetup::embedded();
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("speech.wav"), speech::buzz(TEN_SECONDS, 16_000))?;
    let done = render(&setup, &proxy.url, "none", directory.path()).env("FOOTLIGHT_UNMETERED", "1").output().await?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    ensure!(done.status.success(), "{said}");
    ensure!(said.contains("UNMETERED"), "it must say so: {said}");
    ensure!(tools::frame_count(&directory.path().join("out.mp4"))? == 250);
    ensure!(proxy.connections() == 0, "{} connections", proxy.connections());
    Ok(())
}

#[tokio::test]
async fn an_unmetered_node_takes_everybody_charges_nothing_and_says_so() -> anyhow::Result<()> {
    let node = NodeSetup::embedded().without_pictures().set("unmetered", "1").start().await?;
    let nobody = Client::new(&node.url, "", "");
    let me = nobody.expect(reqwest::Method::GET, "/v1/me", None).await?;
    ensure!(me["unmetered"] == json!(true), "{me}");
    let id = nobody.create(json!({})).await?;
    let watcher = nobody.watch(&id).await?;
    nobody.speak(&id, speech::buzz(1.0, 16_000)).await?;
    watcher.wait_until(Duration::from_secs(20), |seen| seen.active_frames() == 25).await?;
    ensure!(nobody.session(&id).await?["credits_used"] == json!(0));
    ensure!(node.operator().metrics().await?.contains("footlight_unmetered 1"));

    let refused = NodeSetup::embedded().set("unmetered", "true").set("environment", "production");
    let done = refused.command(&["serve"]).output().await?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    ensure!(done.status.code() == Some(2) && said.contains("unmetered"), "{:?}: {said}", done.status);
    Ok(())
}
