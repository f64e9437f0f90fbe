//! The progress record: what sessions have used since their last heartbeat, so that a crash costs at most two seconds.
//!
//! Every second a thread writes the blocks that changed to a file in the data directory and syncs it: about 24 bytes a
//! session, never one write a session. With a store for several nodes the same blocks are mirrored there for an heir.
//! After a crash [`ProgressWriter::recover`] (or [`recover_from_store`]) says how far each session had come.

mod block;
mod file;
mod slots;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use footlight_ledger::{AccountId, BootId, SessionId, Units};
use parking_lot::Mutex;

use self::block::{Block, Half};
use self::file::ProgressFile;
use self::slots::{Slots, Target};
use crate::{Store, StoreError};

pub use slots::Slot;

/// How far a session had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgressEntry {
    /// Which session.
    pub session: SessionId,
    /// Who pays for it.
    pub account: AccountId,
    /// The epoch in which it was counted.
    pub epoch: u32,
    /// Cumulative units over its whole life.
    pub units: Units,
    /// Milliseconds of submitted audio that were spoken.
    pub position_ms: u64,
}

/// How far the sessions of one boot had come.
pub type Progress = Vec<ProgressEntry>;

/// A handle on a node's progress record. Clones share it; the last one to go writes what is left.
#[derive(Clone)]
pub struct ProgressWriter {
    shared: Arc<Shared>,
}

struct Shared {
    slots: Arc<Mutex<Slots>>,
    requests: Option<SyncSender<Request>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Asks for a round now; answered when it is on the disk.
struct Request(SyncSender<Result<(), StoreError>>);

impl ProgressWriter {
    /// Starts the record of this boot in the data directory, and the thread that writes it `every` so often.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the file cannot be made.
    pub fn start(data_directory: &Path, boot: BootId, every: Duration) -> Result<Self, StoreError> {
        let file = ProgressFile::create(data_directory, boot)?;
        let slots = Arc::new(Mutex::new(Slots::default()));
        let (requests, asked) = sync_channel(16);
        let of_thread = Arc::clone(&slots);
        let thread = std::thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || write_rounds(Rounds { file, slots: of_thread, turns: Vec::new() }, &asked, every))
            .map_err(|error| StoreError::Refused { detail: format!("no thread for the progress record: {error}") })?;
        Ok(Self { shared: Arc::new(Shared { slots, requests: Some(requests), thread: Some(thread) }) })
    }

    /// Gives a session a slot, starting at the entry's units and position.
    #[must_use]
    pub fn assign(&self, entry: &ProgressEntry) -> Slot {
        self.shared.slots.lock().assign(entry)
    }

    /// Says how far a session has come. Cheap: memory only; nothing is written for a session that stands still.
    pub fn record(&self, slot: Slot, units: Units, position_ms: u64) {
        self.shared.slots.lock().record(slot, units, position_ms);
    }

    /// As [`ProgressWriter::record`], for many at once.
    pub fn record_many(&self, counts: impl IntoIterator<Item = (Slot, Units, u64)>) {
        let mut slots = self.shared.slots.lock();
        for (slot, units, position_ms) in counts {
            slots.record(slot, units, position_ms);
        }
    }

    /// Frees a slot, once its session is settled for good.
    pub fn release(&self, slot: Slot) {
        self.shared.slots.lock().release(slot);
    }

    /// Writes what changed now and returns when it is on the disk. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the disk is full or fails; what was not written is tried again with the next round.
    pub fn flush(&self) -> Result<(), StoreError> {
        let stopped = |_| StoreError::Refused { detail: "the progress record's thread has stopped".to_owned() };
        let (answer, answered) = sync_channel(1);
        let requests = self.shared.requests.as_ref().expect("taken in drop only");
        requests.send(Request(answer)).map_err(|_| stopped(()))?;
        answered.recv().map_err(|_| stopped(()))?
    }

    /// Mirrors the record to a store `every` so often, until the last handle is gone. To be spawned; separate from the file's
    /// thread, so that a slow store never delays the file. A failed write is tried again with the next round.
    pub fn mirror(&self, store: Arc<dyn Store>, boot: BootId, every: Duration) -> impl Future<Output = ()> + use<> {
        let slots = Arc::downgrade(&self.shared.slots);
        async move {
            let mut ticks = tokio::time::interval(every);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
            loop {
                ticks.tick().await;
                let Some(slots) = slots.upgrade() else { return };
                match mirror_round(&*store, boot, &slots).await {
                    Ok(()) => {}
                    // That the store is away is told elsewhere, and once.
                    Err(error) if error.is_transport() => {
                        tracing::debug!(%error, "the progress record is not mirrored")
                    }
                    Err(error) => tracing::warn!(%error, "the progress record could not be mirrored"),
                }
            }
        }
    }

