//! `footlight demo`: the whole path once, to look at.
//!
//! A node on the embedded store, two accounts, three sessions that speak at once. The third belongs to an account that
//! can pay for a part of its speech only: the light goes off, a top-up turns it on again.

mod bill;
mod cast;
mod stagehand;
mod view;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::settings_for;
use crate::assembly::{Assembly, assemble};
use crate::cli::{Demo, Global};

use cast::{Cast, Role};
use view::View;

/// The longest the demo may take; its speech lasts under ten seconds.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn run(global: &Global, options: &Demo) -> anyhow::Result<()> {
    // A demo leaves nothing behind but its videos, unless it is told where to keep its books.
    let scratch = tempfile::tempdir().context("a directory for the demo's books")?;
    let data_dir = global.data_dir.clone().unwrap_or_else(|| scratch.path().join("data"));
    let flags = [
        ("data_dir", Some(data_dir.to_string_lossy().into_owned())),
        ("node.name", Some("demo".to_owned())),
        // Three streams are few even for a small machine; measuring it would only make the demo wait.
        ("node.speaking_slots", Some("3".to_owned())),
        ("log.filter", Some("warn".to_owned())),
    ];
    let loaded = settings_for(global, &flags)?;
    crate::telemetry::start(&loaded.settings.log)?;
    let settings = loaded.settings;
    super::serve::block_on_system(async move {
        let view = View::open(global.json);
        view.say("Starting a node on the embedded store …");
        let assembly = assemble(&settings, None).await?;
        let cast = Cast::engage(&assembly, &settings).await?;
        let videos = play(&assembly, &cast, &view, &options.output).await?;
        let balanced = bill::print(&assembly, &cast, &videos, global.json).await?;
        assembly.node.shutdown(Duration::from_secs(5)).await;
        ensure!(balanced, "the audit does not balance; this is a bug in Footlight");
        Ok(())
    })
}

/// Lets all sessions speak and records them; answers their videos in the cast's order.
async fn play(assembly: &Assembly, cast: &Cast, view: &View, output: &std::path::Path) -> anyhow::Result<Vec<PathBuf>> {
    view.introduce(assembly, cast)?;
    let performances = cast.roles.iter().map(|role| stagehand::perform(assembly, role, view, output));
    let everyone = futures_util::future::try_join_all(performances);
    let watching = view.follow_balances(assembly, cast);
    tokio::select! {
        videos = tokio::time::timeout(PATIENCE, everyone) => {
            videos.context("the demo takes longer than it should")?
        }
        () = watching => unreachable!("balances are followed until the sessions are over"),
    }
}

impl Role {
    /// Where its video goes.
    fn video(&self, output: &std::path::Path) -> PathBuf {
        output.join(format!("{}.mp4", self.title))
    }
}
