//! Finding a node for a new session, and moving sessions from this one to another.

use std::time::Duration;

use async_trait::async_trait;
use footlight_ledger::{BootId, SessionId};
use footlight_session::Heirloom;
use footlight_store::nodes;
use futures_util::stream::{self, StreamExt as _};
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, Inner};
use crate::directory::Peer;
use crate::lease::Standing;
use crate::placement::{Place, PlaceError, Placement, Wish};
use crate::view::peer_of;
use crate::wire::{Adopted, Adopter, NotAdopted};

/// How often those who wait for room look again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// When a create that found no room should be tried again, in seconds.
const RETRY_AFTER_S: u32 = 5;
/// Sessions that leave at once: each is silent for as long as its move takes.
const MOVES_AT_ONCE: usize = 8;
/// The pause before a session for which there was no room elsewhere is moved again.
const MOVE_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Why a session was not moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// No other node has room, or the one that was named has none.
    #[error("no other node has room for it")]
    NoRoom,
    /// It does not run here.
    #[error("it does not run on this node")]
    NotHere,
    /// Somebody else moves it already.
    #[error("it is on its way already")]
    OnItsWay,
    /// It could not be moved, and goes on here.
    #[error("it could not be moved: {0}")]
    Failed(String),
}

impl Cluster {
    /// Moves a session from this node to another: to `to`, or to one that has room.
    ///
    /// # Errors
    /// [`MoveError`] says why it is still here.
    pub async fn migrate(&self, session: SessionId, to: Option<BootId>) -> Result<Peer, MoveError> {
        let moved = self.0.migrate(session, to).await;
        self.0.metrics.moves.with_label_values(&[if moved.is_ok() { "moved" } else { "failed" }]).inc();
        moved
    }

    /// Moves everything off this node, until `deadline`. Answers how many sessions are left.
    pub async fn migrate_all(&self, deadline: Instant) -> usize {
        loop {
            let sessions = self.0.parts.host.hosted();
            if sessions.is_empty() || Instant::now() >= deadline || !self.0.parts.host.is_draining() {
                return sessions.len();
            }
            let failed = stream::iter(sessions)
                .map(|session| async move { self.migrate(session, None).await.is_err() })
                .buffer_unordered(MOVES_AT_ONCE)
                .filter(|failed| std::future::ready(*failed))
                .count()
                .await;
            if failed > 0 {
                sleep(MOVE_AGAIN_AFTER).await;
            }
        }
    }
}

/// A session that is being moved.
struct Move<'a> {
    inner: &'a Inner,
    session: SessionId,
}

impl<'a> Move<'a> {
    fn begin(inner: &'a Inner, session: SessionId) -> Option<Self> {
        inner.moving.lock().insert(session).then_some(Self { inner, session })
    }
}

impl Drop for Move<'_> {
    fn drop(&mut self) {
        self.inner.moving.lock().remove(&self.session);
    }
}

#[async_trait]
impl Placement for Cluster {
    async fn place(&self, wish: &Wish) -> Result<Place, PlaceError> {
        let begun = Instant::now();
        let placed = self.0.place_or_wait(wish).await;
        let result = match &placed {
            Ok(Place::Here) => "here",
            Ok(Place::At(_)) => "elsewhere",
            Err(PlaceError::Full { .. }) => "full",
            Err(PlaceError::Store(_)) => "failed",
        };
        self.0.metrics.placements.with_label_values(&[result]).inc();
        self.0.metrics.placement_seconds.observe(begun.elapsed().as_secs_f64());
        placed
    }

    fn taken(&self, session: SessionId) {
        self.0.absorb(session);
    }

    async fn give_back(&self, session: SessionId) {
        self.0.give_back(session).await;
    }
}

#[async_trait]
impl Adopter for Cluster {
    async fn adopt(&self, heirloom: Heirloom) -> Result<Adopted, NotAdopted> {
        if self.standing() != Standing::Held || self.0.parts.host.is_draining() {
            return Err(NotAdopted::Full);
        }
        let session = heirloom.record.id;
        let record = self.0.parts.host.adopt(heirloom).await?;
        self.0.absorb(session);
        Ok(Adopted { record })
    }
}

