//! The supervisor from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::{Actor, Addr, ArbiterHandle, Recipient};
use footlight_store::nodes::NodeRoom;
use parking_lot::Mutex;

use super::actor::{Admit, Began, Bury, FreeSlot, Left, SetDraining, Speaks, Supervisor, TakeSlot};
use super::room::{RoomLimits, Rooms};
use crate::NodeError;
use crate::card::SessionCard;
use crate::directory::DirectoryWriter;
use crate::health::Capacity;
use crate::metrics::Metrics;
use crate::session::SlotAnswered;
use crate::time::NodeClock;

/// What readers may see of the supervisor without asking it.
pub(super) struct Board {
    pub(super) capacity: Mutex<Capacity>,
    pub(super) for_others: Mutex<NodeRoom>,
    pub(super) full: AtomicBool,
    pub(super) draining: AtomicBool,
    stopped: AtomicBool,
}

/// The supervisor from outside. Clones are the same one.
#[derive(Clone)]
pub(crate) struct SupervisorHandle {
    addr: Addr<Supervisor>,
    board: Arc<Board>,
}

impl SupervisorHandle {
    pub(crate) fn start(
        limits: RoomLimits,
        slot_wait: Duration,
        directory: DirectoryWriter,
        clock: NodeClock,
        wall: footlight_store::desk::Clock,
        metrics: Arc<Metrics>,
        arbiter: &ArbiterHandle,
    ) -> Self {
        let rooms = Rooms::new(limits);
        let board = Arc::new(Board {
            capacity: Mutex::new(rooms.capacity()),
            for_others: Mutex::new(rooms.for_others()),
            full: AtomicBool::new(rooms.is_full()),
            draining: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let supervisor = Supervisor { rooms, slot_wait, directory, clock, wall, metrics, board: Arc::clone(&board) };
        supervisor.publish();
        let addr = Supervisor::start_in_arbiter(arbiter, |_| supervisor);
        Self { addr, board }
    }

    /// Reserves a place for a session of this weight.
    ///
    /// # Errors
    /// [`NodeError::Draining`], [`NodeError::Capacity`].
    pub(crate) async fn admit(&self, weight_milli: u64) -> Result<Seat, NodeError> {
        let stopped = |_| NodeError::Internal { detail: "the supervisor has stopped".to_owned() };
        self.addr.send(Admit { weight_milli }).await.map_err(stopped)??;
        Ok(Seat { supervisor: self.clone(), weight_milli, has_begun: false, has_left: false, speaks: false })
    }

    /// Asks for a speaking slot; `who` is told.
    pub(crate) fn take_slot(&self, weight_milli: u64, wish: u64, who: Recipient<SlotAnswered>) {
        self.addr.do_send(TakeSlot { weight_milli, wish, who });
    }

    /// Gives a speaking slot back.
    pub(crate) fn free_slot(&self, weight_milli: u64) {
        self.addr.do_send(FreeSlot { weight_milli });
    }

    /// A session's actor died.
    pub(crate) fn bury(&self, card: Arc<SessionCard>) {
        self.addr.do_send(Bury { card });
    }

    pub(crate) async fn set_draining(&self, draining: bool) {
        // It has stopped only when the node has.
        let _ = self.addr.send(SetDraining(draining)).await;
    }

    /// The node stops: from now on it is no failure that a session's actor is dropped.
    pub(crate) fn stop(&self) {
        self.board.stopped.store(true, Ordering::Release);
    }

    pub(crate) fn has_stopped(&self) -> bool {
        self.board.stopped.load(Ordering::Acquire)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.board.draining.load(Ordering::Acquire)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.board.full.load(Ordering::Acquire)
    }

    pub(crate) fn capacity(&self) -> Capacity {
        *self.board.capacity.lock()
    }

    /// What other nodes may count on.
    pub(crate) fn for_others(&self) -> NodeRoom {
        *self.board.for_others.lock()
    }
}

/// A session's place. It is given back when the session ends, or when this is dropped.
pub(crate) struct Seat {
    supervisor: SupervisorHandle,
    weight_milli: u64,
    has_begun: bool,
    has_left: bool,
    speaks: bool,
}

impl Seat {
    /// What the session weighs while it speaks, in thousandths of a slot.
    pub(crate) const fn weight_milli(&self) -> u64 {
        self.weight_milli
    }

    /// The session was created: the place is in use, no longer promised.
    pub(crate) fn begin(&mut self) {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.supervisor.addr.do_send(Began { weight_milli: self.weight_milli });
        }
    }

    /// It speaks, or ceases to.
    pub(crate) fn speaks(&mut self, speaks: bool) {
        if !self.has_left && std::mem::replace(&mut self.speaks, speaks) != speaks {
            self.supervisor.addr.do_send(Speaks { weight_milli: self.weight_milli, speaks });
        }
    }

    /// The session is over.
    pub(crate) fn leave(&mut self) {
        self.speaks(false);
        if !std::mem::replace(&mut self.has_left, true) {
            self.supervisor.addr.do_send(Left { weight_milli: self.weight_milli, had_begun: self.has_begun });
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}
