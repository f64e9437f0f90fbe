//! What the OpenAPI documents promise is what is answered: schemathesis asks every call of both listeners for what they
//! allow, for what they do not, and for what nobody would think of, and looks at each answer.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use footlight_tests::node::{ADMIN_TOKEN, binary};
use footlight_tests::{NodeSetup, RedisServer};
use tokio::process::Command;

/// How long one document may take.
const PATIENCE: Duration = Duration::from_secs(1_200);

/// The tool, in the environment that `cargo xtask setup` makes beside the binaries.
fn schemathesis() -> anyhow::Result<PathBuf> {
    let target = binary().parent().and_then(Path::parent).map(Path::to_owned).context("a target directory")?;
    let tool = target.join("python/bin/schemathesis");
    ensure!(tool.is_file(), "schemathesis is missing: run `cargo xtask setup`");
    Ok(tool)
}

/// Asks a document's calls, but for those in `left_out`.
async fn ask(url: &str, header: &str, left_out: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(schemathesis()?);
    // Its configuration is beside the tests; what it keeps for itself goes with the directory.
    let scratch = tempfile::tempdir()?;
    let configuration = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemathesis.toml");
    command.arg("--config-file").arg(configuration).arg("run").arg(format!("{url}/openapi.json"));
    // DELETE stops a session, cancels a job and revokes a secret; what they were stays readable.
    command.args(["--exclude-checks", "use_after_free"]);
    // The same cases each time: one that fails must fail again.
    command.args(["--header", header, "--checks", "all", "--no-color", "--seed", "1"]);
    command.args(["--max-examples", if slow() { "200" } else { "15" }]);
    for operation in left_out {
        command.args(["--exclude-operation-id", operation]);
    }
    command.current_dir(scratch.path()).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.context("it takes too long")??;
    let told = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn slow() -> bool {
    std::env::var_os("FOOTLIGHT_SLOW_TESTS").is_some()
}

async fn keeps_its_word(setup: NodeSetup) -> anyhow::Result<()> {
    let setup = setup
        .without_pictures()
        .set("limits.account_units_per_minute", "0")
        .set("limits.failures_per_minute", "0")
        .set("payments.stripe_webhook_secret", "whsec_for_this_test_alone")
        .set("node.speaking_slots", "5000")
        .set("node.max_sessions", "5000")
        .set("sessions.max_without_plan", "0");
    let node = setup.start().await?;
    let customer = node.customer("100000").await?;
    // What never ends cannot be waited for: streams have tests of their own.
    ask(&node.url, &format!("api-secret: {}", customer.secret), &["stream", "session_events", "job_events"]).await?;
    // A drain takes the node away from under the other calls.
    ask(&node.admin_url, &format!("Authorization: Bearer {ADMIN_TOKEN}"), &["drain", "undrain", "drain_node"]).await?;
    node.operator().expect_balanced().await?;
    Ok(())
}

#[tokio::test]
async fn both_listeners_answer_as_they_say_on_sqlite() -> anyhow::Result<()> {
    keeps_its_word(NodeSetup::embedded()).await
}

#[tokio::test]
async fn both_listeners_answer_as_they_say_on_redis() -> anyhow::Result<()> {
    let redis = RedisServer::start().await?;
    keeps_its_word(NodeSetup::on_redis(&redis.url())).await
}
