//! A node, as operators see it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use footlight_actors::{MeterFigures, Room, UnreadyReason};
use footlight_ledger::Microcredits;
use footlight_store::nodes::{NodeCard, NodeEntry, NodeRoom};
use serde::Serialize;
use utoipa::ToSchema;

use super::Credits;

/// One node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub struct NodeJson {
    /// Its name.
    pub name: String,
    /// The version it runs.
    pub version: String,
    /// Where other nodes reach it; null where it stands alone.
    pub address: Option<String>,
    /// Whether it takes new sessions.
    pub ready: bool,
    /// Why not: `draining`, `store_unreachable`, `lease_over`, `at_capacity`.
    #[schema(value_type = Vec<String>)]
    pub reasons: Vec<UnreadyReason>,
    /// How long its lease still lasts, in milliseconds; negative since it ended; null where it stands alone.
    pub lease_left_ms: Option<i64>,
    /// An operator has given it up: its sessions are taken over even if most nodes look lost.
    pub given_up: bool,
    /// What it runs on, and where.
    pub labels: BTreeMap<String, String>,
    /// Avatars that it has loaded.
    pub avatars: BTreeSet<String>,
    /// The store it stands on: `sqlite`, `redis`.
    pub store: &'static str,
    /// Room for sessions.
    pub sessions: RoomJson,
    /// Room for speech, in thousandths of a 512x512 stream at 25 frames a second.
    pub speaking_slots_milli: RoomJson,
    /// How its meter stands; null but where one node is asked for that is alive.
    pub meter: Option<MeterJson>,
}

/// One kind of room.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Room)]
pub struct RoomJson {
    /// How much there is.
    pub total: u64,
    /// How much is in use.
    pub used: u64,
    /// How much is promised and not in use.
    pub reserved: u64,
    /// What is neither.
    pub free: u64,
}

/// How a node's meter stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Meter)]
pub struct MeterJson {
    /// What the sessions that speak here cost in a minute, together.
    pub credits_per_minute: Credits,
    /// Sessions that hold credit for what they say next.
    pub holding: u64,
    /// Sessions that wait for credit.
    pub waiting: u64,
    /// Sessions that go on without the store, on their grace.
    pub in_grace: u64,
    /// Heartbeats settled since the start.
    pub settled: u64,
    /// How late half of the heartbeats since the start were settled at most, in milliseconds.
    pub lag_p50_ms: u64,
    /// As `lag_p50_ms`, for 99 of 100.
    pub lag_p99_ms: u64,
    /// How late the latest was, in milliseconds.
    pub lag_max_ms: u64,
}

impl NodeJson {
    /// A node as the store has it.
    #[must_use]
    pub fn of_entry(node: NodeEntry, store: &'static str) -> Self {
        let is_lost = node.is_lost();
        let room = |total: u64, used: u64, reserved: u64| RoomJson::from(Room { total, used, reserved });
        let NodeRoom { sessions_total, sessions_used, slots_milli_total, slots_milli_used } = node.room;
        let sessions = room(sessions_total, sessions_used, node.reserved.0);
        let speaking_slots_milli = room(slots_milli_total, slots_milli_used, node.reserved.1);
        let is_full = sessions.free == 0 || speaking_slots_milli.free == 0;
        let why = [
            (node.card.draining, UnreadyReason::Draining),
            (is_lost, UnreadyReason::LeaseOver),
            (is_full, UnreadyReason::AtCapacity),
        ];
        let reasons: Vec<UnreadyReason> =
            why.into_iter().filter_map(|(is_so, reason)| is_so.then_some(reason)).collect();
        let NodeCard { name, version, address, labels, avatars, .. } = node.card;
        Self {
            name,
            version,
            address: Some(address),
            ready: reasons.is_empty(),
            reasons,
            lease_left_ms: Some(node.lease_left_ms),
            given_up: node.given_up,
            labels,
            avatars,
            store,
            sessions,
            speaking_slots_milli,
            meter: None,
        }
    }
}

impl From<Room> for RoomJson {
    fn from(room: Room) -> Self {
        Self { total: room.total, used: room.used, reserved: room.reserved, free: room.free() }
    }
}

impl MeterJson {
    /// A meter that stands so, while what speaks costs `burn` a minute.
    #[must_use]
    pub fn of(figures: &MeterFigures, burn: Microcredits) -> Self {
        let ms = |lag: Duration| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        Self {
            credits_per_minute: burn.into(),
            holding: figures.holding,
            waiting: figures.waiting,
            in_grace: figures.in_grace,
            settled: figures.settled,
            lag_p50_ms: ms(figures.lag.quantile(0.5)),
            lag_p99_ms: ms(figures.lag.quantile(0.99)),
            lag_max_ms: ms(figures.lag.max()),
        }
    }
}