impl Inner {
    async fn place_or_wait(&self, wish: &Wish) -> Result<Place, PlaceError> {
        let full = match self.place_once(wish).await {
            Err(full @ PlaceError::Full { .. }) => full,
            placed => return placed,
        };
        let Ok(_turn) = self.queue.try_acquire() else { return Err(full) };
        self.metrics.creates_waiting.inc();
        let until = Instant::now() + self.parts.options.queue_deadline;
        let mut placed = Err(full);
        while matches!(placed, Err(PlaceError::Full { .. })) && Instant::now() < until {
            sleep(LOOK_AGAIN_AFTER).await;
            placed = self.place_once(wish).await;
        }
        self.metrics.creates_waiting.dec();
        placed
    }

    async fn place_once(&self, wish: &Wish) -> Result<Place, PlaceError> {
        let mut not = wish.except.clone();
        if self.standing() != Standing::Held {
            not.push(self.parts.boot);
        }
        let asked = nodes::Wish {
            session: wish.session,
            weight_milli: wish.weight_milli,
            labels: wish.labels.clone(),
            avatar: wish.avatar.clone().unwrap_or_default(),
            strategy: self.parts.options.strategy,
            only: None,
            not,
            dice: (self.parts.dice)(),
        };
        match self.parts.store.place(asked).await? {
            nodes::Placed::At(card) if card.boot == self.parts.boot => Ok(Place::Here),
            nodes::Placed::At(card) => Ok(Place::At(peer_of(&card))),
            nodes::Placed::Full { used, total } => Err(full(wish.weight_milli, used, total)),
        }
    }

    async fn migrate(&self, session: SessionId, to: Option<BootId>) -> Result<Peer, MoveError> {
        // Two at once would give back each other's place, and bring the session back in the middle of a move.
        let _move = Move::begin(self, session).ok_or(MoveError::OnItsWay)?;
        let record = self.parts.host.record(session).filter(|record| record.end_reason.is_none());
        let record = record.ok_or(MoveError::NotHere)?;
        // A place first, so that it is not silent while one is looked for.
        let wish = self.wish_of(&record, to, vec![self.parts.boot]);
        let placed = self.parts.store.place(wish).await.map_err(|error| MoveError::Failed(error.to_string()))?;
        let nodes::Placed::At(card) = placed else { return Err(MoveError::NoRoom) };
        let peer = peer_of(&card);
        let heirloom = match self.parts.host.let_go(session).await {
            Ok(heirloom) => heirloom,
            Err(refusal) => {
                self.give_back(session).await;
                return Err(match refusal {
                    NotAdopted::Gone { .. } => MoveError::NotHere,
                    refusal => MoveError::Failed(refusal.to_string()),
                });
            }
        };
        match self.hand_to(&peer, &heirloom).await {
            Ok(()) | Err(NotAdopted::Gone { .. }) => {
                self.parts.host.forget_moved(session).await;
                self.renew_soon.notify_one();
                Ok(peer)
            }
            // It may be there, or not. Here it finds out by itself: if it is there, its next heartbeat is refused.
            Err(refusal) => {
                self.parts.host.take_back(session).await;
                self.give_back(session).await;
                Err(MoveError::Failed(refusal.to_string()))
            }
        }
    }
}

/// Says which of the two kinds of room is used up.
fn full(weight_milli: u64, used: nodes::NodeUse, total: nodes::NodeUse) -> PlaceError {
    let of_sessions = used.sessions >= total.sessions;
    let weight = weight_milli.max(1);
    let (used, total) = if of_sessions {
        (used.sessions, total.sessions)
    } else {
        // Speaking slots, in sessions like this one.
        (used.slots_milli.div_ceil(weight), total.slots_milli / weight)
    };
    PlaceError::Full { used: used.min(total), total, retry_after_s: RETRY_AFTER_S }
}
