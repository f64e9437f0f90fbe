//! A whole migration: refuse, look, mark, move, verify, and take the mark away.

use std::sync::Arc;

use footlight_ledger::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::mark::{self, Mark, unfinished};
use super::mover::{Depth, MoveError, Mover, Progress};
use super::tally::Tally;
use crate::{Store, StoreError};

/// How many things that stand in the way are named; the others are only counted.
const STRANGERS_NAMED: usize = 3;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Move, then verify.
    Run,
    /// Look, and say what would be moved.
    DryRun,
    /// Compare everything.
    VerifyOnly,
}

/// What became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// It went on where an earlier run of the same migration was stopped.
    pub continued: bool,
    /// What there was before; `None` when only verified.
    pub looked: Option<Tally>,
    /// What was written, as `missing` (new) and `differing` (replaced); `None` when nothing was to be written.
    pub moved: Option<Tally>,
    /// The comparison at the end; `None` for a dry run.
    pub verified: Option<Tally>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Nothing was written, and nothing should be as things are.
    #[error("{}", .reasons.join("; "))]
    Refused {
        /// Why, and what to do about it.
        reasons: Vec<String>,
    },
    /// It stopped in the middle; run again, it goes on.
    #[error(transparent)]
    Stopped(#[from] MoveError),
}

/// Moves everything from `source` to `target`. Run again, it goes on where it was stopped, or finds everything moved.
/// `source_name` is what later runs and the nodes of the target are told; the same source must have the same name.
///
/// # Errors
/// [`MigrateError`].
pub async fn migrate(
    source: &Arc<dyn Store>,
    target: &Arc<dyn Store>,
    source_name: &str,
    mode: Mode,
    progress: impl Fn(Progress) + Send + Sync + 'static,
) -> Result<Report, MigrateError> {
    let mut reasons = Vec::new();
    disturbances(source, target, &mut reasons).await?;
    let found = unfinished(target.as_ref()).await.map_err(MoveError::Target)?;
    if mode != Mode::VerifyOnly {
        if let Some(mark) = unfinished(source.as_ref()).await.map_err(MoveError::Source)? {
            reasons.push(format!("the source is itself half moved, from {}: finish that first", mark.source));
        }
        if let Some(mark) = found.as_ref().filter(|mark| mark.source != source_name) {
            reasons.push(format!("a migration from {} into the target was not finished: run that again", mark.source));
        }
    }
    refuse(reasons)?;

    let now: Timestamp = target.now().await.map_err(MoveError::Target)?;
    let continued = found.is_some() && mode != Mode::VerifyOnly;
    let mover = Arc::new(Mover {
        source: Arc::clone(source),
        target: Arc::clone(target),
        continues: continued,
        now,
        progress: Box::new(progress),
        one_blob: tokio::sync::Mutex::default(),
    });
    let mut report = Report { continued, looked: None, moved: None, verified: None };
    if mode == Mode::VerifyOnly {
        report.verified = Some(mover.pass(Depth::Verify).await?);
        return Ok(report);
    }

    let looked = mover.pass(Depth::Look).await?;
    refuse(objections(&looked))?;
    report.looked = Some(looked);
    if mode == Mode::DryRun {
        return Ok(report);
    }

    let mark = match found {
        Some(mark) => mark,
        None => begin(source, target, source_name, now).await?,
    };
    report.moved = Some(mover.pass(Depth::Move).await?);
    target.settle().await.map_err(MoveError::Target)?;
    let mut disturbed = Vec::new();
    disturbances(source, target, &mut disturbed).await?;
    if let Some(disturbed) = disturbed.into_iter().next() {
        return Err(MoveError::Disturbed(disturbed).into());
    }
    let verified = mover.pass(Depth::Verify).await?;
    if verified.is_moved() {
        mark::finish(target.as_ref(), &mark).await.map_err(MoveError::Target)?;
        target.settle().await.map_err(MoveError::Target)?;
    }
    report.verified = Some(verified);
    Ok(report)
}

/// Marks the target. A mark that turns up in the source says that both are one store.
async fn begin(
    source: &Arc<dyn Store>,
    target: &Arc<dyn Store>,
    source_name: &str,
    now: Timestamp,
) -> Result<Mark, MigrateError> {
    let mark = Mark { source: source_name.to_owned(), id: Uuid::now_v7(), begun_at: now };
    if !mark::begin(target.as_ref(), &mark).await.map_err(MoveError::Target)? {
        refuse(vec!["another migration into the target has just begun".to_owned()])?;
    }
    if unfinished(source.as_ref()).await.map_err(MoveError::Source)?.is_some_and(|found| found.id == mark.id) {
        mark::finish(target.as_ref(), &mark).await.map_err(MoveError::Target)?;
        refuse(vec!["the source and the target are the same store".to_owned()])?;
    }
    Ok(mark)
}

async fn disturbances(
    source: &Arc<dyn Store>,
    target: &Arc<dyn Store>,
    reasons: &mut Vec<String>,
) -> Result<(), MoveError> {
    let others = |count: u64, which: &str| {
        let who = if count == 1 { "another process has".to_owned() } else { format!("{count} other processes have") };
        (count > 0).then(|| format!("{who} the {which} open: stop every node and command that uses it"))
    };
    for (store, which) in [(source, "source"), (target, "target")] {
        let failed = if which == "source" { MoveError::Source } else { MoveError::Target };
        let nodes = store.list_nodes().await.map_err(failed)?;
        let alive: Vec<_> = nodes.iter().filter(|node| !node.is_lost()).map(|node| node.card.name.as_str()).collect();
        if !alive.is_empty() {
            reasons.push(format!(
                "nodes have leases in the {which}: stop them, or wait for the end of their leases: {}",
                alive.join(", ")
            ));
        }
    }
    let in_source = source.count_others().await.map_err(MoveError::Source)?;
    let in_target = target.count_others().await.map_err(MoveError::Target)?;
    reasons.extend(others(in_source, "source"));
    reasons.extend(others(in_target, "target"));
    if in_source > 0 && in_target > 0 {
        reasons.push("or both are the same store under two addresses".to_owned());
    }
    Ok(())
}

/// What speaks against moving this into that.
fn objections(looked: &Tally) -> Vec<String> {
    let mut reasons = Vec::new();
    let open = looked.open_sessions.max(looked.open_tabs);
    if open > 0 {
        let mut named: Vec<String> = looked.open_named.iter().map(ToString::to_string).collect();
        if !named.is_empty() && open > named.len() as u64 {
            named.push("…".to_owned());
        }
        let named = if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) };
        reasons.push(format!(
            "the source has sessions that have not ended: {open}{named}; start a node on it, which settles what a crash left, \
             end them there, and stop it"
        ));
    }
    if looked.noted > 0 {
        let named = looked.notes.len().min(STRANGERS_NAMED);
        let more = looked.noted - named as u64;
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        reasons.push(format!(
            "the target holds something else, and nothing of it is overwritten; name an empty one: {}{more}",
            looked.notes[..named].join(", ")
        ));
    }
    reasons
}

fn refuse(reasons: Vec<String>) -> Result<(), MigrateError> {
    if reasons.is_empty() { Ok(()) } else { Err(MigrateError::Refused { reasons }) }
}

impl MigrateError {
    /// The store's own error, if that is what stopped it.
    #[must_use]
    pub const fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Stopped(MoveError::Source(error) | MoveError::Target(error)) => Some(error),
            Self::Stopped(MoveError::Disturbed(_)) | Self::Refused { .. } => None,
        }
    }
}
