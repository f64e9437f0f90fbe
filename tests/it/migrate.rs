//! From one store to the other and back: everything is there, equal, and works; and a migration that is killed goes on.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use footlight_tests::redis_server::documented_rule;
use footlight_tests::{Client, Node, NodeSetup, Operator, Receiver, RedisServer, speech};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::slow_tests;

const SOON: Duration = Duration::from_secs(60);

/// Accounts of a migration that is killed in the middle.
const ACCOUNTS: u64 = 400;

/// How many of them a migration has moved, about, when it is killed.
const STEP: u64 = 60;

/// About so many bytes of its log does SQLite write for an account.
const LOG_PER_ACCOUNT: u64 = 20_000;

/// How often a migration is killed.
const KILLS: usize = 3;

const REFUSED: i32 = 6;

/// What a node that was killed leaves behind ends after this.
const LEASE: Duration = Duration::from_secs(11);

fn sqlite(directory: &Path) -> String {
    format!("sqlite:{}", directory.display())
}

async fn migrate(from: &str, to: &str, more: &[&str]) -> anyhow::Result<Output> {
    let arguments = [&["migrate", "--json", "--from", from, "--to", to], more].concat();
    Ok(NodeSetup::embedded().command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output().await?)
}

/// Moves, or only compares, and answers the report of stores that are equal.
async fn expect_equal(from: &str, to: &str, more: &[&str]) -> anyhow::Result<Value> {
    let output = migrate(from, to, more).await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{}: {said}{}", output.status, String::from_utf8_lossy(&output.stdout));
    let report: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(report["equal"] == true && report["unbalanced_accounts"] == 0, "{report}");
    for (kind, count) in report["verified"]["counts"].as_object().context("counts")? {
        ensure!(count["source"] == count["same"] && count["extra"] == 0, "{kind}: {report}");
    }
    Ok(report)
}

async fn expect_refused(from: &str, to: &str, said: &str) -> anyhow::Result<()> {
    for more in [&["--dry-run"][..], &[]] {
        let output = migrate(from, to, more).await?;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.code() == Some(REFUSED) && error.contains(said), "{}: {error}", output.status);
    }
    Ok(())
}

