//! A viewer who stops reading for a while: whole access units are left out, and the rest still decodes.

use std::time::Duration;

use anyhow::ensure;
use footlight_tests::{NodeSetup, Watcher, speech, tools};
use serde_json::json;

#[tokio::test]
async fn a_stalled_viewer_loses_whole_units_and_its_stream_still_decodes() -> anyhow::Result<()> {
    let node = NodeSetup::embedded().start().await?;
    let customer = node.customer("100").await?;
    let id = customer.create(json!({ "width": 768, "height": 768, "fps": 50 })).await?;
    // Somebody else reads all the while, so that speech goes on.
    let other = customer.watch(&id).await?;
    let stalled = Watcher::attach_narrowly(&node.url, &customer.secret, &id).await?;
    customer.speak(&id, speech::buzz(24.0, 16_000)).await?;
    stalled.wait_until(Duration::from_secs(10), |seen| seen.active_frames() > 50).await?;

    stalled.reads(false);
    tokio::time::sleep(Duration::from_secs(8)).await;
    stalled.reads(true);
    other.wait_until(Duration::from_secs(40), |seen| seen.active_frames() == 1_200).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;

    let seen = stalled.seen();
    let lost = 1_200 - seen.active_frames();
    ensure!(lost > 100, "only {lost} of 1200 frames were left out by eight seconds of not reading: nothing overflowed");
    let breaks: Vec<_> = seen.units.iter().filter(|unit| unit.video && unit.discontinuity).collect();
    ensure!(!breaks.is_empty() && breaks.iter().all(|unit| unit.key), "{} breaks", breaks.len());
    // It caught up: what came last came when the other viewer got it.
    let last = |seen: &footlight_tests::watcher::Seen| {
        seen.units.iter().rev().find(|unit| unit.video && !unit.idle).map(|unit| (unit.pts_us, unit.came))
    };
    let ((pts, came), (other_pts, other_came)) = (last(&seen).unwrap(), last(&other.seen()).unwrap());
    ensure!(pts == other_pts, "the last frames are {pts} and {other_pts}");
    let behind = came.saturating_duration_since(other_came);
    ensure!(behind < Duration::from_millis(200), "{behind:?} behind");
    tools::decode_h264(&seen.annex_b())?;
    tools::decode_h264(&other.seen().annex_b())?;
    Ok(())
}
