//! Going on with a session that another node had.
//!
//! Nothing but the commit to its account makes a session this node's. Everything before it can be left at any time; what
//! fails after it leaves the session to whoever claims it next, this node included: the steps may be repeated.

use footlight_avatar::bundle::AvatarChoice;
use footlight_ledger::{Command, EndReason, Microcredits, Outcome, Refusal, SessionId, Units};
use footlight_session::{Heirloom, SessionChange, SessionRecord, SessionState};
use footlight_stage::PerformanceSpec;

use super::Node;
use super::create::parse_colour;
use super::launch::{Former, Launch};
use super::opening::FIRST_EPOCH;
use crate::directory::Finality;
use crate::{NodeError, announce, speech};

/// A session that is being adopted; another attempt waits until this one is over.
struct Turn<'a> {
    node: &'a Node,
    session: SessionId,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.node.inner.adopting.lock().remove(&self.session);
        self.node.inner.adopted.notify_waiters();
    }
}

impl Node {
    /// Goes on with a session at the next epoch: what is proved is settled, what was still to be said is queued again, and
    /// the session starts as a new one does, with what people hold it back for. Adopting a session that this node has
    /// answers its record. After an error the session is as claimable as before, by whoever knows its present record.
    ///
    /// # Errors
    /// [`NodeError::Moving`] when another node has it by now; [`NodeError::Ended`] when it is over;
    /// [`NodeError::Capacity`], [`NodeError::Draining`] and those of [`Node::create_session`] about the avatar; what the
    /// store said.
    pub async fn adopt(&self, heirloom: Heirloom) -> Result<SessionRecord, NodeError> {
        let id = heirloom.record.id;
        if !self.tenure().holds_now() {
            return Err(NodeError::Draining);
        }
        let _turn = self.turn_at(id).await;
        if let Some(card) = self.inner.cards.get(id) {
            return match card.end_reason() {
                Some(reason) => Err(NodeError::Ended { reason }),
                None if card.is_leaving() => Err(NodeError::Moving),
                None => Ok(card.record()),
            };
        }
        self.check_claimable(&heirloom.record).await?;
        if heirloom.record.product.is_remote() {
            self.adopt_remote(heirloom).await
        } else {
            self.adopt_staged(heirloom).await
        }
    }

