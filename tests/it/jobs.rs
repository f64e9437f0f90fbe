//! One-time jobs: done by whoever comes, charged once, and not at all when they fail.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use footlight_tests::{Client, Node, NodeSetup, Operator, Receiver};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::stores;

const SOON: Duration = Duration::from_secs(60);
const PRICE: i64 = 250_000_000;

fn with_jobs(setup: NodeSetup) -> NodeSetup {
    setup.without_pictures().set("jobs.lease", "1s").set("webhooks.allow_private_addresses", "true")
}

async fn ask(customer: &Client) -> anyhow::Result<String> {
    let body = json!({ "kind": "book", "input": { "title": "A book" } });
    let job = customer.expect(Method::POST, "/v1/jobs", Some(body)).await?;
    ensure!(job["state"] == "queued" && job["price"] == 250 && job["credits_used"] == 0, "{job}");
    Ok(job["id"].as_str().context("an id")?.to_owned())
}

/// A worker's call; the answer whatever its status.
async fn work(operator: &Operator, path: &str, body: Value) -> anyhow::Result<(StatusCode, Value)> {
    operator.call(Method::POST, &format!("/admin/v1/jobs/{path}"), Some(body), None).await
}

/// Claims until there is something to claim.
async fn claim(operator: &Operator, worker: &str) -> anyhow::Result<(String, String)> {
    let deadline = Instant::now() + SOON;
    loop {
        let (status, job) = work(operator, "claim", json!({ "kinds": ["book"], "worker": worker })).await?;
        if status == StatusCode::OK {
            ensure!(job["state"] == "running" && job["input"]["title"] == "A book", "{job}");
            let text = |name: &str| job[name].as_str().map(str::to_owned).with_context(|| format!("{name}: {job}"));
            return Ok((text("id")?, text("claim")?));
        }
        ensure!(status == StatusCode::NO_CONTENT, "{status}: {job}");
        ensure!(Instant::now() < deadline, "there is nothing to claim");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn job(customer: &Client, id: &str) -> anyhow::Result<Value> {
    customer.expect(Method::GET, &format!("/v1/jobs/{id}"), None).await
}

/// A worker dies with a job; another finishes it, and the first one's word counts no more. It is charged once.
async fn a_dead_workers_job(setup: NodeSetup) -> anyhow::Result<()> {
    let setup = with_jobs(setup);
    let node = setup.start().await?;
    let customer = node.customer("300").await?;
    let receiver = Receiver::start().await?;
    let hook = json!({ "url": receiver.url, "events": ["job.finished"] });
    let hook = customer.expect(Method::POST, "/v1/webhooks", Some(hook)).await?;
    receiver.expect_secret(hook["secret"].as_str().context("a secret")?);
    let id = ask(&customer).await?;
    let (status, problem) = customer.call(Method::POST, "/v1/jobs", Some(json!({ "kind": "book" }))).await?;
    ensure!(status == StatusCode::PAYMENT_REQUIRED, "what is set aside is not there twice: {problem}");

    let (claimed, dead) = claim(&node.operator(), "dead").await?;
    ensure!(claimed == id);
    let progress = json!({ "claim": dead, "percent": 40, "note": "the cover" });
    let (status, seen) = work(&node.operator(), &format!("{id}/progress"), progress.clone()).await?;
    ensure!(status == StatusCode::OK && seen["percent"] == 40, "{seen}");
    ensure!(job(&customer, &id).await?["note"] == "the cover");

    // The node dies too; the job waits in the store.
    node.kill().await?;
    let node = setup.start().await?;
    let customer = customer.moved_to(&node.url);
    let (claimed, alive) = claim(&node.operator(), "alive").await?;
    ensure!(claimed == id && alive != dead);
    for (path, body) in [("progress", progress), ("complete", json!({ "claim": dead, "result": "wrong" }))] {
        let (status, problem) = work(&node.operator(), &format!("{id}/{path}"), body).await?;
        ensure!(status == StatusCode::CONFLICT && problem["code"] == "claim_lost", "{path}: {problem}");
    }
    // Said twice, as after an answer that got lost.
    for _ in 0..2 {
        let done = json!({ "claim": alive, "result": { "pages": 12 } });
        let (status, done) = work(&node.operator(), &format!("{id}/complete"), done).await?;
        ensure!(status == StatusCode::OK && done["state"] == "done", "{status}: {done}");
    }
    let done = job(&customer, &id).await?;
    ensure!(done["result"]["pages"] == 12 && done["attempts"] == 2 && done["credits_used"] == 250, "{done}");
    ensure!(customer.balance().await? == 300_000_000 - PRICE);
    let got = receiver.wait_until(SOON, |got| !got.is_empty()).await?;
    ensure!(got[0].body["data"]["job_id"] == id.as_str() && got[0].body["data"]["credits_used"] == 250, "{:?}", got[0]);
    receiver.expect_sound()?;
    node.operator().expect_balanced().await?;
    Ok(())
}

#[tokio::test]
async fn a_dead_workers_job_is_finished_by_another_and_charged_once_on_the_embedded_store() -> anyhow::Result<()> {
    a_dead_workers_job(stores::embedded().setup).await
}

#[tokio::test]
async fn a_dead_workers_job_is_finished_by_another_and_charged_once_on_redis() -> anyhow::Result<()> {
    let on_store = stores::redis().await?;
    a_dead_workers_job(on_store.setup.clone()).await
}

async fn wait_over(customer: &Client, id: &str) -> anyhow::Result<Value> {
    let deadline = Instant::now() + SOON;
    loop {
        let seen = job(customer, id).await?;
        if !seen["finished_at"].is_null() {
            return Ok(seen);
        }
        ensure!(Instant::now() < deadline, "{seen}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Failed, cancelled, given up: nothing is charged, and the credits are there again.
async fn costs_nothing(node: &Node) -> anyhow::Result<()> {
    let (customer, stranger) = (node.customer("250").await?, node.customer("250").await?);
    let failed = ask(&customer).await?;
    let (id, claimed) = claim(&node.operator(), "honest").await?;
    ensure!(id == failed);
    let fail = json!({ "claim": claimed, "error": "no paper" });
    let (status, over) = work(&node.operator(), &format!("{id}/fail"), fail).await?;
    ensure!(status == StatusCode::OK && over["state"] == "failed" && over["error"] == "no paper", "{over}");
    ensure!(over["credits_used"] == 0);

    let cancelled = ask(&customer).await?;
    let path = format!("/v1/jobs/{cancelled}");
    let (status, problem) = stranger.call(Method::DELETE, &path, None).await?;
    ensure!(status == StatusCode::NOT_FOUND && problem["code"] == "unknown_job", "{problem}");
    ensure!(customer.expect(Method::DELETE, &path, None).await?["state"] == "cancelled");
    let (status, _) = work(&node.operator(), "claim", json!({ "kinds": ["book"], "worker": "late" })).await?;
    ensure!(status == StatusCode::NO_CONTENT);

    // Two workers begin with it and are never heard of again.
    let given_up = ask(&customer).await?;
    for worker in ["one", "two"] {
        ensure!(claim(&node.operator(), worker).await?.0 == given_up);
    }
    let over = wait_over(&customer, &given_up).await?;
    ensure!(over["state"] == "failed" && over["credits_used"] == 0, "{over}");
    ensure!(customer.balance().await? == PRICE);
    let listed = customer.expect(Method::GET, "/v1/jobs", None).await?;
    let ids: Vec<&str> =
        listed["data"].as_array().context("a list")?.iter().filter_map(|it| it["id"].as_str()).collect();
    ensure!(ids == [&given_up, &cancelled, &failed], "newest first: {ids:?}");
    ensure!(stranger.expect(Method::GET, "/v1/jobs", None).await?["data"] == json!([]));
    node.operator().expect_balanced().await?;
    Ok(())
}

#[tokio::test]
async fn a_job_that_is_not_done_costs_nothing_on_the_embedded_store() -> anyhow::Result<()> {
    costs_nothing(&with_jobs(stores::embedded().setup).set("jobs.max_attempts", "2").start().await?).await
}

#[tokio::test]
async fn a_job_that_is_not_done_costs_nothing_on_redis() -> anyhow::Result<()> {
    let on_store = stores::redis().await?;
    costs_nothing(&with_jobs(on_store.setup.clone()).set("jobs.max_attempts", "2").start().await?).await
}

#[tokio::test]
async fn a_job_that_takes_too_long_has_failed() -> anyhow::Result<()> {
    let node = with_jobs(NodeSetup::embedded()).set("jobs.timeout", "2s").start().await?;
    let customer = node.customer("250").await?;
    let id = ask(&customer).await?;
    let (_, claimed) = claim(&node.operator(), "slow").await?;
    let over = wait_over(&customer, &id).await?;
    ensure!(over["state"] == "failed" && over["error"] == "it took too long", "{over}");
    let done = json!({ "claim": claimed, "result": {} });
    let (status, problem) = work(&node.operator(), &format!("{id}/complete"), done).await?;
    ensure!(status == StatusCode::CONFLICT && problem["code"] == "claim_lost", "{problem}");
    ensure!(customer.balance().await? == PRICE);
    Ok(())
}
