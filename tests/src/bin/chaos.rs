//! `cargo xtask chaos`: faults by seeds on several nodes and a real Redis, and checkers that judge what was seen. Each seed
//! runs in a process and, where the machine allows it, in namespaces of its own.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use footlight_tests::chaos::run::Run;
use footlight_tests::chaos::schedule::Schedule;
use footlight_tests::chaos::world;
use footlight_tests::node;
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use tokio::process::Command;

/// What a seed may take beyond its faults: starting, the quarantine, becoming whole, stopping, audits.
const BEYOND: Duration = Duration::from_secs(360);

/// Lets sessions speak on several nodes, makes faults by seeds, and checks what came of it.
#[derive(Debug, Parser)]
struct Arguments {
    /// One seed, or several as in `1..100`, both ends included.
    #[arg(long, default_value = "1..10", value_parser = seeds)]
    seeds: RangeInclusive<u64>,
    /// How long faults are made in each, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=9))]
    nodes: u8,
    /// Sessions that speak at once.
    #[arg(long, default_value_t = 12)]
    sessions: usize,
    /// Seeds at once.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Prints the schedules, and does nothing.
    #[arg(long)]
    schedule_only: bool,
    /// Prints one JSON document.
    #[arg(long)]
    json: bool,
    /// Ends at the first finding.
    #[arg(long)]
    until_found: bool,
    /// The node's binary; the one beside this program unless named.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Where the nodes' logs go, a folder for each seed; those of silent seeds are removed.
    #[arg(long)]
    logs: Option<PathBuf>,
    /// This process is the one that runs the only seed; says why it has no namespaces, or nothing.
    #[arg(long, hide = true)]
    inside: Option<String>,
}

fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("`{text}`: {error}"));
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let range = number(first)?..=number(last.trim_start_matches('='))?;
    if range.is_empty() { Err(format!("there is no seed in {text}")) } else { Ok(range) }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(why) = &arguments.inside {
        let report = inside(&arguments, why).await?;
        println!("{report}");
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.schedule_only {
        arguments.seeds.clone().for_each(|seed| print!("{}", schedule(&arguments, seed)));
        return Ok(ExitCode::SUCCESS);
    }
    let reports = all(&arguments).await?;
    Ok(if reports.iter().all(|report| report["silent"] == true) { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn schedule(arguments: &Arguments, seed: u64) -> Schedule {
    Schedule::of(seed, Duration::from_secs(arguments.seconds), usize::from(arguments.nodes))
}

fn logs(arguments: &Arguments, seed: u64) -> PathBuf {
    let all = arguments.logs.clone().unwrap_or_else(|| std::env::temp_dir().join("footlight-chaos"));
    all.join(format!("seed-{seed}"))
}

/// Runs the one seed, and answers its report.
async fn inside(arguments: &Arguments, why: &str) -> anyhow::Result<Value> {
    let seed = *arguments.seeds.start();
    let run = Run {
        schedule: schedule(arguments, seed),
        sessions: arguments.sessions,
        binary: arguments.binary.clone().unwrap_or_else(node::binary),
        enclosed: if why.is_empty() { Ok(()) } else { Err(why.to_owned()) },
        logs: logs(arguments, seed),
    };
    tokio::select! {
        report = run.execute() => Ok(report?.json()),
        () = orphaned() => bail!("whoever started this is gone"),
    }
}

/// Comes back when whoever started this process is gone: it holds the other end of its input.
async fn orphaned() {
    let (tell, told) = tokio::sync::oneshot::channel();
    // A thread of its own: the runtime would wait for a read that does not end.
    std::thread::spawn(move || {
        // An end and an error say the same.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = tell.send(());
    });
    let _ = told.await;
}

/// Runs all seeds, some at once, and tells of each when it is over.
async fn all(arguments: &Arguments) -> anyhow::Result<Vec<Value>> {
    let enclosure = world::enclosure();
    let mut running = stream::iter(arguments.seeds.clone())
        .map(|seed| {
            let enclosure = &enclosure;
            async move {
                let began = Instant::now();
                let report = one(arguments, seed, enclosure).await.unwrap_or_else(|error| broken(seed, &error));
                (report, began.elapsed())
            }
        })
        .buffer_unordered(arguments.jobs.max(1));
    let mut reports = Vec::new();
    while let Some((report, took)) = running.next().await {
        let silent = report["silent"] == true;
        if !arguments.json {
            println!("{} ({:.0} s)", report["text"].as_str().unwrap_or_default(), took.as_secs_f64());
        }
        reports.push(report);
        if arguments.until_found && !silent {
            break;
        }
    }
    drop(running);
    reports.sort_by_key(|report| report["seed"].as_u64());
    let silent = reports.iter().filter(|report| report["silent"] == true).count();
    if arguments.json {
        println!("{}", json!({ "silent": silent, "seeds": reports }));
    } else {
        println!("{silent} of {} seeds were silent", reports.len());
    }
    Ok(reports)
}

/// Runs a seed in a process of its own.
async fn one(arguments: &Arguments, seed: u64, enclosure: &Result<Vec<&str>, String>) -> anyhow::Result<Value> {
    let own = std::env::current_exe()?;
    let logs = logs(arguments, seed);
    let mut command = match enclosure {
        Ok(words) => {
            let mut command = Command::new("unshare");
            command.args(words).arg(&own);
            command
        }
        Err(_) => Command::new(&own),
    };
    let why = enclosure.as_ref().err().map_or("", String::as_str);
    command.args(["--seeds", &seed.to_string(), "--seconds", &arguments.seconds.to_string()]);
    command.args(["--nodes", &arguments.nodes.to_string(), "--sessions", &arguments.sessions.to_string()]);
    command.arg(format!("--inside={why}"));
    if let Some(binary) = &arguments.binary {
        command.arg("--binary").arg(std::path::absolute(binary)?);
    }
    if let Some(all) = &arguments.logs {
        command.arg("--logs").arg(std::path::absolute(all)?);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let _held_open = child.stdin.take();
    let limit = Duration::from_secs(arguments.seconds) + BEYOND;
    let output = tokio::time::timeout(limit, child.wait_with_output()).await.context("it does not end")??;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{}: {}", output.status, said.trim());
    let report: Value = serde_json::from_slice(&output.stdout).context("its report")?;
    if report["silent"] == true {
        remove(&logs);
    }
    Ok(report)
}

/// A seed that could not be run is no silent one.
fn broken(seed: u64, error: &anyhow::Error) -> Value {
    json!({ "seed": seed, "silent": false, "text": format!("seed {seed}: BROKEN: {error:#}"), "broken": format!("{error:#}") })
}

fn remove(logs: &Path) {
    // Logs that stay harm nobody.
    let _ = std::fs::remove_dir_all(logs);
}
