//! The nodes of an embedded store: one, usually, and only in memory.

use std::time::Duration;

use async_trait::async_trait;
use footlight_ledger::{BootId, SessionId};

use super::{SqliteStore, clock};
use crate::StoreError;
use crate::nodes::{Claimed, NodeEntry, NodeStore, Placed, Renewal, Renewed, Wish};

#[async_trait]
impl NodeStore for SqliteStore {
    async fn renew_node(&self, renewal: Renewal) -> Result<Renewed, StoreError> {
        Ok(self.nodes.renew(renewal, clock().0))
    }

    async fn leave_node(&self, boot: BootId) -> Result<(), StoreError> {
        self.nodes.leave(boot);
        Ok(())
    }

    async fn list_nodes(&self) -> Result<Vec<NodeEntry>, StoreError> {
        Ok(self.nodes.list(clock().0))
    }

    async fn place(&self, wish: Wish) -> Result<Placed, StoreError> {
        Ok(self.nodes.place(&wish, clock().0))
    }

    async fn give_back(&self, session: SessionId) -> Result<(), StoreError> {
        self.nodes.give_back(session);
        Ok(())
    }

    async fn claim_node(&self, lost: BootId, heir: BootId, lasts: Duration) -> Result<Claimed, StoreError> {
        Ok(self.nodes.claim(lost, heir, lasts, clock().0))
    }

    async fn bury_node(&self, lost: BootId, heir: BootId) -> Result<(), StoreError> {
        self.nodes.bury(lost, heir);
        Ok(())
    }

    async fn give_up_node(&self, lost: BootId) -> Result<bool, StoreError> {
        Ok(self.nodes.give_up(lost))
    }
}
