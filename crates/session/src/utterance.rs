//! One piece of submitted audio, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// One utterance: submitted audio from its first sample to its end. Version 7 where we make it, `utt_…` in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtteranceId(pub Uuid);

/// The text was not the id of an utterance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an utterance id; it should look like `utt_` and 32 hexadecimal digits")]
pub struct InvalidUtteranceId {
    text: String,
}

impl fmt::Display for UtteranceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "utt_{}", self.0.simple())
    }
}

impl fmt::Debug for UtteranceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for UtteranceId {
    type Err = InvalidUtteranceId;

    fn from_str(text: &str) -> Result<Self, InvalidUtteranceId> {
        let invalid = || InvalidUtteranceId { text: text.chars().take(64).collect() };
        let digits = text.strip_prefix("utt_").filter(|digits| digits.len() == 32).ok_or_else(invalid)?;
        Uuid::try_parse(digits).map(Self).map_err(|_| invalid())
    }
}

impl Serialize for UtteranceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtteranceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
