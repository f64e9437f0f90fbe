//! Letting a session of a running node speak a file, and saving what it sends back.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use footlight_media::Mp4Writer;
use footlight_media::wire::{MediaFlags, MediaHeader, MediaKind};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::Value;

use super::http::Http;
use super::print::text;
use super::recording::{self, Shape};
use super::viewer::{Seen, Viewer};
use crate::cli::Customer;
use crate::exit::{Failure, coded};

/// Samples in a packet of Opus.
const PACKET_SAMPLES: u32 = 960;
/// How long nothing may be said after a session changed nodes, until we take it that the speech ended on the way.
const SILENT_MAX: Duration = Duration::from_secs(10);

/// Sends `audio` to a session, follows it to the end of the utterance, and answers the session as it is then.
///
/// # Errors
/// With the node's own words; exit code 3 when the credits run out on the way, 4 when the store goes away.
pub(crate) async fn speak(
    customer: &Customer,
    id: &str,
    audio: &Path,
    output: Option<&Path>,
    talkative: bool,
) -> anyhow::Result<Value> {
    let http = Http::customer(customer)?;
    let path = format!("/v1/sessions/{id}");
    let session = http.send(http.request(Method::GET, &path)).await?;
    let speech = std::fs::read(audio).with_context(|| format!("{} cannot be read", audio.display()))?;
    let mut viewer = Viewer::attach(customer, id, "recording=true").await?;
    let mut file = match output {
        Some(output) => Some(recording::create(output, shape(&session)?)?),
        None => None,
    };
    // Read all the while: the node closes connections that answer nothing, and speech may end before its upload is answered.
    let upload = http.send(http.request(Method::POST, &format!("{path}/audio")).body(speech));
    tokio::pin!(upload);
    let mut utterance: Option<Value> = None;
    let (mut ended, mut paused) = (Vec::new(), None);
    let mut silent_since: Option<Instant> = None;

    let bar = progress(talkative);
    let mut frames = 0_u64;
    let end = loop {
        if let Some(utterance) = &utterance {
            if let Some(end) = ended.iter().find(|event: &&Value| event["utterance_id"] == *utterance) {
                break end.clone();
            }
            if let Some(reasons) = &paused {
                finish(file, frames)?;
                return Err(coded(failure_of(reasons), format!("paused after {frames} frames: {}", text(reasons))));
            }
            if silent_since.is_some_and(|since| since.elapsed() > SILENT_MAX) {
                bail!("the session changed nodes and says nothing any more, after {frames} frames");
            }
        }
        let incoming = tokio::select! {
            answer = &mut upload, if utterance.is_none() => {
                utterance = Some(answer?["utterance_id"].clone());
                continue;
            }
            incoming = viewer.next() => incoming?,
        };
        match incoming {
            Seen::Media(header, body) => {
                if header.kind == MediaKind::Video {
                    frames += 1;
                    bar.set_message(format!("{frames} frames"));
                    if !header.flags.contains(MediaFlags::IDLE) {
                        silent_since = None;
                    }
                }
                if let Some(file) = &mut file {
                    push(file, &header, &body)?;
                }
            }
            Seen::Event(event) if event["type"] == "utterance_ended" => ended.push(event),
            Seen::Event(event) if event["type"] == "state" => {
                paused = (event["state"] == "paused").then(|| event["pause_reasons"].clone());
            }
            Seen::Event(event) if event["type"] == "ended" => bail!("the session ended: {}", event["end_reason"]),
            Seen::Event(_) => {}
            Seen::Elsewhere => silent_since = Some(Instant::now()),
            Seen::Closed => bail!("the node closed the connection after {frames} frames"),
        }
    };
    bar.finish_and_clear();
    finish(file, frames)?;
    if !end["failed"].is_null() {
        bail!("the speech failed after {} ms: {}", end["position_ms"], text(&end["failed"]));
    }
    if end["interrupted"] == true {
        bail!("the speech was interrupted after {} ms", end["position_ms"]);
    }
    http.send(http.request(Method::GET, &path)).await
}

/// What a pause means to whoever waits for the end of the speech.
fn failure_of(reasons: &Value) -> Failure {
    let any = |words: &[&str]| {
        reasons.as_array().into_iter().flatten().filter_map(Value::as_str).any(|reason| words.contains(&reason))
    };
    if any(&["credits_exhausted", "debt", "spending_limit"]) {
        Failure::Credits
    } else if any(&["store_unreachable"]) {
        Failure::Unreachable
    } else {
        Failure::Failed
    }
}

fn shape(session: &Value) -> anyhow::Result<Shape> {
    let number = |name: &str| -> anyhow::Result<u32> {
        let value = session[name].as_u64().and_then(|value| u32::try_from(value).ok());
        value.with_context(|| format!("the session has no `{name}`"))
    };
    Ok(Shape { fps: number("fps")?, width: number("width")?, height: number("height")? })
}

fn push(file: &mut Mp4Writer, header: &MediaHeader, body: &[u8]) -> anyhow::Result<()> {
    match header.kind {
        MediaKind::Video => {
            let idr = header.flags.contains(MediaFlags::KEY_FRAME);
            file.push_video(body, header.pts_us, header.duration_us, idr)?;
        }
        MediaKind::Audio => file.push_audio(body, header.pts_us, PACKET_SAMPLES)?,
    }
    Ok(())
}

/// A file without a single frame is no video: it is left unwritten.
fn finish(file: Option<Mp4Writer>, frames: u64) -> anyhow::Result<()> {
    match file {
        Some(file) if frames > 0 => Ok(file.finish()?),
        _ => Ok(()),
    }
}

fn progress(talkative: bool) -> ProgressBar {
    if !talkative {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}  {elapsed}").expect("the template is constant"));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pause_is_about_credits_only_where_its_reason_is() {
        assert_eq!(failure_of(&json!(["by_request", "debt"])), Failure::Credits);
        assert_eq!(failure_of(&json!(["credits_exhausted"])), Failure::Credits);
        assert_eq!(failure_of(&json!(["store_unreachable"])), Failure::Unreachable);
        assert_eq!(failure_of(&json!(["by_request"])), Failure::Failed);
        assert_eq!(failure_of(&json!(null)), Failure::Failed);
    }
}
