//! `cargo xtask crash`: kills a node at random moments of a run, again and again, and audits what was charged.

use clap::Parser;
use footlight_tests::crash::CrashTest;
use footlight_tests::{NodeSetup, RedisServer};

/// Kills a speaking node again and again, and checks what was charged.
#[derive(Debug, Parser)]
struct Arguments {
    /// `sqlite` or `redis` (a redis-server of its own).
    #[arg(long, default_value = "sqlite", value_parser = ["sqlite", "redis"])]
    store: String,
    /// How often the node is killed.
    #[arg(long, default_value_t = 20)]
    kills: usize,
    /// Sessions that speak all the time.
    #[arg(long, default_value_t = 10)]
    sessions: usize,
    /// The moments follow from this.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Draw real pictures.
    #[arg(long)]
    pictures: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let redis = if arguments.store == "redis" { Some(RedisServer::start().await?) } else { None };
    let setup = redis.as_ref().map_or_else(NodeSetup::embedded, |redis| NodeSetup::on_redis(&redis.url()));
    let setup = if arguments.pictures { setup } else { setup.without_pictures() };
    let test = CrashTest { setup, kills: arguments.kills, sessions: arguments.sessions, seed: arguments.seed };
    let report = test.run(|line| println!("{line}")).await?;
    report.check()?;
    println!(
        "{} sessions over {} kills on {} (seed {}): nothing charged twice, worst unbilled {} frames ({:.2} s), audit balanced",
        report.fates.len(),
        arguments.kills,
        arguments.store,
        arguments.seed,
        report.worst_unbilled(),
        report.worst_unbilled() as f64 / 25.0
    );
    Ok(())
}
