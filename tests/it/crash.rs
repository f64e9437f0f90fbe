//! `kill -9` in the middle of speech. `cargo xtask crash` does it twenty times.

use footlight_tests::crash::{CrashTest, Report};

use crate::stores::{self, OnStore};

async fn survives(store: OnStore) -> anyhow::Result<()> {
    let kills = if crate::slow_tests("20 kills") { 20 } else { 3 };
    let test = CrashTest { setup: store.setup.without_pictures(), kills, sessions: 10, seed: 7 };
    let report: Report = test.run(|line| eprintln!("{line}")).await?;
    report.check()
}

#[tokio::test]
async fn a_killed_node_charges_what_was_proved_and_nothing_twice_on_the_embedded_store() -> anyhow::Result<()> {
    survives(stores::embedded()).await
}

#[tokio::test]
async fn a_killed_node_charges_what_was_proved_and_nothing_twice_on_redis() -> anyhow::Result<()> {
    survives(stores::redis().await?).await
}
