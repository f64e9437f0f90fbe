//! What the embedded store makes of directories in use, full disks, and files that are not its own.

use std::path::Path;

use footlight_ledger::{AccountId, BootId, SessionId, Touched};
use uuid::Uuid;

use super::{FILE, SqliteStore};
use crate::{AccountStore as _, IdempotencyStore as _, ProgressStore as _, Remembered, StoreError};

fn refusal(result: Result<SqliteStore, StoreError>) -> String {
    match result.err().expect("is refused") {
        StoreError::Refused { detail } => detail,
        other => panic!("{other}"),
    }
}

fn names(text: &str, directory: &Path) -> bool {
    text.contains(&directory.display().to_string())
}

#[test]
fn a_directory_in_use_is_refused_until_it_is_free() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path()).expect("opens");
    let detail = refusal(SqliteStore::open(directory.path()));
    assert!(names(&detail, directory.path()), "{detail}");
    assert!(detail.contains(&std::process::id().to_string()), "{detail}");
    drop(store);
    SqliteStore::open(directory.path()).expect("opens again at once");
}

#[tokio::test]
async fn a_full_disk_is_refused_by_name_and_nothing_is_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open(directory.path()).expect("opens");
    let boot = BootId(Uuid::nil());
    store.put_progress(boot, vec![(0, vec![1])]).await.expect("writes");
    // SQLite's own bound fails as a full disk does.
    let bound = |pages: u32| {
        store.writer.call(move |connection| {
            Ok(connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get::<_, u32>(0))?)
        })
    };
    bound(1).await.expect("sets");
    let error = store.put_progress(boot, vec![(1, vec![2; 100_000])]).await.expect_err("is full");
    assert!(matches!(&error, StoreError::Refused { detail } if detail.contains("full")), "{error}");
    assert!(names(&error.to_string(), directory.path()), "{error}");
    bound(1_000_000).await.expect("sets");
    store.put_progress(boot, vec![(2, vec![3])]).await.expect("writes again");
    assert_eq!(store.load_progress(boot).await, Ok(vec![(0, vec![1]), (2, vec![3])]));
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join(FILE), vec![b'x'; 8_192]).expect("writes");
    let error = SqliteStore::open(directory.path()).err().expect("is refused");
    assert!(matches!(&error, StoreError::Corrupt { place, .. } if names(place, directory.path())), "{error}");
}

#[test]
fn a_file_from_a_newer_footlight_is_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(SqliteStore::open(directory.path()).expect("opens"));
    let connection = rusqlite::Connection::open(directory.path().join(FILE)).expect("opens");
    connection.pragma_update(None, "user_version", 1_000).expect("sets");
    drop(connection);
    let detail = refusal(SqliteStore::open(directory.path()));
    assert!(detail.contains("newer"), "{detail}");
}

#[tokio::test]
async fn an_unreadable_account_fails_alone() {
    let store = SqliteStore::in_memory().expect("opens");
    let account = AccountId(Uuid::now_v7());
    store
        .writer
        .call(move |connection| {
            let row = rusqlite::params![account.0.as_bytes(), [0_u8; 16], [0_u8; 0], [1_u8, 0xc1]];
            connection.execute(
                "INSERT INTO accounts (id, counter, commit_id, recent, doc) VALUES (?1, 1, ?2, ?3, ?4)",
                row,
            )?;
            Ok(())
        })
        .await
        .expect("inserts");
    let error = store.load_account(account, &Touched::default()).await.expect_err("is unreadable");
    assert!(matches!(&error, StoreError::Corrupt { place, .. } if *place == account.to_string()), "{error}");
    let nobody = Touched { sessions: vec![SessionId(Uuid::nil())], ..Touched::default() };
    assert!(store.load_account(AccountId(Uuid::nil()), &nobody).await.expect("reads").is_none());
}

#[tokio::test]
async fn one_bad_write_does_not_spoil_its_neighbours() {
    let store = SqliteStore::in_memory().expect("opens");
    let now = store.now().await.expect("a clock");
    let bad = store.writer.call(|connection| {
        connection.execute("INSERT INTO requests (scope, body, expires_at) VALUES ('half', x'00', 1)", [])?;
        connection.execute("INSERT INTO nowhere VALUES (1)", [])?;
        Ok(())
    });
    let good = store.begin_request("good", &[1; 32], now);
    let (bad, good) = tokio::join!(bad, good);
    assert!(bad.is_err());
    assert_eq!(good, Ok(Remembered::Fresh));
    let half: u32 = store
        .writer
        .call(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM requests WHERE scope = 'half'", [], |row| row.get(0))?)
        })
        .await
        .expect("counts");
    assert_eq!(half, 0, "what failed left nothing behind");
}
