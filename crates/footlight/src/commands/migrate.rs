//! `footlight migrate`: everything from one store to another.

use std::sync::Arc;
use std::time::Instant;

use footlight_store::transfer::{Count, Depth, Kind, MigrateError, Mode, Progress, Report, Tally, migrate};
use footlight_store::{SqliteStore, Store, StoreError};
use indicatif::ProgressBar;
use serde_json::json;

use super::{print, settings_for};
use crate::assembly::{Place, Purpose};
use crate::cli::{Global, Migrate};
use crate::exit::{Failure, coded};
use crate::settings::Settings;

/// In the order in which they are shown.
const KINDS: [Kind; 10] = [
    Kind::Accounts,
    Kind::Tabs,
    Kind::Names,
    Kind::JobHolds,
    Kind::JournalEntries,
    Kind::Secrets,
    Kind::Sessions,
    Kind::Records,
    Kind::Blobs,
    Kind::BlobBytes,
];

pub(crate) fn run(global: &Global, options: &Migrate) -> anyhow::Result<()> {
    let settings = settings_for(global, &[])?.settings;
    let (from, to) = (Place::read(&settings, &options.from)?, Place::read(&settings, &options.to)?);
    if from.name() == to.name() {
        return Err(coded(Failure::Usage, format!("both stores are {}", to.name())));
    }
    from.expect_books()?;
    let mode = match (options.dry_run, options.verify_only) {
        (true, _) => Mode::DryRun,
        (false, true) => Mode::VerifyOnly,
        (false, false) => Mode::Run,
    };
    super::serve::block_on_system(async move {
        let began = Instant::now();
        let source = open(&settings, &from, "source", Purpose::Read).await?;
        let target = match mode {
            // Looking makes no directory.
            Mode::DryRun | Mode::VerifyOnly if !to.is_there() => Arc::new(SqliteStore::in_memory()?),
            Mode::VerifyOnly => open(&settings, &to, "target", Purpose::Read).await?,
            Mode::DryRun | Mode::Run => open(&settings, &to, "target", Purpose::Load).await?,
        };
        let bar = if global.json { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let moving = migrate(&source, &target, &from.name(), mode, teller(bar.clone())).await;
        bar.finish_and_clear();
        let report = moving.map_err(explain)?;
        let seconds = began.elapsed().as_secs_f64();
        if global.json {
            print::json(&as_json(&report, &from.name(), &to.name(), mode, seconds))?;
        } else {
            show(&report, &from.name(), &to.name(), mode, seconds);
        }
        verdict(&report)
    })
}

async fn open(settings: &Settings, place: &Place, which: &str, purpose: Purpose) -> anyhow::Result<Arc<dyn Store>> {
    place.open(settings, purpose).await.map_err(|error| {
        let text = format!("the {which} {}: {error:#}", place.name());
        match error.downcast_ref() {
            Some(StoreError::Refused { .. }) => coded(Failure::Refused, text),
            Some(StoreError::Unreachable { .. }) => coded(Failure::Unreachable, text),
            _ => coded(Failure::Failed, text),
        }
    })
}

fn explain(error: MigrateError) -> anyhow::Error {
    match &error {
        MigrateError::Refused { .. } => coded(Failure::Refused, format!("refused, and nothing was changed: {error}")),
        MigrateError::Stopped(_) => {
            let failure = match error.store_error() {
                Some(StoreError::Unreachable { .. }) => Failure::Unreachable,
                _ => Failure::Failed,
            };
            coded(failure, format!("stopped by {error}; the same command goes on from here"))
        }
    }
}

/// Shows how far it is, on a terminal.
fn teller(bar: ProgressBar) -> impl Fn(Progress) + Send + Sync + 'static {
    let template = "{msg:9} {bar:16.yellow/dim} {pos:>7} of {len} accounts  {prefix}";
    bar.set_style(print::bar_style(template));
    let sessions = std::sync::atomic::AtomicU64::new(0);
    move |progress| match progress {
        Progress::Begun(depth, accounts) => {
            sessions.store(0, std::sync::atomic::Ordering::Relaxed);
            bar.set_length(accounts);
            bar.set_position(0);
            bar.set_prefix("");
            bar.set_message(match depth {
                Depth::Look => "looking",
                Depth::Move => "moving",
                Depth::Verify => "verifying",
            });
        }
        Progress::Account => bar.inc(1),
        Progress::Sessions(more) => {
            let all = sessions.fetch_add(more, std::sync::atomic::Ordering::Relaxed) + more;
            bar.set_prefix(format!("{all} session records"));
        }
    }
}

