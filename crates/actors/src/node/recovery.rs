//! What a crash left: sessions are settled at what was proved, and end as `node_lost`.
//!
//! The same after a panic that ended the process, `kill -9`, or a power cut. What was proved is the later of the last
//! heartbeat, which the account has, and the progress record, which is at most two seconds old.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use footlight_ledger::{
    AccountId, BootId, Command, EndReason, Microcredits, Outcome, Refusal, SessionId, Tab, TabState, Timestamp,
    Touched, Units,
};
use footlight_session::{Heirloom, Inherited, SessionChange, SessionRecord};
use footlight_store::StoreError;
use footlight_store::progress::{Progress, ProgressEntry, ProgressWriter, recover_from_store};
use tokio::time::Instant;

use super::NodeParts;
use crate::NodeError;
use crate::metrics::Metrics;
use crate::{announce, speech};

/// The pause between tries while the store does not answer.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// One session of a former run.
#[derive(Debug, Clone, Copy)]
struct Found {
    account: AccountId,
    /// Units that the progress record proves, and the epoch they were counted in.
    proved: Units,
    epoch: u32,
}

/// How a session of a former run ended, as its account tells it.
#[derive(Debug, Clone, Copy)]
struct Settled {
    reason: EndReason,
    units: Units,
    charged: Microcredits,
    epoch: u32,
}

/// What one try came to.
#[derive(Default)]
struct Recovered {
    /// Sessions whose accounts say how they ended.
    settled: HashMap<SessionId, Settled>,
    /// How many of them were ended now, and not before.
    count: u64,
    /// Sessions that could not be settled, and why. What is known of them is kept for the next start.
    skipped: HashMap<SessionId, String>,
    /// Sessions that go on: their engines are elsewhere.
    engines: Vec<SessionRecord>,
    /// Sessions that go on if somebody adopts them.
    heirlooms: Vec<Heirloom>,
}

/// What former runs left that is not over.
pub(super) struct Left {
    /// Sessions whose engines are elsewhere.
    pub(super) engines: Vec<SessionRecord>,
    /// Sessions that somebody is to adopt, where they are not ended.
    pub(super) heirlooms: Vec<Heirloom>,
}

