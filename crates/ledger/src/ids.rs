//! Names of things. UUIDs (version 7 where we make them), written with a prefix in text: `ses_…`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// The text was not an id of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {kind} id; it should look like `{prefix}_` and 32 hexadecimal digits")]
pub struct InvalidId {
    text: String,
    kind: &'static str,
    prefix: &'static str,
}

/// An id within an internally tagged enum (a journal entry's kind) is read from serde's buffer, which calls itself human
/// readable whatever the format was: so text and the 16 bytes of a binary format are both taken there.
struct TextOrBytes(&'static str);

impl de::Visitor<'_> for TextOrBytes {
    type Value = Uuid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}_` and 32 hexadecimal digits", self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Uuid, E> {
        parse(self.0, text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Uuid, E> {
        Uuid::from_slice(bytes).map_err(E::custom)
    }
}

/// Reads `prefix_` and 32 hexadecimal digits.
fn parse(prefix: &str, text: &str) -> Option<Uuid> {
    let digits = text.strip_prefix(prefix)?.strip_prefix('_')?;
    if digits.len() == 32 { Uuid::try_parse(digits).ok() } else { None }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The prefix of its text form, without the underscore.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = || InvalidId { text: text.chars().take(64).collect(), kind: $kind, prefix: $prefix };
                parse($prefix, text).map(Self).ok_or_else(invalid)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    deserializer.deserialize_str(TextOrBytes($name::PREFIX)).map(Self)
                } else {
                    Uuid::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

id!(
    /// Who pays.
    AccountId, "acc", "account"
);
id!(
    /// One avatar session.
    SessionId, "ses", "session"
);
id!(
    /// One lot of credits given to an account.
    GrantId, "gra", "grant"
);
id!(
    /// One piece of one-time work.
    JobId, "job", "job"
);
id!(
    /// One API secret (not the secret itself).
    SecretId, "sec", "secret"
);
id!(
    /// One run of one node: a restarted node has a new one, so a former owner is told apart.
    BootId, "boo", "boot"
);
id!(
    /// One webhook endpoint of an account.
    HookId, "whk", "webhook"
);
id!(
    /// Something that an account is told of.
    EventId, "evt", "event"
);

/// The caller's own name for a money operation (its `Idempotency-Key`): the same name is the same
/// operation for ever. 1 to 255 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantName(pub String);
