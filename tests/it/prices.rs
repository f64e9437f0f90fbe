//! The price list as a running node keeps to it, on both stores: from the settings, for new sessions.

use std::time::Duration;

use anyhow::ensure;
use footlight_tests::client::micro;
use footlight_tests::{NodeSetup, speech};
use reqwest::Method;
use serde_json::json;

use crate::stores;

/// Long enough for a machine that does much else.
const SOON: Duration = Duration::from_secs(60);

/// One second of speech; what the session was charged for it, in millionths.
async fn a_second(customer: &footlight_tests::Client) -> anyhow::Result<i64> {
    let id = customer.create(json!({ "product": "essence_cloud", "fps": 25 })).await?;
    // Somebody watches; how much of it gets through is not asked.
    let _watcher = customer.watch(&id).await?;
    customer.speak(&id, speech::buzz(1.0, 16_000)).await?;
    customer.wait_until(&id, SOON, |session| session["frames"] == json!(25)).await?;
    customer.expect(Method::DELETE, &format!("/v1/sessions/{id}"), None).await?;
    let ended = customer.wait_until(&id, SOON, |session| session["state"] == "ended").await?;
    ensure!(ended["frames"] == json!(25), "{ended}");
    micro(&ended["credits_used"])
}

/// The default price, then another one from the settings, then by the minute: the same account, node after node.
async fn prices_are_settings(setup: &NodeSetup) -> anyhow::Result<()> {
    let setup = setup.clone().without_pictures();
    let node = setup.start().await?;
    let customer = node.customer("5240").await?;
    let summary = customer.expect(Method::GET, "/v2/credit-summaries", None).await?;
    ensure!(
        summary["data"]["minutes_estimate"]
            == json!({
                "voice_chat": 524, "camera_chat": 174, "essence_cloud": 2620, "essence_self_hosted": 5240,
                "expression_cloud": 1310, "expression_self_hosted": 2620,
            }),
        "{summary}"
    );
    ensure!(a_second(&customer).await? == 2_000_000 / 60);
    node.terminate().await?;

    let dearer = setup.clone().set("rate_card.essence_cloud.rate", "7.5");
    let node = dearer.start().await?;
    let customer = customer.moved_to(&node.url);
    let pricing = customer.expect(Method::GET, "/v1/pricing", None).await?;
    ensure!(pricing["products"][0]["rate_credits_per_minute"] == json!(7.5), "{pricing}");
    ensure!(a_second(&customer).await? == 125_000);
    node.terminate().await?;

    let node = dearer.set("rate_card.essence_cloud.rounding", "whole_minute").start().await?;
    let customer = customer.moved_to(&node.url);
    ensure!(a_second(&customer).await? == 7_500_000);
    ensure!(customer.balance().await? == 5_240_000_000 - 33_333 - 125_000 - 7_500_000);
    node.operator().expect_balanced().await?;
    Ok(())
}

#[tokio::test]
async fn prices_are_settings_on_the_embedded_store() -> anyhow::Result<()> {
    prices_are_settings(&stores::embedded().setup).await
}

#[tokio::test]
async fn prices_are_settings_on_redis() -> anyhow::Result<()> {
    let on = stores::redis().await?;
    prices_are_settings(&on.setup).await
}
