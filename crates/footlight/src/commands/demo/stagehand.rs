//! One session's part of the demo: attach a recorder, speak, top up when the light goes off, stop.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use footlight_actors::{Caller, SessionEventKind, Speech};
use footlight_ledger::PauseReason;
use footlight_stage::{OutletKind, OutletOptions, SpeakMode};
use serde_json::json;

use super::cast::{Role, TOP_UP, give};
use super::view::View;
use crate::assembly::Assembly;
use crate::commands::recording::{self, Shape};

/// Long enough to see that the light is off.
const IN_THE_DARK: Duration = Duration::from_millis(1_500);

/// Plays one role to its end and answers where its video is.
pub(super) async fn perform(assembly: &Assembly, role: &Role, view: &View, output: &Path) -> anyhow::Result<PathBuf> {
    let node = &assembly.node;
    let who = Caller::account(role.payer);
    // A recording must not lose a frame to a slow disk: room for all of it.
    let room = usize::try_from(role.frames * 4)?;
    let options = OutletOptions { kind: OutletKind::ActiveOnly, max_queued: Some(room) };
    let outlet = node.attach(who, role.session, options).await?;
    let shape = Shape { fps: 25, width: 512, height: 512 };
    let recorder = recording::record(role.video(output), shape, outlet);
    let mut events = node.events(who, role.session).await?;
    let line = view.line(role);
    node.speak(who, role.session, Speech { audio: role.speech.clone() }, SpeakMode::Append).await?;

    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    loop {
        let event = tokio::select! {
            event = events.next() => event.context("the session's events ended before its speech")?,
            _ = ticks.tick() => {
                line.show(&node.session(who, role.session).await?);
                continue;
            }
        };
        match event.kind {
            SessionEventKind::StateChanged { pause_reasons, .. }
                if pause_reasons.contains(&PauseReason::CreditsExhausted) =>
            {
                line.show(&node.session(who, role.session).await?);
                line.dark();
                tokio::time::sleep(IN_THE_DARK).await;
                give(node, role.payer, TOP_UP, "demo-top-up").await?;
                line.lit(TOP_UP);
            }
            SessionEventKind::UtteranceEnded { failed: Some(why), .. } => bail!("{} failed: {why}", role.title),
            SessionEventKind::UtteranceEnded { .. } => break,
            SessionEventKind::Ended { reason } => bail!("{} ended early: {}", role.title, json!(reason)),
            _ => {}
        }
    }
    let session = node.stop(who, role.session).await?;
    line.done(&session);
    tokio::task::spawn_blocking(move || recorder.join()).await?.map_err(|_| anyhow::anyhow!("the recorder panicked"))?
}