    /// What former boots left in the data directory: how far their sessions had come.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when a file cannot be read. A torn block is no error: its other copy is taken.
    pub fn recover(data_directory: &Path, present: BootId) -> Result<Vec<(BootId, Progress)>, StoreError> {
        file::read_former(data_directory, present)
    }

    /// Removes what a former boot left, once all of it is settled.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the file cannot be removed.
    pub fn forget(data_directory: &Path, boot: BootId) -> Result<(), StoreError> {
        file::remove(data_directory, boot)
    }

    /// The directory in which files of this kind are found, for messages.
    #[must_use]
    pub fn directory(data_directory: &Path) -> PathBuf {
        data_directory.join("progress")
    }
}

/// Writes the last round and waits for it.
impl Drop for Shared {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the progress record's thread ended in a panic");
        }
    }
}

/// What an heir finds in the store of another node's boot.
///
/// # Errors
/// What the store said.
pub async fn recover_from_store(store: &dyn Store, boot: BootId) -> Result<Progress, StoreError> {
    let mut entries = Vec::new();
    let mut names = None;
    // Even keys are names, odd ones the counts that belong to them; they come in order.
    for (key, bytes) in store.load_progress(boot).await? {
        let (number, half) = (key / 2, if key % 2 == 0 { Half::Names } else { Half::Counts });
        let block = Block::open(half, number, bytes).map(|(_, block)| block);
        match half {
            Half::Names => {
                entries.extend(names.take().map(|(_, names)| block::entries(&names, None)).unwrap_or_default());
                names = block.map(|block| (number, block));
            }
            Half::Counts => {
                if let Some((_, names)) = names.take_if(|(of, _)| *of == number) {
                    entries.extend(block::entries(&names, block.as_ref()));
                }
            }
        }
    }
    entries.extend(names.map(|(_, names)| block::entries(&names, None)).unwrap_or_default());
    Ok(entries)
}

async fn mirror_round(store: &dyn Store, boot: BootId, slots: &Mutex<Slots>) -> Result<(), StoreError> {
    /// Blocks in one write: bounds the memory and the store's pause (25 to 66 kB each).
    const BLOCKS: usize = 32;
    let blocks = slots.lock().blocks();
    let mut taken: Vec<(Half, u32, Block)> = Vec::new();
    for number in 0..blocks {
        for half in [Half::Names, Half::Counts] {
            taken.extend(slots.lock().take_dirty(half, number, Target::Mirror).map(|block| (half, number, block)));
        }
        if taken.len() < BLOCKS && number + 1 < blocks || taken.is_empty() {
            continue;
        }
        let places: Vec<_> = taken.iter().map(|(half, number, _)| (*half, *number)).collect();
        let sealed = taken.drain(..).map(|(half, number, mut block)| {
            block.seal(number, 0);
            (number * 2 + half as u32, block.into_bytes())
        });
        if let Err(error) = store.put_progress(boot, sealed.collect()).await {
            let mut slots = slots.lock();
            places.into_iter().for_each(|(half, number)| slots.mark_dirty(half, number, Target::Mirror));
            return Err(error);
        }
    }
    Ok(())
}

struct Rounds {
    file: ProgressFile,
    slots: Arc<Mutex<Slots>>,
    /// How often each block was written: says whose turn it is of its two copies.
    turns: Vec<[u64; 2]>,
}

fn write_rounds(mut rounds: Rounds, asked: &Receiver<Request>, every: Duration) {
    loop {
        let request = asked.recv_timeout(every);
        let result = rounds.write();
        if let Err(error) = &result {
            tracing::error!(%error, "the progress record could not be written");
        }
        match request {
            // Nobody may listen any more.
            Ok(Request(answer)) => drop(answer.send(result)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Rounds {
    /// Writes all blocks that changed, then syncs once. The lock is held for one block at a time.
    fn write(&mut self) -> Result<(), StoreError> {
        let blocks = self.slots.lock().blocks();
        self.turns.resize(blocks as usize, [0; 2]);
        self.file.next_round();
        let mut written = Vec::new();
        let mut result = Ok(());
        'blocks: for number in 0..blocks {
            for half in [Half::Names, Half::Counts] {
                let Some(block) = self.slots.lock().take_dirty(half, number, Target::File) else { continue };
                written.push((half, number));
                result = self.file.write(half, number, block, self.turns[number as usize][half as usize]);
                if result.is_err() {
                    break 'blocks;
                }
            }
        }
        if result.is_ok() && !written.is_empty() {
            result = self.file.sync();
        }
        if result.is_err() {
            // After a failed sync nobody knows what is on the disk: all of the round is written again.
            let mut slots = self.slots.lock();
            for (half, number) in written {
                slots.mark_dirty(half, number, Target::File);
            }
        } else {
            for (half, number) in written {
                self.turns[number as usize][half as usize] += 1;
            }
        }
        result
    }
}
