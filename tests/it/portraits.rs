//! An avatar is made from a portrait by a job, gets gestures by another, and speaks.

use std::io::{Cursor, Read as _};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use footlight_tests::{Client, NodeSetup, lips, tools};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::stores;

const PORTRAIT: &[u8] = include_bytes!("../../crates/workshop/fixtures/noor.jpg");
const LANDMARKS: &str = include_str!("../../crates/workshop/fixtures/noor.json");
const SOON: Duration = Duration::from_secs(120);
const CREDIT: i64 = 1_000_000;

/// Uploads the portrait and asks for an avatar of it.
async fn ask(customer: &Client, name: &str) -> anyhow::Result<String> {
    let (status, picture) = customer.send("/v1/pictures", "image/jpeg", PORTRAIT.to_vec()).await?;
    ensure!(status == StatusCode::CREATED && picture["media_type"] == "image/jpeg", "{status}: {picture}");
    let landmarks: Value = serde_json::from_str(LANDMARKS)?;
    let input = json!({ "name": name, "title": "Noor", "picture": picture["id"], "landmarks": landmarks });
    let job = customer.expect(Method::POST, "/v1/jobs", Some(json!({ "kind": "agent", "input": input }))).await?;
    Ok(job["id"].as_str().context("an id")?.to_owned())
}

