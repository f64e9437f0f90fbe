//! Webhooks: every event at least once, under one id, in order per session, whatever the receiver does.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use footlight_tests::receiver::{Manner, kinds_of, sessions_of};
use footlight_tests::{Client, Node, NodeSetup, Receiver, speech};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stores;

/// An hour passes in six seconds.
const PACE: &str = "600";
/// Generous: machines that test are slow and shared.
const SOON: Duration = Duration::from_secs(120);
const LATE: Duration = Duration::from_secs(600);

fn with_webhooks(setup: NodeSetup) -> NodeSetup {
    setup
        .without_pictures()
        .set("webhooks.allow_private_addresses", "true")
        .set("webhooks.pace", PACE)
        .set("webhooks.timeout", "2s")
        // What these customers do in a minute is far more than theirs would.
        .set("limits.account_units_per_minute", "0")
}

/// Makes a webhook to a receiver; answers its id.
async fn hook(customer: &Client, receiver: &Receiver, events: Value) -> anyhow::Result<String> {
    let body = json!({ "url": receiver.url, "events": events });
    let made = customer.expect(Method::POST, "/v1/webhooks", Some(body)).await?;
    receiver.expect_secret(made["secret"].as_str().context("a secret")?);
    Ok(made["id"].as_str().context("an id")?.to_owned())
}

/// Creates a session that has come to rest.
async fn idle_session(customer: &Client) -> anyhow::Result<String> {
    let id = customer.create(json!({})).await?;
    customer.wait_until(&id, SOON, |session| session["state"] == "idle").await?;
    Ok(id)
}

/// A session's whole life with `pauses` pauses: 2 events, and 2 for each.
async fn live(customer: Client, pauses: usize) -> anyhow::Result<String> {
    let id = idle_session(&customer).await?;
    for _ in 0..pauses {
        customer.expect(Method::POST, &format!("/v1/sessions/{id}/pause"), None).await?;
        customer.expect(Method::POST, &format!("/v1/sessions/{id}/resume"), None).await?;
    }
    customer.expect(Method::DELETE, &format!("/v1/sessions/{id}"), None).await?;
    Ok(id)
}

fn whole_life(pauses: usize) -> Vec<&'static str> {
    let pairs = ["session.paused", "session.resumed"].repeat(pauses);
    [vec!["session.started"], pairs, vec!["session.ended"]].concat()
}