/// Settles and ends what former runs of this node left, unless its options leave that to heirs, and answers what goes on: the
/// sessions whose engines are elsewhere did not crash with it. A store that is away stops the start; an account that is missing
/// or unreadable stops nothing but its own sessions.
pub(super) async fn recover(parts: &NodeParts, boot: BootId, metrics: &Metrics) -> Result<Left, NodeError> {
    let until = Instant::now() + parts.options.recovery_patience;
    loop {
        match try_recover(parts, boot).await {
            Ok(recovered) => {
                for (session, why) in &recovered.skipped {
                    tracing::error!(%session, why, "a session of a former run could not be settled; its progress is kept");
                }
                if recovered.count > 0 {
                    metrics.recovered.inc_by(recovered.count);
                    tracing::info!(sessions = recovered.count, "sessions of a former run were settled and ended");
                }
                return Ok(Left { engines: recovered.engines, heirlooms: recovered.heirlooms });
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
async fn try_recover(parts: &NodeParts, boot: BootId) -> Result<Recovered, StoreError> {
    let former = ProgressWriter::recover(&parts.data_dir, boot)?;
    let orphans = match parts.store.list_orphans(&parts.options.name, boot).await {
        Err(error @ StoreError::Corrupt { .. }) => {
            tracing::error!(%error, "not every record of a former run can be read; the progress record is gone by alone");
            Vec::new()
        }
        orphans => orphans?,
    };
    let (engines, orphans): (Vec<_>, Vec<_>) = orphans.into_iter().partition(|record| record.product.is_remote());
    if !parts.options.ends_orphans {
        let heirlooms = heirlooms(parts, &former, orphans).await?;
        return Ok(Recovered { engines, heirlooms, ..Recovered::default() });
    }
    let of_record = |account| Found { account, proved: 0, epoch: 0 };
    let mut left: HashMap<SessionId, Found> =
        orphans.iter().map(|record| (record.id, of_record(record.account))).collect();
    for (former_boot, entry) in former.iter().flat_map(|(boot, progress)| progress.iter().map(move |it| (*boot, it))) {
        if !left.contains_key(&entry.session) && belongs_to_another(parts, entry.session, former_boot).await? {
            continue;
        }
        let found = left.entry(entry.session).or_insert(of_record(entry.account));
        if entry.units >= found.proved {
            (found.proved, found.epoch) = (entry.units, entry.epoch);
        }
    }
    let mut recovered = settle(parts, boot, &left).await?;
    recovered.engines = engines;
    let mut over = Vec::new();
    for record in orphans {
        if recovered.skipped.contains_key(&record.id) {
            continue;
        }
        parts.announcer.session(SessionChange::Started, record.clone());
        let settled = recovered.settled.get(&record.id);
        let record = ended(parts, record, settled);
        parts.announcer.session(SessionChange::Ended, record.clone());
        over.push(record);
    }
    announce::written(&*parts.announcer).await;
    for record in over {
        let (session, account) = (record.id, record.account);
        recovered.or_skip(session, parts.store.put_session(record).await)?;
        recovered.or_skip(session, speech::discard(&*parts.store, account, session).await)?;
    }
    for (former_boot, progress) in &former {
        if !progress.iter().any(|entry| recovered.skipped.contains_key(&entry.session)) {
            ProgressWriter::forget(&parts.data_dir, *former_boot)?;
        }
    }
    Ok(recovered)
}

impl Recovered {
    /// The result, unless the store said no to this one session: then the session is skipped. A store that is away stops
    /// everything.
    fn or_skip<T>(&mut self, session: SessionId, result: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_transport() => Err(error),
            Err(error) => {
                self.skipped.insert(session, error.to_string());
                Ok(None)
            }
        }
    }
}

/// Whether a session that a progress file names went on at another node, or in another run: it is not ours to end.
async fn belongs_to_another(parts: &NodeParts, session: SessionId, former_boot: BootId) -> Result<bool, StoreError> {
    match parts.store.get_session(session).await {
        Ok(record) => Ok(record.is_some_and(|record| record.boot != former_boot)),
        Err(error) if error.is_transport() => Err(error),
        // Its account decides.
        Err(_) => Ok(false),
    }
}

/// What is to be adopted, with what the progress files prove, or, where those are gone, what was mirrored.
async fn heirlooms(
    parts: &NodeParts,
    former: &[(BootId, Progress)],
    orphans: Vec<SessionRecord>,
) -> Result<Vec<Heirloom>, StoreError> {
    let mut mirrored: HashMap<BootId, Progress> = HashMap::new();
    let mut heirlooms = Vec::new();
    for record in orphans {
        let mirrored = match mirrored.entry(record.boot) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unread) => unread.insert(recover_from_store(&*parts.store, record.boot).await?),
        };
        let of_file = former.iter().filter(|(boot, _)| *boot == record.boot).flat_map(|(_, progress)| progress);
        let entries = of_file.chain(mirrored.iter());
        let is_its = |entry: &&ProgressEntry| entry.session == record.id && entry.epoch == record.epoch;
        let proved = entries.filter(is_its).map(|entry| entry.units).max().unwrap_or(record.units);
        heirlooms.push(Heirloom { record, proved, why: Inherited::NodeLost });
    }
    Ok(heirlooms)
}

async fn settle(parts: &NodeParts, boot: BootId, left: &HashMap<SessionId, Found>) -> Result<Recovered, StoreError> {
    let sessions: Vec<(SessionId, Found)> = left.iter().map(|(session, left)| (*session, *left)).collect();
    // Taking over settles at what was proved, and fences the run that is gone, should it not be.
    let take_over = sessions.iter().map(|(session, left)| {
        (left.account, Command::TakeOver { session: *session, owner: boot, proved: left.proved })
    });
    let taken = parts.desk.submit_many(take_over.collect()).await;
    let mut recovered = Recovered::default();
    let mut ending = Vec::new();
    for ((session, left), outcome) in sessions.into_iter().zip(taken) {
        let Some(outcome) = recovered.or_skip(session, outcome)? else { continue };
        match outcome {
            Outcome::TakenOver { epoch, base } => {
                let (number, reason) = (1, EndReason::NodeLost);
                let end = Command::EndSession { session, epoch, number, units: base, reason };
                ending.push((session, reason, left.account, epoch, end));
            }
            Outcome::Refused(Refusal::SessionEnded { reason }) => {
                let Some(tab) = recovered.or_skip(session, tab(parts, left.account, session).await)?.flatten() else {
                    continue;
                };
                let settled = Settled { reason, units: tab.settled_units, charged: tab.charged, epoch: tab.epoch };
                recovered.settled.insert(session, settled);
                if let Some(late) = late_report(&tab, &left, (parts.clock)()) {
                    ending.push((session, reason, left.account, tab.epoch, late));
                }
            }
            // The account never heard of it: it crashed between the two writes, and used nothing.
            Outcome::Refused(Refusal::UnknownSession) => {}
            outcome => {
                recovered.skipped.insert(session, format!("it could not be taken over: {outcome:?}"));
            }
        }
    }
    let commands = ending.iter().map(|(_, _, account, _, command)| (*account, command.clone())).collect();
    let outcomes = parts.desk.submit_many(commands).await;
    for ((session, reason, _, epoch, _), outcome) in ending.into_iter().zip(outcomes) {
        match recovered.or_skip(session, outcome)? {
            Some(Outcome::Ended(answer)) => {
                let (units, charged) = (answer.settled_units, answer.charged);
                recovered.count += 1;
                recovered.settled.insert(session, Settled { reason, units, charged, epoch });
            }
            // Its time for late reports has just passed.
            Some(Outcome::Refused(Refusal::SessionEnded { .. })) | None => {}
            Some(outcome) => {
                recovered.skipped.insert(session, format!("it could not be ended: {outcome:?}"));
            }
        }
    }
    Ok(recovered)
}

/// The last report of a session that was ended while its node was gone, if it proves more than is settled and the account
/// still takes it.
fn late_report(tab: &Tab, left: &Found, now: Timestamp) -> Option<Command> {
    let TabState::Ended { reason, late_until, .. } = tab.state else { return None };
    (left.proved > tab.settled_units && left.epoch == tab.epoch && now < late_until).then(|| Command::EndSession {
        session: tab.session,
        epoch: tab.epoch,
        number: tab.last_number + 1,
        units: left.proved,
        reason,
    })
}

async fn tab(parts: &NodeParts, account: AccountId, session: SessionId) -> Result<Option<Tab>, StoreError> {
    let touched = Touched { sessions: vec![session], ..Touched::default() };
    Ok(parts.desk.inspect(account, touched).await?.and_then(|mut books| books.tabs.remove(&session)))
}

fn ended(parts: &NodeParts, mut record: SessionRecord, settled: Option<&Settled>) -> SessionRecord {
    record.end((parts.clock)(), settled.map_or(EndReason::NodeLost, |settled| settled.reason));
    if let Some(Settled { units, charged, epoch, .. }) = settled {
        record.units = *units;
        record.credits_used = *charged;
        // So that the run that is gone, should it not be, writes no other.
        record.epoch = record.epoch.max(*epoch);
    }
    record
}
