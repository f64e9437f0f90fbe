//! One H.264 and one Opus track into an MP4 file.
//!
//! Samples go to disk as they come; only their table (about 8 bytes a sample) stays in memory. At the end the
//! index is moved to the front, so that a player starts before it has the whole file. Until then the file has
//! another name: what carries the final name is complete and on disk.
//!
//! Times are exact: both tracks keep time in units that their frame or sample rate divides, and the encoder's delay is
//! cut from the sound by an edit list. The file begins with whatever of sound and picture comes first; times may start
//! anywhere, as on the clock of a session that has been running for a while.

mod boxes;
mod moov;
mod mux;
mod table;
#[cfg(test)]
mod tests;
mod track;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::MediaError;
use mux::Muxer;

/// The picture of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoTrack {
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Nominal frames a second: the unit in which frame times are kept. Frames may come late or be left out.
    pub fps: u32,
}

/// The sound of a file: Opus, 48 kHz mono.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioTrack {
    /// What [`PRE_SKIP`](crate::audio::PRE_SKIP) says.
    pub pre_skip: u16,
}

/// Writes one MP4 file. Dropped before [`Mp4Writer::finish`], it takes the unfinished file away.
pub struct Mp4Writer {
    muxer: Option<Muxer<File>>,
    path: PathBuf,
    part: PathBuf,
}

impl Mp4Writer {
    /// Begins a file that will be at `path` once it is finished. An existing one stays until then.
    ///
    /// # Errors
    ///
    /// Returns [`MediaError::File`], which names the file, when it cannot be created.
    pub fn create(path: impl Into<PathBuf>, video: VideoTrack, audio: Option<AudioTrack>) -> Result<Self, MediaError> {
        let path = path.into();
        let part = part_path(&path);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&part)
            .map_err(|source| file_error("create", &path, source))?;
        let mut writer = Self { muxer: None, path, part };
        writer.muxer = Some(Muxer::start(file, writer.path.clone(), video, audio)?);
        Ok(writer)
    }

    /// Adds a picture: an Annex-B access unit shown at `pts_us` microseconds. It lasts until the next one; the last
    /// one lasts for `duration_us`. The first must be an IDR; all must share its SPS and PPS.
    ///
    /// # Errors
    ///
    /// Returns [`MediaError::Mp4Order`] for a unit that cannot stand here and [`MediaError::File`] when the disk
    /// does not take it.
    pub fn push_video(&mut self, annex_b: &[u8], pts_us: u64, duration_us: u32, idr: bool) -> Result<(), MediaError> {
        self.muxer().push_video(annex_b, pts_us, duration_us, idr)
    }

    /// Adds 20 ms of sound, heard at `pts_us` microseconds. `samples` says how many of the packet's 960 samples were
    /// real and not padding, as [`OpusPacket::samples`](crate::OpusPacket::samples) does; the sound of the file ends
    /// with the last real one. Sound that comes over 10 ms late leaves a silence before it.
    ///
    /// # Errors
    ///
    /// Returns [`MediaError::Mp4Order`] in a file without sound and [`MediaError::File`] when the disk does not
    /// take it.
    pub fn push_audio(&mut self, packet: &[u8], pts_us: u64, samples: u32) -> Result<(), MediaError> {
        self.muxer().push_audio(packet, pts_us, samples)
    }

    /// Completes the file, makes sure that it is on disk, and gives it its name. Blocks on the disk; copies the
    /// file's media once, to make room for the index at the front.
    ///
    /// # Errors
    ///
    /// Returns [`MediaError::Mp4Order`] for a file without a picture and [`MediaError::File`] when the disk does
    /// not take it; there is no file then.
    pub fn finish(mut self) -> Result<(), MediaError> {
        let Some(muxer) = self.muxer.take() else {
            return Ok(());
        };
        let path = &self.path;
        let failed = |operation| move |source| file_error(operation, path, source);
        muxer
            .finish()
            .and_then(|file| file.sync_all().map_err(failed("flush")))
            .and_then(|()| fs::rename(&self.part, &self.path).map_err(failed("name")))
            .and_then(|()| sync_folder(&self.path).map_err(failed("flush the folder of")))
            .inspect_err(|_| self.remove_part())
    }

    fn muxer(&mut self) -> &mut Muxer<File> {
        self.muxer.as_mut().expect("only finish takes the muxer, and it takes the writer with it")
    }

    fn remove_part(&self) {
        // Best effort: the disk may be gone, and the caller has been told of the fault that led here.
        let _ = fs::remove_file(&self.part);
    }
}

impl Drop for Mp4Writer {
    fn drop(&mut self) {
        if self.muxer.take().is_some() {
            self.remove_part();
        }
    }
}

/// A hidden neighbour, so that the final renaming stays within one file system.
fn part_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    path.with_file_name(name)
}

/// A renamed file is only safe once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

fn file_error(operation: &'static str, path: &Path, source: io::Error) -> MediaError {
    MediaError::File { operation, path: path.to_owned(), source }
}
