//! What a session hands out, into an MP4 file.

use std::path::{Path, PathBuf};

use anyhow::Context;
use footlight_media::{AudioTrack, Mp4Writer, VideoTrack};
use footlight_stage::{Outlet, Unit};

/// The picture of a recording.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) fps: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Opens an MP4 file for video of this shape and Opus sound.
///
/// # Errors
/// When the file cannot be created.
pub(crate) fn create(path: &Path, shape: Shape) -> anyhow::Result<Mp4Writer> {
    let side = |pixels: u32| u16::try_from(pixels).context("a video is at most 65535 pixels wide");
    let video = VideoTrack { width: side(shape.width)?, height: side(shape.height)?, fps: shape.fps };
    let audio = AudioTrack { pre_skip: footlight_media::audio::PRE_SKIP };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).with_context(|| format!("{} cannot be made", directory.display()))?;
    }
    Ok(Mp4Writer::create(path, video, Some(audio))?)
}

/// Adds one unit.
///
/// # Errors
/// When the disk does not take it.
pub(crate) fn push(file: &mut Mp4Writer, unit: &Unit) -> anyhow::Result<()> {
    match unit {
        Unit::Video(unit) => file.push_video(&unit.data, unit.pts_us, unit.duration_us, unit.idr)?,
        // A recording's last packets may hold less than they could: their duration says how much is sound.
        Unit::Audio(unit) => file.push_audio(&unit.data, unit.pts_us, unit.duration_us * 48 / 1_000)?,
    }
    Ok(())
}

/// Records an outlet on a thread of its own until its session is over.
pub(crate) fn record(
    path: PathBuf,
    shape: Shape,
    mut outlet: Outlet,
) -> std::thread::JoinHandle<anyhow::Result<PathBuf>> {
    std::thread::spawn(move || {
        let mut file = create(&path, shape)?;
        while let Some(unit) = outlet.blocking_next() {
            push(&mut file, &unit)?;
        }
        file.finish()?;
        Ok(path)
    })
}
