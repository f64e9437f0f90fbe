//! The end of a run: everything is whole again, every session is stopped, and the books are read.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::history::{AccountEnd, SessionEnd};
use super::nodes::Nodes;
use crate::client::micro;
use crate::{Client, Operator};

/// How long the nodes may take to be whole: a lease, the quarantine after an outage, and claims in paced batches.
const WHOLE_WITHIN: Duration = Duration::from_secs(60);
/// How long sessions may take to be stopped.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);
/// How long the books may take to be settled once all sessions have ended. Without faults it is a second.
const SETTLED_WITHIN: Duration = Duration::from_secs(20);
/// How long one call may take.
const CALL_WITHIN: Duration = Duration::from_secs(5);
/// Tries at a call that only reads.
const READS_MAX: usize = 10;
/// Pages of a list that are read at most.
const PAGES_MAX: usize = 100;

/// What was found at the end.
#[derive(Debug, Default)]
pub struct Found {
    /// Sessions with their accounts' ids.
    pub sessions: BTreeMap<String, (String, SessionEnd)>,
    /// The accounts, in the order in which they were asked for.
    pub accounts: Vec<AccountEnd>,
    /// What the audits said.
    pub audits: Vec<(String, Result<(), String>)>,
    /// How long the books took to be settled; `None` when they never were.
    pub settled_after: Option<Duration>,
    /// What is not as it should be.
    pub troubles: Vec<String>,
}

