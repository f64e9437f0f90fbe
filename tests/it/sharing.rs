//! One account, many sessions, little credit: never overspent, nobody starved.

use std::time::Duration;

use anyhow::ensure;
use footlight_tests::client::micro;
use footlight_tests::speech;
use futures_util::future::try_join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stores::{self, OnStore};

const SESSIONS: usize = 50;
/// 50 sessions with 6 s of speech each cost 10 credits; this pays for 120 s of the 300 s.
const CREDITS: &str = "4";

async fn fifty_sessions_share_what_is_there(store: OnStore) -> anyhow::Result<()> {
    let node = store.setup.without_pictures().start().await?;
    let customer = node.customer(CREDITS).await?;
    let ids = try_join_all((0..SESSIONS).map(|_| customer.create(json!({})))).await?;
    let watchers = try_join_all(ids.iter().map(|id| customer.watch(id))).await?;
    try_join_all(ids.iter().map(|id| customer.speak(id, speech::buzz(6.0, 16_000)))).await?;

    // Until none can go on: all are paused, or done.
    for id in &ids {
        customer.wait_until(id, Duration::from_secs(60), |session| session["state"] != "running").await?;
    }
    let sessions: Vec<Value> = try_join_all(ids.iter().map(|id| customer.session(id))).await?;
    let mut spent = 0;
    for session in &sessions {
        spent += micro(&session["credits_used"])?;
        // The shortest slice is a second: everyone got at least one.
        ensure!(session["frames"].as_u64() >= Some(25), "starved: {session}");
    }
    for (watcher, session) in watchers.iter().zip(&sessions) {
        ensure!(json!(watcher.seen().active_frames()) == session["frames"], "sent and charged differ: {session}");
    }
    let balance = customer.balance().await?;
    ensure!(balance >= 0 && spent + balance == 4_000_000, "spent {spent}, left {balance}");
    // What is left does not pay for one frame of any session.
    ensure!(balance < 2_000_000 / 1_500 + 1, "{balance} left unspent");
    node.operator().expect_balanced().await?;

    // Enough for the rest: everyone finishes.
    node.operator().grant(&customer.account, "10", "the-rest").await?;
    for id in &ids {
        customer.wait_until(id, Duration::from_secs(60), |session| session["frames"] == json!(150)).await?;
    }
    // A balance includes what is held, and a slice is held for a while after its last frame: stopping settles it.
    for id in &ids {
        customer.expect(Method::DELETE, &format!("/v1/sessions/{id}"), None).await?;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(customer.balance().await? == 14_000_000 - 10_000_000);
    node.operator().expect_balanced().await?;
    Ok(())
}

#[tokio::test]
async fn fifty_sessions_share_a_small_balance_on_the_embedded_store() -> anyhow::Result<()> {
    fifty_sessions_share_what_is_there(stores::embedded()).await
}

#[tokio::test]
async fn fifty_sessions_share_a_small_balance_on_redis() -> anyhow::Result<()> {
    fifty_sessions_share_what_is_there(stores::redis().await?).await
}
