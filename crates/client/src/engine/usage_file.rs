//! Usage on disk: how far a session came, so that a killed engine's next start can tell.
//!
//! One file a session: what it is, as JSON, and behind it two numbers that are written over in place. A write reaches the
//! operating system before the next unit is made, so it survives the process; it is forced to the disk at each heartbeat,
//! for the machine.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use footlight_ledger::{SessionId, Surface, Units};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::EngineError;

/// What files are called behind the session's id.
const EXTENSION: &str = "usage";
/// Where the numbers are: a page of their own.
const NUMBERS_AT: u64 = 4_096;
/// Units, and the last request number, eight bytes each.
const NUMBERS_LEN: usize = 16;

/// What a file says of its session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Noted {
    pub(super) session: SessionId,
    pub(super) epoch: u32,
    pub(super) surface: Surface,
    /// Where it is metered.
    pub(super) url: String,
}

/// How far a session came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Usage {
    pub(super) units: Units,
    pub(super) number: u64,
}

/// The file of a session that runs; without a directory, none.
#[derive(Debug)]
pub(super) struct UsageFile {
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    usage: Usage,
    has_failed: bool,
}

/// A session of a former run, found in the directory. Locked, so that two starts do not settle it both.
#[derive(Debug)]
pub(super) struct Former {
    pub(super) noted: Noted,
    pub(super) usage: Usage,
    open: Open,
}

impl UsageFile {
    /// Makes the file of a session.
    pub(super) fn create(directory: Option<&Path>, noted: &Noted) -> Result<Self, EngineError> {
        let Some(directory) = directory else { return Ok(Self { open: Mutex::new(None) }) };
        let path = directory.join(format!("{}.{EXTENSION}", noted.session));
        let made = Self::make(directory, &path, noted).map_err(|source| state(&path, source))?;
        Ok(Self { open: Mutex::new(Some(made)) })
    }

    fn make(directory: &Path, path: &Path, noted: &Noted) -> io::Result<Open> {
        fs::create_dir_all(directory)?;
        // Under another name until it is whole and locked: another start must not take it for a dead one's.
        let draft = path.with_extension("new");
        let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&draft)?;
        file.lock()?;
        let head = serde_json::to_vec(noted)?;
        file.write_all(&head)?;
        let mut open = Open { file, path: path.to_owned(), usage: Usage::default(), has_failed: false };
        open.write()?;
        open.file.sync_all()?;
        fs::rename(&draft, path)?;
        // The name, too, must be there after a power cut. Where folders cannot be synced, they need not be.
        let _ = File::open(directory).and_then(|folder| folder.sync_all());
        Ok(open)
    }

    /// Notes how many units were handed out.
    pub(super) fn note_units(&self, units: Units) {
        if let Some(open) = &mut *self.open.lock() {
            open.note(Usage { units, ..open.usage });
        }
    }

    /// Notes the number of a request before it is sent: a later start must not use it for something else.
    pub(super) fn note_number(&self, number: u64) {
        if let Some(open) = &mut *self.open.lock() {
            open.note(Usage { number, ..open.usage });
            // Unlike units, which are told again, a number that is used twice could hide a report.
            if let Err(error) = open.file.sync_data() {
                open.failed(&error);
            }
        }
    }

    /// The session is settled: nothing of it is needed any more.
    pub(super) fn remove(&self) {
        if let Some(open) = self.open.lock().take() {
            open.remove();
        }
    }
}

impl Open {
    fn note(&mut self, usage: Usage) {
        if usage == self.usage {
            return;
        }
        self.usage = usage;
        if let Err(error) = self.write() {
            self.failed(&error);
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let mut numbers = [0; NUMBERS_LEN];
        numbers[..8].copy_from_slice(&self.usage.units.to_le_bytes());
        numbers[8..].copy_from_slice(&self.usage.number.to_le_bytes());
        self.file.seek(SeekFrom::Start(NUMBERS_AT))?;
        self.file.write_all(&numbers)
    }

    /// A full disk stops no session: it is said once, and what it means.
    fn failed(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.has_failed, true) {
            tracing::error!(path = %self.path.display(), %error, "usage cannot be kept on disk; a crash would lose it");
        }
    }

