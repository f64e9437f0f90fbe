//! Both stores, so that a test is written once.

use footlight_tests::{NodeSetup, RedisServer};

/// A node setup on a store, with the server that it needs.
pub(crate) struct OnStore {
    pub(crate) setup: NodeSetup,
    /// Ends with the test.
    pub(crate) _redis: Option<RedisServer>,
}

/// A node on the embedded store.
pub(crate) fn embedded() -> OnStore {
    OnStore { setup: NodeSetup::embedded(), _redis: None }
}

/// A node on a Redis of its own.
pub(crate) async fn redis() -> anyhow::Result<OnStore> {
    let redis = RedisServer::start().await?;
    Ok(OnStore { setup: NodeSetup::on_redis(&redis.url()), _redis: Some(redis) })
}
