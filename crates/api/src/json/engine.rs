//! What engines elsewhere and this side tell each other.

use std::collections::BTreeSet;

use footlight_actors::{EngineAnswer, EngineReport};
use footlight_ledger::{Ask, Counting, EndReason, PauseReason, RateCard, Surface, Terms, Verdict};
use footlight_session::SessionRecord;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Credits, Instant, SessionJson};

/// How soon a refused engine should ask again, in milliseconds: top-ups take effect within it.
const RETRY_MS: u64 = 1_000;

/// A token, and when it is over.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenJson {
    /// Sent as `authorization: Bearer ...`.
    #[schema(example = "flt1.eyJhIjoi...")]
    pub token: String,
    /// When it is over.
    pub expires_at: Instant,
}

/// For which engine a token is wanted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateRuntimeToken, example = json!({"surface": "self_hosted"}))]
pub struct CreateRuntimeTokenJson {
    /// Where the engine runs: `self_hosted`, `on_device` or `managed`.
    #[schema(value_type = String, pattern = "^(self_hosted|on_device|managed)$", example = "self_hosted")]
    pub surface: Surface,
    /// Binds the token to this session, `ses_...`; without it, it begins sessions.
    #[serde(default)]
    #[schema(pattern = "^ses_[0-9a-f]{32}$")]
    pub session: Option<String>,
}

/// A token for an engine.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = RuntimeToken)]
pub struct RuntimeTokenJson {
    /// The token.
    #[serde(flatten)]
    pub token: TokenJson,
    /// Where its engine runs.
    #[schema(value_type = String, example = "self_hosted")]
    pub surface: Surface,
}

/// What a browser's token is to be.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = CreateClientToken, example = json!({"origin": "https://example.org"}))]
pub struct CreateClientTokenJson {
    /// The origin of the pages that may use it, as browsers send it: `https://example.org`. Without one, any.
    #[schema(example = "https://example.org")]
    pub origin: Option<String>,
}

/// A session as it is created: with what its engine needs, if that is elsewhere.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedSession)]
pub struct CreatedSessionJson {
    /// The session.
    #[serde(flatten)]
    pub session: SessionJson,
    /// What its engine needs; missing where one of our nodes makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineJson>,
}

/// What an engine elsewhere needs to meter its session.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Engine)]
pub struct EngineJson {
    /// The epoch to report under.
    #[schema(example = 1)]
    pub epoch: u32,
    /// The longest time between two heartbeats, in milliseconds.
    #[schema(example = 60_000)]
    pub heartbeat_ms: u64,
    /// How long it may go on when this system cannot be reached, from the last good heartbeat, in milliseconds.
    #[schema(example = 300_000)]
    pub grace_ms: u64,
    /// The shortest slice, in milliseconds.
    #[schema(example = 1_000)]
    pub min_slice_ms: u64,
    /// What its units are: `frames` (active ones) or `connected` (milliseconds between start and stop).
    #[schema(value_type = String, example = "frames")]
    pub counting: Counting,
    /// Units that make a minute: 60 x fps for active frames, 60 000 for connected milliseconds.
    #[schema(example = 1_500)]
    pub units_per_minute: u64,
    /// A token for this one session; null when this answer is a repeat: then ask for one.
    pub token: Option<TokenJson>,
}

impl EngineJson {
    /// For the engine of `record`, if it is elsewhere.
    pub(crate) fn of(
        record: &SessionRecord,
        rate_card: &RateCard,
        terms: &Terms,
        token: Option<TokenJson>,
    ) -> Option<Self> {
        let ms = |ms: i64| u64::try_from(ms).unwrap_or(0);
        let tariff = rate_card.0.get(&record.product)?;
        record.product.is_remote().then(|| Self {
            counting: tariff.counting,
            epoch: record.epoch,
            heartbeat_ms: ms(terms.heartbeat_ms),
            grace_ms: ms(terms.grace_ms),
            min_slice_ms: ms(terms.min_slice_ms),
            units_per_minute: record.pricing.units_per_minute,
            token,
        })
    }
}

