//! Letting a session of a running node speak a file, and saving what it sends back.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use footlight_media::Mp4Writer;
use footlight_media::wire::{MediaFlags, MediaHeader, MediaKind};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::Value;

use super::http::Http;
use super::recording::{self, Shape};
use super::socket::{Incoming, Socket};
use crate::cli::Customer;
use crate::exit::{Failure, coded};

/// Samples in a packet of Opus.
const PACKET_SAMPLES: u32 = 960;

/// Sends `audio` to a session, follows it to the end of the utterance, and answers the session as it is then.
///
/// # Errors
/// With the node's own words; exit code 3 when the credits run out on the way.
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
    let mut socket = Socket::attach(&customer.url, &customer.api_secret, id, "recording=true").await?;
    let mut file = match output {
        Some(output) => Some(recording::create(output, shape(&session)?)?),
        None => None,
    };
    let upload = http.request(Method::POST, &format!("{path}/audio")).body(speech);
    let utterance = http.send(upload).await?["utterance_id"].clone();

    let bar = progress(talkative);
    let mut frames = 0_u64;
    loop {
        match socket.next().await? {
            Incoming::Media(header, body) => {
                if header.kind == MediaKind::Video {
                    frames += 1;
                    bar.set_message(format!("{frames} frames"));
                }
                if let Some(file) = &mut file {
                    push(file, &header, &body)?;
                }
            }
            Incoming::Text(event) if event["type"] == "utterance_ended" && event["utterance_id"] == utterance => break,
            Incoming::Text(event) if event["type"] == "state" && event["state"] == "paused" => {
                finish(file, frames)?;
                let why = super::print::text(&event["pause_reasons"]);
                return Err(coded(Failure::Credits, format!("paused after {frames} frames: {why}")));
            }
            Incoming::Text(event) if event["type"] == "ended" => bail!("the session ended: {}", event["end_reason"]),
            Incoming::Text(_) => {}
            Incoming::Closed => bail!("the node closed the connection after {frames} frames"),
        }
    }
    bar.finish_and_clear();
    finish(file, frames)?;
    http.send(http.request(Method::GET, &path)).await
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
