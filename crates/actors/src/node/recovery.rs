//! What a crash left: sessions are settled at what was proved, and end as `node_lost`.
//!
//! The same after a panic that ended the process, `kill -9`, or a power cut. What was proved is the later of the last
//! heartbeat, which the account has, and the progress record, which is at most two seconds old.

use std::collections::HashMap;
use std::time::Duration;

use footlight_ledger::{
    AccountId, BootId, Command, EndReason, Outcome, Refusal, SessionId, SliceAnswer, Tab, Touched, Units,
};
use footlight_session::{SessionRecord, SessionState};
use footlight_store::StoreError;
use footlight_store::progress::ProgressWriter;
use tokio::time::Instant;

use super::NodeParts;
use crate::NodeError;
use crate::metrics::Metrics;

/// The pause between tries while the store does not answer.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// One session of a former run.
#[derive(Debug, Clone, Copy)]
struct Left {
    account: AccountId,
    /// Units that the progress record proves.
    proved: Units,
}

/// Settles and ends what former runs of this node left.
pub(super) async fn recover(parts: &NodeParts, boot: BootId, metrics: &Metrics) -> Result<(), NodeError> {
    let until = Instant::now() + parts.options.recovery_patience;
    loop {
        match try_recover(parts, boot).await {
            Ok(0) => return Ok(()),
            Ok(count) => {
                metrics.recovered.inc_by(count);
                tracing::info!(sessions = count, "sessions of a former run were settled and ended");
                return Ok(());
            }
            Err(error) if error.is_transport() && Instant::now() < until => {
                tracing::warn!(%error, "recovery waits for the store");
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Every step may be repeated: taking over is idempotent by owner, ending by number, and records are simply written.
async fn try_recover(parts: &NodeParts, boot: BootId) -> Result<u64, StoreError> {
    let former = ProgressWriter::recover(&parts.data_dir, boot)?;
    let orphans = parts.store.list_orphans(&parts.options.name, boot).await?;
    let mut left: HashMap<SessionId, Left> =
        orphans.iter().map(|record| (record.id, Left { account: record.account, proved: 0 })).collect();
    for entry in former.iter().flat_map(|(_, progress)| progress) {
        let found = left.entry(entry.session).or_insert(Left { account: entry.account, proved: 0 });
        found.proved = found.proved.max(entry.units);
    }
    let settled = settle(parts, boot, &left).await?;
    for record in orphans {
        let answer = settled.get(&record.id);
        parts.store.put_session(ended(parts, record, answer)).await?;
    }
    for (former_boot, _) in &former {
        ProgressWriter::forget(&parts.data_dir, *former_boot)?;
    }
    Ok(left.len() as u64)
}

/// How a session of a former run ended, if its account knows it.
enum Settled {
    Now(SliceAnswer),
    /// Its last settlement was written and its record was not.
    Before(Tab, EndReason),
}

async fn settle(
    parts: &NodeParts,
    boot: BootId,
    left: &HashMap<SessionId, Left>,
) -> Result<HashMap<SessionId, Settled>, StoreError> {
    let sessions: Vec<(SessionId, Left)> = left.iter().map(|(session, left)| (*session, *left)).collect();
    // Taking over settles at what was proved, and fences the run that is gone, should it not be.
    let take_over = sessions.iter().map(|(session, left)| {
        (left.account, Command::TakeOver { session: *session, owner: boot, proved: left.proved })
    });
    let taken = parts.desk.submit_many(take_over.collect()).await;
    let mut settled = HashMap::new();
    let mut ending = Vec::new();
    for ((session, left), outcome) in sessions.into_iter().zip(taken) {
        match outcome? {
            Outcome::TakenOver { epoch, base } => {
                let (number, reason) = (1, EndReason::NodeLost);
                ending.push((
                    session,
                    left.account,
                    Command::EndSession { session, epoch, number, units: base, reason },
                ));
            }
            Outcome::Refused(Refusal::SessionEnded { reason }) => {
                let touched = Touched { sessions: vec![session], ..Touched::default() };
                let books = parts.desk.inspect(left.account, touched).await?;
                if let Some(tab) = books.and_then(|mut books| books.tabs.remove(&session)) {
                    settled.insert(session, Settled::Before(tab, reason));
                }
            }
            // The account never heard of it: it crashed between the two writes, and used nothing.
            Outcome::Refused(Refusal::UnknownSession) => {}
            outcome => tracing::error!(%session, ?outcome, "a session of a former run could not be taken over"),
        }
    }
    let commands = ending.iter().map(|(_, account, command)| (*account, command.clone())).collect();
    let outcomes = parts.desk.submit_many(commands).await;
    for ((session, ..), outcome) in ending.into_iter().zip(outcomes) {
        match outcome? {
            Outcome::Ended(answer) => {
                settled.insert(session, Settled::Now(answer));
            }
            outcome => tracing::error!(%session, ?outcome, "a session of a former run could not be ended"),
        }
    }
    Ok(settled)
}

fn ended(parts: &NodeParts, mut record: SessionRecord, settled: Option<&Settled>) -> SessionRecord {
    record.state = SessionState::Ended;
    record.pause_reasons.clear();
    record.ended_at = Some((parts.clock)());
    record.end_reason = Some(EndReason::NodeLost);
    match settled {
        Some(Settled::Now(answer)) => {
            record.units = answer.settled_units;
            record.credits_used = answer.charged;
        }
        Some(Settled::Before(tab, reason)) => {
            record.end_reason = Some(*reason);
            record.units = tab.settled_units;
            record.credits_used = tab.charged;
        }
        None => {}
    }
    record
}
