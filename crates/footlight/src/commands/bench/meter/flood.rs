//! Heartbeats as fast as they are taken, beside what the bare store commits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use footlight_ledger::{AccountId, Ask, BootId, Command, SessionId, Timestamp, Touched};
use footlight_store::{Commit, CommitOutcome, LedgerDesk, Loaded, Store, Version};
use uuid::Uuid;

use super::crowd::{begin, essence_at_25_fps, expect_all, open_accounts};
use super::{Flooded, per_second};
use crate::assembly::{now, terms};
use crate::settings::Settings;

/// Sessions of the flood: enough to fill batches, few enough to begin quickly.
const SESSIONS_MAX: usize = 20_000;
/// How long each half is measured.
const TIME: Duration = Duration::from_secs(8);
/// Frames between two heartbeats of a session.
const FRAMES: u64 = 25;

/// Measures the desk and the bare store, one after the other, on sessions of their own.
pub(super) async fn flood(
    settings: &Settings,
    desk: &LedgerDesk,
    store: &Arc<dyn Store>,
    sessions: usize,
    accounts: usize,
) -> anyhow::Result<Flooded> {
    let sessions = sessions.min(SESSIONS_MAX);
    let accounts = accounts.min(sessions);
    let pricing = essence_at_25_fps(settings)?;
    let opened = open_accounts(settings, desk, accounts).await?;
    let owners = begin(desk, &opened, sessions, pricing, BootId(Uuid::now_v7())).await?;

    let mut number = 0;
    let since = Instant::now();
    let mut settled = 0;
    while since.elapsed() < TIME {
        number += 1;
        let beats = owners.iter().map(|(session, account)| (*account, beat(*session, number))).collect();
        expect_all(desk.submit_many(beats).await)?;
        settled += owners.len();
    }
    let settled_per_second = per_second(settled, since);

    let mut bare = Bare::open(settings, store, &opened, &owners).await?;
    let (mut commits, mut heartbeats, mut taken) = (0, 0, Duration::ZERO);
    while taken < TIME {
        number += 1;
        let round = bare.round(number);
        let count = round.len();
        let since = Instant::now();
        let outcomes = store.commit(round).await;
        taken += since.elapsed();
        for outcome in outcomes {
            anyhow::ensure!(
                matches!(outcome?, CommitOutcome::Committed(_)),
                "somebody else writes to this bench's accounts"
            );
        }
        commits += count;
        heartbeats += owners.len();
    }
    let bare_heartbeats_per_second = heartbeats as f64 / taken.as_secs_f64();
    Ok(Flooded {
        sessions,
        accounts,
        settled_per_second,
        bare_commits_per_second: commits as f64 / taken.as_secs_f64(),
        bare_heartbeats_per_second,
        share_of_bare: settled_per_second / bare_heartbeats_per_second,
    })
}

fn beat(session: SessionId, number: u64) -> Command {
    Command::Heartbeat { session, epoch: 1, number, units: (number - 1) * FRAMES, ask: Ask::Slice }
}

/// The store without the desk: commits are made beforehand, and only writing them is timed.
struct Bare {
    accounts: BTreeMap<AccountId, (Loaded, Vec<SessionId>)>,
    terms: footlight_ledger::Terms,
}

impl Bare {
    async fn open(
        settings: &Settings,
        store: &Arc<dyn Store>,
        accounts: &[AccountId],
        owners: &[(SessionId, AccountId)],
    ) -> anyhow::Result<Self> {
        let mut sessions: BTreeMap<AccountId, Vec<SessionId>> = BTreeMap::new();
        for (session, account) in owners {
            sessions.entry(*account).or_default().push(*session);
        }
        let mut opened = BTreeMap::new();
        for account in accounts {
            let sessions = sessions.remove(account).unwrap_or_default();
            let touched = Touched { sessions: sessions.clone(), ..Touched::default() };
            let loaded = store.load_account(*account, &touched).await?.context("an account of this bench is gone")?;
            opened.insert(*account, (loaded, sessions));
        }
        Ok(Self { accounts: opened, terms: terms(settings) })
    }

    /// The next heartbeat of every session: one commit an account.
    fn round(&mut self, number: u64) -> Vec<Commit> {
        let at: Timestamp = now();
        let terms = self.terms;
        let commits = self.accounts.values_mut().map(|(loaded, sessions)| {
            for session in sessions {
                let _ = loaded.books.apply(&terms, at, &beat(*session, number));
            }
            let expected = loaded.version;
            loaded.version = Version { counter: expected.counter + 1, commit: rand::random() };
            Commit {
                expected: Some(expected),
                next: loaded.version,
                recent: Vec::new(),
                now: at,
                changes: loaded.books.take_changes(),
                touched: Touched::default(),
                due: Vec::new(),
                durable: false,
                available_rose: false,
            }
        });
        commits.collect()
    }
}
