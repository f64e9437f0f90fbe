//! An engine that makes nothing but counts: to be killed. Each unit it hands out is a byte in a file, so the file's length is
//! what it made, whatever happens to it.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use footlight_client::{Allowed, EngineOptions, MeteredEngine, Product};

#[derive(Parser)]
struct Arguments {
    /// The node's public address.
    #[arg(long)]
    url: String,
    /// The account's secret.
    #[arg(long, env = "ENGINE_SECRET")]
    secret: String,
    /// Where usage is kept.
    #[arg(long)]
    state_dir: PathBuf,
    /// Where a byte is written for each unit.
    #[arg(long)]
    made: PathBuf,
    /// Milliseconds between two units.
    #[arg(long, default_value_t = 10)]
    every_ms: u64,
    /// Ends after so many units; never without.
    #[arg(long)]
    units: Option<u64>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { url, secret, state_dir, made, every_ms, units } = Arguments::parse();
    let mut made = std::fs::OpenOptions::new().create(true).append(true).open(made)?;
    let mut options = EngineOptions::new(url, secret, Product::EssenceSelfHosted, 25);
    options.state_dir = Some(state_dir);
    let engine = MeteredEngine::start(options).await?;
    println!("{}", engine.session().unwrap_or_default());
    let mut count = 0;
    while units.is_none_or(|units| count < units) {
        match engine.next_unit().await {
            Allowed::Yes => {
                made.write_all(b"1")?;
                count += 1;
                tokio::time::sleep(Duration::from_millis(every_ms)).await;
            }
            Allowed::Paused(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            Allowed::Ended(_) => break,
        }
    }
    engine.end().await?;
    Ok(())
}
