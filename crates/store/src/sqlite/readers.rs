//! Connections that only read: they see what is committed and never wait for the writer.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::failure::{Failure, Place};
use crate::StoreError;

/// A few connections, one caller each at a time.
pub(super) struct Readers {
    free: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
    place: Place,
}

impl Readers {
    pub(super) fn new(connections: Vec<Connection>, place: Place) -> Self {
        let permits = Arc::new(Semaphore::new(connections.len()));
        Self { permits, free: Arc::new(Mutex::new(connections)), place }
    }

    /// Runs `work` on a thread that may block.
    pub(super) async fn call<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
        T: Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("never closed");
        let free = Arc::clone(&self.free);
        let place = self.place.clone();
        let read = tokio::task::spawn_blocking(move || {
            let connection = free.lock().pop().expect("one connection per permit");
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&connection)));
            free.lock().push(connection);
            drop(permit);
            match result {
                Ok(result) => result.map_err(|failure| place.explain(failure)),
                Err(_) => Err(StoreError::unreachable(format!("a read of {place} panicked"))),
            }
        });
        read.await.map_err(|error| StoreError::unreachable(error.to_string()))?
    }
}