/// What an engine has used in all, and what it wants.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Heartbeat, example = json!({"epoch": 1, "request_number": 7, "units": 4500}))]
pub struct HeartbeatJson {
    /// The session's epoch, as its creation told it.
    #[schema(minimum = 1)]
    pub epoch: u32,
    /// Grows by one with every heartbeat and names it for ever: the same number is answered the same again. A heartbeat
    /// whose answer was lost is sent again as it was.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub request_number: u64,
    /// Units used by the whole session so far: active frames, or connected milliseconds. Never less than before.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    pub units: u64,
    /// `slice` (the default): it speaks, or is about to, and needs the next slice. `keep`: it is silent, and keeps what it
    /// has. `release`: it is silent, and gives back what it has.
    #[serde(default = "slice")]
    #[schema(value_type = String, required = false, pattern = "^(slice|keep|release)$", example = "slice")]
    pub ask: Ask,
    /// Whether this is the last one: the session ends.
    #[serde(default)]
    pub end: bool,
}

const fn slice() -> Ask {
    Ask::Slice
}

impl From<HeartbeatJson> for EngineReport {
    fn from(json: HeartbeatJson) -> Self {
        let HeartbeatJson { epoch, request_number, units, ask, end } = json;
        Self { epoch, number: request_number, units, ask, is_last: end }
    }
}

/// How far an engine may go.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = HeartbeatAnswer)]
pub struct HeartbeatAnswerJson {
    /// Which heartbeat this answers.
    pub request_number: u64,
    /// `granted`: go on to `slice_end`, and ask again before it. `final`: go on to `slice_end`, which is as far as the
    /// balance goes; ask there once more. `settled`: nothing was asked. `refused`: stop; `pause_reasons` says why.
    /// `ended`: the session is over.
    #[schema(value_type = String, example = "granted")]
    pub verdict: &'static str,
    /// Units that the session may use in all.
    pub slice_end: u64,
    /// Units that are paid for.
    pub settled_units: u64,
    /// Units beyond `slice_end` that it may use if, and only if, this system cannot be reached.
    pub grace_units: u64,
    /// Whether `slice_end` is as far as the balance goes.
    pub r#final: bool,
    /// Why it may not go on. It may when this is empty. Treat words you do not know as paused.
    #[schema(value_type = Vec<String>, example = json!([]))]
    pub pause_reasons: BTreeSet<PauseReason>,
    /// Why the session is over; null until then.
    #[schema(value_type = Option<String>)]
    pub end_reason: Option<EndReason>,
    /// Whether the session was over before this heartbeat. What it told was charged all the same.
    pub late: bool,
    /// What the session has cost so far.
    pub credits_used: Credits,
    /// Whether other sessions of the account wait for credit: who is silent should give back.
    pub others_wait: bool,
    /// When to send the next one at the latest, in milliseconds.
    pub heartbeat_ms: u64,
    /// When to ask again after a refusal, in milliseconds.
    pub retry_ms: u64,
    /// A fresh token for this session; null when it is over or its secret was revoked.
    pub token: Option<TokenJson>,
}

impl HeartbeatAnswerJson {
    pub(crate) fn of(number: u64, answer: EngineAnswer, terms: &Terms, token: Option<TokenJson>) -> Self {
        let slice = answer.slice;
        let verdict = match slice.verdict {
            Verdict::Closed => "ended",
            // A slice from before it was held back is answered again to a repeat, and is none any more.
            _ if !answer.pause_reasons.is_empty() => "refused",
            Verdict::Granted => "granted",
            Verdict::Final => "final",
            Verdict::Settled => "settled",
            Verdict::Refused(_) => "refused",
        };
        Self {
            request_number: number,
            verdict,
            slice_end: slice.slice_end,
            settled_units: slice.settled_units,
            grace_units: slice.grace_units,
            r#final: slice.verdict == Verdict::Final,
            pause_reasons: answer.pause_reasons,
            end_reason: answer.end_reason,
            late: answer.late,
            credits_used: slice.charged.into(),
            others_wait: slice.others_wait,
            heartbeat_ms: u64::try_from(terms.heartbeat_ms).unwrap_or(0),
            retry_ms: RETRY_MS,
            token,
        }
    }
}