/// What `footlight audit` tells of a store that nobody uses, to the byte.
async fn audit(store: &str) -> anyhow::Result<String> {
    let output = NodeSetup::embedded()
        .command(&["audit", "--json", "--store", store])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn setup() -> NodeSetup {
    NodeSetup::embedded()
        .without_pictures()
        .set("webhooks.allow_private_addresses", "true")
        .set("webhooks.timeout", "1s")
        .set("limits.account_units_per_minute", "0")
}

/// Speaks a little, and ends.
async fn session(customer: &Client) -> anyhow::Result<String> {
    let id = customer.create(json!({ "width": 64, "height": 64 })).await?;
    let watcher = customer.watch(&id).await?;
    customer.speak(&id, speech::buzz(1.0, 16_000)).await?;
    watcher.wait_until(SOON, |seen| seen.active_frames() >= 25).await?;
    customer.expect(Method::DELETE, &format!("/v1/sessions/{id}"), None).await?;
    customer.wait_until(&id, SOON, |session| session["state"] == "ended").await?;
    Ok(id)
}

/// A customer who has used everything there is.
async fn customer_of_everything(node: &Node, receiver: &Receiver) -> anyhow::Result<Client> {
    let operator = node.operator();
    let (account, secret) = operator.open_account(None).await?;
    operator.grant(&account, "900", "first").await?;
    let customer = Client::new(&node.url, &account, &secret);
    let hook = json!({ "url": receiver.url, "events": ["session.started", "session.ended"] });
    customer.expect(Method::POST, "/v1/webhooks", Some(hook)).await?;
    // What this one is to be told waits in the outbox.
    let silent = json!({ "url": "http://127.0.0.1:9/", "events": ["session.started", "session.ended"] });
    customer.expect(Method::POST, "/v1/webhooks", Some(silent)).await?;
    for _ in 0..3 {
        session(&customer).await?;
    }
    let avatar = crate::avatars::with_manifest("\"clapper\"", "\"mine\"", &[])?;
    let (status, kept) = customer.send("/v1/avatars", "application/zip", avatar).await?;
    ensure!(status == StatusCode::CREATED, "{kept}");
    let job = customer.expect(Method::POST, "/v1/jobs", Some(json!({ "kind": "book", "input": {} }))).await?;
    let (status, claimed) = operator
        .call(Method::POST, "/admin/v1/jobs/claim", Some(json!({ "kinds": ["book"], "worker": "w" })), None)
        .await?;
    ensure!(status == StatusCode::OK && claimed["id"] == job["id"], "{claimed}");
    let path = format!("/admin/v1/jobs/{}/complete", job["id"].as_str().context("an id")?);
    let done = json!({ "claim": claimed["claim"], "result": { "pages": 1 } });
    let (status, done) = operator.call(Method::POST, &path, Some(done), None).await?;
    ensure!(status == StatusCode::OK, "{done}");
    // And one whose credits are held.
    customer.expect(Method::POST, "/v1/jobs", Some(json!({ "kind": "book", "input": { "title": "Next" } }))).await?;
    Ok(customer)
}

/// All that a customer and an operator see of an account and that stands still.
async fn sight(customer: &Client, operator: &Operator) -> anyhow::Result<Vec<(String, Value)>> {
    let mut seen = Vec::new();
    let paths = [
        "sessions",
        "balance",
        "journal?limit=100",
        "jobs",
        "avatars",
        "webhooks",
        "usage/summary",
        "credit-alerts",
        "me",
    ];
    for path in paths {
        let mut answer = customer.expect(Method::GET, &format!("/v1/{path}"), None).await?;
        // The state of deliveries goes on while a node runs.
        if path == "webhooks" {
            for hook in answer["data"].as_array_mut().context("a list")? {
                let hook = hook.as_object_mut().context("an object")?;
                hook.retain(|name, _| ["id", "url", "events", "created_at"].contains(&name.as_str()));
            }
        }
        seen.push((path.to_owned(), answer));
    }
    for path in ["", "/journal", "/secrets"] {
        let path = format!("/admin/v1/accounts/{}{path}", customer.account);
        let (status, answer) = operator.call(Method::GET, &path, None, None).await?;
        ensure!(status.is_success(), "{path}: {answer}");
        seen.push((path, answer));
    }
    Ok(seen)
}

fn expect_same(before: &[(String, Value)], after: &[(String, Value)]) -> anyhow::Result<()> {
    for ((path, one), (_, other)) in before.iter().zip(after) {
        ensure!(one == other, "{path}: {one} became {other}");
    }
    Ok(())
}

async fn stop(node: Node) -> anyhow::Result<()> {
    let status = node.terminate().await?;
    ensure!(status.success(), "{status}");
    Ok(())
}

#[tokio::test]
async fn everything_moves_from_sqlite_to_redis_and_back() -> anyhow::Result<()> {
    let (redis, receiver) = (RedisServer::start().await?, Receiver::start().await?);
    let embedded = setup();
    let (from, to) = (sqlite(embedded.data_dir()), redis.url());
    let node = embedded.start().await?;
    let (first, second) = (customer_of_everything(&node, &receiver).await?, node.customer("10").await?);
    let gone = node.customer("1").await?;
    node.operator().revoke_secrets(&gone.account).await?;
    expect_refused(&from, &to, "is in use by process").await?;
    let (before, credits) = (sight(&first, &node.operator()).await?, first.balance().await?);
    stop(node).await?;

    let books = audit(&from).await?;
    let report = expect_equal(&from, &to, &[]).await?;
    ensure!(report["continued"] == false && report["moved"]["counts"]["accounts"]["missing"] == 3, "{report}");
    for kind in ["tabs", "names", "job_holds", "journal_entries", "secrets", "sessions", "records", "blobs"] {
        ensure!(report["verified"]["counts"][kind]["source"].as_u64() > Some(0), "there were no {kind}: {report}");
    }
    ensure!(audit(&to).await? == books, "the audits are not the same");
    let again = expect_equal(&from, &to, &[]).await?;
    ensure!(again["moved"]["counts"]["records"]["missing"] == 0, "{again}");
    expect_equal(&from, &to, &["--verify-only"]).await?;

    let shared = setup().set("store", &to);
    let node = shared.start().await?;
    let (first, second) = (first.moved_to(&node.url), second.moved_to(&node.url));
    expect_same(&before, &sight(&first, &node.operator()).await?)?;
    let (status, _) = gone.moved_to(&node.url).call(Method::GET, "/v1/balance", None).await?;
    ensure!(status == StatusCode::UNAUTHORIZED, "a secret that was revoked answers {status}");
    expect_refused(&to, &sqlite(&embedded.data_dir().join("back")), "the source open").await?;
    expect_refused(&from, &to, "the target open").await?;
    // It goes on there: a session, and a grant whose name is known already.
    session(&second).await?;
    node.operator().grant(&first.account, "900", "first").await?;
    ensure!(first.balance().await? == credits, "a top-up was credited twice");
    let before = sight(&second, &node.operator()).await?;
    node.operator().expect_balanced().await?;
    stop(node).await?;
    // Each has its own history by now.
    expect_refused(&from, &to, "is another version").await?;
    expect_refused(&to, &from, "is another version").await?;

    let back = setup();
    let home = sqlite(back.data_dir());
    let books = audit(&to).await?;
    let looked = migrate(&to, &home, &["--dry-run"]).await?;
    ensure!(looked.status.success() && !back.data_dir().exists(), "a dry run makes no directory");
    let looked: Value = serde_json::from_slice(&looked.stdout)?;
    ensure!(looked["looked"]["counts"]["accounts"]["missing"] == 3 && looked["moved"].is_null(), "{looked}");
    expect_equal(&to, &home, &[]).await?;
    ensure!(audit(&home).await? == books, "the audits are not the same");
    let node = back.start().await?;
    expect_same(&before, &sight(&second.moved_to(&node.url), &node.operator()).await?)?;
    session(&first.moved_to(&node.url)).await?;
    node.operator().expect_balanced().await?;
    stop(node).await
}

#[tokio::test]
async fn a_node_that_was_killed_holds_its_store_until_its_lease_ends() -> anyhow::Result<()> {
    let redis = RedisServer::start().await?;
    let shared = setup().set("store", &redis.url()).set("node.name", "stage-1").set("cluster.secret", &"s".repeat(32));
    let node = shared.set("cluster.listen", "127.0.0.1:0").start().await?;
    node.customer("10").await?;
    node.kill().await?;
    let directory = tempfile::tempdir()?;
    let (from, to) = (redis.url(), sqlite(directory.path()));
    expect_refused(&from, &to, "nodes have leases in the source").await?;
    expect_refused(&from, &to, "stage-1").await?;
    expect_refused(&to, &from, "stage-1").await?;
    tokio::time::sleep(LEASE).await;
    expect_equal(&from, &to, &[]).await?;
    Ok(())
}

/// The user of docs/redis.md may migrate, with the login that the settings of nodes have.
#[tokio::test]
async fn a_user_of_few_rights_moves_both_ways() -> anyhow::Result<()> {
    let redis = RedisServer::start().await?;
    let words: Vec<&str> = documented_rule()?.split(' ').collect();
    let mut connection = redis::Client::open(redis.url())?.get_multiplexed_async_connection().await?;
    redis::cmd("ACL").arg(&["SETUSER", "footlight", "on", ">CHANGE-ME"]).arg(words).exec_async(&mut connection).await?;
    redis::cmd("ACL").arg(&["SETUSER", "default", "off"]).exec_async(&mut connection).await?;

    let embedded = setup().set("redis.username", "footlight").set("redis.password", "CHANGE-ME");
    let node = embedded.start().await?;
    node.customer("10").await?;
    stop(node).await?;
    let directory = tempfile::tempdir()?;
    let (home, back) = (sqlite(embedded.data_dir()), sqlite(directory.path()));
    for (from, to) in [(&home, &redis.url()), (&redis.url(), &back)] {
        let output = embedded.command(&["migrate", "--from", from, "--to", to]).output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && !said.contains("CHANGE-ME"), "{}: {said}", output.status);
    }
    ensure!(audit(&back).await? == audit(&home).await?, "the audits are not the same");
    Ok(())
}

