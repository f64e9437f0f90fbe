//! Engines elsewhere: through bad networks, outages and crashes, against a real server on both stores.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use footlight_client::{Allowed, Bill, EngineError, EngineOptions, MeteredEngine, Microcredits, PauseReason, Product};
use footlight_tests::{Client, FaultProxy, Faults, NodeSetup, RedisServer};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// One credit a minute at 25 frames a second, exact to the millionth.
fn price(units: u64) -> i64 {
    i64::try_from(units).expect("a small count") * 1_000_000 / 1_500
}

fn options(url: &str, customer: &Client) -> EngineOptions {
    let mut options = EngineOptions::new(url, &customer.secret, Product::EssenceSelfHosted, 25);
    options.unmetered = false;
    options
}

/// Times as in the price list, but sixty times as fast: a heartbeat a second and five of grace.
fn scaled(setup: NodeSetup) -> NodeSetup {
    setup.without_pictures().set("metering.heartbeat", "1s").set("metering.grace", "5s")
}

/// Uses units until `enough`, a millisecond each.
async fn run_until(engine: &MeteredEngine, mut enough: impl FnMut(u64) -> bool) -> anyhow::Result<u64> {
    let mut units = 0;
    while !enough(units) {
        match engine.next_unit().await {
            Allowed::Yes => units += 1,
            Allowed::Paused(_) => {}
            Allowed::Ended(reason) => anyhow::bail!("ended after {units} units: {reason:?}"),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(units)
}

async fn through_a_bad_network(setup: NodeSetup, heartbeats: u64) -> anyhow::Result<()> {
    const ENGINES: u64 = 20;
    let node = scaled(setup).start().await?;
    let customer = node.customer("100000").await?;
    let faults = Faults { dropped: 8, reply_lost: 8, doubled: 8, delayed: 8, delay: Duration::from_millis(60) };
    let proxy = Arc::new(FaultProxy::start(&node.url, faults, 7).await?);
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..ENGINES {
        let (options, proxy) = (options(&proxy.url, &customer), Arc::clone(&proxy));
        running.spawn(async move {
            let engine = MeteredEngine::start(options).await?;
            let session = engine.session().context("it is metered")?.to_owned();
            let units = run_until(&engine, |_| proxy.heartbeats() >= heartbeats).await?;
            let bill = engine.end().await?;
            anyhow::Ok((session, units, bill))
        });
    }
    let mut spent = 0;
    while let Some(done) = running.join_next().await {
        let (session, units, bill) = done??;
        ensure!(bill == Bill { units, credits: Microcredits(price(units)) }, "{units} units were billed as {bill:?}");
        let shown = customer.session(&session).await?;
        ensure!(shown["frames"] == json!(units) && shown["state"] == "ended", "{units} units, and {shown}");
        spent += price(units);
    }
    ensure!(proxy.harmed() > heartbeats / 5, "only {} requests met a fault", proxy.harmed());
    ensure!(customer.balance().await? == 100_000_000_000 - spent);
    node.operator().expect_balanced().await?;
    Ok(())
}

fn heartbeats_wanted() -> u64 {
    if crate::slow_tests("10 000 heartbeats through a bad network") { 10_000 } else { 1_000 }
}

#[tokio::test]
async fn a_bad_network_charges_exactly_once_on_sqlite() -> anyhow::Result<()> {
    through_a_bad_network(NodeSetup::embedded(), heartbeats_wanted()).await
}

#[tokio::test]
async fn a_bad_network_charges_exactly_once_on_redis() -> anyhow::Result<()> {
    let redis = RedisServer::start().await?;
    through_a_bad_network(NodeSetup::on_redis(&redis.url()), heartbeats_wanted()).await
}

/// Makes 25 units a second for `time`, and answers how many, and when it was first held back.
async fn play(engine: &MeteredEngine, time: Duration) -> anyhow::Result<(u64, Option<Instant>)> {
    let mut frames = tokio::time::interval(Duration::from_millis(40));
    let until = Instant::now() + time;
    let (mut units, mut held_at) = (0, None);
    while Instant::now() < until {
        frames.tick().await;
        match tokio::time::timeout(Duration::from_millis(40), engine.next_unit()).await {
            Ok(Allowed::Yes) => units += 1,
            Ok(Allowed::Paused(reasons)) => {
                ensure!(reasons == BTreeSet::from([PauseReason::StoreUnreachable]), "{reasons:?}");
                held_at = held_at.or(Some(Instant::now()));
            }
            Ok(Allowed::Ended(reason)) => anyhow::bail!("ended: {reason:?}"),
            Err(_) => {}
        }
    }
    Ok((units, held_at))
}

async fn offline_for_less_than_the_grace(setup: NodeSetup) -> anyhow::Result<()> {
    let node = scaled(setup).set("metering.grace", "10s").start().await?;
    let customer = node.customer("10").await?;
    let proxy = FaultProxy::start(&node.url, Faults::default(), 1).await?;
    let engine = MeteredEngine::start(options(&proxy.url, &customer)).await?;
    let (mut units, _) = play(&engine, Duration::from_secs(2)).await?;
    proxy.cut(true);
    let (offline, held_at) = play(&engine, Duration::from_secs(8)).await?;
    ensure!(held_at.is_none(), "held back within the grace");
    ensure!(offline >= 120, "only {offline} units in 8 s offline");
    proxy.cut(false);
    let (after, _) = play(&engine, Duration::from_secs(2)).await?;
    units += offline + after;
    let bill = engine.end().await?;
    ensure!(bill == Bill { units, credits: Microcredits(price(units)) }, "{units} units were billed as {bill:?}");
    ensure!(customer.balance().await? == 10_000_000 - price(units));
    Ok(())
}

#[tokio::test]
async fn offline_for_less_than_the_grace_it_goes_on_and_settles_on_return_on_sqlite() -> anyhow::Result<()> {
    offline_for_less_than_the_grace(NodeSetup::embedded()).await
}

#[tokio::test]
async fn offline_for_less_than_the_grace_it_goes_on_and_settles_on_return_on_redis() -> anyhow::Result<()> {
    let redis = RedisServer::start().await?;
    offline_for_less_than_the_grace(NodeSetup::on_redis(&redis.url())).await
}

async fn offline_for_more_than_the_grace(setup: NodeSetup) -> anyhow::Result<()> {
    // Given up 2 x 3 + 10 s after its last heartbeat: it must be back before.
    let setup = scaled(setup).set("metering.heartbeat", "3s").set("metering.grace", "10s");
    let node = setup.start().await?;
    let customer = node.customer("10").await?;
    let proxy = FaultProxy::start(&node.url, Faults::default(), 1).await?;
    let engine = MeteredEngine::start(options(&proxy.url, &customer)).await?;
    let (mut units, _) = play(&engine, Duration::from_secs(3)).await?;
    proxy.cut(true);
    let cut_at = Instant::now();
    let (offline, held_at) = play(&engine, Duration::from_millis(11_500)).await?;
    let held_after = held_at.context("it was never held back")?.duration_since(cut_at);
    // The grace counts from the last good heartbeat, which was up to a heartbeat before the cut.
    ensure!((6_500..=11_300).contains(&held_after.as_millis()), "held back after {held_after:?}");
    ensure!(offline <= 10 * 25 + 8, "{offline} units in a grace of 10 s");
    proxy.cut(false);
    let resumed = tokio::time::timeout(Duration::from_secs(10), engine.resumed()).await?;
    ensure!(!resumed.is_paused(), "{resumed:?}");
    let (after, _) = play(&engine, Duration::from_secs(2)).await?;
    ensure!(after > 25, "only {after} units after the return");
    units += offline + after;
    let bill = engine.end().await?;
    ensure!(bill == Bill { units, credits: Microcredits(price(units)) }, "{units} units were billed as {bill:?}");
    Ok(())
}

#[tokio::test]
async fn offline_for_more_it_pauses_at_the_end_of_the_grace_and_resumes_on_return_on_sqlite() -> anyhow::Result<()> {
    offline_for_more_than_the_grace(NodeSetup::embedded()).await
}

#[tokio::test]
async fn offline_for_more_it_pauses_at_the_end_of_the_grace_and_resumes_on_return_on_redis() -> anyhow::Result<()> {
    let redis = RedisServer::start().await?;
    offline_for_more_than_the_grace(NodeSetup::on_redis(&redis.url())).await
}

async fn never_returns(setup: NodeSetup) -> anyhow::Result<()> {
    let node = scaled(setup).set("metering.grace", "2s").start().await?;
    let customer = node.customer("10").await?;
    let engine = MeteredEngine::start(options(&node.url, &customer)).await?;
    let session = engine.session().context("it is metered")?.to_owned();
    play(&engine, Duration::from_secs(3)).await?;
    drop(engine);
    // A heartbeat may be on its way.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let reported = customer.session(&session).await?;
    let is_lost = |session: &Value| session["state"] == "ended";
    let lost = customer.wait_until(&session, Duration::from_secs(60), is_lost).await?;
    ensure!(lost["end_reason"] == "engine_lost", "{lost}");
    ensure!(lost["frames"] == reported["frames"], "{reported} became {lost}");
    let frames = lost["frames"].as_u64().context("a count")?;
    ensure!(frames > 0 && customer.balance().await? == 10_000_000 - price(frames));
    node.operator().expect_balanced().await?;
    Ok(())
}

#[tokio::test]
async fn an_engine_that_never_returns_is_charged_what_it_last_reported_on_sqlite() -> anyhow::Result<()> {
    never_returns(NodeSetup::embedded()).await
}

#[tokio::test]
async fn an_engine_that_never_returns_is_charged_what_it_last_reported_on_redis() -> anyhow::Result<()> {
    let redis = RedisServer::start().await?;
    never_returns(NodeSetup::on_redis(&redis.url())).await
}

/// The engine's binary, beside this test's own.
fn engine(url: &str, customer: &Client, directory: &Path, units: Option<u64>) -> Command {
    let mut command = Command::new(footlight_tests::node::binary().with_file_name("engine"));
    command.args(["--url", url]).env("ENGINE_SECRET", &customer.secret).env_remove("FOOTLIGHT_UNMETERED");
    command.arg("--state-dir").arg(directory).arg("--made").arg(directory.join("made"));
    if let Some(units) = units {
        command.args(["--units", &units.to_string()]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command
}

async fn killed_again_and_again(setup: NodeSetup, kills: u64) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let setup = scaled(setup).in_directory(&directory.path().join("data"));
    let mut node = setup.start().await?;
    let customer = node.customer("1000").await?;
    let proxy = FaultProxy::start(&node.url, Faults::default(), 3).await?;
    let state = directory.path().join("engine");
    std::fs::create_dir_all(&state)?;
    let mut random = StdRng::seed_from_u64(11);
    for _ in 0..kills {
        let mut running = engine(&proxy.url, &customer, &state, None).stdout(Stdio::piped()).spawn()?;
        // Before it says which session it has there is nothing that it could settle.
        let said = running.stdout.take().context("its output is piped")?;
        let session = tokio::time::timeout(Duration::from_secs(60), BufReader::new(said).lines().next_line()).await??;
        ensure!(session.is_some_and(|session| session.starts_with("ses_")), "the engine did not begin");
        tokio::time::sleep(Duration::from_millis(random.random_range(300..1_500))).await;
        // The node dies under a running engine, and comes back.
        node.kill().await?;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        node = setup.start().await?;
        proxy.lead_to(&node.url);
        tokio::time::sleep(Duration::from_millis(random.random_range(300..1_500))).await;
        // The engine dies.
        running.kill().await?;
    }
    // One that is left alone settles what the others left.
    let last = engine(&proxy.url, &customer, &state, Some(25)).status().await?;
    ensure!(last.success(), "the last engine: {last}");
    let made = std::fs::metadata(state.join("made"))?.len();
    let customer = customer.moved_to(&node.url);
    let sessions = customer.expect(Method::GET, "/v1/sessions?limit=200", None).await?;
    let sessions = sessions["data"].as_array().context("a list")?;
    let frames = |session: &Value| session["frames"].as_u64().unwrap_or(0);
    let charged: u64 = sessions.iter().map(frames).sum();
    ensure!(sessions.iter().all(|session| session["state"] == "ended"), "{sessions:?}");
    // A unit that was counted and maybe not handed out is not charged: at most one for each engine that was killed.
    ensure!((made.saturating_sub(kills)..=made).contains(&charged), "{made} units were made, {charged} charged");
    let spent: i64 = sessions.iter().map(|session| price(frames(session))).sum();
    ensure!(customer.moved_to(&node.url).balance().await? == 1_000_000_000 - spent);
    node.operator().expect_balanced().await?;
    Ok(())
}

fn kills_wanted() -> u64 {
    if crate::slow_tests("20 kills of server and engine") { 20 } else { 3 }
}

#[tokio::test]
async fn server_and_engine_are_killed_and_nothing_is_charged_twice_on_sqlite() -> anyhow::Result<()> {
    killed_again_and_again(NodeSetup::embedded(), kills_wanted()).await
}

#[tokio::test]
async fn server_and_engine_are_killed_and_nothing_is_charged_twice_on_redis() -> anyhow::Result<()> {
    let redis = RedisServer::start().await?;
    killed_again_and_again(NodeSetup::on_redis(&redis.url()), kills_wanted()).await
}

#[tokio::test]
async fn a_bad_secret_fails_at_once_and_an_unmetered_engine_asks_nobody() -> anyhow::Result<()> {
    let node = scaled(NodeSetup::embedded()).start().await?;
    let customer = node.customer("1").await?;
    let proxy = FaultProxy::start(&node.url, Faults::default(), 1).await?;
    let mut bad = options(&proxy.url, &customer);
    bad.api_secret = "fl_live_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned();
    let began = Instant::now();
    let refused = MeteredEngine::start(bad).await;
    ensure!(matches!(refused, Err(EngineError::Secret { .. })), "{refused:?}");
    ensure!(began.elapsed() < Duration::from_secs(2), "it took {:?}", began.elapsed());

    let before = proxy.connections();
    let mut free = options(&proxy.url, &customer);
    free.unmetered = true;
    let sound = EngineOptions { product: Product::AudioOnly, ..options(&proxy.url, &customer) };
    for options in [free, sound] {
        let engine = MeteredEngine::start(options).await?;
        for _ in 0..1_000 {
            ensure!(engine.next_unit().await == Allowed::Yes);
        }
        engine.end().await?;
    }
    ensure!(proxy.connections() == before, "somebody was asked");
    Ok(())
}

#[tokio::test]
async fn an_engine_is_paused_resumed_and_stopped_from_the_server() -> anyhow::Result<()> {
    let node = scaled(NodeSetup::embedded()).start().await?;
    let customer = node.customer("10").await?;
    let engine = MeteredEngine::start(options(&node.url, &customer)).await?;
    let session = engine.session().context("it is metered")?.to_owned();
    let at = |what: &str| format!("/v1/sessions/{session}{what}");
    let mut units = run_until(&engine, |units| units >= 30).await?;
    let is = |state: &'static str| move |session: &Value| session["state"] == state;
    customer.wait_until(&session, Duration::from_secs(5), is("running")).await?;

    let paused = customer.expect(Method::POST, &at("/pause"), None).await?;
    ensure!(paused["state"] == "paused" && paused["pause_reasons"] == json!(["by_request"]), "{paused}");
    let reasons = loop {
        match engine.next_unit().await {
            Allowed::Yes => units += 1,
            Allowed::Paused(reasons) => break reasons,
            Allowed::Ended(reason) => anyhow::bail!("ended: {reason:?}"),
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    };
    ensure!(reasons == BTreeSet::from([PauseReason::ByRequest]), "{reasons:?}");
    customer.expect(Method::POST, &at("/resume"), None).await?;
    tokio::time::timeout(Duration::from_secs(10), engine.resumed()).await?;
    let goal = units + 30;
    while units < goal {
        if engine.next_unit().await == Allowed::Yes {
            units += 1;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    // What cannot be done to a session that is made elsewhere says so.
    let (status, problem) = customer.call(Method::POST, &at("/interrupt"), None).await?;
    ensure!(status == 409 && problem["code"] == "engine_elsewhere", "{status} {problem}");

    let stopped = customer.expect(Method::DELETE, &at(""), None).await?;
    ensure!(stopped["state"] == "ended" && stopped["end_reason"] == "stopped", "{stopped}");
    while !matches!(engine.next_unit().await, Allowed::Ended(_)) {
        tokio::time::sleep(Duration::from_millis(10)).await;
        units = units.max(engine.counted());
    }
    let units = engine.counted();
    let bill = engine.end().await?;
    ensure!(bill == Bill { units, credits: Microcredits(price(units)) }, "{units} units were billed as {bill:?}");
    ensure!(customer.balance().await? == 10_000_000 - price(units), "late units are charged as well");
    node.operator().expect_balanced().await?;
    Ok(())
}

#[tokio::test]
async fn a_revoked_secret_pauses_its_engine_at_the_next_heartbeat() -> anyhow::Result<()> {
    let node = scaled(NodeSetup::embedded()).start().await?;
    let customer = node.customer("10").await?;
    let engine = MeteredEngine::start(options(&node.url, &customer)).await?;
    run_until(&engine, |units| units >= 30).await?;
    node.operator().revoke_secrets(&customer.account).await?;
    let reasons = loop {
        match engine.next_unit().await {
            Allowed::Yes => tokio::time::sleep(Duration::from_millis(40)).await,
            Allowed::Paused(reasons) => break reasons,
            Allowed::Ended(reason) => anyhow::bail!("ended: {reason:?}"),
        }
    };
    ensure!(reasons == BTreeSet::from([PauseReason::KeyRevoked]), "{reasons:?}");
    // Its last report is taken all the same.
    let units = engine.counted();
    let bill = engine.end().await?;
    ensure!(bill == Bill { units, credits: Microcredits(price(units)) }, "{units} units were billed as {bill:?}");
    Ok(())
}
