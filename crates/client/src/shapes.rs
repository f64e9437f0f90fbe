//! The API's JSON, as this client reads and writes it. Fields that are not read here may come; they are passed over.

use std::collections::BTreeMap;

use footlight_ledger::{EndReason, Microcredits, PauseReason, Product};
use serde::{Deserialize, Deserializer, Serialize};

/// What a new session is to be. Every field has a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named and documented in the API's own document")]
pub struct NewSession {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<Product>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration_s: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when_unwatched: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A session.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "named and documented in the API's own document")]
pub struct Session {
    pub id: String,
    /// `starting`, `running`, `idle`, `paused` or `ended`.
    pub state: String,
    /// Words that this client does not know mean paused as well.
    pub pause_reasons: Vec<String>,
    pub end_reason: Option<String>,
    pub product: String,
    pub frames: u64,
    pub active_ms: u64,
    #[serde(deserialize_with = "credits")]
    pub credits_used: Microcredits,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// What its engine needs, in the answer to the creation of a session whose engine is elsewhere.
    #[serde(default)]
    pub engine: Option<Engine>,
}

/// What an engine elsewhere needs to meter its session.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "named and documented in the API's own document")]
pub struct Engine {
    pub epoch: u32,
    pub heartbeat_ms: u64,
    pub grace_ms: u64,
    pub min_slice_ms: u64,
    pub counting: footlight_ledger::Counting,
    pub units_per_minute: u64,
    pub token: Option<Token>,
}

/// A token.
#[derive(Clone, Deserialize)]
pub struct Token {
    /// Sent as `authorization: Bearer ...`.
    pub token: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// One heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named and documented in the API's own document")]
pub struct Heartbeat {
    pub epoch: u32,
    pub request_number: u64,
    pub units: u64,
    pub ask: footlight_ledger::Ask,
    pub end: bool,
}

/// The answer to it.
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs, reason = "named and documented in the API's own document")]
pub struct HeartbeatAnswer {
    pub request_number: u64,
    pub verdict: Verdict,
    pub slice_end: u64,
    pub settled_units: u64,
    pub grace_units: u64,
    #[serde(deserialize_with = "known_words")]
    pub pause_reasons: Vec<PauseReason>,
    #[serde(deserialize_with = "known_word")]
    pub end_reason: Option<EndReason>,
    #[serde(deserialize_with = "credits")]
    pub credits_used: Microcredits,
    pub others_wait: bool,
    pub retry_ms: u64,
    pub token: Option<Token>,
}

/// How far an engine may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "named and documented in the API's own document")]
pub enum Verdict {
    Granted,
    Final,
    Settled,
    Refused,
    Ended,
}

/// Words that a newer node may send are held for a pause of the operator's.
fn known_words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PauseReason>, D::Error> {
    let words: Vec<serde_json::Value> = Deserialize::deserialize(deserializer)?;
    Ok(words.into_iter().map(|word| serde_json::from_value(word).unwrap_or(PauseReason::ByRequest)).collect())
}

fn known_word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<EndReason>, D::Error> {
    let word: Option<serde_json::Value> = Deserialize::deserialize(deserializer)?;
    Ok(word.map(|word| serde_json::from_value(word).unwrap_or(EndReason::Stopped)))
}

/// Credits in JSON have at most six decimals, and no account has more than a billion: as a double every such number is
/// nearer to itself than to its neighbours.
fn credits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Microcredits, D::Error> {
    let credits = f64::deserialize(deserializer)?;
    Ok(Microcredits((credits * 1e6).round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_node_says_is_read_and_its_new_words_hold_back() {
        let answer: HeartbeatAnswer = serde_json::from_str(
            r#"{"request_number": 3, "verdict": "refused", "slice_end": 75, "settled_units": 75, "grace_units": 0,
                "final": false, "pause_reasons": ["full_moon"], "end_reason": null, "late": false,
                "credits_used": 0.100001, "others_wait": false, "heartbeat_ms": 60000, "retry_ms": 1000, "token": null,
                "more": {}}"#,
        )
        .expect("is read");
        assert_eq!(answer.pause_reasons, [PauseReason::ByRequest]);
        assert_eq!(answer.credits_used, Microcredits(100_001));
    }

    #[test]
    fn credits_are_exact_up_to_the_largest_account() {
        for micro in [0, 1, 1_333, 333_333_333, 999_999_999_999_999, 123_456_789_012_345] {
            let text = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
            let read = credits(&mut serde_json::Deserializer::from_str(&text)).expect("a number");
            assert_eq!(read, Microcredits(micro), "{text}");
        }
    }
}
