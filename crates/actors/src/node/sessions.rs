//! What can be asked of one session, and of all.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::{Message, dev::ToEnvelope};
use footlight_ledger::{AccountId, EndReason, PauseReason, SessionId};
use footlight_session::{Input, SessionRecord, SessionState, UtteranceId};
use footlight_stage::{Gesture, Interrupted, LiveFeed, Outlet, OutletOptions, Performance, SpeakMode, StageError};
use uuid::Uuid;

use super::{Inner, Node};
use crate::card::SessionCard;
use crate::event::{EventStream, SessionEvent, SessionEventKind};
use crate::session::{Do, InterruptSpeech, OpenLive, PlayGesture, SessionActor, Speak, StopSession};
use crate::{Caller, NodeError, Speech};
use std::sync::Arc;

/// Which sessions to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionFilter {
    /// Only those in this state.
    pub state: Option<SessionState>,
    /// Only those of this account (an operator's choice; accounts see their own only).
    pub account: Option<AccountId>,
}

/// Sessions, and where the list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionList {
    /// The sessions.
    pub records: Vec<SessionRecord>,
    /// Ask for those before this one; `None` when there are no more.
    pub next: Option<SessionId>,
}

/// What a session has room for. It changes as others speak: [`Node::speak`] has the last word.
#[derive(Debug, Clone)]
pub struct SpeechRoom {
    /// `None` between a renderer that failed and the next one.
    performance: Option<Performance>,
    mode: SpeakMode,
}

impl SpeechRoom {
    /// Whether so many samples would be queued now.
    ///
    /// # Errors
    /// [`NodeError::AudioQueueFull`]; [`NodeError::Stage`] where all of the node's or the account's sessions have no room.
    pub fn check(&self, samples: u64) -> Result<(), NodeError> {
        let Some(performance) = &self.performance else { return Ok(()) };
        Ok(performance.check_room(samples, self.mode)?)
    }
}

/// How long a stop waits for the last settlement: an ended session settles within a second, and the answer should show
/// its bill. After that the answer shows what was counted.
const STOP_WAITS: Duration = Duration::from_secs(1);
/// How long an upload waits until an heir could speak it, too.
const KEEP_PATIENCE: Duration = Duration::from_secs(2);
/// Records read at once while looking for those of one state.
const LIST_BLOCK: usize = 200;
/// Blocks read at most for one list: beyond it the caller goes on from the last one that was looked at.
const LIST_BLOCKS_MAX: usize = 50;

impl Inner {
    /// Holds a session back, whoever makes it.
    pub(super) fn hold(&self, card: &SessionCard, reason: PauseReason) {
        if let Some(engine) = card.engine() {
            self.hold_engine(card, engine, reason);
        } else if let Some(addr) = card.addr() {
            addr.do_send(Do(Input::Hold(reason)));
        }
    }
}

impl Node {
    /// Whether this node has the session in hand.
    #[must_use]
    pub fn has(&self, id: SessionId) -> bool {
        self.inner.cards.get(id).is_some()
    }

    /// Those of these sessions that this node has in hand, as they are now.
    #[must_use]
    pub fn records_of(&self, ids: &[SessionId]) -> Vec<SessionRecord> {
        ids.iter().filter_map(|id| self.inner.cards.get(*id)).map(|card| card.record()).collect()
    }

    /// One session.
    ///
    /// # Errors
    /// [`NodeError::NotFound`] when there is none, or it belongs to another account; what the store said.
    pub async fn session(&self, who: Caller, id: SessionId) -> Result<SessionRecord, NodeError> {
        if let Some(card) = self.inner.cards.get(id) {
            return if who.sees(card.account) { Ok(card.record()) } else { Err(no_session()) };
        }
        let record = self.inner.parts.store.get_session(id).await?;
        record.filter(|record| who.sees(record.account)).ok_or_else(no_session)
    }

    /// Sessions, newest first, before `before`, at most `limit`. Those of this node are shown as they are now. A list by
    /// state may be shorter and go on all the same: only so many records are looked at in one call.
    ///
    /// # Errors
    /// What the store said.
    pub async fn list_sessions(
        &self,
        who: Caller,
        before: Option<SessionId>,
        limit: usize,
        filter: SessionFilter,
    ) -> Result<SessionList, NodeError> {
        let account = match who {
            Caller::Account { account, .. } => Some(account),
            Caller::Operator => filter.account,
        };
        // One more than is asked for says whether there is more.
        let block = if filter.state.is_some() { LIST_BLOCK } else { limit + 1 };
        let mut before = before;
        let mut found = Vec::new();
        for _ in 0..LIST_BLOCKS_MAX {
            let records = self.inner.parts.store.list_sessions(account, before, block).await?;
            let is_last = records.len() < block;
            for record in records {
                if found.len() == limit {
                    return Ok(SessionList { records: found, next: before });
                }
                before = Some(record.id);
                let record = self.inner.cards.get(record.id).map_or(record, |card| card.record());
                if filter.state.is_none_or(|state| record.state == state) {
                    found.push(record);
                }
            }
            if is_last {
                return Ok(SessionList { records: found, next: None });
            }
        }
        Ok(SessionList { records: found, next: before })
    }