/// Waits until all nodes see each other.
///
/// # Errors
/// When they do not.
pub async fn wait_until_whole(nodes: &Nodes) -> anyhow::Result<()> {
    let deadline = Instant::now() + WHOLE_WITHIN;
    while !nodes.are_whole().await {
        ensure!(Instant::now() < deadline, "the nodes do not see each other {WHOLE_WITHIN:?} after the last fault");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    Ok(())
}

/// Stops all sessions, and reads everything.
///
/// # Errors
/// When something cannot be read.
pub async fn settle(nodes: &Nodes, customers: &[Client]) -> anyhow::Result<Found> {
    let mut found = Found::default();
    if let Err(error) = stop_all(nodes, customers).await {
        found.troubles.push(format!("{error:#}"));
    }
    let operator = nodes.operator(0);
    found.settled_after = wait_until_settled(operator, customers).await;
    for session in list(operator, "/admin/v1/sessions?limit=200").await? {
        let text = |name: &str| session[name].as_str().unwrap_or_default().to_owned();
        let end = SessionEnd {
            state: text("state"),
            reason: text("end_reason"),
            frames: session["frames"].as_i64().context("frames")?,
            paid: micro(&session["credits_used"])?,
        };
        found.sessions.insert(text("id"), (text("account"), end));
    }
    for customer in customers {
        found.accounts.push(account(operator, &customer.account).await?);
    }
    for place in 0..nodes.count() {
        let audit = retried(|| nodes.operator(place).expect_balanced()).await;
        found.audits.push((format!("n{}", place + 1), audit.map(drop).map_err(|error| format!("{error:#}"))));
    }
    found.audits.push(("footlight audit".to_owned(), audit_by_hand(nodes).await));
    Ok(found)
}

/// Waits until no account has a session, or anything held; answers how long that took.
async fn wait_until_settled(operator: &Operator, customers: &[Client]) -> Option<Duration> {
    let began = Instant::now();
    while began.elapsed() < SETTLED_WITHIN {
        let mut settled = true;
        for customer in customers {
            let path = format!("/admin/v1/accounts/{}", customer.account);
            let asked = tokio::time::timeout(CALL_WITHIN, operator.call(Method::GET, &path, None, None)).await;
            settled &= matches!(asked, Ok(Ok((_, told))) if told["open_sessions"] == 0 && told["held"] == 0);
        }
        if settled {
            return Some(began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    None
}

async fn stop_all(nodes: &Nodes, customers: &[Client]) -> anyhow::Result<()> {
    let deadline = Instant::now() + STOPPED_WITHIN;
    let mut open = Vec::new();
    let mut asked = 0;
    while Instant::now() < deadline {
        asked += 1;
        let url = &nodes.urls[asked % nodes.count()];
        open.clear();
        for customer in customers {
            let customer = customer.moved_to(url);
            let Ok(sessions) = list_of(&customer).await else {
                open.push("a list of sessions".to_owned());
                continue;
            };
            let running: Vec<Value> = sessions.into_iter().filter(|session| session["state"] != "ended").collect();
            let stops = running.iter().map(|session| {
                let path = format!("/v1/sessions/{}", session["id"].as_str().unwrap_or_default());
                let customer = &customer;
                async move { tokio::time::timeout(CALL_WITHIN, customer.call(Method::DELETE, &path, None)).await }
            });
            let _ = join_all(stops).await;
            open.extend(running.iter().map(|session| {
                format!("{} ({}, at {})", session["id"], session["state"], session["node"]).replace('"', "")
            }));
        }
        if open.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    anyhow::bail!("not ended {STOPPED_WITHIN:?} after the last fault: {}", open.join(", "))
}

async fn list_of(customer: &Client) -> anyhow::Result<Vec<Value>> {
    pages(|cursor| async move {
        let path = format!("/v1/sessions?limit=200{cursor}");
        tokio::time::timeout(CALL_WITHIN, customer.expect(Method::GET, &path, None)).await?
    })
    .await
}

async fn list(operator: &Operator, path: &str) -> anyhow::Result<Vec<Value>> {
    pages(|cursor| async move {
        let path = format!("{path}{cursor}");
        retried(|| async {
            let (status, page) = operator.call(Method::GET, &path, None, None).await?;
            ensure!(status == StatusCode::OK, "{path} was answered {status}: {page}");
            Ok(page)
        })
        .await
    })
    .await
}

/// All entries of a list, page by page.
async fn pages<F: Future<Output = anyhow::Result<Value>>>(ask: impl Fn(String) -> F) -> anyhow::Result<Vec<Value>> {
    let mut entries = Vec::new();
    let mut cursor = String::new();
    for _ in 0..PAGES_MAX {
        let page = ask(cursor).await?;
        entries.extend(page["data"].as_array().context("a page")?.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(entries),
        }
    }
    anyhow::bail!("a list of over {PAGES_MAX} pages")
}

async fn account(operator: &Operator, id: &str) -> anyhow::Result<AccountEnd> {
    let path = format!("/admin/v1/accounts/{id}");
    let told = retried(|| async {
        let (status, told) = operator.call(Method::GET, &path, None, None).await?;
        ensure!(status == StatusCode::OK, "{path} was answered {status}: {told}");
        Ok(told)
    })
    .await?;
    let figure = |name: &str| micro(&told["totals"][name]).with_context(|| format!("{name} in {told}"));
    let mut end = AccountEnd {
        id: id.to_owned(),
        granted: figure("granted")?,
        spent: figure("spent")?,
        held: figure("held")?,
        debt: figure("debt")?,
        available: figure("available")?,
        ..AccountEnd::default()
    };
    for entry in list(operator, &format!("{path}/journal?limit=200")).await? {
        match entry["kind"].as_str() {
            Some("granted") => {
                let name = entry["name"].as_str().unwrap_or_default().to_owned();
                end.grants.push((name, micro(&entry["credits"])?));
            }
            Some("usage") => {
                let session = entry["session_id"].as_str().context("whose usage")?.to_owned();
                let (units, paid) = end.usage.entry(session).or_default();
                *units += entry["units"].as_i64().context("units")?;
                *paid += micro(&entry["credits"])?;
            }
            _ => {}
        }
    }
    Ok(end)
}

/// `footlight audit`, straight from the store.
async fn audit_by_hand(nodes: &Nodes) -> Result<(), String> {
    let output = nodes.setup(0).command(&["audit"]).output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{}: {}", output.status, String::from_utf8_lossy(&said).trim()))
}

/// Asks again while the answer is an error.
async fn retried<T, F: Future<Output = anyhow::Result<T>>>(ask: impl Fn() -> F) -> anyhow::Result<T> {
    let mut tries = 1;
    loop {
        let answer = tokio::time::timeout(CALL_WITHIN, ask()).await.unwrap_or_else(|late| Err(late.into()));
        if answer.is_ok() || tries == READS_MAX {
            return answer;
        }
        tries += 1;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
