//! A disk with little room.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

/// A disk of four megabytes, for as long as it lives.
#[derive(Debug)]
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts one.
    ///
    /// # Errors
    /// When disks cannot be mounted: that needs root.
    pub fn mount() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(directory.path()).output()?;
        ensure!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr).trim());
        Ok(Self(directory))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    ///
    /// # Errors
    /// When there is more than it should have.
    pub fn fill(&self) -> anyhow::Result<()> {
        let filled = std::fs::write(self.path().join("filler"), vec![0; 4 << 20]);
        ensure!(filled.is_err(), "four megabytes fit beside a store on a disk of four megabytes");
        Ok(())
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// When nothing was taken.
    pub fn make_room(&self) -> anyhow::Result<()> {
        std::fs::remove_file(self.path().join("filler")).context("the filler was written")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
