//! Finding a node for a new session, and moving sessions from this one to another.

use std::time::Duration;

use footlight_ledger::{BootId, SessionId};
use footlight_session::SessionRecord;
use footlight_store::nodes::{NodeStore as _, NodeUse, Placed, Wish};
use footlight_store::{SessionDirectory as _, StoreError};
use futures_util::stream::{self, StreamExt as _};
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, Inner, Labels};
use crate::host::AdoptRefusal;
use crate::lease::Standing;
use crate::peers::Peer;

/// How often those who wait for room look again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Sessions that leave at once: each is silent for as long as its move takes.
const MOVES_AT_ONCE: usize = 8;
/// The pause before a session for which there was no room elsewhere is moved again.
const MOVE_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Where a session is to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Here; a place is reserved.
    Here,
    /// There; a place is reserved.
    At(Peer),
}

/// Why there is no place.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// No node that would do has room.
    #[error("no node has room")]
    Full {
        /// What is in use or promised.
        used: NodeUse,
        /// All there is.
        total: NodeUse,
    },
    /// What the store said.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a new session needs.
#[derive(Debug, Clone)]
pub struct PlaceWish {
    /// Its id.
    pub session: SessionId,
    /// What it weighs while it speaks, in thousandths of a slot.
    pub weight_milli: u64,
    /// The avatar that it shows.
    pub avatar: String,
    /// Labels that the node must have.
    pub labels: Labels,
    /// Nodes that were asked already.
    pub not: Vec<BootId>,
}

/// Where a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// Here, or it is over, or nobody has it.
    Here,
    /// On another node.
    At(Peer),
    /// Its node is lost, or on its way to another; whoever asks should ask again in a second.
    Moving,
}

/// Why a session was not moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// No other node has room, or the one that was named has none.
    #[error("no other node has room for it")]
    NoRoom,
    /// It does not run here.
    #[error("it does not run on this node")]
    NotHere,
    /// It could not be moved, and goes on here.
    #[error("it could not be moved: {0}")]
    Failed(String),
}

impl Cluster {
    /// Finds a place for a new session. With a queue it waits for room, for a while.
    ///
    /// # Errors
    /// [`PlaceError::Full`]; what the store said.
    pub async fn place(&self, wish: &PlaceWish) -> Result<Place, PlaceError> {
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

    /// Gives back a place that was reserved and is not taken.
    pub async fn give_back(&self, session: SessionId) {
        self.0.give_back(session).await;
    }

    /// Where the session of this record is.
    #[must_use]
    pub fn whereabouts(&self, record: &SessionRecord) -> Whereabouts {
        if record.boot == self.boot() || record.end_reason.is_some() {
            return Whereabouts::Here;
        }
        match self.view().find(record.boot) {
            Some((peer, true)) => Whereabouts::At(peer),
            // Lost, or buried already while this record was read.
            Some((_, false)) | None => Whereabouts::Moving,
        }
    }

    /// Where a session is.
    ///
    /// # Errors
    /// What the store said.
    pub async fn find(&self, session: SessionId) -> Result<Option<Whereabouts>, StoreError> {
        let record = self.0.parts.store.get_session(session).await?;
        Ok(record.map(|record| self.whereabouts(&record)))
    }

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

impl Inner {
    async fn place_or_wait(&self, wish: &PlaceWish) -> Result<Place, PlaceError> {
        let full = match self.place_once(wish, None).await {
            Err(full @ PlaceError::Full { .. }) => full,
            placed => return placed,
        };
        let Ok(_turn) = self.queue.try_acquire() else { return Err(full) };
        self.metrics.creates_waiting.inc();
        let until = Instant::now() + self.parts.options.queue_deadline;
        let mut placed = Err(full);
        while matches!(placed, Err(PlaceError::Full { .. })) && Instant::now() < until {
            sleep(LOOK_AGAIN_AFTER).await;
            placed = self.place_once(wish, None).await;
        }
        self.metrics.creates_waiting.dec();
        placed
    }

    async fn place_once(&self, wish: &PlaceWish, only: Option<BootId>) -> Result<Place, PlaceError> {
        let PlaceWish { session, weight_milli, avatar, labels, not } = wish.clone();
        let mut not = not;
        if self.standing() != Standing::Held {
            not.push(self.parts.boot);
        }
        let strategy = self.parts.options.strategy;
        let wish = Wish { session, weight_milli, labels, avatar, strategy, only, not, dice: (self.parts.dice)() };
        match self.parts.store.place(wish).await? {
            Placed::At(card) if card.boot == self.parts.boot => Ok(Place::Here),
            Placed::At(card) => Ok(Place::At(Peer::of(&card))),
            Placed::Full { used, total } => Err(PlaceError::Full { used, total }),
        }
    }

    async fn migrate(&self, session: SessionId, to: Option<BootId>) -> Result<Peer, MoveError> {
        let record = self.parts.store.get_session(session).await;
        let record = record.map_err(|error| MoveError::Failed(error.to_string()))?;
        let record = record.filter(|record| record.boot == self.parts.boot && record.end_reason.is_none());
        let record = record.ok_or(MoveError::NotHere)?;
        let wish = PlaceWish {
            session,
            weight_milli: self.parts.host.weight_milli(&record),
            avatar: record.avatar.clone(),
            labels: record.labels.clone(),
            not: vec![self.parts.boot],
        };
        // A place first, so that it is not silent while one is looked for.
        let peer = match self.place_once(&wish, to).await {
            Ok(Place::At(peer)) => peer,
            Ok(Place::Here) | Err(PlaceError::Full { .. }) => return Err(MoveError::NoRoom),
            Err(PlaceError::Store(error)) => return Err(MoveError::Failed(error.to_string())),
        };
        let heirloom = match self.parts.host.let_go(session).await {
            Ok(heirloom) => heirloom,
            Err(refusal) => {
                self.give_back(session).await;
                return Err(match refusal {
                    AdoptRefusal::Settled => MoveError::NotHere,
                    refusal => MoveError::Failed(refusal.to_string()),
                });
            }
        };
        match self.hand_to(&peer, &heirloom).await {
            Ok(()) | Err(AdoptRefusal::Settled) => {
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