fn is_equal(report: &Report) -> bool {
    report.verified.as_ref().is_none_or(Tally::is_moved)
}

fn unbalanced(report: &Report) -> u64 {
    report.verified.as_ref().map_or(0, |tally| tally.unbalanced)
}

fn verdict(report: &Report) -> anyhow::Result<()> {
    if !is_equal(report) {
        return Err(coded(Failure::Unbalanced, "the stores are not equal"));
    }
    match unbalanced(report) {
        0 => Ok(()),
        accounts => Err(coded(Failure::Unbalanced, format!("the books of {accounts} accounts do not balance"))),
    }
}

fn as_json(report: &Report, from: &str, to: &str, mode: Mode, seconds: f64) -> serde_json::Value {
    let mode = match mode {
        Mode::Run => "run",
        Mode::DryRun => "dry_run",
        Mode::VerifyOnly => "verify_only",
    };
    json!({
        "from": from,
        "to": to,
        "mode": mode,
        "continued": report.continued,
        "equal": report.verified.as_ref().map(Tally::is_moved),
        "unbalanced_accounts": report.verified.as_ref().map(|tally| tally.unbalanced),
        "seconds": (seconds * 1_000.0).round() / 1_000.0,
        "looked": report.looked,
        "moved": report.moved,
        "verified": report.verified,
    })
}

fn show(report: &Report, from: &str, to: &str, mode: Mode, seconds: f64) {
    println!("{from}  ->  {to}");
    match (&report.looked, &report.moved, &report.verified) {
        (_, Some(moved), Some(verified)) => {
            let mut table = print::table(&["", "in the source", "moved", "replaced", "left out", "in the target", ""]);
            for kind in KINDS {
                let (moved, verified) = (moved.get(kind), verified.get(kind));
                let cells = [verified.source, moved.missing, moved.differing, verified.left_out, verified.target()];
                table.add_row(row(kind, &cells, Some(verdict_of(verified))));
            }
            println!("{table}");
        }
        (_, _, Some(verified)) => {
            let head = ["", "in the source", "in the target", "equal", "missing", "different", "only there", ""];
            let mut table = print::table(&head);
            for kind in KINDS {
                let count = verified.get(kind);
                let cells = [count.source, count.target(), count.same, count.missing, count.differing, count.extra];
                table.add_row(row(kind, &cells, Some(verdict_of(count))));
            }
            println!("{table}");
        }
        (Some(looked), ..) => {
            let mut table = print::table(&["", "in the source", "to move", "to replace", "there already", "left out"]);
            // What belongs to an account goes with it, and is not counted before.
            for kind in KINDS.into_iter().filter(|kind| looked.counts.contains_key(kind)) {
                let count = looked.get(kind);
                table.add_row(row(
                    kind,
                    &[count.source, count.missing, count.differing, count.same, count.left_out],
                    None,
                ));
            }
            println!("{table}");
        }
        _ => {}
    }
    let Some(verified) = &report.verified else {
        println!("Nothing stands against it. Nothing was written.");
        return;
    };
    for note in &verified.notes {
        println!("  {note}");
    }
    if verified.noted > verified.notes.len() as u64 {
        println!("  … {} differences in all", verified.noted);
    }
    let accounts = verified.get(Kind::Accounts).source;
    let entries = verified.get(Kind::JournalEntries).source;
    if !verified.is_moved() {
        println!("NOT EQUAL.");
        if mode == Mode::Run {
            println!("No node starts on the target before a migration into it has succeeded.");
        }
    } else if unbalanced(report) > 0 {
        println!(
            "Equal, and the books of {} accounts do not balance: `footlight audit` names them.",
            unbalanced(report)
        );
    } else {
        let has_moved = |moved: &Tally| moved.counts.values().any(|count| count.missing + count.differing > 0);
        let done = match (&report.moved, report.continued) {
            (Some(_), true) => "Moved (an earlier run was continued)",
            (Some(moved), false) if has_moved(moved) => "Moved",
            (Some(_), false) => "Nothing was left to move; compared",
            (None, _) => "Compared",
        };
        println!(
            "{done} in {seconds:.1} s: {accounts} accounts are equal, their {entries} journal entries one by one; both audits \
             are the same and balance."
        );
    }
}

fn verdict_of(count: Count) -> String {
    if count.missing + count.differing == 0 { "equal".to_owned() } else { "NOT EQUAL".to_owned() }
}

fn row(kind: Kind, cells: &[u64], last: Option<String>) -> Vec<String> {
    let cells = cells.iter().map(ToString::to_string);
    [kind.title().to_owned()].into_iter().chain(cells).chain(last).collect()
}
