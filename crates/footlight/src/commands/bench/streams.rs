//! `footlight bench streams`: the largest number of clean streams.
//!
//! A stream is clean when no two of its frames come more than 100 ms apart and the p99 of their lateness is under
//! 10 ms. All streams speak all the time; over-admission makes every stream stall, so either all are clean or the
//! step fails.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use footlight_session::slice::SliceGate;
use footlight_session::{AccountId, SessionId, UtteranceId, WhenUnwatched};
use footlight_stage::{
    Outlet, OutletOptions, Performance, PerformanceSpec, SpeakMode, Stage, StageOptions, StageStats, Unit, Utterance,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use uuid::Uuid;

use super::quantiles::{Durations, Quantiles};
use crate::cli::Global;
use crate::commands::print;

/// No frame interval may be longer.
const INTERVAL_MAX: Duration = Duration::from_millis(100);
/// Lateness may be at most this at p99.
const LATENESS_P99_MAX: Duration = Duration::from_millis(10);
/// Steps while searching are this long; the answer is confirmed over the whole time.
const SEARCH_STEP: Duration = Duration::from_secs(6);
/// Encoders and idle loops settle before anything is counted.
const WARM_UP: Duration = Duration::from_secs(2);
/// More streams than this on one core are not looked for.
const STREAMS_PER_CORE_MAX: usize = 128;

const SPEECH: &[u8] = include_bytes!("../../../../../tests/speech/story.wav");

/// What one number of streams came to.
#[derive(Debug, Clone, Serialize)]
struct Step {
    streams: usize,
    clean: bool,
    longest_interval_ms: f64,
    lateness: Quantiles,
    /// Milliseconds a frame, by stage.
    stages: Stages,
    /// Share of the workers' time that was busy.
    load: f64,
    bytes_per_second_and_stream: f64,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Stages {
    face_ms: f64,
    render_ms: f64,
    h264_ms: f64,
    opus_ms: f64,
    hand_out_ms: f64,
    whole_frame_ms: f64,
}

pub(crate) fn run(global: &Global, seconds: u64, workers: usize) -> anyhow::Result<()> {
    ensure!(seconds >= 5, "`--seconds` is {seconds}; at least 5 are needed to say anything");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = if workers == 0 { cores.saturating_sub(1).max(1) } else { workers };
    let speech = crate::speech::decode(SPEECH.to_vec(), "the shipped speech")?;
    let whole = Duration::from_secs(seconds);
    if !global.json {
        println!("512x512 at 25 fps, speaking all the time, H.264 and Opus out");
        println!("{workers} worker(s) of {cores} cores; encoder assembly: {}\n", footlight_media::encoder_assembly());
    }
    let bar = progress(global.json);
    let trial = |streams: usize, time: Duration| -> anyhow::Result<Step> {
        bar.set_message(format!("{streams} streams for {} s", time.as_secs()));
        let step = measure(workers, streams, time, &speech)?;
        bar.println(format!(
            "{streams:4} streams  {}  p99 lateness {:5.1} ms  longest interval {:5.0} ms  load {:3.0} %",
            if step.clean { "clean" } else { "  -  " },
            step.lateness.p99_ms,
            step.longest_interval_ms,
            step.load * 100.0
        ));
        Ok(step)
    };

    let search = SEARCH_STEP.min(whole);
    let (mut low, mut high) = (0, STREAMS_PER_CORE_MAX * workers);
    let mut guess = 8 * workers;
    while low + 1 < high {
        if trial(guess, search)?.clean {
            low = guess;
        } else {
            high = guess;
        }
        let doubled = (low * 2).min(high - 1);
        guess = if high == STREAMS_PER_CORE_MAX * workers { doubled } else { low.midpoint(high) };
        guess = guess.clamp(low + 1, high.max(low + 2) - 1);
        ensure!(high > 1, "not even one clean stream: this machine is too slow, or busy with something else");
    }
    // What is clean for a few seconds may not be for long: go down until it is.
    let mut streams = low;
    let answer = loop {
        ensure!(streams > 0, "no number of streams is clean for {seconds} s");
        let step = trial(streams, whole)?;
        if step.clean {
            break step;
        }
        streams -= 1;
    };
    bar.finish_and_clear();
    report(global, &answer, workers)
}

/// Runs so many streams for so long.
fn measure(workers: usize, streams: usize, time: Duration, speech: &Arc<[i16]>) -> anyhow::Result<Step> {
    let options =
        StageOptions { workers, max_queued_audio_s: 3_600, max_queued_bytes: u64::MAX, ..StageOptions::default() };
    let stage = Stage::start(options)?;
    let mut performances = Vec::new();
    let mut outlets = Vec::new();
    for number in 0..streams {
        let performance = open(&stage)?;
        outlets.push(performance.attach(OutletOptions::default())?);
        // Not in step: each begins elsewhere in the speech.
        let offset = speech.len() / streams * number;
        let rotated: Arc<[i16]> = speech[offset..].iter().chain(&speech[..offset]).copied().collect();
        let rounds = (time + WARM_UP).as_secs() * u64::from(footlight_stage::SAMPLE_RATE) / speech.len() as u64 + 2;
        for _ in 0..rounds {
            let id = UtteranceId(Uuid::now_v7());
            performance.speak(Utterance { id, audio: Arc::clone(&rotated) }, SpeakMode::Append)?;
        }
        performances.push(performance);
    }
    std::thread::sleep(WARM_UP);
    let (before, busy_before) = (stage.stats(), Instant::now());
    let readers = read_all(outlets, time);
    std::thread::sleep(time);
    let stats = stage.stats().since(&before);
    let elapsed = busy_before.elapsed();
    drop(performances);
    let mut intervals = Durations::default();
    let mut bytes = 0;
    for reader in readers {
        let read = reader.join().map_err(|_| anyhow::anyhow!("a reader panicked"))?;
        intervals.append(read.intervals);
        bytes += read.bytes;
    }
    stage.shutdown();
    let longest = intervals.quantiles().max_ms;
    Ok(judge(streams, workers, &stats, elapsed, longest, bytes))
}

fn open(stage: &Stage) -> anyhow::Result<Performance> {
    let spec = PerformanceSpec {
        session: SessionId(Uuid::now_v7()),
        account: AccountId(Uuid::nil()),
        avatar: "ada".into(),
        fps: 25,
        width: 512,
        height: 512,
        background: None,
        when_unwatched: WhenUnwatched::Wait,
    };
    let gate = Arc::new(SliceGate::new(0));
    gate.set_limit(footlight_session::slice::MOST_ROOM);
    stage.open(spec, gate, Arc::new(|_| {})).context("opening a stream")
}

struct Read {
    intervals: Durations,
    bytes: u64,
}

/// The load generator: one thread that reads all streams, on a core of its own.
fn read_all(mut outlets: Vec<Outlet>, time: Duration) -> Vec<JoinHandle<Read>> {
    let end = Instant::now() + time;
    vec![std::thread::spawn(move || {
        let mut last: Vec<Option<Instant>> = vec![None; outlets.len()];
        let mut read = Read { intervals: Durations::default(), bytes: 0 };
        while Instant::now() < end {
            for (outlet, last) in outlets.iter_mut().zip(&mut last) {
                while let Some(unit) = outlet.try_next() {
                    match unit {
                        Unit::Video(unit) => {
                            let now = Instant::now();
                            if let Some(before) = last.replace(now) {
                                read.intervals.push(now - before);
                            }
                            read.bytes += unit.data.len() as u64;
                        }
                        Unit::Audio(unit) => read.bytes += unit.data.len() as u64,
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        read
    })]
}

fn judge(
    streams: usize,
    workers: usize,
    stats: &StageStats,
    elapsed: Duration,
    longest_interval_ms: f64,
    bytes: u64,
) -> Step {
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    let lateness = Quantiles {
        p50_ms: ms(stats.lateness.quantile(0.5)),
        p99_ms: ms(stats.lateness.quantile(0.99)),
        max_ms: ms(stats.lateness.max()),
    };
    let expected = streams as f64 * elapsed.as_secs_f64() * 25.0;
    let all_came = stats.active_frames as f64 >= expected * 0.98;
    Step {
        streams,
        clean: all_came
            && longest_interval_ms <= ms(INTERVAL_MAX)
            && stats.lateness.quantile(0.99) < LATENESS_P99_MAX
            && stats.stalls == 0,
        longest_interval_ms,
        lateness,
        stages: Stages {
            face_ms: ms(stats.face.mean()),
            render_ms: ms(stats.render.mean()),
            h264_ms: ms(stats.h264.mean()),
            opus_ms: ms(stats.opus.mean()),
            hand_out_ms: ms(stats.hand_out.mean()),
            whole_frame_ms: ms(stats.frame_time.mean()),
        },
        load: stats.frame_time.sum().as_secs_f64() / (elapsed.as_secs_f64() * workers as f64),
        bytes_per_second_and_stream: bytes as f64 / elapsed.as_secs_f64() / streams as f64,
    }
}

fn progress(silent: bool) -> ProgressBar {
    if silent {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is constant"));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn report(global: &Global, answer: &Step, workers: usize) -> anyhow::Result<()> {
    let per_core = answer.streams as f64 / workers as f64;
    if global.json {
        return print::json(&serde_json::json!({
            "clean_streams": answer.streams,
            "per_core": per_core,
            "workers": workers,
            "encoder_assembly": footlight_media::encoder_assembly(),
            "limit_ms_per_frame": 40.0 / per_core,
            "step": answer,
        }));
    }
    let stages = &answer.stages;
    println!("{} clean streams on {workers} worker(s): {per_core:.1} per core", answer.streams);
    let mut table = print::table(&["stage", "ms a frame"]);
    for (stage, ms) in [
        ("audio to face", stages.face_ms),
        ("face to picture", stages.render_ms),
        ("picture to H.264", stages.h264_ms),
        ("sound to Opus", stages.opus_ms),
        ("hand out", stages.hand_out_ms),
        ("all of a frame", stages.whole_frame_ms),
        ("limit: one frame's time over the streams of a core", 40.0 / per_core),
    ] {
        table.add_row([stage.to_owned(), format!("{ms:.3}")]);
    }
    println!("{table}");
    println!(
        "lateness p50 {:.2} ms, p99 {:.2} ms; longest interval {:.0} ms; load {:.0} %; {:.0} kbit/s a stream; encoder assembly: {}",
        answer.lateness.p50_ms,
        answer.lateness.p99_ms,
        answer.longest_interval_ms,
        answer.load * 100.0,
        answer.bytes_per_second_and_stream * 8.0 / 1e3,
        footlight_media::encoder_assembly()
    );
    Ok(())
}