    fn remove(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a settled session's file could not be removed");
        }
    }
}

impl Former {
    /// Those in a directory that no running engine has. What cannot be read is named in the log and left where it is.
    pub(super) fn all(directory: &Path) -> Result<Vec<Self>, EngineError> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(state(directory, error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| state(directory, error))?.path();
            if path.extension().is_none_or(|extension| extension != EXTENSION) {
                continue;
            }
            match Self::open(&path) {
                Ok(Some(former)) => found.push(former),
                Ok(None) => {}
                Err(error) => tracing::error!(path = %path.display(), %error, "a file of usage cannot be read"),
            }
        }
        Ok(found)
    }

    /// `None` while its engine runs.
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut bytes = Vec::new();
        let end = NUMBERS_AT + NUMBERS_LEN as u64;
        Read::take(&mut file, end).read_to_end(&mut bytes)?;
        let (head, numbers) = match bytes.split_at_checked(NUMBERS_AT as usize) {
            Some((head, numbers)) if numbers.len() == NUMBERS_LEN => (head, numbers),
            // Its engine was killed while it made the file: no unit was counted.
            _ => {
                fs::remove_file(path)?;
                return Ok(None);
            }
        };
        let head = head.split(|byte| *byte == 0).next().unwrap_or_default();
        let noted: Noted = serde_json::from_slice(head)?;
        let number_at = |at: usize| u64::from_le_bytes(numbers[at..at + 8].try_into().expect("eight bytes"));
        let usage = Usage { units: number_at(0), number: number_at(8) };
        let open = Open { file, path: path.to_owned(), usage, has_failed: false };
        Ok(Some(Self { noted, usage, open }))
    }

    /// How long ago anything was noted of it.
    pub(super) fn age(&self) -> Duration {
        let noted_at = self.open.file.metadata().and_then(|metadata| metadata.modified()).ok();
        noted_at.and_then(|at| at.elapsed().ok()).unwrap_or_default()
    }

    /// It is settled, or nobody will ever settle it.
    pub(super) fn remove(self) {
        self.open.remove();
    }
}

fn state(path: &Path, source: io::Error) -> EngineError {
    EngineError::State { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn noted() -> Noted {
        Noted {
            session: SessionId(Uuid::from_u128(7)),
            epoch: 1,
            surface: Surface::SelfHosted,
            url: "http://127.0.0.1:1".to_owned(),
        }
    }

    #[test]
    fn a_killed_engines_usage_is_found_and_a_running_ones_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = UsageFile::create(Some(directory.path()), &noted()).expect("is made");
        file.note_number(3);
        file.note_units(74);
        file.note_units(75);
        assert!(Former::all(directory.path()).expect("is read").is_empty(), "its engine runs");
        drop(file);
        let mut found = Former::all(directory.path()).expect("is read");
        assert_eq!(found.len(), 1);
        let former = found.remove(0);
        assert_eq!((former.noted.clone(), former.usage), (noted(), Usage { units: 75, number: 3 }));
        assert!(Former::all(directory.path()).expect("is read").is_empty(), "somebody settles it");
        former.remove();
        assert!(Former::all(directory.path()).expect("is read").is_empty());
    }

    #[test]
    fn damaged_files_stop_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("half.usage"), b"{").expect("is written");
        fs::write(directory.path().join("junk.usage"), vec![7; 5_000]).expect("is written");
        fs::write(directory.path().join("note.txt"), b"not ours").expect("is written");
        assert!(Former::all(directory.path()).expect("is read").is_empty());
        assert!(!directory.path().join("half.usage").exists(), "it never counted anything");
        assert!(directory.path().join("junk.usage").exists(), "somebody should look at it");
    }
}
