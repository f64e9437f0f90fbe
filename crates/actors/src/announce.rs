//! Telling the world outside what happens to sessions: the one port that webhooks hang on.

use std::time::Duration;

use async_trait::async_trait;
use footlight_session::{SessionChange, SessionRecord};

/// Tells accounts of their sessions.
#[async_trait]
pub trait Announcer: Send + Sync + 'static {
    /// A session changed; `record` is how it stands now. Called by actors, in the order of the changes: it must not wait.
    ///
    /// Beginnings and ends may be told again by a recovery, which cannot know what was told before the crash.
    fn session(&self, change: SessionChange, record: SessionRecord);

    /// Answers once everything told so far is kept. A session's record is written after that: what the store says of a
    /// session was told, whatever crashes.
    async fn written(&self);
}

/// How long records wait for what is told before them. Longer, and something is wrong with that alone: records go on.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// Waits until what was told is kept, but not for ever.
pub(crate) async fn written(announcer: &dyn Announcer) {
    if tokio::time::timeout(WRITTEN_WITHIN, announcer.written()).await.is_err() {
        tracing::warn!("what was told of sessions is not kept yet; their records are written all the same");
    }
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

#[async_trait]
impl Announcer for Nobody {
    fn session(&self, _: SessionChange, _: SessionRecord) {}

    async fn written(&self) {}
}
