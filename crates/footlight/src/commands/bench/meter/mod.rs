//! `footlight bench meter`: sessions without pictures, and everything about them that is money.
//!
//! Two measurements in one run, on the same store: the sessions live in real time, with real heartbeats and progress
//! records; then heartbeats are settled as fast as the desk takes them, beside what the bare store commits.

mod crowd;
mod flood;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use footlight_store::LedgerDesk;
use serde::Serialize;
use serde_json::json;

use super::quantiles::Quantiles;
use crate::assembly::{OpenStore, now, open_store, terms};
use crate::cli::Global;
use crate::commands::serve::block_on_system;
use crate::commands::{print, settings_for};
use crate::settings::Settings;

/// How a crowd of sessions lived.
#[derive(Debug, Serialize)]
struct Lived {
    sessions: usize,
    accounts: usize,
    seconds: f64,
    bytes_per_session: f64,
    heartbeats_sent: u64,
    heartbeats_settled: u64,
    heartbeat_lag: Quantiles,
    batches: u64,
    seconds_to_begin: f64,
}

/// How fast heartbeats were settled.
#[derive(Debug, Serialize)]
struct Flooded {
    sessions: usize,
    accounts: usize,
    settled_per_second: f64,
    bare_commits_per_second: f64,
    bare_heartbeats_per_second: f64,
    share_of_bare: f64,
}

pub(super) fn run(global: &Global, sessions: usize, accounts: usize, seconds: u64) -> anyhow::Result<()> {
    ensure!(accounts > 0 && sessions >= accounts, "there must be at least one session for each account");
    let scratch = tempfile::tempdir()?;
    let data_dir = scratch.path().join("data").to_string_lossy().into_owned();
    let flags = [("data_dir", Some(data_dir)), ("log.filter", Some("warn".to_owned()))];
    let settings = settings_for(global, &flags)?.settings;
    crate::telemetry::start(&settings.log)?;
    let as_json = global.json;
    block_on_system(async move {
        let OpenStore { store, data_dir } = open_store(&settings).await?;
        let desk = LedgerDesk::new(Arc::clone(&store), terms(&settings), Arc::new(now), Arc::new(rand::random));
        if !as_json {
            println!("{sessions} sessions over {accounts} accounts on {}, null renderer, {seconds} s", store.kind());
        }
        let lived = crowd::live(&settings, &desk, &data_dir, sessions, accounts, Duration::from_secs(seconds), as_json)
            .await
            .context("while the sessions lived")?;
        let flooded = flood::flood(&settings, &desk, &store, sessions, accounts).await.context("in the flood")?;
        report(as_json, &settings, store.kind(), &lived, &flooded)
    })
}

/// Resident memory of this process, in bytes.
fn resident_bytes() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("reading this process' memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in the status")?;
    let kilobytes: f64 = line.split_whitespace().next().context("VmRSS is empty")?.parse()?;
    Ok(kilobytes * 1024.0)
}

/// Work done over time.
fn per_second(count: usize, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

fn report(as_json: bool, settings: &Settings, store: &str, lived: &Lived, flooded: &Flooded) -> anyhow::Result<()> {
    let assembly = footlight_media::encoder_assembly();
    if as_json {
        let value = json!({ "store": store, "lived": lived, "flood": flooded, "encoder_assembly": assembly });
        return print::json(&value);
    }
    let mut table = print::table(&["", store]);
    let lag = &lived.heartbeat_lag;
    for (name, value) in [
        ("memory a session", format!("{:.0} bytes", lived.bytes_per_session)),
        ("sessions begun a second", format!("{:.0}", lived.sessions as f64 / lived.seconds_to_begin)),
        ("heartbeats sent / settled", format!("{} / {}", lived.heartbeats_sent, lived.heartbeats_settled)),
        ("in batches", lived.batches.to_string()),
        (
            "heartbeat lag, due to settled, p50 / p99 / longest",
            format!("{:.0} / {:.0} / {:.0} ms", lag.p50_ms, lag.p99_ms, lag.max_ms),
        ),
        ("settled heartbeats a second, through the desk", format!("{:.0}", flooded.settled_per_second)),
        ("the bare store: heartbeats a second", format!("{:.0}", flooded.bare_heartbeats_per_second)),
        ("the bare store: commits a second", format!("{:.0}", flooded.bare_commits_per_second)),
        ("share of the bare store's rate", format!("{:.0} %", flooded.share_of_bare * 100.0)),
    ] {
        table.add_row([name.to_owned(), value]);
    }
    println!("{table}");
    println!("heartbeat {:?}; encoder assembly (not used here): {assembly}", settings.metering.heartbeat);
    Ok(())
}
