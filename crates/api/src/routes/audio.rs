//! Speak this: an upload becomes an utterance.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use footlight_actors::Speech;
use footlight_session::UtteranceId;
use footlight_stage::SpeakMode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::auth::Authenticated;
use crate::body::{self, QueryOf, SessionPath};
use crate::decoders;
use crate::idempotency::{self, Answer};
use crate::problem::{Problem, ProblemSchema};
use crate::speech;
use crate::state::ApiState;

/// What happens to speech that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// It is spoken first.
    #[default]
    Append,
    /// It is cut off and forgotten, as by an interrupt.
    Replace,
}

/// How to speak.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SpeakQuery {
    /// `append` (the default) or `replace`.
    #[serde(default)]
    #[param(inline)]
    pub mode: Mode,
}

/// Speech that was taken.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SpeechAccepted)]
pub(crate) struct SpeechAcceptedJson {
    /// Names it in events.
    #[schema(value_type = String, example = "utt_0193b5f2a7c87d1e8f3a9b2c4d5e6f70")]
    pub utterance_id: UtteranceId,
    /// How long it is, in milliseconds.
    #[schema(example = 10000)]
    pub duration_ms: u64,
}

/// Speak audio
///
/// WAV, FLAC, MP3, Ogg (Vorbis or Opus), recognised by content whatever the name or content type says; or raw 16-bit
/// little-endian samples with the content type `audio/pcm;rate=16000;channels=1`. Any sampling rate from 8 to 192 kHz,
/// up to eight channels.
#[utoipa::path(
    post, path = "/v1/sessions/{id}/audio", tag = "speech", operation_id = "speak",
    params(
        ("id" = String, Path, description = "The session's id"),
        SpeakQuery,
        ("idempotency-key" = Option<String>, Header, description = "The same key speaks once, for 24 hours"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The audio file, or raw samples"),
    responses(
        (status = 202, description = "It will be spoken", body = SpeechAcceptedJson),
        (status = 409, description = "`session_ended`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 415, description = "`audio_unsupported`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 422, description = "`audio_empty`, `audio_damaged`, `audio_too_long`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 429, description = "`audio_queue_full`", body = ProblemSchema, content_type = "application/problem+json"),
        (status = 503, description = "`capacity`, `store_unreachable`, `session_moving`, with `Retry-After`", body = ProblemSchema, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn speak(
    state: web::Data<ApiState>,
    request: HttpRequest,
    caller: Authenticated,
    session: SessionPath,
    query: QueryOf<SpeakQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let limit = state.options.max_upload_bytes;
    if body::announced_length(&request).is_some_and(|bytes| bytes > limit) {
        return Err(body::too_large(body::announced_length(&request), limit));
    }
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let raw = speech::raw_format(content_type)?;
    // Nobody should upload for a minute to learn that the session is not theirs.
    state.node.session(caller.into(), session.0).await?;

    let turn = state.uploads.take(caller.account).await?;
    let mut memory = state.upload_memory(caller.account);
    let upload = body::read(&request, payload, limit, state.options.body_timeout(), |bytes| memory.grow(bytes)).await?;
    // It is here; what becomes of it is bounded by memory and decoders.
    drop(turn);
    let mode = query.0.mode;
    let digest = idempotency::digest_of_upload(&request, &upload, &format!("{mode:?} {raw:?}")).await?;
    let (shared, node, max_s) = (state.clone(), state.node.clone(), state.options.max_utterance_s);
    idempotency::once(&state, &request, &caller.account.to_string(), digest, async move {
        let mode = match mode {
            Mode::Append => SpeakMode::Append,
            Mode::Replace => SpeakMode::Replace,
        };
        // Before and while it is decoded: nobody's cores are spent on what will not be taken.
        let room = node.room_for_speech(caller.into(), session.0, mode).await?;
        room.check(1)?;
        let turn = shared.decoders.take(caller.account).await?;
        let decoded = decoders::stand_back_and(move || {
            let decoded = speech::decode(upload, raw, max_s, |samples| Ok(room.check(samples)?));
            drop((turn, memory));
            decoded
        });
        let audio = decoded.await??;
        let duration_ms = audio.len() as u64 / 48;
        let utterance_id = node.speak(caller.into(), session.0, Speech { audio }, mode).await?;
        Answer::json(StatusCode::ACCEPTED, &SpeechAcceptedJson { utterance_id, duration_ms })
    })
    .await
}
