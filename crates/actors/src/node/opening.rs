//! A session's beginning in the store, which may yet come to nothing.
//!
//! The record is written before the tab is begun in the account, and ends after it: whoever finds what a crash left goes by
//! records. A record without a tab used nothing and is ended; a tab without a record would stay open until the sweeper comes.

use std::time::Duration;

use footlight_ledger::{Command, EndReason, Outcome, Refusal};
use footlight_session::SessionRecord;
use footlight_store::StoreError;
use tokio::time::Instant;

use super::Node;
use crate::NodeError;
use crate::directory::Finality;

/// The epoch that a session begins with.
pub(super) const FIRST_EPOCH: u32 = 1;
/// A beginning that took longer than this looks again whether its record stands: an heir may have ended it meanwhile. Far under a
/// lease.
const RECORD_STANDS_FOR: Duration = Duration::from_secs(1);
/// How often the end of a session that came to nothing is tried. After that the sweeper ends its tab.
const CANCEL_TRIES: u32 = 12;
/// The pause after the first try; each further one is twice as long.
const CANCEL_FIRST: Duration = Duration::from_millis(250);
/// The longest pause.
const CANCEL_LAST: Duration = Duration::from_secs(30);

/// A session that is being opened. When it is dropped before it [`stays`](Opening::stays), because the store's answer was lost,
/// a later step failed, or whoever asked went away, its place in the account is given back, and its record ends.
pub(super) struct Opening {
    /// `None` once there is nothing to take back.
    node: Option<Node>,
    record: SessionRecord,
    left: Left,
}

/// What there may be of it in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Tab,
    RecordAndTab,
}

impl Opening {
    /// It came to something.
    pub(super) fn stays(mut self) -> SessionRecord {
        self.node = None;
        self.record.clone()
    }

    fn command(&self) -> Command {
        let SessionRecord { id, product, pricing, secret, boot, .. } = &self.record;
        Command::BeginSession { session: *id, product: *product, pricing: *pricing, secret: *secret, owner: *boot }
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let Some(node) = self.node.take() else { return };
        let (record, left) = (self.record.clone(), self.left);
        if left == Left::Nothing {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { node.cancel(record, left).await });
        }
    }
}

impl Node {
    /// Whether the account would take a session with this record, so that nothing is loaded nor written for who cannot pay.
    pub(super) async fn foresee(&self, record: SessionRecord) -> Result<Opening, NodeError> {
        let mut opening = Opening { node: Some(self.clone()), record, left: Left::Nothing };
        let foreseen = self.inner.parts.desk.foresee(opening.record.account, &opening.command()).await;
        if let Outcome::Refused(_) = foreseen.inspect_err(|error| self.inner.metrics.store_failed(error))? {
            // Asked in earnest: what is on its way to the account already, like another session's end, comes before that.
            opening.left = Left::Tab;
            self.begin(&mut opening).await?;
        }
        Ok(opening)
    }

    /// Writes the record, and begins the tab.
    pub(super) async fn open(&self, opening: &mut Opening) -> Result<(), NodeError> {
        opening.left = Left::RecordAndTab;
        let written = Instant::now();
        self.put_record(&opening.record).await?;
        self.begin(opening).await?;
        if written.elapsed() > RECORD_STANDS_FOR {
            self.put_record(&opening.record).await?;
        }
        // Who claims this node from now on finds the record. Who did before may have looked already.
        if self.tenure().holds_now() { Ok(()) } else { Err(NodeError::Draining) }
    }

    async fn begin(&self, opening: &mut Opening) -> Result<(), NodeError> {
        match self.submit(opening.record.account, opening.command()).await {
            Ok(Outcome::Begun { .. }) => {
                // The store has just found this node's clock right, which it may not have been before.
                opening.record.created_at = self.now();
                Ok(())
            }
            Ok(outcome) => {
                Err(NodeError::Internal { detail: format!("a session's beginning was answered by {outcome:?}") })
            }
            Err(error) => {
                let is_refused = !matches!(error, NodeError::StoreUnreachable(_) | NodeError::Store(_));
                if is_refused && opening.left == Left::Tab {
                    opening.left = Left::Nothing;
                }
                Err(error)
            }
        }
    }

    /// Ends a session that nobody was told of. Its beginning, if it is under way still, is before this in the desk.
    async fn cancel(&self, mut record: SessionRecord, left: Left) {
        let (session, reason) = (record.id, EndReason::Cancelled);
        let end = Command::EndSession { session, epoch: FIRST_EPOCH, number: 1, units: 0, reason };
        let mut pause = CANCEL_FIRST;
        for _ in 0..CANCEL_TRIES {
            match self.inner.parts.desk.submit(record.account, end.clone()).await {
                // Somebody has taken it over, and goes on with it.
                Ok(Outcome::Refused(Refusal::Fenced { .. })) => return,
                // Refused otherwise: it never began, or is over.
                Ok(_) => break,
                Err(error) => {
                    self.inner.metrics.store_failed(&error);
                    // Nothing that passes.
                    if matches!(
                        error,
                        StoreError::Refused { .. } | StoreError::Corrupt { .. } | StoreError::NoAccount { .. }
                    ) {
                        break;
                    }
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(CANCEL_LAST);
        }
        if left == Left::RecordAndTab {
            record.end(self.now(), reason);
            self.inner.directory.put(record, Finality::Last);
        }
    }
}
