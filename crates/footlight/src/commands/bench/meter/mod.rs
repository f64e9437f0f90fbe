//! `footlight bench meter`: sessions without pictures, and everything about them that is money.
//!
//! Two measurements in one run, on the same store: the sessions live in real time, with real heartbeats and progress
//! records; then heartbeats are settled as fast as the desk takes them, beside what the bare store commits.

mod crowd;
mod flood;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use footlight_ledger::Terms;
use footlight_store::{LedgerDesk, Store};
use serde::Serialize;
use serde_json::json;

use super::quantiles::Quantiles;
use crate::assembly::{OpenStore, now, open_store, terms};
use crate::cli::Global;
use crate::commands::serve::block_on_system;
use crate::commands::{print, settings_for};
use crate::settings::Settings;

/// Who is to be metered.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Crowd {
    pub(super) sessions: usize,
    pub(super) accounts: usize,
    /// Meters that share them, each with a desk of its own.
    pub(super) nodes: usize,
}

/// How a crowd of sessions lived.
#[derive(Debug, Serialize)]
struct Lived {
    #[serde(flatten)]
    crowd: Crowd,
    seconds: f64,
    bytes_per_session: f64,
    heartbeats_sent: u64,
    heartbeats_settled: u64,
    heartbeat_lag: Quantiles,
    batches: u64,
    commits: u64,
    /// Commits that met another node's and were applied again.
    conflicts: u64,
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

pub(super) fn run(global: &Global, crowd: Crowd, time: Duration) -> anyhow::Result<()> {
    let Crowd { sessions, accounts, nodes } = crowd;
    ensure!(accounts > 0 && sessions >= accounts, "there must be at least one session for each account");
    let scratch = tempfile::tempdir()?;
    let data_dir = scratch.path().join("data").to_string_lossy().into_owned();
    let flags = [("data_dir", Some(data_dir)), ("log.filter", Some("warn".to_owned()))];
    let settings = settings_for(global, &flags)?.settings;
    crate::telemetry::start(&settings.log)?;
    let as_json = global.json;
    block_on_system(async move {
        let OpenStore { store, data_dir } = open_store(&settings).await?;
        ensure!(
            nodes == 1 || store.kind() == "redis",
            "several nodes need a store that they can share: --store redis://…"
        );
        let mut desks = vec![desk_on(&settings, &store)];
        for _ in 1..nodes {
            // Each over a connection of its own.
            desks.push(desk_on(&settings, &open_store(&settings).await?.store));
        }
        if !as_json {
            let on =
                if nodes > 1 { format!("{nodes} nodes with one {}", store.kind()) } else { store.kind().to_owned() };
            println!("{sessions} sessions over {accounts} accounts on {on}, null renderer, {time:?}");
        }
        let lived = crowd::live(&settings, &desks, &data_dir, crowd, time, as_json)
            .await
            .context("while the sessions lived")?;
        let flooded = flood::flood(&settings, &desks[0], &store, sessions, accounts).await.context("in the flood")?;
        report(as_json, &settings, store.kind(), &lived, &flooded)
    })
}

fn desk_on(settings: &Settings, store: &Arc<dyn Store>) -> LedgerDesk {
    // All sessions may be one account's, and it has no plan.
    let terms = Terms { max_sessions_without_plan: 0, ..terms(settings) };
    LedgerDesk::new(Arc::clone(store), terms, Arc::new(now), Arc::new(rand::random))
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
        ("sessions begun a second", format!("{:.0}", lived.crowd.sessions as f64 / lived.seconds_to_begin)),
        ("heartbeats sent / settled", format!("{} / {}", lived.heartbeats_sent, lived.heartbeats_settled)),
        ("in batches", lived.batches.to_string()),
        ("commits / conflicts, applied again", format!("{} / {}", lived.commits, lived.conflicts)),
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
