//! Real servers for tests, on free ports, in directories of their own, killed and started again at will: one, a master with
//! replicas behind Sentinels, and a cluster.

mod authority;
mod cluster;
mod sentinels;
mod server;

pub use authority::Authority;
pub use cluster::RedisCluster;
pub use sentinels::Sentinels;
pub use server::RedisServer;

use std::time::{Duration, Instant};

/// How long tests wait for something that is bound to happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// The settings of a server that syncs every write to the disk before it answers.
pub const SAFE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

/// Waits until this holds.
///
/// # Panics
/// When it does not in half a minute.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
