//! What a node does unasked: watch the store, sweep, look for revoked secrets, and feel its own pulse.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use footlight_ledger::{
    AccountId, Command, JobId, Outcome, PauseReason, SecretId, SessionId, TabState, Timestamp, Touched, Units,
};
use footlight_session::{SessionChange, SessionState};
use footlight_store::{SessionPut, StoreError};
use tokio::time::{Instant, sleep, timeout};

use super::Inner;
use crate::{announce, speech};

/// How often the store is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(1);
/// How long it may take to answer that.
const PING_PATIENCE: Duration = Duration::from_secs(2);
/// How often each thread that carries actors is timed.
const PULSE_EVERY: Duration = Duration::from_millis(250);
/// Overdue sessions ended in one go.
const SWEEP_AT_ONCE: usize = 256;

/// Starts the chores; each ends when the node is gone.
pub(super) fn start(node: &Arc<Inner>) {
    tokio::spawn(watch_store(Arc::downgrade(node)));
    tokio::spawn(look_for_revoked_secrets(Arc::downgrade(node)));
    tokio::spawn(super::engines::watch(Arc::downgrade(node)));
    tokio::spawn(time_the_meter(Arc::downgrade(node)));
    let options = &node.parts.options;
    if let Some(kept) = options.journal_kept {
        tokio::spawn(super::trimming::trim_journals(Arc::downgrade(node), kept, options.trim_every));
    }
    for arbiter in node.arbiters.of_sessions() {
        arbiter.spawn(feel_pulse(Arc::downgrade(node)));
    }
}

/// A clock that went so much further than this node lived was set, or the machine slept.
const CLOCK_STEP_MIN: Duration = Duration::from_secs(10);

/// Asks the store every second, turns readiness, wakes the meter when it is back, and sweeps while it is there.
async fn watch_store(node: Weak<Inner>) {
    let mut up_since = Instant::now();
    let mut swept_at = Instant::now();
    let mut round: Option<(Instant, Timestamp)> = None;
    let mut untold = Untold::new();
    loop {
        sleep(PING_EVERY).await;
        let Some(node) = node.upgrade() else { return };
        let (instant, wall) = (Instant::now(), (node.parts.clock)());
        if let Some((former_instant, former_wall)) = round.replace((instant, wall))
            && has_stepped(instant - former_instant, former_wall, wall)
        {
            tracing::warn!("the clock was set forward, or the machine slept; nobody is given up for a while");
            up_since = instant;
        }
        let answer = timeout(PING_PATIENCE, node.parts.store.ping()).await;
        let answer = answer.unwrap_or_else(|_| Err(StoreError::unreachable("it did not answer in time")));
        let is_up = answer.is_ok();
        let was_up = node.store_up.swap(is_up, Ordering::AcqRel);
        node.metrics.store_up.set(i64::from(is_up));
        match answer {
            Ok(()) if !was_up => {
                tracing::info!("the store answers again");
                up_since = Instant::now();
                node.meter.store_came_back();
            }
            Ok(()) => {}
            Err(error) => {
                node.metrics.store_failed(&error);
                if was_up {
                    tracing::warn!(%error, "the store cannot be used; sessions go on inside their grace");
                }
            }
        }
        // After an outage or a start everybody gets the time to be heard again before anybody is given up.
        let terms = &node.parts.terms;
        let quarantine = Duration::from_millis(u64::try_from(terms.heartbeat_ms + terms.grace_ms).unwrap_or(u64::MAX));
        let may_act = node.parts.stage.tenure().holds_now();
        if is_up && may_act && up_since.elapsed() >= quarantine && swept_at.elapsed() >= node.parts.options.sweep_every
        {
            swept_at = Instant::now();
            if let Err(error) = sweep(&node, &mut untold).await {
                node.metrics.store_failed(&error);
                tracing::warn!(%error, "overdue sessions could not be swept; it is tried again");
            }
        }
    }
}

/// Whether between two rounds the wall clock went much further than this node's own time, or the node stood still.
fn has_stepped(lived: Duration, before: Timestamp, now: Timestamp) -> bool {
    let passed = Duration::from_millis(u64::try_from(now.0 - before.0).unwrap_or(0));
    lived > CLOCK_STEP_MIN || passed > lived + CLOCK_STEP_MIN
}

/// Sessions that were swept and whose users have not been told.
type Untold = BTreeMap<AccountId, Vec<SessionId>>;

