//! The embedded store keeps the contract, in memory and on disk.

use std::sync::Arc;

use footlight_store::SqliteStore;
use footlight_store::contract::Opened;

mod in_memory {
    use super::*;

    async fn open() -> Opened {
        Opened { store: Arc::new(SqliteStore::in_memory().expect("opens")), keep: Box::new(()) }
    }

    footlight_store::store_contract!(open);
}

mod on_disk {
    use super::*;

    async fn open() -> Opened {
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(directory.path()).expect("opens");
        Opened { store: Arc::new(store), keep: Box::new(directory) }
    }

    footlight_store::store_contract!(open);
}

#[tokio::test]
async fn a_year_on_each_plan_in_books() {
    footlight_store::contract::year::a_year_on_each_plan_in_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_on_each_plan() {
    let store = Arc::new(SqliteStore::in_memory().expect("opens"));
    footlight_store::contract::year::a_year_on_each_plan(store, 1).await;
}