/// Opens accounts with a few journal entries each, many at a time.
async fn open_accounts(node: &Node, count: u64, grants: usize) -> anyhow::Result<()> {
    let mut lanes: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for lane in 0..32 {
        let operator = node.operator();
        lanes.spawn(async move {
            for _ in (lane..count).step_by(32) {
                let (account, _) = operator.open_account(None).await?;
                for number in 0..grants {
                    operator.grant(&account, "1", &format!("grant-{number}")).await?;
                }
            }
            Ok(())
        });
    }
    while let Some(done) = lanes.join_next().await {
        done??;
    }
    Ok(())
}

/// Starts a migration, which finds so many accounts there, and kills it once it `has_moved` [`STEP`] more, about. Answers how
/// many are there then.
async fn kill_one(from: &str, to: &str, there: u64, has_moved: impl AsyncFn(u64) -> bool) -> anyhow::Result<u64> {
    let mut child = NodeSetup::embedded()
        .command(&["migrate", "--json", "--from", from, "--to", to])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let deadline = Instant::now() + SOON;
    while child.try_wait()?.is_none() && Instant::now() < deadline && !has_moved(there).await {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    child.kill().await?;
    let looked = migrate(from, to, &["--dry-run"]).await?;
    ensure!(looked.status.success(), "{}", String::from_utf8_lossy(&looked.stderr));
    let looked: Value = serde_json::from_slice(&looked.stdout)?;
    looked["looked"]["counts"]["accounts"]["same"].as_u64().context("a count")
}

/// Kills migrations in the middle, each further than the one before, and lets the last one go on to the end.
async fn killed_in_the_middle(from: &str, to: &str, has_moved: impl AsyncFn(u64) -> bool) -> anyhow::Result<()> {
    let mut there = 0;
    for _ in 0..KILLS {
        let found = kill_one(from, to, there, &has_moved).await?;
        eprintln!("killed with {found} of {ACCOUNTS} accounts in the target");
        ensure!((there + 1..ACCOUNTS).contains(&found), "{found} accounts after {there}: not in the middle");
        there = found;
    }
    // Half a store is not served.
    let mut node = setup().set("store", to).command(&["serve", "--json"]);
    let output = node.stdout(Stdio::piped()).stderr(Stdio::piped()).output().await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(REFUSED) && said.contains("half moved"), "{}: {said}", output.status);
    let report = expect_equal(from, to, &[]).await?;
    ensure!(report["continued"] == true, "{report}");
    ensure!(report["verified"]["counts"]["accounts"]["source"] == ACCOUNTS, "{report}");
    ensure!(report["moved"]["counts"]["accounts"]["missing"] == ACCOUNTS - there, "{report}");
    expect_equal(from, to, &["--verify-only"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_migration_that_is_killed_goes_on() -> anyhow::Result<()> {
    let redis = RedisServer::start().await?;
    let embedded = setup();
    let (from, to) = (sqlite(embedded.data_dir()), redis.url());
    let node = embedded.start().await?;
    open_accounts(&node, ACCOUNTS, 5).await?;
    stop(node).await?;
    let client = redis::Client::open(redis.url())?;
    let connection = client.get_multiplexed_async_connection().await?;
    let has_moved = async |there: u64| {
        let mut connection = connection.clone();
        let moved = redis::cmd("ZCARD").arg("fl:{accounts}").query_async::<u64>(&mut connection).await;
        moved.is_ok_and(|moved| moved > there + STEP)
    };
    killed_in_the_middle(&from, &to, has_moved).await?;

    let directory = tempfile::tempdir()?;
    // Whoever closes the store in between empties it.
    let log = directory.path().join("footlight.db-wal");
    let has_moved = async |_| std::fs::metadata(&log).is_ok_and(|log| log.len() > STEP * LOG_PER_ACCOUNT);
    killed_in_the_middle(&to, &sqlite(directory.path()), has_moved).await?;
    ensure!(audit(&sqlite(directory.path())).await? == audit(&from).await?, "the audits are not the same");
    Ok(())
}

#[tokio::test]
async fn ten_thousand_accounts_are_moved_and_timed() -> anyhow::Result<()> {
    if !slow_tests("ten_thousand_accounts_are_moved_and_timed") {
        return Ok(());
    }
    let redis = RedisServer::start().await?;
    let embedded = setup();
    let (from, to) = (sqlite(embedded.data_dir()), redis.url());
    let node = embedded.start().await?;
    open_accounts(&node, 10_000, 10).await?;
    stop(node).await?;
    let directory = tempfile::tempdir()?;
    for (from, to) in [(&from, &to), (&to, &sqlite(directory.path()))] {
        for more in [&[][..], &[], &["--verify-only"]] {
            let report = expect_equal(from, to, more).await?;
            let counts = &report["verified"]["counts"];
            eprintln!(
                "{} -> {} {more:?}: {} accounts, {} journal entries, {} s",
                from.split(':').next().unwrap_or_default(),
                to.split(':').next().unwrap_or_default(),
                counts["accounts"]["source"],
                counts["journal_entries"]["source"],
                report["seconds"]
            );
        }
    }
    Ok(())
}
