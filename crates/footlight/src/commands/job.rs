//! `footlight job`: one-time work, asked of a running node as a customer of it.

use std::time::Duration;

use anyhow::Context;
use indicatif::ProgressBar;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::http::Http;
use super::{block_on, print};
use crate::cli::{Global, Job};
use crate::exit::{Failure, coded};

/// How often a job is looked at that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(300);

pub(crate) fn run(global: &Global, job: Job) -> anyhow::Result<()> {
    block_on(async {
        match job {
            Job::Create { customer, kind, input, wait } => {
                let http = Http::customer(&customer)?;
                let input: Value = serde_json::from_str(&input)
                    .map_err(|error| coded(Failure::Usage, format!("--input is not JSON: {error}")))?;
                let job = ask(&http, &kind, input).await?;
                let job = if wait { follow(global, &http, &job).await? } else { job };
                show(global, &job)
            }
            Job::List { customer } => list(global, &Http::customer(&customer)?).await,
            Job::Show { customer, id } => {
                let http = Http::customer(&customer)?;
                show(global, &http.send(http.request(Method::GET, &path(&id))).await?)
            }
            Job::Watch { customer, id } => {
                let http = Http::customer(&customer)?;
                let job = http.send(http.request(Method::GET, &path(&id))).await?;
                let job = follow(global, &http, &job).await?;
                show(global, &job)
            }
            Job::Cancel { customer, id } => {
                let http = Http::customer(&customer)?;
                show(global, &http.send(http.request(Method::DELETE, &path(&id))).await?)
            }
        }
    })
}

/// Asks for a job, once.
pub(super) async fn ask(http: &Http, kind: &str, input: Value) -> anyhow::Result<Value> {
    let request = http.request(Method::POST, "/v1/jobs").header("idempotency-key", Uuid::now_v7().to_string());
    http.send(request.json(&json!({ "kind": kind, "input": input }))).await
}

/// Follows a job to its end, with a bar, and answers it as it is then.
///
/// # Errors
/// When it failed or was cancelled, with why.
pub(super) async fn follow(global: &Global, http: &Http, job: &Value) -> anyhow::Result<Value> {
    let id = job["id"].as_str().context("the job has no id")?;
    let bar = if global.json { ProgressBar::hidden() } else { ProgressBar::new(100) };
    let template = "{bar:32.yellow/dim} {pos:>3} %  {msg}";
    bar.set_style(print::bar_style(template));
    let job = loop {
        let job = http.send(http.request(Method::GET, &path(id))).await?;
        bar.set_position(job["percent"].as_u64().unwrap_or_default());
        let at = match job["state"].as_str() {
            Some("queued") => "waits for a worker".to_owned(),
            _ => job["note"].as_str().unwrap_or_default().to_owned(),
        };
        bar.set_message(at);
        if !job["finished_at"].is_null() {
            break job;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    bar.finish_and_clear();
    match job["state"].as_str() {
        Some("done") => Ok(job),
        Some("cancelled") => Err(coded(Failure::Failed, format!("{id} was cancelled; it cost nothing"))),
        _ => Err(coded(Failure::Failed, format!("{id} failed, and cost nothing: {}", print::text(&job["error"])))),
    }
}

async fn list(global: &Global, http: &Http) -> anyhow::Result<()> {
    let jobs = http.list("/v1/jobs", 1_000).await?;
    if global.json {
        return print::json(&jobs);
    }
    let mut table = print::table(&["job", "kind", "state", "%", "at", "credits", "created"]);
    for job in jobs {
        let cell = |name: &str| print::text(&job[name]);
        let at = if job["error"].is_null() { cell("note") } else { cell("error") };
        table.add_row([
            cell("id"),
            cell("kind"),
            cell("state"),
            cell("percent"),
            at,
            cell("credits_used"),
            cell("created_at"),
        ]);
    }
    println!("{table}");
    Ok(())
}

fn path(id: &str) -> String {
    format!("/v1/jobs/{id}")
}

fn show(global: &Global, job: &Value) -> anyhow::Result<()> {
    if global.json {
        return print::json(job);
    }
    let mut job = job.clone();
    if let Some(fields) = job.as_object_mut() {
        // Long, and known to whoever asked.
        fields.remove("input");
    }
    print::fields(&job);
    Ok(())
}
