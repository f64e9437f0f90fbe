//! Two short seeds of the chaos harness. `cargo xtask chaos --seeds 1..100` runs a hundred, a minute each.

use anyhow::ensure;
use serde_json::Value;
use tokio::process::Command;

#[tokio::test]
async fn checkers_are_silent_about_two_seeds_of_faults() -> anyhow::Result<()> {
    let (seeds, seconds) = if crate::slow_tests("six seeds of a minute") { ("1..6", "60") } else { ("1..2", "20") };
    let mut chaos = Command::new(env!("CARGO_BIN_EXE_chaos"));
    chaos.args(["--seeds", seeds, "--seconds", seconds, "--sessions", "8", "--json"]).kill_on_drop(true);
    let output = chaos.output().await?;
    let told: Value = serde_json::from_slice(&output.stdout)?;
    for report in told["seeds"].as_array().into_iter().flatten() {
        eprintln!("{}", report["text"].as_str().unwrap_or_default());
    }
    ensure!(output.status.success(), "a checker found something");
    Ok(())
}
