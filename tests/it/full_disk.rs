//! A disk with no room left: nothing stops, nothing is lost, and it says so.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use footlight_tests::{NodeSetup, speech};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::process::Command;

/// A disk of four megabytes, for as long as it lives.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None`, with a word why, where disks cannot be mounted.
    async fn mount() -> anyhow::Result<Option<Self>> {
        let directory = tempfile::tempdir()?;
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(directory.path()).output().await;
        match mounted {
            Ok(output) if output.status.success() => Ok(Some(Self(directory))),
            _ => {
                eprintln!("skipped: mounting a small disk needs root and `mount`");
                Ok(None)
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    async fn fill(&self) -> anyhow::Result<()> {
        let filled = tokio::fs::write(self.path().join("filler"), vec![0; 4 << 20]).await;
        ensure!(filled.is_err(), "four megabytes fit beside a store on a disk of four megabytes");
        Ok(())
    }

    async fn make_room(&self) -> anyhow::Result<()> {
        tokio::fs::remove_file(self.path().join("filler")).await.context("the filler was written")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_stops_no_speech_and_loses_no_usage() -> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount().await? else { return Ok(()) };
    let data = disk.path().join("data");
    let setup = NodeSetup::embedded().without_pictures().in_directory(&data).set("metering.heartbeat", "2s");
    let mut node = setup.start().await?;
    let customer = node.customer("5").await?;
    let id = customer.create(json!({})).await?;
    let watcher = customer.watch(&id).await?;
    customer.speak(&id, speech::buzz(10.0, 16_000)).await?;
    watcher.wait_until(Duration::from_secs(10), |seen| seen.active_frames() > 10).await?;

    disk.fill().await?;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (status, problem) = customer.call(Method::POST, "/v1/sessions", Some(json!({}))).await?;
    ensure!(status == StatusCode::SERVICE_UNAVAILABLE && problem["code"] == "store_unreachable", "{status} {problem}");
    ensure!(node.is_alive() && node.operator().status_of("/healthz").await? == StatusCode::OK);

    // The session speaks to its end meanwhile; with room again all of it is charged.
    watcher.wait_until(Duration::from_secs(15), |seen| seen.active_frames() == 250).await?;
    disk.make_room().await?;
    let charged = |session: &serde_json::Value| session["credits_used"] == serde_json::json!(0.333333);
    customer.wait_until(&id, Duration::from_secs(15), charged).await?;
    customer.create(json!({})).await?;
    node.operator().expect_balanced().await?;
    Ok(())
}
