//! Interrupts, and streams that decode through everything.

use std::time::{Duration, Instant};

use anyhow::ensure;
use footlight_tests::{NodeSetup, speech, tools};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn nothing_of_an_old_generation_comes_after_an_interrupt() -> anyhow::Result<()> {
    let tries = if crate::slow_tests("200 interrupts") { 200 } else { 20 };
    let node = NodeSetup::embedded().start().await?;
    let customer = node.customer("1000").await?;
    let id = customer.create(json!({})).await?;
    let watcher = customer.watch(&id).await?;
    let mut last_old_frames = Vec::new();
    for n in 0..tries {
        let before = watcher.seen().active_frames();
        customer.speak(&id, speech::buzz(30.0, 16_000)).await?;
        watcher.wait_until(Duration::from_secs(10), |seen| seen.active_frames() > before + 5).await?;
        // At every moment between two frames, not only right after one.
        tokio::time::sleep(Duration::from_millis(n * 7 % 40)).await;
        let generation = last_active_generation(&watcher);
        let asked = Instant::now();
        customer.expect(Method::POST, &format!("/v1/sessions/{id}/interrupt"), None).await?;
        tokio::time::sleep(Duration::from_millis(150)).await;
        let seen = watcher.seen();
        let old = seen.units.iter().filter(|unit| unit.video && !unit.idle && unit.generation == generation);
        let last = old.map(|unit| unit.came).max().unwrap_or(asked);
        last_old_frames.push(last.saturating_duration_since(asked));
        let active_after =
            seen.units.iter().filter(|unit| !unit.idle && unit.came > asked + Duration::from_millis(100));
        ensure!(active_after.count() == 0, "active units 100 ms after an interrupt");
    }
    last_old_frames.sort();
    let p99 = last_old_frames[(last_old_frames.len() * 99).div_ceil(100) - 1];
    eprintln!(
        "request to last old frame: p50 {:?}, p99 {p99:?} of {tries}",
        last_old_frames[last_old_frames.len() / 2]
    );
    ensure!(p99 <= Duration::from_millis(40), "p99 is {p99:?}");
    tools::decode_h264(&watcher.seen().annex_b())?;
    Ok(())
}

fn last_active_generation(watcher: &footlight_tests::Watcher) -> u32 {
    watcher.seen().units.iter().rev().find(|unit| unit.video && !unit.idle).map_or(0, |unit| unit.generation)
}

#[tokio::test]
async fn a_viewer_who_joins_at_any_moment_gets_a_stream_that_decodes() -> anyhow::Result<()> {
    let node = NodeSetup::embedded().start().await?;
    let customer = node.customer("100").await?;
    let id = customer.create(json!({})).await?;
    // In idle.
    let first = customer.watch(&id).await?;
    first.wait_until(Duration::from_secs(5), |seen| seen.units.len() > 30).await?;
    // In speech.
    customer.speak(&id, speech::buzz(4.0, 16_000)).await?;
    first.wait_until(Duration::from_secs(5), |seen| seen.active_frames() > 20).await?;
    let second = customer.watch(&id).await?;
    second.wait_until(Duration::from_secs(5), |seen| seen.active_frames() > 20).await?;
    // Back to idle.
    first.wait_until(Duration::from_secs(10), |seen| seen.active_frames() == 100).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    for watcher in [&first, &second] {
        let seen = watcher.seen();
        let video = seen.units.iter().find(|unit| unit.video);
        ensure!(video.is_some_and(|unit| unit.key), "a stream begins with a key frame");
        tools::decode_h264(&seen.annex_b())?;
    }
    Ok(())
}

#[tokio::test]
async fn a_script_learns_that_a_speech_was_cut_off_or_stands_still() -> anyhow::Result<()> {
    let setup = NodeSetup::embedded().without_pictures();
    let node = setup.start().await?;
    let customer = node.customer("100").await?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("long.wav");
    std::fs::write(&file, speech::buzz(30.0, 16_000))?;
    for (call, word) in [("interrupt", "interrupted"), ("pause", "by_request")] {
        let id = customer.create(json!({})).await?;
        let mut command = setup.command(&["session", "speak", &id, &file.to_string_lossy()]);
        command.env("FOOTLIGHT_URL", &node.url).env("FOOTLIGHT_API_SECRET", &customer.secret);
        let call = async {
            customer.wait_until(&id, Duration::from_secs(10), |session| session["state"] == "running").await?;
            customer.expect(Method::POST, &format!("/v1/sessions/{id}/{call}"), None).await
        };
        let (output, called) = tokio::join!(command.output(), call);
        called?;
        let output = output?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(1) && said.contains(word), "{:?}: {said}", output.status);
    }
    Ok(())
}
