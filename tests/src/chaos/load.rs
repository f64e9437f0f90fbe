//! Sessions that speak all the time, come and go, and accounts that are topped up, through whichever node answers.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::dice::Dice;
use super::history::TopUp;
use super::nodes::Nodes;
use super::observer::Observer;
use super::viewer::{Viewer, Watched};
use crate::{Client, speech};

/// Seconds of one utterance, and how long before its end the next one is sent.
const UTTERANCE_S: u64 = 6;
const UTTERANCE_EVERY: Duration = Duration::from_millis(UTTERANCE_S * 1_000 - 500);
/// How long a call may take. What is given up on may have been done all the same.
const CALL_WITHIN: Duration = Duration::from_secs(4);
/// The pause after a call that failed.
const AGAIN_AFTER: Duration = Duration::from_millis(300);
/// How long a session lives.
const LIFE_MS: (u64, u64) = (12_000, 45_000);
/// The pause between two top-ups.
const TOP_UP_EVERY: Duration = Duration::from_millis(1_200);
/// Tries at giving one top-up: as many as fit into the longest run.
const TOP_UP_TRIES: usize = 400;

/// Who speaks, and who pays.
#[derive(Debug)]
pub struct Load {
    nodes: Arc<Nodes>,
    observer: Arc<Observer>,
    /// One has plenty, the other little: its sessions pause and go on.
    pub accounts: Vec<Client>,
    began: Instant,
    ended: AtomicBool,
    seen: Mutex<Seen>,
}

/// What the load knows.
#[derive(Debug, Default)]
pub struct Seen {
    /// Sessions that somebody was told of.
    pub sessions: Vec<Begun>,
    /// Credits that were bought.
    pub top_ups: Vec<TopUp>,
}

/// A session whose create was answered.
#[derive(Debug)]
pub struct Begun {
    /// `ses_…`
    pub id: String,
    /// When.
    pub at: Duration,
    /// Its account's place.
    pub account: usize,
    /// Who watches it.
    pub viewer: Viewer,
}

impl Load {
    /// A load on these nodes.
    #[must_use]
    pub fn new(nodes: Arc<Nodes>, observer: Arc<Observer>, accounts: Vec<Client>, began: Instant) -> Arc<Self> {
        let seen = Mutex::new(Seen::default());
        Arc::new(Self { nodes, observer, accounts, began, ended: AtomicBool::new(false), seen })
    }

    /// What it knows so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends nothing any more, but for top-ups that were begun.
    pub fn end(&self) {
        self.ended.store(true, Relaxed);
    }

    fn goes_on(&self) -> bool {
        !self.ended.load(Relaxed)
    }

    /// A customer at any node.
    fn customer(&self, account: usize, dice: &mut Dice) -> Client {
        let url: &String = dice.pick(&self.nodes.urls);
        self.accounts[account].moved_to(url)
    }

    /// One place in which sessions speak, one after the other, until the load ends.
    pub async fn speak(self: Arc<Self>, number: usize, seed: u64) {
        let mut dice = Dice::new(seed, 100 + number as u64);
        let account = usize::from(number % 4 == 3);
        let audio = speech::buzz(UTTERANCE_S as f64, 8_000);
        while self.goes_on() {
            let Some(session) = self.create(account, &mut dice).await else {
                tokio::time::sleep(AGAIN_AFTER).await;
                continue;
            };
            let until = Instant::now() + dice.between(LIFE_MS.0, LIFE_MS.1);
            self.live(account, &session, until, &audio, &mut dice).await;
        }
    }

    async fn create(&self, account: usize, dice: &mut Dice) -> Option<String> {
        let customer = self.customer(account, dice);
        let created = tokio::time::timeout(CALL_WITHIN, customer.create(json!({}))).await;
        let session = created.ok()?.ok()?;
        self.observer.watch(&session);
        let viewer = Viewer::start(Watched {
            observer: Arc::clone(&self.observer),
            urls: Arc::clone(&self.nodes.urls),
            secret: customer.secret,
            session: session.clone(),
            began: self.began,
        });
        let at = self.began.elapsed();
        self.seen().sessions.push(Begun { id: session.clone(), at, account, viewer });
        Some(session)
    }

    /// Lets a session speak until it is stopped, or somebody says that it has ended.
    async fn live(&self, account: usize, session: &str, until: Instant, audio: &[u8], dice: &mut Dice) {
        let mut next = Instant::now();
        while self.goes_on() {
            let customer = self.customer(account, dice);
            if Instant::now() > until {
                let path = format!("/v1/sessions/{session}");
                // Whether that was done or not: at the end all are stopped.
                let _ = tokio::time::timeout(CALL_WITHIN, customer.call(Method::DELETE, &path, None)).await;
                return;
            }
            if Instant::now() >= next {
                let mode = if dice.happens(10) { "replace" } else { "append" };
                let upload = customer.upload(session, audio.to_vec(), "audio/wav", mode);
                match tokio::time::timeout(CALL_WITHIN, upload).await {
                    Ok(Ok((StatusCode::ACCEPTED, _))) => next = Instant::now() + UTTERANCE_EVERY,
                    Ok(Ok((StatusCode::CONFLICT, problem))) if problem["code"] == "session_ended" => return,
                    _ => {}
                }
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Buys credits until the load ends; comes back when all that was begun was given, or cannot be.
    pub async fn top_up(self: Arc<Self>, seed: u64) {
        let mut dice = Dice::new(seed, 99);
        let mut buying = tokio::task::JoinSet::new();
        let mut number = 0_u64;
        while self.goes_on() {
            number += 1;
            let account = usize::from(dice.happens(60));
            // Little enough that the poor account's sessions pause again and again.
            let amount = if account == 0 { 1_000_000 } else { *dice.pick(&[20_000, 40_000, 60_000, 80_000]) };
            let top_up = TopUp { account, name: format!("top-up-{number}"), amount, acknowledged: false };
            let at = {
                let mut seen = self.seen();
                seen.top_ups.push(top_up.clone());
                seen.top_ups.len() - 1
            };
            buying.spawn(Arc::clone(&self).buy(at, top_up, Dice::new(seed, 10_000 + number)));
            tokio::time::sleep(TOP_UP_EVERY).await;
        }
        while buying.join_next().await.is_some() {}
    }

    /// Asks for it, always under the same name, until a node says that it was given.
    async fn buy(self: Arc<Self>, at: usize, top_up: TopUp, mut dice: Dice) {
        let credits = format!("{}.{:06}", top_up.amount / 1_000_000, top_up.amount % 1_000_000);
        for _ in 0..TOP_UP_TRIES {
            let operator = self.nodes.operator(dice.below(self.nodes.count()));
            let giving = operator.grant(&self.accounts[top_up.account].account, &credits, &top_up.name);
            if let Ok(Ok(_)) = tokio::time::timeout(CALL_WITHIN, giving).await {
                self.seen().top_ups[at].acknowledged = true;
                // Somebody who lost the answer asks again.
                if !dice.happens(20) {
                    return;
                }
            } else if self.seen().top_ups[at].acknowledged {
                return;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }
}