    /// Waits for another attempt at the same session: what became of it is the answer to this one too.
    async fn turn_at(&self, session: SessionId) -> Turn<'_> {
        loop {
            let adopted = self.inner.adopted.notified();
            tokio::pin!(adopted);
            adopted.as_mut().enable();
            if self.inner.adopting.lock().insert(session) {
                return Turn { node: self, session };
            }
            adopted.await;
        }
    }

    /// The directory is a hint, and this a courtesy: whoever has the session is not disturbed.
    async fn check_claimable(&self, known: &SessionRecord) -> Result<(), NodeError> {
        let Some(found) = self.inner.parts.store.get_session(known.id).await? else { return Ok(()) };
        match found.end_reason {
            Some(reason) => Err(NodeError::Ended { reason }),
            None if found.epoch > known.epoch && found.boot != self.inner.boot => Err(NodeError::Moving),
            None => Ok(()),
        }
    }

    async fn adopt_staged(&self, heirloom: Heirloom) -> Result<SessionRecord, NodeError> {
        let Heirloom { record: former, proved, .. } = heirloom;
        let inner = &self.inner;
        let mut spec = spec_of(&former)?;
        let seat = inner.supervisor.admit(spec.weight_milli()).await?;
        if let Some(own) = inner.parts.wardrobe.open(former.account, &former.avatar).await? {
            spec.avatar = AvatarChoice::Own(own);
        }
        // Before the account is asked: what cannot be shown here is better left to others.
        self.prepare(&spec).await?;

        let (epoch, base) = self.take_over(&former, proved).await?;
        let samples_per_frame = spec.samples_per_frame() as u64;
        let inheritance = inner.keeper.inherit(former.account, former.id, base, samples_per_frame).await?;
        let record = self.record_of_heir(&former, epoch, base);
        match self.put_record(&record).await {
            Ok(()) => {}
            // The account says that it is here, and perhaps the record does: nobody else would take it. It is written again
            // until it is there.
            Err(NodeError::StoreUnreachable(_)) => inner.directory.put(record.clone(), Finality::MoreFollows),
            Err(error) => {
                inner.keeper.forget(record.id);
                return Err(error);
            }
        }
        self.check_still_holds().inspect_err(|_| inner.keeper.forget(record.id))?;
        let max_duration = former.duration_left(self.now());
        let former = Some(Former { record: former, inheritance });
        self.launch(Launch { record: record.clone(), spec, seat, max_duration, former }).await?;
        Ok(record)
    }

    /// A session whose engine is elsewhere is taken in hand; its engine reports to whoever answers.
    async fn adopt_remote(&self, heirloom: Heirloom) -> Result<SessionRecord, NodeError> {
        let Heirloom { record, .. } = heirloom;
        // The account knows the engine's own epoch, which goes on.
        let record = SessionRecord { node: self.inner.parts.options.name.clone(), boot: self.inner.boot, ..record };
        self.put_record(&record).await?;
        self.check_still_holds()?;
        Ok(self.inner.adopt_engine_of(record).record())
    }

    /// Whether whoever claims this node finds what it has adopted. One that claimed it already may have looked before; whoever
    /// offers the session offers it to another then.
    fn check_still_holds(&self) -> Result<(), NodeError> {
        let ended = || NodeError::Internal { detail: "the node's lease ended while it adopted the session".to_owned() };
        if self.tenure().holds_now() { Ok(()) } else { Err(ended()) }
    }

    /// What the session of this record weighs while it speaks, in thousandths of a slot.
    #[must_use]
    pub fn weight_of_record(&self, record: &SessionRecord) -> u64 {
        // A record that cannot be performed is refused when it is adopted; until then it weighs what most do.
        spec_of(record).map_or(1_000, |spec| spec.weight_milli())
    }

    /// Ends a session that no node can go on with, settled at what is proved, as [`EndReason::NodeLost`].
    ///
    /// # Errors
    /// [`NodeError::Moving`] when another node has it by now; [`NodeError::Ended`] when it is over; what the store said.
    pub async fn give_up(&self, heirloom: Heirloom) -> Result<SessionRecord, NodeError> {
        let Heirloom { record: former, proved, .. } = heirloom;
        if let Some(card) = self.inner.cards.get(former.id) {
            return if card.end_reason().is_some() { Ok(card.record()) } else { Err(NodeError::Moving) };
        }
        self.check_claimable(&former).await?;
        let (epoch, base) = self.take_over(&former, proved).await?;
        let reason = EndReason::NodeLost;
        let end = Command::EndSession { session: former.id, epoch, number: 1, units: base, reason };
        let (units, charged) = match self.submit(former.account, end).await? {
            Outcome::Ended(answer) => (answer.settled_units, answer.charged),
            outcome => return Err(NodeError::Internal { detail: format!("an end was answered by {outcome:?}") }),
        };
        let mut record = self.record_of_heir(&former, epoch, units);
        record.end(self.now(), reason);
        record.credits_used = charged;
        self.write_end(&former, record.clone()).await?;
        Ok(record)
    }

    /// The account's word that this node has the session: its epoch, and the units that it begins with. One that the account
    /// has ended, or never heard of, ends for its users too.
    async fn take_over(&self, former: &SessionRecord, proved: Units) -> Result<(u32, Units), NodeError> {
        let take_over = Command::TakeOver { session: former.id, owner: self.inner.boot, proved };
        match self.inner.parts.desk.submit(former.account, take_over).await {
            Ok(Outcome::TakenOver { epoch, base }) => Ok((epoch, base)),
            Ok(Outcome::Refused(Refusal::SessionEnded { reason })) => {
                let tab = self.tab(former.account, former.id).await?;
                let (units, charged) =
                    tab.map_or((former.units, former.credits_used), |tab| (tab.settled_units, tab.charged));
                self.end_record(former, reason, units, charged).await
            }
            // It was lost between its record and its account, and used nothing.
            Ok(Outcome::Refused(Refusal::UnknownSession)) => {
                self.end_record(former, EndReason::NodeLost, 0, Microcredits::ZERO).await
            }
            Ok(Outcome::Refused(refusal)) => Err(refusal.into()),
            Ok(outcome) => Err(NodeError::Internal { detail: format!("a claim was answered by {outcome:?}") }),
            Err(error) => {
                self.inner.metrics.store_failed(&error);
                Err(error.into())
            }
        }
    }

    /// Says for its users that a session is over which the account says is.
    async fn end_record<T>(
        &self,
        former: &SessionRecord,
        reason: EndReason,
        units: Units,
        charged: Microcredits,
    ) -> Result<T, NodeError> {
        let mut record = former.clone();
        record.end(self.now(), reason);
        (record.units, record.credits_used) = (units, charged);
        self.write_end(former, record).await?;
        Err(NodeError::Ended { reason })
    }

    async fn write_end(&self, former: &SessionRecord, record: SessionRecord) -> Result<(), NodeError> {
        let parts = &self.inner.parts;
        if was_starting(former) {
            parts.announcer.session(SessionChange::Started, former.clone());
        }
        parts.announcer.session(SessionChange::Ended, record.clone());
        announce::written(&*parts.announcer).await;
        self.put_record(&record).await?;
        if let Err(error) = speech::discard(&*parts.store, record.account, record.id).await {
            // The janitor's.
            tracing::debug!(session = %record.id, %error, "the speech of a session that is over stays for now");
        }
        Ok(())
    }

    fn record_of_heir(&self, former: &SessionRecord, epoch: u32, units: Units) -> SessionRecord {
        SessionRecord {
            state: SessionState::Starting,
            pause_reasons: Default::default(),
            units,
            credits_used: former.pricing.cost(units),
            epoch,
            node: self.inner.parts.options.name.clone(),
            boot: self.inner.boot,
            ..former.clone()
        }
    }
}

/// Whether a node was lost while it created this session, so that its beginning may not have been told.
pub(super) fn was_starting(record: &SessionRecord) -> bool {
    record.state == SessionState::Starting && record.epoch == FIRST_EPOCH
}

/// What a session is made of, by its record.
fn spec_of(record: &SessionRecord) -> Result<PerformanceSpec, NodeError> {
    Ok(PerformanceSpec {
        session: record.id,
        account: record.account,
        avatar: record.avatar.as_str().into(),
        fps: record.fps,
        width: record.width,
        height: record.height,
        background: record.background.as_deref().map(parse_colour).transpose()?,
        when_unwatched: record.when_unwatched,
    })
}
