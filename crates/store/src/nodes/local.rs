//! The nodes of a store that is within one process, and the plainest telling of what every store does.

use std::collections::BTreeMap;
use std::time::Duration;

use footlight_ledger::{BootId, SessionId};
use parking_lot::Mutex;

use super::{
    AVATAR_WORTH_MILLI, Claimed, NodeCard, NodeEntry, NodeRoom, NodeUse, Placed, RESERVATION, Renewal, Renewed,
    Strategy, Wish,
};

/// Nodes in memory.
#[derive(Debug, Default)]
pub struct LocalNodes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    nodes: BTreeMap<BootId, Node>,
    reservations: BTreeMap<SessionId, Reservation>,
}

#[derive(Debug)]
struct Node {
    card: NodeCard,
    room: NodeRoom,
    lease_until: i64,
    /// The heir, and until when it is the only one.
    claim: Option<(BootId, i64)>,
    given_up: bool,
}

#[derive(Debug)]
struct Reservation {
    node: BootId,
    weight_milli: u64,
    until: i64,
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// All at `now`, in milliseconds of the store's clock.
impl LocalNodes {
    pub(crate) fn renew(&self, renewal: Renewal, now: i64) -> Renewed {
        let State { nodes, reservations } = &mut *self.0.lock();
        let boot = renewal.card.boot;
        match nodes.get(&boot) {
            Some(node) if node.claim.is_some() => return Renewed::Claimed,
            None if !renewal.begins => return Renewed::Gone,
            _ => {}
        }
        let namesakes = nodes.values_mut().filter(|node| node.card.name == renewal.card.name && node.card.boot != boot);
        for namesake in namesakes.filter(|node| node.lease_until > now) {
            if namesake.card.address != renewal.card.address {
                return Renewed::NameTaken { address: namesake.card.address.clone() };
            }
            // Whoever listens at an address has it alone: the former run there is no more.
            namesake.lease_until = now;
        }
        for session in &renewal.absorbed {
            reservations.remove(session);
        }
        let Renewal { card, room, lease, .. } = renewal;
        nodes.insert(boot, Node { card, room, lease_until: now + ms(lease), claim: None, given_up: false });
        Renewed::Held
    }

    pub(crate) fn leave(&self, boot: BootId) {
        let mut state = self.0.lock();
        if state.nodes.get(&boot).is_some_and(|node| node.claim.is_none()) {
            state.remove(boot);
        }
    }

    pub(crate) fn list(&self, now: i64) -> Vec<NodeEntry> {
        let mut state = self.0.lock();
        state.expire(now);
        let entry = |node: &Node| {
            let reserved = state.reserved(node.card.boot);
            NodeEntry {
                card: node.card.clone(),
                room: node.room,
                reserved: (reserved.sessions, reserved.slots_milli),
                lease_left_ms: node.lease_until - now,
                heir: node.claim.map(|(heir, _)| heir),
                given_up: node.given_up,
            }
        };
        state.nodes.values().map(entry).collect()
    }

    pub(crate) fn place(&self, wish: &Wish, now: i64) -> Placed {
        let mut state = self.0.lock();
        state.reservations.remove(&wish.session);
        state.expire(now);
        let would_do = |node: &&Node| {
            let has_labels = wish.labels.iter().all(|(key, value)| node.card.labels.get(key) == Some(value));
            let is_asked_for = wish.only.is_none_or(|only| only == node.card.boot);
            let is_free = node.lease_until > now && node.claim.is_none() && !node.card.draining;
            has_labels && is_asked_for && is_free && !wish.not.contains(&node.card.boot)
        };
        let (mut used, mut total) = (NodeUse::default(), NodeUse::default());
        let mut with_room: Vec<(&Node, u64)> = Vec::new();
        for node in state.nodes.values().filter(would_do) {
            let reserved = state.reserved(node.card.boot);
            let room = &node.room;
            let sessions = room.sessions_used + reserved.sessions;
            let slots_milli = room.slots_milli_used + reserved.slots_milli;
            used.sessions += sessions;
            used.slots_milli += slots_milli;
            total.sessions += room.sessions_total;
            total.slots_milli += room.slots_milli_total;
            if sessions < room.sessions_total && slots_milli + wish.weight_milli <= room.slots_milli_total {
                with_room.push((node, load_milli(sessions, slots_milli, room)));
            }
        }
        let chosen = match wish.strategy {
            Strategy::Packed => with_room.into_iter().max_by_key(|(_, load)| *load).map(|(node, _)| node),
            Strategy::TwoChoice => two_choice(with_room, wish),
        };
        let Some(card) = chosen.map(|node| node.card.clone()) else { return Placed::Full { used, total } };
        let until = now + ms(RESERVATION);
        let reservation = Reservation { node: card.boot, weight_milli: wish.weight_milli, until };
        state.reservations.insert(wish.session, reservation);
        Placed::At(card)
    }

