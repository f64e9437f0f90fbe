//! The README's first command.

use std::process::Command;

use anyhow::{Context, ensure};
use footlight_tests::lips;
use footlight_tests::node::binary;
use footlight_tests::tools::ffprobe;
use serde_json::json;

#[test]
fn the_demo_ends_well_and_leaves_three_videos() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let output = Command::new(binary())
        .args(["demo", "--output"])
        .arg(directory.path().join("videos"))
        .arg("--data-dir")
        .arg(directory.path().join("data"))
        .output()
        .context("the release binary is built by `cargo xtask test`")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{}\n{said}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    let mut videos = 0;
    for entry in std::fs::read_dir(directory.path().join("videos"))? {
        let path = entry?.path();
        let told = ffprobe(&path)?;
        let streams = told["streams"].as_array().context("streams")?;
        let of_kind = |kind: &str| streams.iter().filter(|stream| stream["codec_type"] == kind).collect::<Vec<_>>();
        let (video, audio) = (of_kind("video"), of_kind("audio"));
        ensure!(video.len() == 1 && audio.len() == 1, "{told}");
        ensure!(video[0]["codec_name"] == "h264" && video[0]["r_frame_rate"] == "25/1", "{told}");
        ensure!(video[0]["width"] == json!(512) && video[0]["height"] == json!(512), "{told}");
        let frames: f64 = video[0]["nb_read_frames"].as_str().context("frames")?.parse()?;
        let sound: f64 = audio[0]["duration"].as_str().context("duration")?.parse()?;
        ensure!((frames / 25.0 - sound).abs() <= 0.04, "{frames} frames beside {sound} s of sound");
        let talk = lips::watch(&path)?;
        let lag = talk.lag()?;
        ensure!(lag.ms.abs() <= 40 && lag.likeness > 0.25, "{}: {lag:?}", path.display());
        println!("{}: {lag:?}", path.display());
        // The measure sees a sound that comes late.
        let late = talk.with_sound_later(200).lag()?;
        ensure!((lag.ms - late.ms - 200).abs() <= 20, "{}: {late:?} for sound 200 ms late", path.display());
        videos += 1;
    }
    ensure!(videos == 3, "{videos} videos");
    Ok(())
}
