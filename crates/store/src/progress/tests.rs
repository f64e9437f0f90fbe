//! What a crash leaves, and what is made of it.

use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::Duration;

use footlight_ledger::{AccountId, BootId, SessionId};
use uuid::Uuid;

use super::{ProgressEntry, ProgressWriter, recover_from_store};
use crate::{SqliteStore, Store};

/// Never within a test: only `flush` writes.
const NEVER: Duration = Duration::from_secs(3_600);

fn boot() -> BootId {
    BootId(Uuid::now_v7())
}

fn entry(units: u64) -> ProgressEntry {
    ProgressEntry {
        session: SessionId(Uuid::now_v7()),
        account: AccountId(Uuid::now_v7()),
        epoch: 3,
        units,
        position_ms: units * 40,
    }
}

fn recovered(directory: &std::path::Path) -> Vec<ProgressEntry> {
    let mut former = ProgressWriter::recover(directory, boot()).expect("reads");
    assert_eq!(former.len(), 1);
    former.remove(0).1
}

#[test]
fn what_was_flushed_is_recovered() {
    let directory = tempfile::tempdir().expect("a directory");
    let writer = ProgressWriter::start(directory.path(), boot(), NEVER).expect("starts");
    let entries: Vec<_> = (0..2_500).map(entry).collect();
    let slots: Vec<_> = entries.iter().map(|entry| writer.assign(entry)).collect();
    writer.record(slots[7], 1_000, 40_000);
    writer.record(slots[2_400], 2_000, 80_000);
    writer.release(slots[8]);
    writer.flush().expect("writes");
    // After the flush: lost with the crash, as far as the disk knows.
    writer.record(slots[7], 1_050, 42_000);
    let mut expected = entries;
    (expected[7].units, expected[7].position_ms) = (1_000, 40_000);
    (expected[2_400].units, expected[2_400].position_ms) = (2_000, 80_000);
    expected.remove(8);
    assert_eq!(recovered(directory.path()), expected);
}

#[test]
fn dropping_the_last_handle_writes_what_is_left() {
    let directory = tempfile::tempdir().expect("a directory");
    let writer = ProgressWriter::start(directory.path(), boot(), NEVER).expect("starts");
    let slot = writer.assign(&entry(0));
    writer.record(slot, 75, 3_000);
    drop(writer);
    assert_eq!(recovered(directory.path())[0].units, 75);
}

#[test]
fn a_reused_slot_never_shows_the_former_sessions_units() {
    let directory = tempfile::tempdir().expect("a directory");
    let writer = ProgressWriter::start(directory.path(), boot(), NEVER).expect("starts");
    let former = writer.assign(&entry(0));
    writer.record(former, 9_999, 1);
    writer.flush().expect("writes");
    writer.release(former);
    let next = entry(5);
    let slot = writer.assign(&next);
    assert_eq!(slot, former);
    writer.flush().expect("writes");
    assert_eq!(recovered(directory.path()), [next]);
}

#[test]
fn a_torn_write_costs_one_round() {
    let directory = tempfile::tempdir().expect("a directory");
    let writer = ProgressWriter::start(directory.path(), boot(), NEVER).expect("starts");
    let slot = writer.assign(&entry(0));
    for units in [100, 200, 300] {
        writer.record(slot, units, units);
        writer.flush().expect("writes");
    }
    let file = std::fs::read_dir(ProgressWriter::directory(directory.path())).expect("lists").next();
    let path = file.expect("one file").expect("reads").path();
    let bytes = std::fs::read(&path).expect("reads");
    let open = std::fs::OpenOptions::new().write(true).open(&path).expect("opens");
    let find = |units: u64| {
        let mut count = units.to_le_bytes().to_vec();
        count.extend(units.to_le_bytes());
        bytes.windows(16).position(|window| window == count)
    };
    assert_eq!(find(100), None, "the third round went over the first");
    open.write_all_at(&[0xff; 9], find(300).expect("the newest copy") as u64).expect("tears");
    assert_eq!(recovered(directory.path())[0].units, 200);
    open.write_all_at(&[0xff; 9], find(200).expect("the older copy") as u64).expect("tears");
    assert_eq!(recovered(directory.path())[0].units, 0, "where it was assigned");
}

#[test]
fn a_settled_boot_is_forgotten_and_the_present_one_is_not_recovered() {
    let directory = tempfile::tempdir().expect("a directory");
    let (former, present) = (boot(), boot());
    drop(ProgressWriter::start(directory.path(), former, NEVER).expect("starts"));
    let writer = ProgressWriter::start(directory.path(), present, NEVER).expect("starts");
    let found = ProgressWriter::recover(directory.path(), present).expect("reads");
    assert_eq!(found, [(former, Vec::new())]);
    ProgressWriter::forget(directory.path(), former).expect("removes");
    ProgressWriter::forget(directory.path(), former).expect("a repeat is harmless");
    assert_eq!(ProgressWriter::recover(directory.path(), present).expect("reads"), []);
    drop(writer);
}

#[tokio::test]
async fn an_heir_reads_the_mirror() {
    let directory = tempfile::tempdir().expect("a directory");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory().expect("opens"));
    let boot = boot();
    let writer = ProgressWriter::start(directory.path(), boot, NEVER).expect("starts");
    let entries: Vec<_> = (0..1_030).map(entry).collect();
    let slots: Vec<_> = entries.iter().map(|entry| writer.assign(entry)).collect();
    tokio::spawn(writer.mirror(Arc::clone(&store), boot, Duration::from_millis(1)));
    writer.record(slots[1_029], 77, 7);
    let mut expected = entries;
    (expected[1_029].units, expected[1_029].position_ms) = (77, 7);
    for _ in 0..2_000 {
        if recover_from_store(&*store, boot).await.expect("reads") == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("the mirror never caught up");
}