    /// Ends a session; one that is over stays as it ended. The answer shows what it cost.
    ///
    /// # Errors
    /// [`NodeError::NotFound`]; [`NodeError::Moving`] while it is on its way to a node, or being created; what the store said.
    pub async fn stop(&self, who: Caller, id: SessionId) -> Result<SessionRecord, NodeError> {
        let card = match self.visible(who, id) {
            Some(card) => card,
            None => {
                let record = self.session(who, id).await?;
                if record.end_reason.is_some() {
                    return Ok(record);
                }
                self.in_hand(record).await?
            }
        };
        if card.engine().is_some() && card.end_reason().is_none() {
            self.cut_engine(&card, EndReason::Stopped).await?;
        }
        let Some(addr) = card.addr() else {
            let is_starting = card.engine().is_none() && card.end_reason().is_none();
            return if is_starting { Err(NodeError::Moving) } else { Ok(card.record()) };
        };
        if self.is_withheld(&card) && card.end_reason().is_none() {
            return Err(NodeError::Moving);
        }
        if let Ok(settled) = addr.send(StopSession).await {
            // Settled or not, it is over: the settlement is kept until the store has it.
            let _ = tokio::time::timeout(STOP_WAITS, settled).await;
        }
        Ok(card.record())
    }

    /// Holds a session back as `by_request`. One that is held back already stays so.
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::Ended`].
    pub async fn pause(&self, who: Caller, id: SessionId) -> Result<SessionRecord, NodeError> {
        let card = self.live_card(who, id).await?;
        match card.engine() {
            Some(engine) => self.inner.hold_engine(&card, engine, PauseReason::ByRequest),
            None => self.tell(&card, Do(Input::Hold(PauseReason::ByRequest))).await?,
        }
        Ok(card.record())
    }

    /// Lifts `by_request`. What else holds the session back goes on doing so.
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::Ended`].
    pub async fn resume(&self, who: Caller, id: SessionId) -> Result<SessionRecord, NodeError> {
        let card = self.live_card(who, id).await?;
        match card.engine() {
            Some(engine) => self.inner.lift_engine(&card, engine, PauseReason::ByRequest),
            None => self.tell(&card, Do(Input::Lift(PauseReason::ByRequest))).await?,
        }
        Ok(card.record())
    }

    /// Drops what is said and queued. When this returns, no frame of it is handed to any live outlet.
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::Ended`], [`NodeError::WrongState`].
    pub async fn interrupt(&self, who: Caller, id: SessionId) -> Result<Interrupted, NodeError> {
        let card = self.staged_card(who, id).await?;
        let interrupted = self.tell(&card, InterruptSpeech).await??;
        Ok(interrupted.await.map_err(|_| StageError::Closed)?)
    }

    /// Plays a gesture of the session's avatar, free of charge; what was begun. While the session is paused or nobody
    /// watches, nothing is played.
    ///
    /// # Errors
    /// [`NodeError::UnknownGesture`], [`NodeError::NotFound`], [`NodeError::Ended`], [`NodeError::MadeElsewhere`],
    /// [`NodeError::WrongState`].
    pub async fn gesture(&self, who: Caller, id: SessionId, name: &str) -> Result<Arc<Gesture>, NodeError> {
        let card = self.staged_card(who, id).await?;
        self.tell(&card, PlayGesture(name.to_owned())).await?
    }

    /// What a session has room for, of an utterance that is to be spoken in this mode: to be asked before work is done on it.
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::Ended`], [`NodeError::MadeElsewhere`], [`NodeError::Moving`].
    pub async fn room_for_speech(&self, who: Caller, id: SessionId, mode: SpeakMode) -> Result<SpeechRoom, NodeError> {
        let card = self.staged_card(who, id).await?;
        Ok(SpeechRoom { performance: card.performance(), mode })
    }

    /// Queues an utterance, behind what is queued or in its place. Where nodes share a store it is there when this answers, unless the
    /// store is slow or away.
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::Ended`], [`NodeError::WrongState`], [`NodeError::AudioQueueFull`],
    /// [`NodeError::InvalidField`] for empty audio.
    pub async fn speak(
        &self,
        who: Caller,
        id: SessionId,
        speech: Speech,
        mode: SpeakMode,
    ) -> Result<UtteranceId, NodeError> {
        let card = self.staged_card(who, id).await?;
        if speech.audio.is_empty() {
            return Err(NodeError::InvalidField {
                field: "audio",
                detail: "is empty; send at least one sample".to_owned(),
            });
        }
        let utterance = UtteranceId(Uuid::now_v7());
        let durable = self.tell(&card, Speak { id: utterance, audio: speech.audio, mode }).await??;
        // While the store is known to be away nobody waits for it.
        let is_there = self.inner.store_up.load(Ordering::Acquire);
        if let Some(durable) = durable
            && (!is_there || tokio::time::timeout(KEEP_PATIENCE, durable).await.is_err())
        {
            // It is spoken all the same: who speaks to a session in its grace should not wait for the store.
            self.inner.metrics.speech_not_kept.inc();
        }
        Ok(utterance)
    }

    /// Opens an utterance whose audio arrives while it is spoken.
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::Ended`], [`NodeError::WrongState`].
    pub async fn live(&self, who: Caller, id: SessionId) -> Result<LiveFeed, NodeError> {
        let card = self.staged_card(who, id).await?;
        self.tell(&card, OpenLive(UtteranceId(Uuid::now_v7()))).await?
    }

    /// Attaches a reader of media. Its outlet ends with the session, and also when the renderer fails and is started
    /// again: then attach anew (the session's events say so).
    ///
    /// # Errors
    /// [`NodeError::NotFound`], [`NodeError::Ended`], [`NodeError::WrongState`].
    pub async fn attach(&self, who: Caller, id: SessionId, options: OutletOptions) -> Result<Outlet, NodeError> {
        let card = self.staged_card(who, id).await?;
        let performance = card.performance();
        let starting = NodeError::WrongState { state: "starting", what: "be attached to yet; try again" };
        Ok(performance.ok_or(starting)?.attach(options)?)
    }

    /// Follows a session's events, beginning with its present state.
    ///
    /// # Errors
    /// [`NodeError::NotFound`]; what the store said.
    pub async fn events(&self, who: Caller, id: SessionId) -> Result<EventStream, NodeError> {
        if let Some(card) = self.visible(who, id) {
            return Ok(card.follow(self.now()));
        }
        let record = self.session(who, id).await?;
        let at = record.ended_at.unwrap_or_else(|| self.now());
        let kind = match record.end_reason {
            Some(reason) => SessionEventKind::Ended { reason },
            None => SessionEventKind::StateChanged { state: record.state, pause_reasons: record.pause_reasons },
        };
        Ok(EventStream::over(SessionEvent { sequence: 0, at, kind }))
    }

    fn visible(&self, who: Caller, id: SessionId) -> Option<Arc<SessionCard>> {
        self.inner.cards.get(id).filter(|card| who.sees(card.account))
    }

    /// The card of a session that is not over and that this node makes.
    async fn staged_card(&self, who: Caller, id: SessionId) -> Result<Arc<SessionCard>, NodeError> {
        let card = self.live_card(who, id).await?;
        if card.engine().is_some() { Err(NodeError::MadeElsewhere) } else { Ok(card) }
    }

    /// Whether another node may be going on with a session that this one makes: then nothing is done with it here.
    fn is_withheld(&self, card: &SessionCard) -> bool {
        card.engine().is_none() && (card.is_leaving() || !self.tenure().holds_now())
    }

    /// The card of a session that is not over.
    async fn live_card(&self, who: Caller, id: SessionId) -> Result<Arc<SessionCard>, NodeError> {
        let end_reason = match self.visible(who, id) {
            Some(card) => match card.end_reason() {
                None if self.is_withheld(&card) => return Err(NodeError::Moving),
                None => return Ok(card),
                Some(reason) => Some(reason),
            },
            None => {
                let record = self.session(who, id).await?;
                if record.end_reason.is_none() && record.product.is_remote() {
                    return self.in_hand(record).await;
                }
                record.end_reason
            }
        };
        Err(match end_reason {
            Some(reason) => NodeError::Ended { reason },
            // The store knows it, this node does not have it: it belongs to another node.
            None => no_session(),
        })
    }

    pub(super) async fn tell<M>(&self, card: &SessionCard, message: M) -> Result<M::Result, NodeError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        SessionActor: actix::Handler<M>,
        actix::Context<SessionActor>: ToEnvelope<SessionActor, M>,
    {
        let ended = || match card.end_reason() {
            Some(reason) => NodeError::Ended { reason },
            // It is not there yet, or died this moment.
            None => NodeError::Moving,
        };
        let addr = card.addr().ok_or_else(ended)?;
        addr.send(message).await.map_err(|_| ended())
    }
}

pub(super) fn no_session() -> NodeError {
    NodeError::NotFound { what: "session" }
}
