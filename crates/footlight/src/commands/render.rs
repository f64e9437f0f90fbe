//! `footlight render`: an audio file becomes a video, faster than real time; without any node, or charged to an account at
//! one.

use std::time::Instant;

use anyhow::Context;
use footlight_avatar::bundle::AvatarChoice;
use footlight_session::{AccountId, SessionId, WhenUnwatched};
use footlight_stage::offline::frame_count;
use footlight_stage::{PerformanceSpec, Stage, StageError, StageOptions, Unit};
use indicatif::ProgressBar;
use serde_json::json;
use uuid::Uuid;

use super::meter::{Meter, Stop, credits};
use super::print;
use super::recording::{self, Shape};
use crate::avatars;
use crate::cli::{Global, Render};
use crate::exit::coded;

pub(crate) fn run(global: &Global, options: &Render) -> anyhow::Result<()> {
    let speech = crate::speech::read(&options.audio)?;
    let picture = &options.picture;
    // Workers are for live sessions: this thread does the work.
    let (avatars, avatar) = avatars::of_argument(&options.avatar)?;
    let stage = Stage::start_with(StageOptions { workers: 1, ..StageOptions::default() }, avatars)?;
    let spec = PerformanceSpec {
        session: SessionId(Uuid::now_v7()),
        account: AccountId(Uuid::nil()),
        avatar: AvatarChoice::Shared(avatar),
        fps: picture.fps,
        width: picture.width,
        height: picture.height,
        background: None,
        when_unwatched: WhenUnwatched::Continue,
    };
    spec.check()?;
    let meter = Meter::start(global, options)?;
    let shape = Shape { fps: picture.fps, width: picture.width, height: picture.height };
    let mut file = recording::create(&options.output, shape)?;
    let bar = if global.json { ProgressBar::hidden() } else { ProgressBar::new(0) };
    let template = "{bar:32.yellow/dim} {pos}/{len} frames  {eta} left";
    bar.set_style(print::bar_style(template));

    let began = Instant::now();
    let mut frames = 0;
    let progress = |done: u64, total: u64| {
        frames = done;
        bar.set_length(total);
        bar.set_position(done);
    };
    let mut made = 0;
    let performed = stage.perform_offline(&spec, &speech, progress, |unit| {
        if let (Unit::Video(_), Some(meter)) = (&unit, &meter) {
            meter.next_frame()?;
            made += 1;
        }
        recording::push(&mut file, &unit).map_err(Cut::from)
    });
    // Settled whatever became of the video: what is held for it would be held for minutes.
    let settled = meter.map(Meter::end).transpose();
    let stopped = match performed {
        Ok(()) => None,
        Err(Cut::Stopped(stop)) => Some(stop),
        Err(Cut::Failed(error)) => return Err(error),
    };
    file.finish().with_context(|| format!("{} cannot be finished", options.output.display()))?;
    bar.finish_and_clear();
    if let Some(Stop { why, advice, failure }) = stopped {
        let total = frame_count(speech.len(), picture.fps);
        let path = options.output.display();
        let used = match settled {
            Ok(bill) => format!("{} used", credits(bill.unwrap_or_default().credits)),
            Err(error) => format!("{error}"),
        };
        let message =
            format!("stopped after {made} of {total} frames: {why}; {path} ends there ({used}). To go on: {advice}");
        return Err(coded(failure, message));
    }
    let bill = settled?;
    let seconds = frames as f64 / f64::from(picture.fps);
    let pace = seconds / began.elapsed().as_secs_f64();
    if global.json {
        let used = bill.map(|bill| bill.credits.to_string());
        let made = json!({
            "output": options.output, "frames": frames, "seconds": seconds, "times_real_time": pace, "credits": used,
        });
        return print::json(&made);
    }
    let used = bill.map(|bill| format!(", {} used", credits(bill.credits))).unwrap_or_default();
    println!("{}: {frames} frames, {seconds:.2} s, made at {pace:.0} times real time{used}", options.output.display());
    Ok(())
}

/// Why a performance broke off.
enum Cut {
    /// The account pays for no more.
    Stopped(Stop),
    Failed(anyhow::Error),
}

impl From<Stop> for Cut {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl From<anyhow::Error> for Cut {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<StageError> for Cut {
    fn from(error: StageError) -> Self {
        Self::Failed(error.into())
    }
}