    pub(crate) fn give_back(&self, session: SessionId) {
        self.0.lock().reservations.remove(&session);
    }

    pub(crate) fn claim(&self, lost: BootId, heir: BootId, lasts: Duration, now: i64) -> Claimed {
        let mut state = self.0.lock();
        let is_alive = state.nodes.get(&heir).is_some_and(|node| node.lease_until > now && node.claim.is_none());
        let Some(node) = state.nodes.get_mut(&lost).filter(|node| node.lease_until <= now) else {
            return Claimed::NotLost;
        };
        if !is_alive {
            return Claimed::NotAlive;
        }
        match node.claim {
            Some((other, until)) if other != heir && until > now => Claimed::Taken,
            _ => {
                node.claim = Some((heir, now + ms(lasts)));
                Claimed::Yes
            }
        }
    }

    pub(crate) fn bury(&self, lost: BootId, heir: BootId) {
        let mut state = self.0.lock();
        if state.nodes.get(&lost).is_some_and(|node| node.claim.is_some_and(|(by, _)| by == heir)) {
            state.remove(lost);
        }
    }

    pub(crate) fn give_up(&self, lost: BootId) -> bool {
        self.0.lock().nodes.get_mut(&lost).map(|node| node.given_up = true).is_some()
    }
}

impl State {
    fn remove(&mut self, boot: BootId) {
        self.nodes.remove(&boot);
        self.reservations.retain(|_, reservation| reservation.node != boot);
    }

    fn expire(&mut self, now: i64) {
        self.reservations.retain(|_, reservation| reservation.until > now);
    }

    fn reserved(&self, boot: BootId) -> NodeUse {
        let of_node = self.reservations.values().filter(|reservation| reservation.node == boot);
        of_node.fold(NodeUse::default(), |sum, reservation| NodeUse {
            sessions: sum.sessions + 1,
            slots_milli: sum.slots_milli + reservation.weight_milli,
        })
    }
}

/// How full a node is, in thousandths: the fuller of its two kinds of room.
fn load_milli(sessions: u64, slots_milli: u64, room: &NodeRoom) -> u64 {
    let share = |used: u64, total: u64| used * 1_000 / total.max(1);
    share(sessions, room.sessions_total).max(share(slots_milli, room.slots_milli_total))
}

/// The emptier of two nodes taken at random; one that has the avatar loaded counts as a little emptier.
fn two_choice<'a>(mut with_room: Vec<(&'a Node, u64)>, wish: &Wish) -> Option<&'a Node> {
    let mut take = |dice: u64| {
        let count = with_room.len() as u64;
        let at = usize::try_from(dice.checked_rem(count)?).ok()?;
        let (node, load) = with_room.swap_remove(at);
        let worth = if node.card.avatars.contains(&wish.avatar) { 0 } else { AVATAR_WORTH_MILLI };
        Some((node, load + worth))
    };
    let (first, second) = (take(wish.dice & 0xffff_ffff), take(wish.dice >> 32));
    [first, second].into_iter().flatten().min_by_key(|(_, load)| *load).map(|(node, _)| node)
}
