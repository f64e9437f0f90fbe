//! `footlight render`: an audio file becomes a video, faster than real time, without any node.

use std::time::Instant;

use anyhow::Context;
use footlight_session::{SessionId, WhenUnwatched};
use footlight_stage::{PerformanceSpec, Stage, StageOptions};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use uuid::Uuid;

use super::print;
use super::recording::{self, Shape};
use crate::avatars;
use crate::cli::{Global, Render};

pub(crate) fn run(global: &Global, options: &Render) -> anyhow::Result<()> {
    let speech = crate::speech::read(&options.audio)?;
    let picture = &options.picture;
    // Workers are for live sessions: this thread does the work.
    let (avatars, avatar) = avatars::of_argument(&options.avatar)?;
    let stage = Stage::start_with(StageOptions { workers: 1, ..StageOptions::default() }, avatars)?;
    let spec = PerformanceSpec {
        session: SessionId(Uuid::now_v7()),
        avatar,
        fps: picture.fps,
        width: picture.width,
        height: picture.height,
        background: None,
        when_unwatched: WhenUnwatched::Continue,
    };
    spec.check()?;
    let shape = Shape { fps: picture.fps, width: picture.width, height: picture.height };
    let mut file = recording::create(&options.output, shape)?;
    let bar = if global.json { ProgressBar::hidden() } else { ProgressBar::new(0) };
    let template = "{bar:32.yellow/dim} {pos}/{len} frames  {eta} left";
    bar.set_style(ProgressStyle::with_template(template).expect("the template is constant").progress_chars("━━─"));

    let began = Instant::now();
    let mut frames = 0;
    let progress = |done: u64, total: u64| {
        frames = done;
        bar.set_length(total);
        bar.set_position(done);
    };
    stage.perform_offline(&spec, &speech, progress, |unit| recording::push(&mut file, &unit))?;
    file.finish().with_context(|| format!("{} cannot be finished", options.output.display()))?;
    bar.finish_and_clear();
    let seconds = frames as f64 / f64::from(picture.fps);
    let pace = seconds / began.elapsed().as_secs_f64();
    if global.json {
        let made = json!({ "output": options.output, "frames": frames, "seconds": seconds, "times_real_time": pace });
        return print::json(&made);
    }
    println!("{}: {frames} frames, {seconds:.2} s, made at {pace:.0} times real time", options.output.display());
    Ok(())
}
