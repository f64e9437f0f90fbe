//! One seed, from the start of its servers to its last audit.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::aftermath::{self, Found};
use super::faults::{Faults, Lag};
use super::history::{Event, Harm, Harmed, History, SessionSeen, TopUp};
use super::load::{Begun, Load};
use super::nodes::{LEASE, Nodes};
use super::observer::{Observed, Observer};
use super::report::Report;
use super::schedule::Schedule;
use super::store::Store;
use super::world::World;
use crate::Client;

/// What one account has from the beginning, and the other, in microcredits.
const FIRST_CREDITS: [i64; 2] = [500_000_000, 1_000_000];
/// After its start a node gives nobody up for a lease and ten seconds: faults begin when that is over.
const QUARANTINE: Duration = LEASE.saturating_add(Duration::from_secs(10));
/// How long top-ups may take to be given once everything is whole.
const GIVEN_WITHIN: Duration = Duration::from_secs(30);
/// How long the Sentinel takes at most to choose another master.
const FAILS_OVER_IN: Duration = Duration::from_secs(5);
/// What is still on its way to viewers arrives.
const ARRIVES_IN: Duration = Duration::from_millis(500);

/// What to run, and on what.
#[derive(Debug, Clone)]
pub struct Run {
    /// The seed's schedule.
    pub schedule: Schedule,
    /// Sessions that speak at once.
    pub sessions: usize,
    /// The node's binary.
    pub binary: PathBuf,
    /// Whether this process is in a namespace of its own; `Err` says why not.
    pub enclosed: Result<(), String>,
    /// Where logs go.
    pub logs: PathBuf,
}

impl Run {
    /// Does it.
    ///
    /// # Errors
    /// When something cannot be started, or read at the end.
    pub async fn execute(self) -> anyhow::Result<Report> {
        let world = if self.enclosed.is_ok() { World::enclosed()? } else { World::loopback() };
        std::fs::create_dir_all(&self.logs)?;
        let store = Arc::new(Store::start(&world, self.schedule.store).await?);
        let nodes = Arc::new(Nodes::start(&world, &store, &self.schedule, &self.logs, &self.binary).await?);
        let began = Instant::now();
        let lag = Lag::start();
        let observer = Arc::new(Observer::start(store.whereabouts(), nodes.count(), began));
        let (accounts, mut top_ups) = open_accounts(&nodes).await?;

        let load = Load::new(Arc::clone(&nodes), Arc::clone(&observer), accounts, began);
        let seed = self.schedule.seed;
        let speaking: Vec<_> =
            (0..self.sessions).map(|number| tokio::spawn(Arc::clone(&load).speak(number, seed))).collect();
        let buying = tokio::spawn(Arc::clone(&load).top_up(seed));
        tokio::time::sleep(QUARANTINE).await;

        let faults = Faults::new(Arc::clone(&nodes), Arc::clone(&store), world.has_namespaces, began);
        faults.make(&self.schedule).await;
        let whole = aftermath::wait_until_whole(&nodes).await;
        let whole_after = began.elapsed();
        load.end();
        let _ = join_all(speaking).await;
        let given = tokio::time::timeout(GIVEN_WITHIN, buying).await;
        let found = aftermath::settle(&nodes, &load.accounts).await?;
        tokio::time::sleep(ARRIVES_IN).await;

        let mut log = faults.take();
        log.events.push(Event { at: whole_after, what: "the nodes see each other again".to_owned() });
        log.troubles.extend(whole.err().map(|error| format!("{error:#}")));
        log.troubles.extend(given.err().map(|_| format!("top-ups were not given within {GIVEN_WITHIN:?}")));
        log.troubles.extend(nodes.dead().await.iter().map(|place| format!("n{} ended by itself", place + 1)));
        for moment in store.fail_overs() {
            let at = moment.saturating_duration_since(began);
            log.events.push(Event { at, what: "the Sentinel names another master".to_owned() });
            let from = at.saturating_sub(FAILS_OVER_IN);
            log.harms.push(Harmed { node: None, harm: Harm::FailOver, from, until: at });
        }
        log.events.sort_by_key(|event| event.at);
        let observed = observer.take();
        top_ups.extend(load.seen().top_ups.iter().cloned());
        let mut history = History {
            lease: LEASE,
            lag: lag.worst(),
            settled_after: found.settled_after,
            events: log.events,
            harms: log.harms,
            flushes: log.flushes,
            troubles: log.troubles,
            store_away: observed.away.clone(),
            leases: observed.leases.clone(),
            top_ups,
            ..History::default()
        };
        gather(&mut history, &load, &observed, found);
        let cannot = nodes.cannot.iter().cloned();
        let cannot = cannot.chain(self.enclosed.err().map(|why| format!("no partitions and slow links: {why}")));
        Ok(Report::of(self.schedule, history, cannot.collect()))
    }
}

async fn open_accounts(nodes: &Nodes) -> anyhow::Result<(Vec<Client>, Vec<TopUp>)> {
    let operator = nodes.operator(0);
    let mut accounts = Vec::new();
    let mut top_ups = Vec::new();
    for (account, amount) in FIRST_CREDITS.into_iter().enumerate() {
        let (id, secret) = operator.open_account(None).await?;
        operator.grant(&id, &(amount / 1_000_000).to_string(), "first").await?;
        accounts.push(Client::new(&nodes.urls[0], &id, &secret));
        top_ups.push(TopUp { account, name: "first".to_owned(), amount, acknowledged: true });
    }
    Ok((accounts, top_ups))
}

/// Puts together what viewers received, what the observer saw, and what was found at the end.
fn gather(history: &mut History, load: &Load, observed: &Observed, found: Found) {
    for Begun { id, at, account, viewer } in &load.seen().sessions {
        let owners = observed.owners.get(id).cloned().unwrap_or_default();
        let frames = viewer.frames(&owners, &history.harms);
        let seen = SessionSeen { account: *account, begun: *at, acknowledged: true, owners, frames, end: None };
        history.sessions.insert(id.clone(), seen);
    }
    for (id, (account, end)) in found.sessions {
        let Some(place) = found.accounts.iter().position(|other| other.id == account) else { continue };
        // Creates that were never answered may have been done: such sessions had no viewer.
        let seen = history.sessions.entry(id).or_insert(SessionSeen { account: place, ..SessionSeen::default() });
        seen.end = Some(end);
    }
    history.accounts = found.accounts;
    history.audits = found.audits;
    history.troubles.extend(found.troubles);
}
