//! What the cluster asks of the node that it is on.

use std::collections::BTreeSet;

use async_trait::async_trait;
use footlight_ledger::SessionId;
use footlight_session::{Heirloom, Moment, SessionRecord};
use footlight_store::nodes::NodeRoom;

use crate::wire::NotAdopted;

/// A node, as far as the cluster needs it.
#[async_trait]
pub trait Host: Send + Sync + 'static {
    /// Now, on the clock that its lease is counted by.
    fn moment(&self) -> Moment;

    /// Until when it may hand anything out. Called whenever that changes.
    fn set_tenure(&self, until: Moment);

    /// How full it is.
    fn room(&self) -> NodeRoom;

    /// Whether it takes no new sessions.
    fn is_draining(&self) -> bool;

    /// Avatars that are loaded.
    fn avatars(&self) -> BTreeSet<String>;

    /// Sessions that run here.
    fn hosted(&self) -> Vec<SessionId>;

    /// The record of one of them.
    fn record(&self, session: SessionId) -> Option<SessionRecord>;

    /// What the session of this record weighs while it speaks, in thousandths of a slot.
    fn weight_milli(&self, record: &SessionRecord) -> u64;

    /// What former runs of this node left, by its own files; answered once.
    fn left_behind(&self) -> Vec<Heirloom>;

    /// All of that is handed out: the files go.
    fn forget_former_runs(&self);

    /// Goes on with a session whose node was lost, or that moves here.
    async fn adopt(&self, heirloom: Heirloom) -> Result<SessionRecord, NotAdopted>;

    /// Ends a session of a lost node that nobody can take: as `node_lost`, settled at what was proved.
    async fn give_up(&self, heirloom: Heirloom) -> Result<(), NotAdopted>;

    /// Drops every session: this node's lease was claimed. Nothing may end in the account that an heir may take over.
    async fn disown_all(&self);

    /// Stops a session for a move, and answers what its heir needs.
    async fn let_go(&self, session: SessionId) -> Result<Heirloom, NotAdopted>;

    /// It goes on here after all.
    async fn take_back(&self, session: SessionId);

    /// Its heir has it.
    async fn forget_moved(&self, session: SessionId);
}