/// Ends overdue sessions of engines that are gone, settled at what they last reported, and gives back what overdue jobs
/// hold. Whoever could not be told is told before more are ended, so `untold` is never longer than one sweep.
async fn sweep(node: &Inner, untold: &mut Untold) -> Result<(), StoreError> {
    tell_of_swept(node, untold).await?;
    let overdue = node.parts.store.list_overdue((node.parts.clock)(), SWEEP_AT_ONCE).await?;
    let mut by_account: BTreeMap<AccountId, Vec<(SessionId, Units)>> = BTreeMap::new();
    for (account, session) in overdue {
        // What this node makes is not gone, only unheard: its own meter will be.
        if node.cards.get(session).is_none_or(|card| card.engine().is_some()) {
            by_account.entry(account).or_default().push((session, 0));
        }
    }
    let mut jobs_by_account: BTreeMap<AccountId, Vec<JobId>> = BTreeMap::new();
    for (account, job) in node.parts.store.list_overdue_jobs((node.parts.clock)(), SWEEP_AT_ONCE).await? {
        jobs_by_account.entry(account).or_default().push(job);
    }
    let sessions = by_account.into_iter().map(|(account, sessions)| (account, Command::Sweep { sessions }));
    let jobs = jobs_by_account.into_iter().map(|(account, jobs)| (account, Command::SweepJobs { jobs }));
    let commands: Vec<_> = sessions.chain(jobs).collect();
    let accounts: Vec<AccountId> = commands.iter().map(|(account, _)| *account).collect();
    let outcomes = node.parts.desk.submit_many(commands).await;
    let mut failed = None;
    for (account, outcome) in accounts.into_iter().zip(outcomes) {
        match outcome {
            Ok(Outcome::Swept { ended }) => {
                node.metrics.swept.inc_by(ended.len() as u64);
                if !ended.is_empty() {
                    untold.entry(account).or_default().extend(ended);
                }
            }
            Ok(_) => {}
            // One account that cannot be swept must not keep the others from being told about.
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed = failed.or(tell_of_swept(node, untold).await.err());
    failed.map_or(Ok(()), Err)
}

/// Tells all that can be told. Those whom only the store's absence kept from it stay in `untold`.
async fn tell_of_swept(node: &Inner, untold: &mut Untold) -> Result<(), StoreError> {
    let mut failed = None;
    for (account, ended) in std::mem::take(untold) {
        if let Err(error) = write_down_swept(node, account, ended.clone()).await {
            if error.is_transport() {
                untold.insert(account, ended);
            }
            failed = failed.or(Some(error));
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Writes down for their users that these sessions are over: the node that would have is gone.
async fn write_down_swept(node: &Inner, account: AccountId, ended: Vec<SessionId>) -> Result<(), StoreError> {
    let touched = Touched { sessions: ended, ..Touched::default() };
    let Some(books) = node.parts.desk.inspect(account, touched).await? else { return Ok(()) };
    for (session, tab) in books.tabs {
        let TabState::Ended { at, reason, .. } = tab.state else { continue };
        if let Some(card) = node.cards.get(session) {
            card.set_reported(tab.settled_units, tab.charged);
            node.end_engine(&card, reason);
            continue;
        }
        let record = node.parts.store.get_session(session).await?;
        if let Some(mut record) = record.filter(|record| record.state != SessionState::Ended) {
            record.end(at, reason);
            record.units = tab.settled_units;
            record.credits_used = tab.charged;
            node.parts.announcer.session(SessionChange::Ended, record.clone());
            announce::written(&*node.parts.announcer).await;
            if node.parts.store.put_session(record).await? == SessionPut::Fenced {
                node.metrics.fenced("record");
            }
            speech::discard(&*node.parts.store, account, session).await?;
        }
    }
    Ok(())
}

/// Once a heartbeat: pauses sessions whose secret was revoked, wherever that happened.
async fn look_for_revoked_secrets(node: Weak<Inner>) {
    loop {
        let Some(heartbeat) = node.upgrade().map(|node| node.parts.terms.heartbeat_ms) else { return };
        sleep(Duration::from_millis(u64::try_from(heartbeat).unwrap_or(0).max(100))).await;
        let Some(node) = node.upgrade() else { return };
        let cards = node.cards.all();
        let accounts: BTreeSet<AccountId> =
            cards.iter().filter(|card| card.secret.is_some()).map(|card| card.account).collect();
        let mut revoked: BTreeSet<SecretId> = BTreeSet::new();
        for account in accounts {
            match node.parts.store.list_secrets(account).await {
                Ok(secrets) => {
                    let now = (node.parts.clock)();
                    revoked.extend(secrets.iter().filter(|it| it.is_revoked(now)).map(|secret| secret.id));
                }
                Err(error) => {
                    // The next heartbeat looks again.
                    node.metrics.store_failed(&error);
                    break;
                }
            }
        }
        // Another node may be going on with them, and looks itself.
        let cards = if node.parts.stage.tenure().holds_now() { cards } else { Vec::new() };
        for card in cards {
            if card.secret.is_some_and(|secret| revoked.contains(&secret)) {
                node.hold(&card, PauseReason::KeyRevoked);
            }
        }
    }
}

/// How long a message waits in the meter's mailbox.
async fn time_the_meter(node: Weak<Inner>) {
    loop {
        sleep(PULSE_EVERY).await;
        let Some((meter, metrics)) = node.upgrade().map(|node| (node.meter.clone(), Arc::clone(&node.metrics))) else {
            return;
        };
        let asked = Instant::now();
        if meter.ping().await.is_err() {
            return;
        }
        metrics.mailbox_wait.observe(asked.elapsed().as_secs_f64());
    }
}

/// How late timers fire on this thread.
async fn feel_pulse(node: Weak<Inner>) {
    loop {
        let due = Instant::now() + PULSE_EVERY;
        tokio::time::sleep_until(due).await;
        let Some(node) = node.upgrade() else { return };
        node.metrics.arbiter_lag.observe(due.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_forward_is_noticed_and_one_that_is_set_back_gives_nobody_up() {
        let second = Duration::from_secs(1);
        let stepped = |lived, ms: i64| has_stepped(lived, Timestamp(50_000), Timestamp(50_000 + ms));
        assert!(!stepped(second, 1_000) && !stepped(second, 9_000) && !stepped(second, -600_000));
        assert!(stepped(second, 420_000), "seven minutes forward");
        assert!(stepped(second * 60, 60_000), "the machine slept");
    }
}
