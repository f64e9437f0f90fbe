//! The file: two copies of every block, written in turn, so that a torn write costs a second and never the record.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use footlight_ledger::BootId;
use uuid::Uuid;

use super::ProgressEntry;
use super::block::{self, Block, Half};
use crate::StoreError;

/// Where the files are, within the data directory.
const DIRECTORY: &str = "progress";

/// Bytes of one pair of blocks in both copies.
const STRIDE: u64 = 2 * (Half::Names.block_bytes() + Half::Counts.block_bytes()) as u64;

/// The progress of one boot.
pub(super) struct ProgressFile {
    file: File,
    path: PathBuf,
    sequence: u64,
}

impl ProgressFile {
    pub(super) fn create(data_directory: &Path, boot: BootId) -> Result<Self, StoreError> {
        let directory = data_directory.join(DIRECTORY);
        let path = directory.join(boot.0.simple().to_string());
        let failed = |error: std::io::Error| explain(&path, &error);
        std::fs::create_dir_all(&directory).map_err(failed)?;
        let file = OpenOptions::new().create_new(true).write(true).open(&path).map_err(failed)?;
        // The directory entry must survive a power cut as well.
        File::open(&directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
        Ok(Self { file, path, sequence: 0 })
    }

    /// Starts a round of writes: all go to the same of the two copies' turns.
    pub(super) fn next_round(&mut self) {
        self.sequence += 1;
    }

    /// Writes a block over its older copy, the one that `turn` says. It is safe once [`ProgressFile::sync`] has returned;
    /// until then the next try must have the same turn, or a second failure would tear the other copy as well.
    pub(super) fn write(&self, half: Half, number: u32, mut block: Block, turn: u64) -> Result<(), StoreError> {
        block.seal(number, self.sequence);
        self.file
            .write_all_at(block.as_bytes(), offset(half, number, turn % 2))
            .map_err(|error| explain(&self.path, &error))
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|error| explain(&self.path, &error))
    }
}

/// Progress that former boots left in the data directory.
pub(super) fn read_former(
    data_directory: &Path,
    present: BootId,
) -> Result<Vec<(BootId, Vec<ProgressEntry>)>, StoreError> {
    let directory = data_directory.join(DIRECTORY);
    let files = match std::fs::read_dir(&directory) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(explain(&directory, &error)),
    };
    let mut former = Vec::new();
    for file in files {
        let file = file.map_err(|error| explain(&directory, &error))?;
        let boot = file.file_name().to_str().and_then(|name| Uuid::try_parse(name).ok()).map(BootId);
        if let Some(boot) = boot.filter(|boot| *boot != present) {
            former.push((boot, read(&file.path())?));
        }
    }
    Ok(former)
}

/// Removes what a boot left, once it is settled.
pub(super) fn remove(data_directory: &Path, boot: BootId) -> Result<(), StoreError> {
    let path = data_directory.join(DIRECTORY).join(boot.0.simple().to_string());
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(explain(&path, &error)),
        _ => Ok(()),
    }
}

fn read(path: &Path) -> Result<Vec<ProgressEntry>, StoreError> {
    let failed = |error: std::io::Error| explain(path, &error);
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let blocks = u32::try_from(length.div_ceil(STRIDE)).unwrap_or(u32::MAX);
    let mut entries = Vec::new();
    for number in 0..blocks {
        match newest(&file, Half::Names, number) {
            Some(names) => entries.extend(block::entries(&names, newest(&file, Half::Counts, number).as_ref())),
            None => {
                tracing::warn!(path = %path.display(), number, "a progress block has no whole copy; its sessions are settled at their last heartbeat")
            }
        }
    }
    Ok(entries)
}

/// The newer of a block's two copies, of those that are whole.
fn newest(file: &File, half: Half, number: u32) -> Option<Block> {
    let copies = (0..2).filter_map(|copy| {
        let mut bytes = vec![0; half.block_bytes()];
        file.read_exact_at(&mut bytes, offset(half, number, copy)).ok()?;
        Block::open(half, number, bytes)
    });
    copies.max_by_key(|(sequence, _)| *sequence).map(|(_, block)| block)
}

fn offset(half: Half, number: u32, copy: u64) -> u64 {
    let names = Half::Names.block_bytes() as u64;
    let within = match half {
        Half::Names => copy * names,
        Half::Counts => 2 * names + copy * Half::Counts.block_bytes() as u64,
    };
    u64::from(number) * STRIDE + within
}

fn explain(path: &Path, error: &std::io::Error) -> StoreError {
    let path = path.display();
    StoreError::Refused {
        detail: match error.kind() {
            std::io::ErrorKind::StorageFull => format!("the disk that holds {path} is full; free some space on it"),
            _ => format!("the progress record {path} cannot be used: {error}"),
        },
    }
}