/// Ten thousand events to a receiver that fails, is slow, hangs up, is down for an hour and comes back.
async fn ten_thousand_events(setup: NodeSetup) -> anyhow::Result<()> {
    const SESSIONS: usize = 100;
    const PAUSES: usize = 49;
    // At the pace of this test three days are seven minutes: on a slow machine nothing may be given up that early.
    let setup = with_webhooks(setup).set("webhooks.give_up_after", "30days").set("webhooks.disable_after", "30days");
    let node = setup.start().await?;
    let customer = node.customer("10").await?;
    let receiver = Receiver::start().await?;
    hook(&customer, &receiver, json!(["session.started", "session.paused", "session.resumed", "session.ended"]))
        .await?;

    receiver.behave(Manner::Flaky(7));
    let began = Instant::now();
    let mut lives = JoinSet::new();
    for _ in 0..SESSIONS {
        lives.spawn(live(customer.clone(), PAUSES));
    }
    receiver.wait_until(LATE, |got| got.len() > 500).await?;
    receiver.behave(Manner::Slow(Duration::from_millis(50)));
    receiver.wait_until(LATE, |got| got.len() > 600).await?;
    receiver.behave(Manner::Answers(500));
    let (asked, deadline) = (receiver.requests(), Instant::now() + LATE);
    while receiver.requests() < asked + 8 {
        ensure!(Instant::now() < deadline, "a receiver that refuses was not asked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    receiver.behave(Manner::Down);
    tokio::time::sleep(Duration::from_secs(6)).await;
    receiver.behave(Manner::Flaky(31));
    let mut ids = Vec::new();
    while let Some(id) = lives.join_next().await {
        ids.push(id??);
    }
    eprintln!("{} events happened within {:?}", SESSIONS * (2 + 2 * PAUSES), began.elapsed());
    let got = receiver.wait_until(LATE, |got| got.len() >= SESSIONS * (2 + 2 * PAUSES)).await?;
    eprintln!("all were received after {:?}, in {} requests", began.elapsed(), receiver.requests());
    receiver.expect_sound()?;
    ensure!(got.len() == 10_000, "{} events", got.len());
    ensure!(receiver.most_often() > 1, "answers that got lost have brought nothing twice");
    let expected = whole_life(PAUSES);
    for id in &ids {
        let kinds = kinds_of(&got, id);
        ensure!(kinds == expected, "{id} was told of as {kinds:?}");
    }
    Ok(())
}

#[tokio::test]
async fn ten_thousand_events_reach_a_bad_receiver_on_the_embedded_store() -> anyhow::Result<()> {
    ten_thousand_events(stores::embedded().setup).await
}

#[tokio::test]
async fn ten_thousand_events_reach_a_bad_receiver_on_redis() -> anyhow::Result<()> {
    let on_store = stores::redis().await?;
    ten_thousand_events(on_store.setup.clone()).await
}

/// `kill -9` in the middle: beginnings and ends are told of all sessions, and no order is turned round.
async fn survives_kill(setup: NodeSetup) -> anyhow::Result<()> {
    const SESSIONS: usize = 20;
    let setup = with_webhooks(setup);
    let node = setup.start().await?;
    let customer = node.customer("10").await?;
    let receiver = Receiver::start().await?;
    hook(&customer, &receiver, json!([])).await?;
    receiver.behave(Manner::Slow(Duration::from_millis(20)));
    let mut ids = Vec::new();
    for at in 0..SESSIONS {
        let id = idle_session(&customer).await?;
        customer.expect(Method::POST, &format!("/v1/sessions/{id}/pause"), None).await?;
        if at % 2 == 0 {
            customer.expect(Method::DELETE, &format!("/v1/sessions/{id}"), None).await?;
        }
        ids.push(id);
    }
    node.kill().await?;
    receiver.behave(Manner::Works);
    let node = setup.start().await?;
    let customer = customer.moved_to(&node.url);
    let ended = |got: &[footlight_tests::receiver::Got]| {
        got.iter().filter(|got| got.kind == "session.ended").count() == SESSIONS
    };
    let got = receiver.wait_until(LATE, ended).await?;
    receiver.expect_sound()?;
    ensure!(sessions_of(&got).len() == SESSIONS);
    for id in &ids {
        let kinds = kinds_of(&got, id);
        let is_whole = kinds.first() == Some(&"session.started") && kinds.last() == Some(&"session.ended");
        ensure!(is_whole && kinds.len() <= 3, "{id} was told of as {kinds:?}");
        let session = customer.session(id).await?;
        let told = got.iter().find(|got| got.kind == "session.ended" && got.session.as_ref() == Some(id));
        let told = &told.context("an end")?.body["data"]["end_reason"];
        // What was ended an instant before the kill may have been told as stopped and be settled as lost.
        ensure!(*told == session["end_reason"] || *told == "stopped", "{told} was told of {session}");
    }
    Ok(())
}

#[tokio::test]
async fn a_killed_node_tells_of_everything_when_it_is_back_on_the_embedded_store() -> anyhow::Result<()> {
    survives_kill(stores::embedded().setup).await
}

#[tokio::test]
async fn a_killed_node_tells_of_everything_when_it_is_back_on_redis() -> anyhow::Result<()> {
    let on_store = stores::redis().await?;
    survives_kill(on_store.setup.clone()).await
}

/// What is kept for a receiver that is down waits for it over a restart, and one that hangs stops nobody else.
#[tokio::test]
async fn a_receiver_that_hangs_stops_nobody_else() -> anyhow::Result<()> {
    let setup = with_webhooks(NodeSetup::embedded());
    let node = setup.start().await?;
    let (one, other) = (node.customer("10").await?, node.customer("10").await?);
    let (hanging, same, elsewhere) = (Receiver::start().await?, Receiver::start().await?, Receiver::start().await?);
    hanging.behave(Manner::Hangs);
    hook(&one, &hanging, json!([])).await?;
    hook(&one, &same, json!(["session.ended"])).await?;
    hook(&other, &elsewhere, json!(["session.ended"])).await?;
    let mut lives = JoinSet::new();
    for _ in 0..20 {
        lives.spawn(live(one.clone(), 0));
        lives.spawn(live(other.clone(), 0));
    }
    while let Some(id) = lives.join_next().await {
        id??;
    }
    for receiver in [&same, &elsewhere] {
        receiver.wait_until(SOON, |got| got.len() == 20).await?;
        receiver.expect_sound()?;
    }
    ensure!(hanging.got().is_empty());
    let status = node.terminate().await?;
    ensure!(status.success(), "{status}");
    hanging.behave(Manner::Works);
    let _node = setup.start().await?;
    let got = hanging.wait_until(LATE, |got| sessions_of(got).len() == 20 && got.len() >= 40).await?;
    for id in sessions_of(&got) {
        ensure!(kinds_of(&got, &id) == ["session.started", "session.ended"], "{:?}", kinds_of(&got, &id));
    }
    hanging.expect_sound()
}

async fn log(customer: &Client, hook: &str) -> anyhow::Result<Vec<Value>> {
    let page = customer.expect(Method::GET, &format!("/v1/webhooks/{hook}/deliveries"), None).await?;
    Ok(page["data"].as_array().context("a list")?.clone())
}

#[tokio::test]
async fn the_log_tells_attempts_and_an_event_can_be_sent_again() -> anyhow::Result<()> {
    let node = with_webhooks(NodeSetup::embedded()).start().await?;
    let customer = node.customer("10").await?;
    let receiver = Receiver::start().await?;
    let hook = hook(&customer, &receiver, json!(["session.ended"])).await?;
    receiver.behave(Manner::Answers(503));
    let session = live(customer.clone(), 0).await?;
    let deadline = Instant::now() + SOON;
    while receiver.requests() < 2 {
        ensure!(Instant::now() < deadline, "it was not tried again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let pending = &log(&customer, &hook).await?[0];
    ensure!(pending["state"] == "pending" && pending["attempts"][0]["status"] == 503, "{pending}");
    receiver.behave(Manner::Works);
    receiver.wait_until(SOON, |got| got.len() == 1).await?;
    let delivered = loop {
        let delivered = log(&customer, &hook).await?[0].clone();
        if delivered["state"] == "delivered" {
            break delivered;
        }
        ensure!(Instant::now() < deadline, "{delivered}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    ensure!(delivered["session_id"] == session.as_str() && delivered["type"] == "session.ended", "{delivered}");
    let attempts = delivered["attempts"].as_array().context("attempts")?;
    ensure!(attempts.len() >= 3 && attempts[attempts.len() - 1]["status"] == 204, "{delivered}");

    let event = delivered["id"].as_str().context("an id")?;
    let replay = format!("/v1/webhooks/{hook}/deliveries/{event}/replay");
    ensure!(customer.expect(Method::POST, &replay, None).await?["state"] == "pending");
    while receiver.most_often() < 2 {
        ensure!(Instant::now() < deadline, "it was not sent again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ensure!(receiver.got().len() == 1, "under the same id");
    receiver.expect_sound()
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_not_called_until_it_is_enabled() -> anyhow::Result<()> {
    let node = with_webhooks(NodeSetup::embedded()).start().await?;
    let customer = node.customer("10").await?;
    let receiver = Receiver::start().await?;
    let hook = hook(&customer, &receiver, json!(["session.ended"])).await?;
    receiver.behave(Manner::Answers(410));
    live(customer.clone(), 0).await?;
    let deadline = Instant::now() + SOON;
    let path = format!("/v1/webhooks/{hook}");
    loop {
        let webhook = customer.expect(Method::GET, &path, None).await?;
        if webhook["enabled"] == false {
            ensure!(webhook["disabled_reason"].as_str().is_some_and(|why| why.contains("410")), "{webhook}");
            break;
        }
        ensure!(Instant::now() < deadline, "{webhook}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let event = log(&customer, &hook).await?[0]["id"].as_str().context("an id")?.to_owned();
    let replay = format!("{path}/deliveries/{event}/replay");
    let (status, problem) = customer.call(Method::POST, &replay, None).await?;
    ensure!(status == StatusCode::CONFLICT && problem["code"] == "webhook_disabled", "{problem}");
    receiver.behave(Manner::Works);
    ensure!(customer.expect(Method::POST, &format!("{path}/enable"), None).await?["enabled"] == true);
    customer.expect(Method::POST, &replay, None).await?;
    receiver.wait_until(SOON, |got| got.len() == 1).await?;
    Ok(())
}

async fn speak_until_exhausted(node: &Node, customer: &Client) -> anyhow::Result<String> {
    let id = customer.create(json!({})).await?;
    let watcher = customer.watch(&id).await?;
    customer.speak(&id, speech::buzz(10.0, 16_000)).await?;
    customer.wait_until(&id, SOON, |session| session["state"] == "paused").await?;
    node.operator().expect_balanced().await?;
    drop(watcher);
    Ok(id)
}

/// Low and exhausted credits are told once each, money is asked for once, and grants are told.
async fn tells_of_credits(setup: NodeSetup) -> anyhow::Result<()> {
    let node = with_webhooks(setup).start().await?;
    let customer = node.customer("0").await?;
    let receiver = Receiver::start().await?;
    let events = json!(["credits.low", "credits.exhausted", "credits.topped_up", "credits.topup_requested"]);
    hook(&customer, &receiver, events).await?;
    let alerts = json!({
        "thresholds": [{ "credits": 0.05 }],
        "auto_top_up": { "below": 0.06, "credits": 25, "cool_down_s": 3600 },
    });
    node.operator().grant(&customer.account, "0.1", "first").await?;
    receiver.wait_until(SOON, |got| got.iter().any(|got| got.kind == "credits.topped_up")).await?;
    let set = customer.expect(Method::PUT, "/v1/credit-alerts", Some(alerts)).await?;
    ensure!(set["auto_top_up"]["cool_down_s"] == 3600 && set["thresholds"][0]["credits"] == 0.05, "{set}");

    speak_until_exhausted(&node, &customer).await?;
    let all = |got: &[footlight_tests::receiver::Got]| {
        ["credits.low", "credits.exhausted", "credits.topup_requested"]
            .iter()
            .all(|kind| got.iter().any(|got| got.kind == *kind))
    };
    let got = receiver.wait_until(SOON, all).await?;
    let asked = got.iter().find(|got| got.kind == "credits.topup_requested").context("a request")?;
    let request = asked.body["data"]["request_id"].as_str().context("its name")?.to_owned();
    ensure!(asked.body["data"]["credits"] == 25, "{}", asked.body);

    // The customer pays, and names the grant after the request: twice is once.
    for _ in 0..2 {
        node.operator().grant(&customer.account, "25", &request).await?;
    }
    let granted = |times: usize| {
        move |got: &[footlight_tests::receiver::Got]| {
            got.iter().filter(|got| got.kind == "credits.topped_up").count() == times
        }
    };
    receiver.wait_until(SOON, granted(2)).await?;
    // The account's events come in order: whatever else was to come has come before this one.
    node.operator().grant(&customer.account, "25", "one-more").await?;
    let got = receiver.wait_until(SOON, granted(3)).await?;
    let count = |kind: &str| got.iter().filter(|got| got.kind == kind).count();
    let counts = [
        count("credits.low"),
        count("credits.exhausted"),
        count("credits.topup_requested"),
        count("credits.topped_up"),
    ];
    ensure!(counts == [1, 1, 1, 3], "{counts:?}");
    let last = got.last().context("events")?;
    ensure!(last.kind == "credits.topped_up" && last.body["data"]["credits"] == 25, "{}", last.body);
    receiver.expect_sound()
}

#[tokio::test]
async fn credits_are_told_of_once_on_the_embedded_store() -> anyhow::Result<()> {
    tells_of_credits(stores::embedded().setup).await
}

#[tokio::test]
async fn credits_are_told_of_once_on_redis() -> anyhow::Result<()> {
    let on_store = stores::redis().await?;
    tells_of_credits(on_store.setup.clone()).await
}

#[tokio::test]
async fn addresses_of_this_machine_are_refused_and_webhooks_are_ones_own() -> anyhow::Result<()> {
    let node = NodeSetup::embedded().without_pictures().start().await?;
    let (customer, stranger) = (node.customer("1").await?, node.customer("1").await?);
    let make = |url: &str| json!({ "url": url });
    for url in ["http://127.0.0.1:9/", "https://10.0.0.1/", "https://[::1]/", "ftp://example.com/", "https://a:b@c/"] {
        let (status, problem) = customer.call(Method::POST, "/v1/webhooks", Some(make(url))).await?;
        ensure!(status == StatusCode::UNPROCESSABLE_ENTITY && problem["errors"][0]["pointer"] == "/url", "{problem}");
    }
    let unknown = json!({ "url": "https://example.com/", "events": ["session.exploded"] });
    let (status, problem) = customer.call(Method::POST, "/v1/webhooks", Some(unknown)).await?;
    ensure!(status == StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let mut made = Vec::new();
    for _ in 0..5 {
        let webhook = customer.expect(Method::POST, "/v1/webhooks", Some(make("https://example.com/hooks"))).await?;
        ensure!(webhook["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")), "{webhook}");
        made.push(webhook["id"].as_str().context("an id")?.to_owned());
    }
    let (status, problem) = customer.call(Method::POST, "/v1/webhooks", Some(make("https://example.com/"))).await?;
    ensure!(status == StatusCode::CONFLICT && problem["code"] == "too_many_webhooks", "{problem}");
    let listed = customer.expect(Method::GET, "/v1/webhooks", None).await?;
    ensure!(listed["data"].as_array().map(Vec::len) == Some(5) && !listed.to_string().contains("whsec_"), "{listed}");
    let path = format!("/v1/webhooks/{}", made[0]);
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/enable")),
        (Method::GET, format!("{path}/deliveries")),
    ] {
        let (status, problem) = stranger.call(method, &path, None).await?;
        ensure!(status == StatusCode::NOT_FOUND && problem["code"] == "unknown_webhook", "{problem}");
    }
    let (status, _) = customer.call(Method::DELETE, &path, None).await?;
    ensure!(status == StatusCode::NO_CONTENT);
    let (status, _) = customer.call(Method::GET, &path, None).await?;
    ensure!(status == StatusCode::NOT_FOUND);
    Ok(())
}
