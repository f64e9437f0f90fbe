//! Letting sessions go to another node, as planned or because this one has lost them.

use std::time::Duration;

use footlight_ledger::{Command, Outcome, SessionId};
use footlight_session::{Heirloom, Inherited};
use footlight_stage::Tenure;
use footlight_store::StoreError;
use footlight_store::progress::ProgressWriter;
use futures_util::future::join_all;

use super::{Node, sessions};
use crate::NodeError;
use crate::card::SessionCard;
use crate::session::{Depart, Disown, LetGo, TakeBack};

/// How long a session that is let go waits until the account has all of it.
const LET_GO_PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits until what it has still to say is in the store.
const KEEP_PATIENCE: Duration = Duration::from_secs(5);
/// How long a node waits for the last reports of sessions that are another's: longer than each of them does.
const DISOWN_PATIENCE: Duration = Duration::from_secs(5);

impl Node {
    /// How long this node may hand anything out; whoever keeps its lease moves it.
    #[must_use]
    pub fn tenure(&self) -> &Tenure {
        self.inner.parts.stage.tenure()
    }

    /// The sessions that this node makes and that are not over.
    #[must_use]
    pub fn hosted(&self) -> Vec<SessionId> {
        let cards = self.inner.cards.all();
        let lives = |card: &&std::sync::Arc<SessionCard>| card.engine().is_none() && card.end_reason().is_none();
        cards.iter().filter(lives).map(|card| card.id).collect()
    }

    /// What former runs of this node left, where its options say that they are not ended at the start; answered once. Their progress
    /// files prove more than what was mirrored, so this node adopts them, or gives them up, best.
    #[must_use]
    pub fn left_behind(&self) -> Vec<Heirloom> {
        std::mem::take(&mut self.inner.left_behind.lock())
    }

    /// All that was left behind is adopted, here or elsewhere, or given up: the progress files of former runs go.
    ///
    /// # Errors
    /// [`NodeError::Store`] when a file cannot be removed.
    pub fn forget_former_runs(&self) -> Result<(), NodeError> {
        let data_dir = &self.inner.parts.data_dir;
        for (boot, _) in ProgressWriter::recover(data_dir, self.inner.boot)? {
            ProgressWriter::forget(data_dir, boot)?;
        }
        Ok(())
    }

    /// Stands still with a session that another node is to go on with: from now on no active frame is handed out, all that was is
    /// settled, and nothing is held for it. Those who watch see it rest, and stay until [`Node::forget_moved`]; what is asked of
    /// it meanwhile is answered by [`NodeError::Moving`]. [`Node::take_back`] undoes it.
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::Ended`]; [`NodeError::StoreUnreachable`] when it could not be settled in time: it
    /// goes on here then.
    pub async fn let_go(&self, id: SessionId) -> Result<Heirloom, NodeError> {
        let card = self.inner.cards.get(id).ok_or_else(sessions::no_session)?;
        if card.engine().is_some() {
            let record = card.record();
            return Ok(Heirloom { proved: record.units, record, why: Inherited::Moved });
        }
        let let_go = self.tell(&card, LetGo).await??;
        let units = match tokio::time::timeout(LET_GO_PATIENCE, let_go).await {
            Ok(Ok(units)) => units,
            Ok(Err(_)) => {
                return Err(card.end_reason().map_or(NodeError::Moving, |reason| NodeError::Ended { reason }));
            }
            Err(_) => {
                self.tell(&card, TakeBack).await?;
                let detail = "a session that is to move was not settled in time";
                return Err(NodeError::StoreUnreachable(StoreError::unreachable(detail)));
            }
        };
        if !self.inner.keeper.flush(id, KEEP_PATIENCE).await {
            tracing::warn!(session = %id, "a session moves before all that it has to say is in the store");
        }
        Ok(Heirloom { record: card.record(), proved: units, why: Inherited::Moved })
    }

    /// Goes on with a session that was let go and that nobody took. If its heir had it already, it is taken from there: then those who
    /// watch have to come again.
    pub async fn take_back(&self, id: SessionId) {
        let Some(card) = self.inner.cards.get(id).filter(|card| card.engine().is_none()) else { return };
        let record = card.record();
        let take_over = Command::TakeOver { session: id, owner: self.inner.boot, proved: record.units };
        match self.inner.parts.desk.submit(card.account, take_over).await {
            Ok(Outcome::TakenOver { epoch, .. }) if epoch != record.epoch => {
                self.forget_moved(id).await;
                let record = footlight_session::SessionRecord { epoch, ..record };
                let heirloom = Heirloom { proved: record.units, record, why: Inherited::Moved };
                if let Err(error) = self.adopt(heirloom).await {
                    tracing::error!(session = %id, %error, "a session that nobody took could not be taken back");
                }
                return;
            }
            // What else the account says, it says to the next report, which is sent at once.
            Ok(_) => {}
            Err(error) => self.inner.metrics.store_failed(&error),
        }
        // Gone means over.
        let _ = self.tell(&card, TakeBack).await;
    }

    /// Another node has a session that was let go: those who watch are told to come again, and nothing of it stays here.
    pub async fn forget_moved(&self, id: SessionId) {
        let Some(card) = self.inner.cards.get(id) else { return };
        if card.engine().is_some() {
            self.forget_engine(&card, Inherited::Moved);
        } else {
            // Gone means over.
            let _ = self.tell(&card, Depart(Inherited::Moved)).await;
        }
    }

    /// Another node has claimed all that this one had. Nothing is handed out any more; each session reports once more what it has used and gives back
    /// what it holds, unless an heir has it, which is counted; and then it is gone from here. Sessions stay open for their
    /// heirs.
    pub async fn disown_all(&self) {
        let mut gone = Vec::new();
        for card in self.inner.cards.all() {
            if card.engine().is_some() {
                self.forget_engine(&card, Inherited::NodeLost);
            } else if let Some(addr) = card.addr() {
                gone.push(async move {
                    if let Ok(gone) = addr.send(Disown).await {
                        // Dropped means gone as well.
                        let _ = gone.await;
                    }
                });
            }
        }
        let sessions = gone.len();
        if tokio::time::timeout(DISOWN_PATIENCE, join_all(gone)).await.is_err() {
            tracing::warn!("some sessions that are other nodes' could not report for the last time");
        }
        if sessions > 0 {
            tracing::warn!(sessions, "this node's sessions were claimed by another; they are gone from here");
        }
    }

    pub(super) fn forget_engine(&self, card: &SessionCard, why: Inherited) {
        if card.end_reason().is_none() {
            card.depart(self.now(), why);
            self.inner.directory.forget(card.id);
        }
    }
}
