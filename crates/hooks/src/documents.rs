//! What is kept, and under which names.
//!
//! | collection | id | what | due |
//! | --- | --- | --- | --- |
//! | `hooks` | `<hook>` | an endpoint | - |
//! | `hooks-made` | `only` | the endpoint made last: two that are made at once meet here | - |
//! | `hook-deliveries` | `<hook>/<event>` | an event at an endpoint, and how it went | its removal, once it is over |
//! | `hook-pending` | `<hook>/<stream>/<event>` | that it is still to be delivered | - |
//! | `hook-lanes` | `<hook>/<stream>` | that a stream has pending events | the next attempt; queue: the hook |
//! | `hook-told` | `<name>` | that something that happens once was told | its removal |
//! | `hook-alerts` | `only` | what an account wants to be told of its credits | - |
//! | `hook-watch` | `only` | what it was told, and how far its journal was read | the next look |
//!
//! All of an account's records change together: an event that is written is pending at every endpoint at once. A stream is
//! one session's events, or the account's own. Ids of events grow with time, so a stream's pending events are listed in
//! the order in which they happened.

use std::collections::BTreeSet;
use std::fmt;

use footlight_ledger::{AccountId, EventId, HookId, Microcredits, SessionId, Timestamp};
use footlight_store::{Due, Expected, Record, RecordKey, RecordOp, RecordVersion, StoreError, codec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::event::{EventType, Threshold};
use crate::sender::Sent;

pub(crate) const HOOKS: &str = "hooks";
pub(crate) const HOOKS_MADE: &str = "hooks-made";
pub(crate) const DELIVERIES: &str = "hook-deliveries";
pub(crate) const PENDING: &str = "hook-pending";
pub(crate) const LANES: &str = "hook-lanes";
pub(crate) const TOLD: &str = "hook-told";
pub(crate) const ALERTS: &str = "hook-alerts";
pub(crate) const WATCH: &str = "hook-watch";

/// The line of records that wait for their removal.
pub(crate) const REMOVAL: &str = "removal";
/// The line of accounts that wait for a look.
pub(crate) const LOOK: &str = "look";
/// The one record of an account in `hook-alerts`, `hook-watch` and `hooks-made`.
pub(crate) const ONLY: &str = "only";

/// Attempts that a delivery remembers: the first ones say how it began, the last ones how it stands.
const ATTEMPTS_KEPT: usize = 20;

/// An endpoint: where an account wants to be told, and of what.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its name.
    pub id: HookId,
    /// Whose it is.
    pub account: AccountId,
    /// Where events are sent.
    pub url: String,
    /// Which events; none means all.
    pub events: BTreeSet<EventType>,
    /// The owner's own words.
    pub description: String,
    /// What deliveries are signed with. Kept as it is: a hash could not sign.
    pub secret: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when nothing has got through.
    pub failing_since: Option<Timestamp>,
    /// Since when it is not called any more, and why.
    pub disabled: Option<(Timestamp, String)>,
}

/// Without the secret: what is written to a log is read by many.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("id", &self.id)
            .field("account", &self.account)
            .field("url", &self.url)
            .field("events", &self.events)
            .field("created_at", &self.created_at)
            .field("failing_since", &self.failing_since)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Whether it is told of this kind of event.
    #[must_use]
    pub fn wants(&self, kind: EventType) -> bool {
        self.disabled.is_none() && (self.events.is_empty() || self.events.contains(&kind))
    }
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is still tried.
    Pending,
    /// The receiver has it.
    Delivered,
    /// It was given up.
    Failed,
}

/// One attempt of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// The answer's status, if there was one.
    pub status: Option<u16>,
    /// Why there was none.
    pub error: Option<String>,
    /// How long it took.
    pub ms: u64,
}

/// An event at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The event: its name in every attempt.
    pub event: EventId,
    /// Its kind.
    pub kind: EventType,
    /// The session it is about, if it is about one.
    pub session: Option<SessionId>,
    /// When it happened.
    pub at: Timestamp,
    /// How it stands.
    pub state: DeliveryState,
    /// How many attempts there were.
    pub attempt_count: u32,
    /// The first and the last of them.
    pub attempts: Vec<Attempt>,
    /// From when on it is tried: replaying it begins anew.
    pub since: Timestamp,
    /// What is sent, to the byte.
    #[serde(with = "bytes")]
    pub body: Vec<u8>,
}

impl Delivery {
    /// Takes an attempt into the log.
    pub(crate) fn note(&mut self, at: Timestamp, sent: &Sent) {
        self.attempt_count += 1;
        if self.attempts.len() == ATTEMPTS_KEPT {
            self.attempts.remove(ATTEMPTS_KEPT / 2);
        }
        self.attempts.push(Attempt {
            at,
            status: sent.status,
            error: sent.error.clone(),
            ms: u64::try_from(sent.took.as_millis()).unwrap_or(u64::MAX),
        });
    }
}

/// A stream with something pending at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Lane {
    /// Failed attempts since the last success.
    pub(crate) attempts: u32,
    /// Who works on it, until it is due again; 0: nobody.
    pub(crate) holder: u128,
}

/// What an account wants to be told of its credits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alerts {
    /// `credits.low` is told when one of these is crossed, once, until the balance was above it again.
    pub thresholds: Vec<Threshold>,
    /// When to ask for money.
    pub auto_top_up: Option<AutoTopUp>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self { thresholds: vec![Threshold::Percent(20)], auto_top_up: None }
    }
}

/// When to ask for money, and for how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoTopUp {
    /// Ask when the balance is below this.
    pub below: Microcredits,
    /// Ask for this much.
    pub amount: Microcredits,
    /// Ask again if no grant came for this long, in seconds.
    pub cool_down_s: u32,
}

/// Writes bytes as such and not as a list of numbers.
mod bytes {
    use std::fmt;

    use serde::{Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;

        impl de::Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

/// A stream's name within an endpoint.
pub(crate) fn stream(session: Option<SessionId>) -> String {
    session.map_or_else(|| "account".to_owned(), |session| session.0.simple().to_string())
}

pub(crate) fn hook_key(hook: HookId) -> RecordKey {
    RecordKey::new(HOOKS, hook.0.simple().to_string())
}

pub(crate) fn delivery_key(hook: HookId, event: EventId) -> RecordKey {
    RecordKey::new(DELIVERIES, format!("{}/{}", hook.0.simple(), event.0.simple()))
}

pub(crate) fn lane_key(hook: HookId, stream: &str) -> RecordKey {
    RecordKey::new(LANES, format!("{}/{stream}", hook.0.simple()))
}

pub(crate) fn pending_key(hook: HookId, stream: &str, event: EventId) -> RecordKey {
    RecordKey::new(PENDING, format!("{}/{stream}/{}", hook.0.simple(), event.0.simple()))
}

/// The endpoint's queue among the lanes.
pub(crate) fn lane_queue(hook: HookId) -> String {
    hook.0.simple().to_string()
}

/// A version that nobody has made before.
pub(crate) fn fresh() -> RecordVersion {
    RecordVersion(rand::random())
}

/// A write of a document, and the version that it makes.
pub(crate) fn put<T: Serialize>(
    key: RecordKey,
    expected: Expected,
    due: Option<Due>,
    document: &T,
) -> (RecordVersion, RecordOp) {
    let next = fresh();
    (next, RecordOp::Put { key, expected, next, due, body: codec::encode_named(document) })
}

pub(crate) fn read<T: DeserializeOwned>(record: &Record) -> Result<T, StoreError> {
    codec::decode(&record.body, || record.id.clone())
}
