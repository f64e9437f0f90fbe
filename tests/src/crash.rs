//! The crash test: sessions speak, the node is killed at random moments and started again, and afterwards what was
//! charged is compared with what viewers received.

use std::time::Duration;

use anyhow::{Context, ensure};
use futures_util::future::try_join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::client::{cost, micro};
use crate::{Client, Node, NodeSetup, Watcher, speech};

/// What to do.
#[derive(Debug, Clone)]
pub struct CrashTest {
    /// Where.
    pub setup: NodeSetup,
    /// How often the node is killed.
    pub kills: usize,
    /// Sessions that speak all the time.
    pub sessions: usize,
    /// The moments follow from this.
    pub seed: u64,
}

/// What one session received and paid.
#[derive(Debug, Clone)]
pub struct Fate {
    /// `ses_…`
    pub session: String,
    /// Active frames that its viewer received.
    pub received: i64,
    /// Active frames that were charged.
    pub charged: i64,
    /// Microcredits that were charged.
    pub paid: i64,
}

/// What came of it all.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Every session there was.
    pub fates: Vec<Fate>,
    /// What the account was given, in microcredits.
    pub granted: i64,
    /// What is left of it.
    pub balance: i64,
}

impl CrashTest {
    /// Does it, telling `say` about each round.
    ///
    /// # Errors
    /// When a node cannot be started, or the audit does not balance.
    pub async fn run(&self, mut say: impl FnMut(String)) -> anyhow::Result<Report> {
        let mut moments = StdRng::seed_from_u64(self.seed);
        let mut report = Report { granted: 1_000_000_000, ..Report::default() };
        let mut node = self.setup.start().await?;
        let mut customer = node.customer("1000").await?;
        for kill in 1..=self.kills {
            let speaking = start_speaking(&customer, self.sessions).await?;
            let moment = Duration::from_millis(moments.random_range(300..4_000));
            tokio::time::sleep(moment).await;
            node.kill().await?;
            // What was on the wire still arrives.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let received: Vec<(String, i64)> = speaking
                .iter()
                .map(|(id, watcher)| (id.clone(), i64::try_from(watcher.seen().active_frames()).unwrap_or(i64::MAX)))
                .collect();
            node = self.setup.start().await?;
            customer = customer.moved_to(&node.url);
            let fates = settle(&node, &customer, received).await.with_context(|| format!("after kill {kill}"))?;
            let lost: i64 = fates.iter().map(|fate| fate.received - fate.charged).sum();
            say(format!("kill {kill:2} after {moment:?}: {} sessions, {lost} frames unbilled in all", fates.len()));
            report.fates.extend(fates);
        }
        report.balance = customer.balance().await?;
        Ok(report)
    }
}

async fn start_speaking(customer: &Client, sessions: usize) -> anyhow::Result<Vec<(String, Watcher)>> {
    try_join_all((0..sessions).map(|_| async {
        let id = customer.create(json!({ "product": "essence_cloud" })).await?;
        let watcher = customer.watch(&id).await?;
        customer.speak(&id, speech::buzz(60.0, 8_000)).await?;
        anyhow::Ok((id, watcher))
    }))
    .await
}

/// Waits until the restarted node has ended what the crash left, and reads what was charged.
async fn settle(node: &Node, customer: &Client, received: Vec<(String, i64)>) -> anyhow::Result<Vec<Fate>> {
    let mut fates = Vec::new();
    for (id, received) in received {
        let ended: Value =
            customer.wait_until(&id, Duration::from_secs(20), |session| session["state"] == "ended").await?;
        ensure!(ended["end_reason"] == "node_lost", "{ended}");
        let charged = ended["frames"].as_i64().context("frames")?;
        fates.push(Fate { session: id, received, charged, paid: micro(&ended["credits_used"])? });
    }
    node.operator().expect_balanced().await?;
    Ok(fates)
}

impl Report {
    /// Every frame charged was received, at most 2 s of each session are unbilled, and the account lost exactly what
    /// the sessions say.
    ///
    /// # Errors
    /// At the first session that was charged wrongly.
    pub fn check(&self) -> anyhow::Result<()> {
        for fate in &self.fates {
            // The gate counts a frame just before it is handed to the viewer: one may be between the two.
            ensure!(fate.charged <= fate.received + 2, "charged for frames that never came: {fate:?}");
            ensure!(fate.charged + 50 >= fate.received, "over 2 s unbilled: {fate:?}");
            ensure!(fate.paid == cost(fate.charged), "frames and credits differ: {fate:?}");
        }
        let paid: i64 = self.fates.iter().map(|fate| fate.paid).sum();
        ensure!(self.balance == self.granted - paid, "{} left of {} after {paid}", self.balance, self.granted);
        Ok(())
    }

    /// The worst session's unbilled frames.
    #[must_use]
    pub fn worst_unbilled(&self) -> i64 {
        self.fates.iter().map(|fate| fate.received - fate.charged).max().unwrap_or(0)
    }
}
