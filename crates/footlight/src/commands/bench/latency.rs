//! `footlight bench latency`: a client of the HTTP API and the WebSocket, with a clock.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use footlight_media::wire::{MediaFlags, MediaHeader, MediaKind};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};

use super::quantiles::{Durations, Quantiles};
use crate::cli::{Customer, Global};
use crate::commands::http::Http;
use crate::commands::serve::{Running, block_on_system};
use crate::commands::socket::{Incoming, Socket};
use crate::commands::{print, settings_for};

/// What is sent to be spoken first: short, so that the measurement is not of the upload.
const SPEECH: &[u8] = include_bytes!("../../../../../tests/speech/hello.wav");
/// Live audio is sent in pieces of this length, as a microphone would.
const PIECE: Duration = Duration::from_millis(20);
/// Its sampling rate, in Hz.
const RATE: u32 = 16_000;
/// Frames of live speech that are measured, in seconds.
const LIVE_SECONDS: u32 = 20;
/// One frame at 25 fps.
const FRAME: Duration = Duration::from_millis(40);
/// Nothing here may take longer.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(global: &Global, tries: usize) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let flags = [
        ("data_dir", Some(scratch.path().join("data").to_string_lossy().into_owned())),
        ("listen", Some("127.0.0.1:0".to_owned())),
        ("admin_listen", Some("127.0.0.1:0".to_owned())),
        ("admin_token", Some("for-this-bench-alone".to_owned())),
        ("log.filter", Some("warn".to_owned())),
    ];
    let settings = settings_for(global, &flags)?.settings;
    let as_json = global.json;
    block_on_system(async move {
        let running = Running::start(&settings).await?;
        let customer = running.customer_with("1000000").await?;
        let http = Http::customer(&customer)?;
        // The first session loads the avatar; that is not what is measured.
        first_frame(&http, &customer).await?;

        let bar = progress(as_json, tries);
        let mut first = Durations::default();
        for _ in 0..tries {
            first.push(first_frame(&http, &customer).await?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let (live, frames) = live_frames(&http, &customer).await?;
        running.stop().await;
        report(as_json, tries, frames, first.quantiles(), live.quantiles())
    })
}

/// From the moment before the create to the first active frame at the client.
async fn first_frame(http: &Http, customer: &Customer) -> anyhow::Result<Duration> {
    let asked = Instant::now();
    let id = create(http).await?;
    let mut socket = Socket::attach(&customer.url, &customer.api_secret, &id, "").await?;
    http.send(http.request(Method::POST, &format!("/v1/sessions/{id}/audio")).body(SPEECH)).await?;
    loop {
        let (header, came) = next_media(&mut socket).await?;
        if header.kind == MediaKind::Video && !header.flags.contains(MediaFlags::IDLE) {
            stop(http, &id).await?;
            return Ok(came - asked);
        }
    }
}

/// For each frame of live speech: from sending the last piece of its audio to its arrival at the client.
async fn live_frames(http: &Http, customer: &Customer) -> anyhow::Result<(Durations, usize)> {
    let id = create(http).await?;
    let query = format!("rate={RATE}&channels=1");
    let mut socket = Socket::attach(&customer.url, &customer.api_secret, &id, &query).await?;
    let samples = crate::speech::decode(SPEECH.to_vec(), "the shipped speech")?;
    // 48 kHz to 16 kHz by leaving out: what it sounds like is of no matter here.
    let voice: Vec<i16> = samples.iter().step_by(3).copied().collect();
    let piece = (RATE / 50) as usize;
    let pieces = LIVE_SECONDS as usize * 50;

    let mut sent = Vec::with_capacity(pieces);
    let mut came = Vec::new();
    let mut clock = tokio::time::interval(PIECE);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    while sent.len() < pieces {
        tokio::select! {
            _ = clock.tick() => {
                let from = sent.len() * piece % (voice.len() - piece);
                socket.send_audio(&voice[from..from + piece]).await?;
                sent.push(Instant::now());
            }
            media = next_media(&mut socket) => {
                let (header, at) = media?;
                if header.kind == MediaKind::Video && !header.flags.contains(MediaFlags::IDLE) {
                    came.push(at);
                }
            }
        }
    }
    stop(http, &id).await?;
    let mut latencies = Durations::default();
    let frames = came.len();
    for (number, came) in came.into_iter().enumerate() {
        // Frame n is complete with the second of its two pieces.
        let pieces_per_frame = (FRAME.as_millis() / PIECE.as_millis()) as usize;
        let Some(sent) = sent.get((number + 1) * pieces_per_frame - 1) else { break };
        latencies.push(came.saturating_duration_since(*sent));
    }
    Ok((latencies, frames))
}

async fn create(http: &Http) -> anyhow::Result<String> {
    let session = http.send(http.request(Method::POST, "/v1/sessions").json(&json!({}))).await?;
    Ok(session["id"].as_str().context("a session has an id")?.to_owned())
}

async fn stop(http: &Http, id: &str) -> anyhow::Result<Value> {
    http.send(http.request(Method::DELETE, &format!("/v1/sessions/{id}"))).await
}

async fn next_media(socket: &mut Socket) -> anyhow::Result<(MediaHeader, Instant)> {
    loop {
        match tokio::time::timeout(PATIENCE, socket.next()).await.context("no frame came for 10 s")?? {
            Incoming::Media(header, _) => return Ok((header, Instant::now())),
            Incoming::Text(problem) if problem["type"] == "problem" => bail!("the node refuses: {problem}"),
            Incoming::Text(_) => {}
            Incoming::Closed { .. } => bail!("the node closed the connection"),
        }
    }
}

fn progress(silent: bool, tries: usize) -> ProgressBar {
    if silent {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(tries as u64);
    bar.set_style(ProgressStyle::with_template("{bar:32} {pos}/{len} sessions").expect("the template is constant"));
    bar
}

fn report(as_json: bool, tries: usize, frames: usize, first: Quantiles, live: Quantiles) -> anyhow::Result<()> {
    let assembly = footlight_media::encoder_assembly();
    if as_json {
        let value = json!({ "create_to_first_frame": first, "tries": tries, "live_audio_to_frame": live, "frames": frames,
            "encoder_assembly": assembly });
        return print::json(&value);
    }
    let mut table = print::table(&["", "p50", "p99", "longest", "over"]);
    let row = |name: &str, measured: Quantiles, over: String| {
        let ms = |value: f64| format!("{value:.1} ms");
        [name.to_owned(), ms(measured.p50_ms), ms(measured.p99_ms), ms(measured.max_ms), over]
    };
    table.add_row(row("create to first speaking frame, avatar loaded", first, format!("{tries} sessions")));
    table.add_row(row("live audio in to encoded frame out", live, format!("{frames} frames")));
    println!("{table}\nby a client of HTTP and WebSocket on loopback; encoder assembly: {assembly}");
    Ok(())
}