async fn wait_over(customer: &Client, id: &str) -> anyhow::Result<Value> {
    let deadline = Instant::now() + SOON;
    loop {
        let job = customer.expect(Method::GET, &format!("/v1/jobs/{id}"), None).await?;
        if !job["finished_at"].is_null() {
            return Ok(job);
        }
        ensure!(Instant::now() < deadline, "{job}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The events of a job, from the present state to its end.
async fn follow(customer: &Client, id: &str) -> anyhow::Result<Vec<Value>> {
    let (kind, events) = customer.fetch(&format!("/v1/jobs/{id}/events")).await?;
    ensure!(kind.starts_with("text/event-stream"), "{kind}");
    let lines = String::from_utf8(events)?;
    let data = lines.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|text| serde_json::from_str(text).context("JSON")).collect()
}

/// Where the closed lips have their middle on the avatar's stage, as its bundle says.
async fn mouth_of(customer: &Client, name: &str) -> anyhow::Result<(usize, usize)> {
    let (_, bundle) = customer.fetch(&format!("/v1/avatars/{name}/bundle")).await?;
    let mut archive = zip::ZipArchive::new(Cursor::new(bundle))?;
    let mut manifest = String::new();
    archive.by_name("manifest.json")?.read_to_string(&mut manifest)?;
    let manifest: Value = serde_json::from_str(&manifest)?;
    let place = |axis: usize| manifest["landmarks"]["mouth"][axis].as_f64().context("a mouth").map(|at| at as usize);
    Ok((place(0)?, place(1)?))
}

/// Says a sentence in a session that shows an avatar, and answers the video that came.
async fn say(setup: &NodeSetup, customer: &Client, avatar: &str) -> anyhow::Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    let id = customer.create(json!({ "avatar": avatar })).await?;
    let speech = directory.path().join("speech.wav");
    std::fs::write(&speech, footlight_tests::speech::shipped("greeting.wav"))?;
    let video = directory.path().join("said.mp4");
    let output = setup
        .command(&["session", "speak", &id, "--url", &customer.url, "--api-secret", &customer.secret])
        .arg(&speech)
        .arg("--output")
        .arg(&video)
        .output()
        .await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    customer.expect(Method::DELETE, &format!("/v1/sessions/{id}"), None).await?;
    Ok(directory)
}

async fn a_portrait_speaks(setup: NodeSetup) -> anyhow::Result<()> {
    let node = setup.start().await?;
    let customer = node.customer("600").await?;
    let job = ask(&customer, "noor").await?;
    let told = follow(&customer, &job).await?;
    let percents: Vec<u64> = told.iter().filter_map(|job| job["percent"].as_u64()).collect();
    ensure!(percents.is_sorted() && percents.last() == Some(&100), "{percents:?}");
    let done = told.last().context("an end")?;
    ensure!(done["state"] == "done" && done["result"]["avatar"] == "noor" && done["credits_used"] == 250, "{done}");
    ensure!(customer.balance().await? == 350 * CREDIT);

    let avatar = customer.expect(Method::GET, "/v1/avatars/noor", None).await?;
    ensure!(avatar["own"] == true && avatar["has_preview"] == true && avatar["job_id"] == job.as_str(), "{avatar}");
    let (kind, preview) = customer.fetch("/v1/avatars/noor/preview").await?;
    ensure!(kind == "image/png" && preview.starts_with(b"\x89PNG"), "{kind}, {} bytes", preview.len());

    // It speaks: the mouth that is seen belongs to the sound that is heard.
    let said = say(&setup, &customer, "noor").await?;
    let video = said.path().join("said.mp4");
    let stream = &tools::ffprobe(&video)?["streams"][0];
    ensure!(stream["codec_name"] == "h264" && stream["width"] == 512 && stream["height"] == 512, "{stream}");
    let lag = lips::watch_mouth(&video, mouth_of(&customer, "noor").await?)?.lag()?;
    ensure!(lag.ms.abs() <= 40 && lag.likeness > 0.25, "{lag:?}");
    println!("{lag:?}");

    // Gestures are another job.
    let enliven = json!({ "kind": "dynamics", "input": { "avatar": "noor" } });
    let job = customer.expect(Method::POST, "/v1/jobs", Some(enliven)).await?;
    let done = wait_over(&customer, job["id"].as_str().context("an id")?).await?;
    ensure!(done["state"] == "done", "{done}");
    let avatar = customer.expect(Method::GET, "/v1/avatars/noor", None).await?;
    let gestures = avatar["gestures"].as_array().context("gestures")?;
    for gesture in ["nod", "shake", "tilt", "wink", "listen"] {
        ensure!(gestures.iter().any(|known| known == gesture), "{gesture}: {avatar}");
    }
    let id = customer.create(json!({ "avatar": "noor", "width": 256, "height": 256 })).await?;
    let watcher = customer.watch(&id).await?;
    let path = format!("/v1/sessions/{id}/gestures");
    let (status, problem) = customer.call(Method::POST, &path, Some(json!({ "gesture": "somersault" }))).await?;
    ensure!(status == StatusCode::UNPROCESSABLE_ENTITY && problem["code"] == "unknown_gesture", "{status}: {problem}");
    let before = watcher.seen().units.len();
    let (status, answer) = customer.call(Method::POST, &path, Some(json!({ "gesture": "nod" }))).await?;
    ensure!(status == StatusCode::ACCEPTED, "{status}: {answer}");
    watcher.wait_until(SOON, |seen| seen.units.len() > before + 150).await?;
    ensure!(watcher.seen().active_frames() == 0, "a gesture is free");
    tools::decode_h264(&watcher.seen().annex_b())?;
    ensure!(customer.session(&id).await?["credits_used"] == 0);
    node.operator().expect_balanced().await?;
    Ok(())
}

#[tokio::test]
async fn a_portrait_speaks_on_the_embedded_store() -> anyhow::Result<()> {
    a_portrait_speaks(stores::embedded().setup).await
}

#[tokio::test]
async fn a_portrait_speaks_on_redis() -> anyhow::Result<()> {
    let on_store = stores::redis().await?;
    a_portrait_speaks(on_store.setup.clone()).await
}

/// The node dies at the bench; it makes the avatar when it is back, and charges it once.
async fn a_killed_bench_begins_again(setup: NodeSetup) -> anyhow::Result<()> {
    let setup = setup.set("jobs.lease", "5s");
    let node = setup.start().await?;
    let customer = node.customer("250").await?;
    let job = ask(&customer, "noor").await?;
    let deadline = Instant::now() + SOON;
    while customer.expect(Method::GET, &format!("/v1/jobs/{job}"), None).await?["state"] == "queued" {
        ensure!(Instant::now() < deadline, "nobody begins with it");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    node.kill().await?;
    let node = setup.start().await?;
    let customer = customer.moved_to(&node.url);
    let done = wait_over(&customer, &job).await?;
    ensure!(done["state"] == "done" && done["credits_used"] == 250 && done["attempts"] == 2, "{done}");
    ensure!(customer.balance().await? == 0);
    ensure!(customer.expect(Method::GET, "/v1/avatars/noor", None).await?["own"] == true);
    node.operator().expect_balanced().await?;
    Ok(())
}

#[tokio::test]
async fn a_killed_bench_begins_again_on_the_embedded_store() -> anyhow::Result<()> {
    a_killed_bench_begins_again(stores::embedded().setup).await
}

#[tokio::test]
async fn a_killed_bench_begins_again_on_redis() -> anyhow::Result<()> {
    let on_store = stores::redis().await?;
    a_killed_bench_begins_again(on_store.setup.clone()).await
}

/// What is no face costs nothing, and what cannot be worked on is refused before it is paid for.
#[tokio::test]
async fn what_cannot_be_made_costs_nothing() -> anyhow::Result<()> {
    let node = NodeSetup::embedded().start().await?;
    let customer = node.customer("250").await?;
    let (status, problem) = customer.send("/v1/pictures", "image/png", b"GIF89a".to_vec()).await?;
    ensure!(status == StatusCode::UNSUPPORTED_MEDIA_TYPE && problem["code"] == "picture_unsupported", "{problem}");
    let (status, picture) = customer.send("/v1/pictures", "image/jpeg", PORTRAIT.to_vec()).await?;
    ensure!(status == StatusCode::CREATED, "{picture}");
    let heap = json!({ "scheme": "ibug68", "points": vec![[10.0, 10.0]; 68] });
    let ask = |input: Value| customer.call(Method::POST, "/v1/jobs", Some(json!({ "kind": "agent", "input": input })));
    let missing = json!({ "name": "noor", "picture": "pic_01999999999979999999999999999999", "landmarks": heap });
    let (status, problem) = ask(missing).await?;
    ensure!(status == StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    ensure!(problem["errors"][0]["pointer"] == "/input/picture", "{problem}");
    let (status, problem) = ask(json!({ "name": "ada", "picture": picture["id"], "landmarks": heap })).await?;
    ensure!(status == StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    ensure!(problem["errors"][0]["pointer"] == "/input/name", "{problem}");
    let (status, job) = ask(json!({ "name": "noor", "picture": picture["id"], "landmarks": heap })).await?;
    ensure!(status == StatusCode::CREATED, "{job}");
    let over = wait_over(&customer, job["id"].as_str().context("an id")?).await?;
    ensure!(over["state"] == "failed" && over["credits_used"] == 0, "{over}");
    ensure!(over["error"].as_str().is_some_and(|why| why.len() > 20), "{over}");
    ensure!(customer.balance().await? == 250 * CREDIT);
    Ok(())
}
