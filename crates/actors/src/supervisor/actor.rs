//! The supervisor's messages and handlers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient};
use footlight_session::{EndReason, Moment};
use footlight_store::desk::Clock;

use super::handle::Board;
use super::room::{Full, Rooms};
use crate::NodeError;
use crate::card::SessionCard;
use crate::directory::{DirectoryWriter, Finality};
use crate::event::SessionEventKind;
use crate::metrics::Metrics;
use crate::panic::AbortOnPanic;
use crate::session::SlotAnswered;
use crate::time::NodeClock;

/// When somebody who found the node full should try again, in seconds. Sessions last minutes; a place may be free on
/// another node at once.
const RETRY_AFTER_S: u32 = 5;

pub(super) struct Supervisor {
    pub(super) rooms: Rooms<SlotWish>,
    pub(super) slot_wait: Duration,
    pub(super) directory: DirectoryWriter,
    pub(super) clock: NodeClock,
    pub(super) wall: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) board: Arc<Board>,
}

/// A session that waits for a speaking slot.
pub(super) struct SlotWish {
    weight_milli: u64,
    wish: u64,
    who: Recipient<SlotAnswered>,
    until: Moment,
}

impl Supervisor {
    /// Shows how full the node is.
    pub(super) fn publish(&self) {
        let capacity = self.rooms.capacity();
        *self.board.capacity.lock() = capacity;
        *self.board.for_others.lock() = self.rooms.for_others();
        self.board.full.store(self.rooms.is_full(), Ordering::Release);
        let streams = |milli: u64| milli / 1000;
        let slots = capacity.speaking_slots_milli;
        for (kind, what, value) in [
            ("sessions", "total", capacity.sessions.total),
            ("sessions", "used", capacity.sessions.used),
            ("sessions", "reserved", capacity.sessions.reserved),
            ("speaking_slots", "total", streams(slots.total)),
            ("speaking_slots", "used", streams(slots.used)),
            ("speaking_slots", "reserved", streams(slots.reserved)),
        ] {
            self.metrics.capacity.with_label_values(&[kind, what]).set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    fn answer(&mut self, wish: SlotWish, taken: bool) {
        let told = wish.who.try_send(SlotAnswered { wish: wish.wish, taken });
        if taken && told.is_err() {
            // It is gone, or so busy that its slot is better used elsewhere.
            self.rooms.free_slot(wish.weight_milli);
        }
    }

    fn serve(&mut self) {
        while let Some(wish) = self.rooms.next_served() {
            self.answer(wish, true);
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;
}

/// Reserve a place.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), NodeError>")]
pub(super) struct Admit {
    pub(super) weight_milli: u64,
}

impl Handler<Admit> for Supervisor {
    type Result = Result<(), NodeError>;

    fn handle(&mut self, message: Admit, _: &mut Self::Context) -> Self::Result {
        let _abort = AbortOnPanic("supervisor");
        if self.board.draining.load(Ordering::Acquire) {
            return Err(NodeError::Draining);
        }
        let result = self.rooms.admit(message.weight_milli).map_err(|full| {
            let capacity = self.rooms.capacity();
            let slots = capacity.speaking_slots_milli;
            let (what, used, total) = match full {
                Full::Sessions => {
                    ("sessions", capacity.sessions.used + capacity.sessions.reserved, capacity.sessions.total)
                }
                Full::SpeakingSlots => ("speaking slots", (slots.used + slots.reserved) / 1000, slots.total / 1000),
            };
            NodeError::Capacity { what, used, total, retry_after_s: RETRY_AFTER_S }
        });
        self.publish();
        result
    }
}

/// An admitted session was created.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Began {
    pub(super) weight_milli: u64,
}

impl Handler<Began> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: Began, _: &mut Self::Context) {
        let _abort = AbortOnPanic("supervisor");
        self.rooms.begin(message.weight_milli);
        self.publish();
    }
}

/// An admitted session is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Left {
    pub(super) weight_milli: u64,
    pub(super) had_begun: bool,
}

impl Handler<Left> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: Left, _: &mut Self::Context) {
        let _abort = AbortOnPanic("supervisor");
        self.rooms.leave(message.weight_milli, message.had_begun);
        self.publish();
    }
}

/// A session began or ceased to speak.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Speaks {
    pub(super) weight_milli: u64,
    pub(super) speaks: bool,
}

impl Handler<Speaks> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: Speaks, _: &mut Self::Context) {
        let _abort = AbortOnPanic("supervisor");
        self.rooms.speak(message.weight_milli, message.speaks);
        self.publish();
    }
}

/// Take a speaking slot.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct TakeSlot {
    pub(super) weight_milli: u64,
    pub(super) wish: u64,
    pub(super) who: Recipient<SlotAnswered>,
}

impl Handler<TakeSlot> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: TakeSlot, ctx: &mut Self::Context) {
        let _abort = AbortOnPanic("supervisor");
        let TakeSlot { weight_milli, wish, who } = message;
        let until = self.clock.now().plus(self.slot_wait);
        match self.rooms.take_slot(weight_milli, SlotWish { weight_milli, wish, who, until }) {
            Some(wish) => self.answer(wish, true),
            None => {
                // A little later than promised rather than before: an early look would find nobody to turn away.
                ctx.notify_later(TurnAway, self.slot_wait + Duration::from_millis(1));
            }
        }
        self.publish();
    }
}

/// Those who have waited long enough get no slot.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct TurnAway;

impl Handler<TurnAway> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: TurnAway, _: &mut Self::Context) {
        let _abort = AbortOnPanic("supervisor");
        let now = self.clock.now();
        for wish in self.rooms.give_up(|wish| wish.until <= now) {
            self.answer(wish, false);
        }
        // A large one that gave up may have stood before smaller ones that fit.
        self.serve();
        self.publish();
    }
}

/// Give a speaking slot back.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct FreeSlot {
    pub(super) weight_milli: u64,
}

impl Handler<FreeSlot> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: FreeSlot, _: &mut Self::Context) {
        let _abort = AbortOnPanic("supervisor");
        self.rooms.free_slot(message.weight_milli);
        self.serve();
        self.publish();
    }
}

/// Admit nobody, or somebody again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct SetDraining(pub(super) bool);

impl Handler<SetDraining> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: SetDraining, _: &mut Self::Context) {
        let _abort = AbortOnPanic("supervisor");
        self.board.draining.store(message.0, Ordering::Release);
        self.metrics.draining.set(i64::from(message.0));
    }
}

/// A session's actor died: end it for those who follow it. Its frames are settled by the meter.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Bury {
    pub(super) card: Arc<SessionCard>,
}

impl Handler<Bury> for Supervisor {
    type Result = ();

    fn handle(&mut self, message: Bury, _: &mut Self::Context) {
        let _abort = AbortOnPanic("supervisor");
        let card = message.card;
        card.shut();
        if let Some(performance) = card.performance() {
            performance.close();
        }
        card.set_performance(None);
        card.set_addr(None);
        card.tell((self.wall)(), SessionEventKind::Ended { reason: EndReason::RendererFailed });
        self.directory.put(card.record(), Finality::Last);
    }
}
