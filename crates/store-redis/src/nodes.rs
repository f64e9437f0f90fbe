//! Leases, placement and claims, each one script on one slot.

use std::time::Duration;

use async_trait::async_trait;
use footlight_ledger::{BootId, SessionId};
use footlight_store::nodes::{
    ABSORBED_MAX, AVATAR_WORTH_MILLI, Claimed, NodeCard, NodeEntry, NodeRoom, NodeStore, NodeUse, Placed, RESERVATION,
    Renewal, Renewed, Strategy, Wish,
};
use footlight_store::{StoreError, codec};
use redis::{Cmd, Value};

use crate::failure::Stage;
use crate::keys::{LEASES, NODE_NAMES, NODES, RESERVATIONS, RESERVATIONS_END, node};
use crate::reply;
use crate::script::{BURY_NODE, CLAIM_NODE, GIVE_BACK, LIST_NODES, PLACE, RENEW_NODE};
use crate::store::RedisStore;

fn keys<const N: usize>(keys: [&str; N]) -> [String; N] {
    keys.map(str::to_owned)
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn corrupt(what: &str, reply: &Value) -> StoreError {
    StoreError::Corrupt { place: NODES.to_owned(), detail: format!("{what} was answered by {reply:?}") }
}

fn card(document: &[u8]) -> Result<NodeCard, StoreError> {
    codec::decode(document, || "a node's card".to_owned())
}

fn renew_call(renewal: &Renewal) -> Cmd {
    let Renewal { card, room, absorbed, begins, lease } = renewal;
    let absorbed = &absorbed[..absorbed.len().min(ABSORBED_MAX)];
    let mut call = RENEW_NODE.call(&[
        LEASES.to_owned(),
        node(card.boot),
        RESERVATIONS.to_owned(),
        RESERVATIONS_END.to_owned(),
        NODE_NAMES.to_owned(),
    ]);
    call.arg(NODES).arg(card.boot.to_string()).arg(ms(*lease)).arg(u8::from(*begins));
    call.arg(&card.name).arg(&card.address).arg(codec::encode_named(card));
    call.arg(room.sessions_total).arg(room.sessions_used).arg(room.slots_milli_total).arg(room.slots_milli_used);
    call.arg(u8::from(card.draining)).arg(absorbed.len());
    for session in absorbed {
        call.arg(session.to_string());
    }
    for (key, value) in &card.labels {
        call.arg(format!("l:{key}")).arg(value);
    }
    for avatar in &card.avatars {
        call.arg(format!("a:{avatar}")).arg(1);
    }
    call
}

fn place_call(wish: &Wish) -> Cmd {
    let mut call = PLACE.call(&keys([LEASES, RESERVATIONS, RESERVATIONS_END]));
    call.arg(NODES).arg(wish.session.to_string()).arg(wish.weight_milli).arg(ms(RESERVATION));
    call.arg(match wish.strategy {
        Strategy::TwoChoice => "two_choice",
        Strategy::Packed => "packed",
    });
    call.arg(wish.only.map_or_else(String::new, |only| only.to_string()));
    // 31 bits: Lua counts in doubles.
    call.arg(&wish.avatar).arg(AVATAR_WORTH_MILLI).arg(wish.dice >> 33).arg(wish.not.len());
    for boot in &wish.not {
        call.arg(boot.to_string());
    }
    for (key, value) in &wish.labels {
        call.arg(key).arg(value);
    }
    call
}

fn entry(reply: Value) -> Result<NodeEntry, StoreError> {
    let fields = reply::list(NODES, reply)?;
    let number = |at: usize| -> Result<i64, StoreError> { reply::number(NODES, fields.get(at).unwrap_or(&Value::Nil)) };
    let count = |at: usize| Ok::<u64, StoreError>(u64::try_from(number(at)?).unwrap_or(0));
    let text = |at: usize| match fields.get(at) {
        Some(Value::BulkString(bytes)) => bytes.as_slice(),
        _ => &[],
    };
    let heir = std::str::from_utf8(text(8)).ok().and_then(|heir| heir.parse().ok());
    Ok(NodeEntry {
        card: card(text(1))?,
        room: NodeRoom {
            sessions_total: count(2)?,
            sessions_used: count(3)?,
            slots_milli_total: count(4)?,
            slots_milli_used: count(5)?,
        },
        reserved: (count(6)?, count(7)?),
        lease_left_ms: number(0)?,
        heir,
        given_up: text(9) == b"1",
    })
}

#[async_trait]
impl NodeStore for RedisStore {
    async fn renew_node(&self, renewal: Renewal) -> Result<Renewed, StoreError> {
        let reply = RENEW_NODE.run(&self.usage, renew_call(&renewal), Stage::Writing).await?;
        let words = reply::strings(NODES, reply.clone())?;
        match words.iter().map(Vec::as_slice).collect::<Vec<_>>().as_slice() {
            [b"held"] => Ok(Renewed::Held),
            [b"claimed"] => Ok(Renewed::Claimed),
            [b"gone"] => Ok(Renewed::Gone),
            [b"name_taken", address] => {
                Ok(Renewed::NameTaken { address: String::from_utf8_lossy(address).into_owned() })
            }
            _ => Err(corrupt("a renewal", &reply)),
        }
    }

    async fn leave_node(&self, boot: BootId) -> Result<(), StoreError> {
        let mut call = BURY_NODE.call(&[LEASES.to_owned(), node(boot), NODE_NAMES.to_owned()]);
        call.arg(boot.to_string()).arg("");
        BURY_NODE.run(&self.usage, call, Stage::Writing).await.map(drop)
    }

    async fn list_nodes(&self) -> Result<Vec<NodeEntry>, StoreError> {
        let mut call = LIST_NODES.call(&keys([LEASES]));
        call.arg(NODES);
        let reply = LIST_NODES.run(&self.usage, call, Stage::Reading).await?;
        reply::list(NODES, reply)?.into_iter().map(entry).collect()
    }

    async fn place(&self, wish: Wish) -> Result<Placed, StoreError> {
        let reply = PLACE.run(&self.usage, place_call(&wish), Stage::Writing).await?;
        let fields = reply::list(NODES, reply.clone())?;
        match fields.as_slice() {
            [Value::Int(1), Value::BulkString(document)] => Ok(Placed::At(card(document)?)),
            [Value::Int(0), sessions_used, sessions, slots_used, slots] => {
                let count = |value| Ok::<u64, StoreError>(u64::try_from(reply::number(NODES, value)?).unwrap_or(0));
                Ok(Placed::Full {
                    used: NodeUse { sessions: count(sessions_used)?, slots_milli: count(slots_used)? },
                    total: NodeUse { sessions: count(sessions)?, slots_milli: count(slots)? },
                })
            }
            _ => Err(corrupt("a wish", &reply)),
        }
    }

    async fn give_back(&self, session: SessionId) -> Result<(), StoreError> {
        let mut call = GIVE_BACK.call(&keys([RESERVATIONS, RESERVATIONS_END]));
        call.arg(NODES).arg(session.to_string());
        GIVE_BACK.run(&self.usage, call, Stage::Writing).await.map(drop)
    }

    async fn claim_node(&self, lost: BootId, heir: BootId, lasts: Duration) -> Result<Claimed, StoreError> {
        let mut call = CLAIM_NODE.call(&[LEASES.to_owned(), node(lost), node(heir)]);
        call.arg(lost.to_string()).arg(heir.to_string()).arg(ms(lasts));
        let reply = CLAIM_NODE.run(&self.usage, call, Stage::Writing).await?;
        match reply::bytes(NODES, reply.clone())?.as_deref() {
            Some(b"yes") => Ok(Claimed::Yes),
            Some(b"not_lost") => Ok(Claimed::NotLost),
            Some(b"taken") => Ok(Claimed::Taken),
            Some(b"not_alive") => Ok(Claimed::NotAlive),
            _ => Err(corrupt("a claim", &reply)),
        }
    }

    async fn bury_node(&self, lost: BootId, heir: BootId) -> Result<(), StoreError> {
        let mut call = BURY_NODE.call(&[LEASES.to_owned(), node(lost), NODE_NAMES.to_owned()]);
        call.arg(lost.to_string()).arg(heir.to_string());
        BURY_NODE.run(&self.usage, call, Stage::Writing).await.map(drop)
    }

    async fn give_up_node(&self, lost: BootId) -> Result<bool, StoreError> {
        // Only what is there: a hash that came to be by this would be a node without a card.
        let mut exists = redis::cmd("EXISTS");
        exists.arg(node(lost));
        if reply::number(NODES, &self.usage.ask(exists, Stage::Reading).await?)? == 0 {
            return Ok(false);
        }
        let mut set = redis::cmd("HSET");
        set.arg(node(lost)).arg("given_up").arg(1);
        self.usage.ask(set, Stage::Writing).await?;
        Ok(true)
    }
}
