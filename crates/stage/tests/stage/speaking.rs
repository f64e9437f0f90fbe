//! What is said, counted and held.

use std::sync::Arc;
use std::time::Duration;

use footlight_session::{AccountId, UtteranceId, WhenUnwatched};
use footlight_stage::{
    OutletKind, PerformanceSpec, RendererKind, SpeakMode, Stage, StageError, StageEvent, StageOptions, Unit, Utterance,
    UtteranceOutcome,
};
use uuid::Uuid;

use crate::house::{Show, assert_decodes, null_stage, read_for, read_until, spec, speech, stage, videos};

#[test]
fn every_rate_counts_exactly_the_frames_that_the_audio_fills() {
    let audio = speech("hello.wav");
    let shows: Vec<_> = [20, 25, 30, 50]
        .into_iter()
        .map(|fps| {
            let show = Show::open(stage(), spec(fps)).unlimited();
            let outlet = show.attach();
            let id = show.speak(&audio);
            (fps, show, outlet, id)
        })
        .collect();
    for (fps, show, mut outlet, id) in shows {
        show.wait_for_end_of(id);
        let expected = audio.len().div_ceil(48_000 / fps as usize) as u64;
        assert_eq!(show.gate.used(), expected, "{fps} fps");
        assert_eq!(show.performance.snapshot().frames, expected);
        let units = read_for(&mut outlet, Duration::from_millis(50));
        let active = videos(&units).iter().filter(|unit| unit.active).count() as u64;
        assert_eq!((active, outlet.dropped()), (expected, 0));
    }
}

#[test]
fn what_is_read_is_what_was_counted_and_media_time_has_no_gap() {
    let audio = speech("hello.wav");
    let show = Show::open(stage(), spec(25)).unlimited();
    let mut outlet = show.attach();
    let mut units = read_for(&mut outlet, Duration::from_millis(300));
    show.speak(&audio);
    let mut ended_for = 0;
    units.extend(read_until(&mut outlet, |units| {
        let videos = videos(units);
        ended_for = videos.iter().rev().take_while(|unit| !unit.active).count();
        videos.iter().any(|unit| unit.active) && ended_for > 30
    }));
    let active: Vec<_> = videos(&units).into_iter().filter(|unit| unit.active).collect();
    assert_eq!(active.len(), audio.len().div_ceil(1920));
    assert!(active[0].idr, "the camera begins with an IDR");

    let mut next = videos(&units)[0].pts_us;
    for unit in videos(&units) {
        assert_eq!(unit.pts_us, next);
        next += u64::from(unit.duration_us);
    }
    let packets: Vec<u64> = units.iter().filter(|unit| matches!(unit, Unit::Audio(_))).map(Unit::pts_us).collect();
    assert!(packets.windows(2).all(|pair| pair[1] - pair[0] == 20_000), "sound goes on through idle and speech");
    assert_decodes(&units);
}

#[test]
fn a_slice_ends_by_count_and_the_next_one_goes_on() {
    let audio: Arc<[i16]> = speech("hello.wav")[..48_000].into();
    let show = Show::open(stage(), spec(25));
    let mut outlet = show.attach();
    let id = show.speak(&audio);
    show.wait_for("WantsToSpeak", |event| *event == StageEvent::WantsToSpeak);
    let mut units = read_for(&mut outlet, Duration::from_millis(200));
    assert!(show.told().iter().all(|event| *event != StageEvent::WantsToSpeak), "it asks once");

    show.gate.set_slice(10, 8);
    show.wait_for("AskNow", |event| *event == StageEvent::AskNow);
    show.wait_for("SliceSpent", |event| *event == StageEvent::SliceSpent);
    units.extend(read_for(&mut outlet, Duration::from_millis(400)));
    assert_eq!(show.gate.used(), 10);
    assert!(show.told().is_empty(), "a held position is not told as silence or asked for again");

    show.gate.set_slice(25, 99);
    let ended = show.wait_for_end_of(id);
    assert_eq!(
        ended,
        StageEvent::UtteranceEnded { utterance: id, position_ms: 1000, outcome: UtteranceOutcome::Completed }
    );
    units.extend(read_for(&mut outlet, Duration::from_millis(100)));
    assert_eq!((show.gate.used(), videos(&units).iter().filter(|unit| unit.active).count()), (25, 25));
    assert_decodes(&units);
}

#[test]
fn nothing_is_said_or_counted_while_nobody_watches() {
    let audio: Arc<[i16]> = speech("hello.wav")[..24_000].into();
    let show = Show::open(null_stage(), spec(25)).unlimited();
    let id = show.speak(&audio);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!((show.gate.used(), show.performance.snapshot().queued_ms), (0, 500));
    let _outlet = show.attach();
    show.wait_for_end_of(id);
    assert_eq!((show.gate.used(), show.performance.snapshot().queued_ms), (13, 0));
}

#[test]
fn with_continue_time_passes_unseen_and_uncharged() {
    let audio: Arc<[i16]> = speech("hello.wav")[..24_000].into();
    let unwatched = footlight_stage::PerformanceSpec { when_unwatched: WhenUnwatched::Continue, ..spec(25) };
    let show = Show::open(null_stage(), unwatched);
    let id = show.speak(&audio);
    let ended = show.wait_for_end_of(id);
    assert!(matches!(ended, StageEvent::UtteranceEnded { position_ms: 500, .. }), "{ended:?}");
    assert_eq!(show.gate.used(), 0);
}

#[test]
fn a_pause_shows_one_idr_and_holds_the_position() {
    let audio: Arc<[i16]> = speech("hello.wav")[..48_000].into();
    let show = Show::open(stage(), spec(25)).unlimited();
    let mut outlet = show.attach();
    let id = show.speak(&audio);
    let mut units = read_until(&mut outlet, |units| videos(units).iter().filter(|unit| unit.active).count() == 8);
    show.performance.pause().expect("it is open");
    show.wait_for("FellSilent", |event| *event == StageEvent::FellSilent);
    let used = show.gate.used();
    let paused = read_for(&mut outlet, Duration::from_millis(500));
    let shown: Vec<bool> = videos(&paused).into_iter().filter(|unit| !unit.active).map(|unit| unit.idr).collect();
    assert_eq!(shown, [true]);
    assert_eq!(show.gate.used(), used);

    // Whoever joins a paused session sees the picture at once, or within the second that forced IDRs keep apart.
    let mut joiner = show.attach();
    let joined = read_until(&mut joiner, |units| !videos(units).is_empty());
    assert!(videos(&joined)[0].idr);

    units.extend(paused);
    show.performance.resume().expect("it is open");
    units.extend(read_until(&mut outlet, |units| videos(units).iter().any(|unit| unit.active)));
    show.wait_for_end_of(id);
    units.extend(read_for(&mut outlet, Duration::from_millis(100)));
    assert_eq!((show.gate.used(), videos(&units).iter().filter(|unit| unit.active).count()), (25, 25));
    assert_decodes(&units);
}

#[tokio::test]
async fn after_the_answer_to_an_interrupt_nothing_older_is_handed_out() {
    let audio = speech("story.wav");
    let show = Show::open(stage(), spec(50)).unlimited();
    let mut outlet = show.attach();
    let mut units = Vec::new();
    for attempt in 0..100_u32 {
        show.speak(&audio);
        show.speak(&audio);
        // At every phase of a frame.
        let until = tokio::time::Instant::now() + Duration::from_micros(25_000 + u64::from(attempt) * 531 % 20_000);
        while let Ok(Some(unit)) = tokio::time::timeout_at(until, outlet.next()).await {
            units.push(unit);
        }
        let interrupted = show.performance.interrupt().expect("it is open").await.expect("it answers");
        assert_eq!(interrupted.generation, attempt + 1);
        assert_eq!(show.performance.snapshot().queued_ms, 0);
        let used = show.gate.used();
        let unit = outlet.next().await.expect("it goes on");
        assert_eq!(unit.generation(), interrupted.generation);
        assert!(!unit.is_active() || matches!(unit, Unit::Audio(_)));
        assert_eq!(show.gate.used(), used, "nothing is counted after the answer");
        units.push(unit);
    }
    assert_decodes(&units);
}

#[test]
fn a_replacement_ends_what_it_replaces() {
    let audio = speech("hello.wav");
    let show = Show::open(null_stage(), spec(25)).unlimited();
    let _outlet = show.attach();
    let first = show.speak(&audio);
    show.wait_for("StartedSpeaking", |event| *event == StageEvent::StartedSpeaking);
    let id = UtteranceId(Uuid::now_v7());
    let short: Arc<[i16]> = audio[..9_600].into();
    show.performance.speak(Utterance { id, audio: short }, SpeakMode::Replace).expect("there is room");
    let ended = show.wait_for_end_of(first);
    assert!(matches!(ended, StageEvent::UtteranceEnded { outcome: UtteranceOutcome::Interrupted, .. }));
    let ended = show.wait_for_end_of(id);
    assert!(matches!(ended, StageEvent::UtteranceEnded { outcome: UtteranceOutcome::Completed, position_ms: 200, .. }));
    assert_eq!(show.performance.snapshot().generation, 1);
}

#[test]
fn live_speech_is_spoken_as_it_arrives_and_ends_when_it_stops() {
    let audio: Arc<[i16]> = speech("hello.wav")[..67_200].into();
    let show = Show::open(stage(), spec(25)).unlimited();
    let mut outlet = show.attach();
    let id = UtteranceId(Uuid::now_v7());
    let feed = show.performance.live(id).expect("it is open");
    let begun = std::time::Instant::now();
    for (index, chunk) in audio.chunks(960).enumerate() {
        let due = begun + Duration::from_millis(20) * index as u32;
        std::thread::sleep(due.saturating_duration_since(std::time::Instant::now()));
        feed.push(chunk).expect("there is room");
    }
    feed.end();
    show.wait_for_end_of(id);
    assert_eq!(show.gate.used(), 35, "1.4 s at 25 frames a second");
    assert!(matches!(feed.push(&[0; 960]), Err(StageError::UtteranceOver)));
    let units = read_for(&mut outlet, Duration::from_millis(50));
    assert_decodes(&units);

    let second = UtteranceId(Uuid::now_v7());
    let feed = show.performance.live(second).expect("it is open");
    feed.push(&audio[..19_200]).expect("there is room");
    let ended = show.wait_for_end_of(second);
    assert!(
        matches!(ended, StageEvent::UtteranceEnded { position_ms: 400, outcome: UtteranceOutcome::Completed, .. }),
        "all that arrived is spoken: {ended:?}"
    );
    assert!(show.performance.snapshot().stalls >= 7, "300 ms without audio are counted as stalls");
    assert_eq!(show.gate.used(), 45);
}

#[test]
fn a_silent_microphone_holds_up_nobody() {
    let audio: Arc<[i16]> = speech("hello.wav")[..9_600].into();
    let show = Show::open(null_stage(), spec(25)).unlimited();
    let _outlet = show.attach();
    let _feed = show.performance.live(UtteranceId(Uuid::now_v7())).expect("it is open");
    let id = show.speak(&audio);
    show.wait_for_end_of(id);
}

#[test]
fn audio_beyond_the_queue_is_refused_by_name_and_room_comes_back() {
    let show = Show::open(null_stage(), spec(25)).unlimited();
    let minute: Arc<[i16]> = vec![0; 48_000 * 60].into();
    for _ in 0..10 {
        show.speak(&minute);
    }
    let over = show
        .performance
        .speak(Utterance { id: UtteranceId(Uuid::now_v7()), audio: [1_i16; 960].into() }, SpeakMode::Append);
    assert!(
        matches!(over, Err(StageError::QueueFull { queued_ms: 600_000, limit_ms: 600_000, refused_ms: 20 })),
        "{over:?}"
    );
    let empty = Utterance { id: UtteranceId(Uuid::now_v7()), audio: [].into() };
    assert!(matches!(show.performance.speak(empty, SpeakMode::Append), Err(StageError::EmptyAudio)));
    let replacing = Utterance { id: UtteranceId(Uuid::now_v7()), audio: [1_i16; 960].into() };
    show.performance.speak(replacing, SpeakMode::Replace).expect("it takes the room of what it replaces");
    let end = std::time::Instant::now() + Duration::from_secs(5);
    while show.performance.snapshot().queued_ms != 20 {
        assert!(std::time::Instant::now() < end, "{:?}", show.performance.snapshot());
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn sessions_of_one_account_share_its_half_of_the_room_and_leave_the_rest() {
    // Four seconds for all, two for each account.
    let options =
        StageOptions { renderer: RendererKind::Null, max_queued_bytes: 4 * 96_000, ..StageOptions::default() };
    let stage = Stage::start(options).expect("nothing to load");
    let of = |account| Show::open(&stage, PerformanceSpec { account: AccountId(Uuid::from_u128(account)), ..spec(25) });
    let (first, second, other) = (of(1), of(1), of(2));
    let audio: Arc<[i16]> = vec![0; 48_000].into();
    let utterance = || Utterance { id: UtteranceId(Uuid::now_v7()), audio: Arc::clone(&audio) };
    first.speak(&audio);
    second.speak(&audio);
    let refused = second.performance.speak(utterance(), SpeakMode::Append);
    assert!(
        matches!(refused, Err(StageError::NoRoom { of_account: true, bytes: 192_000, limit_bytes: 192_000 })),
        "{refused:?}"
    );
    let feed = first.performance.live(UtteranceId(Uuid::now_v7())).expect("it is open");
    assert!(matches!(feed.check_room(960), Err(StageError::NoRoom { .. })));
    assert!(matches!(feed.push(&[0; 960]), Err(StageError::NoRoom { .. })));
    assert_eq!(first.performance.snapshot().queued_ms, 1_000, "nothing of it is counted");
    second.performance.speak(utterance(), SpeakMode::Replace).expect("it takes the room of what it replaces");
    // Workers give back what was replaced, and what ended.
    let takes_soon = |show: &Show| {
        let end = std::time::Instant::now() + Duration::from_secs(5);
        while let Err(error) = show.performance.speak(utterance(), SpeakMode::Append) {
            assert!(std::time::Instant::now() < end, "{error}");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    takes_soon(&other);
    takes_soon(&other);

    // What ends with its session makes room.
    first.performance.close();
    takes_soon(&second);
}

#[test]
fn live_speech_gives_its_room_back_as_it_is_spoken() {
    let options =
        StageOptions { renderer: RendererKind::Null, max_queued_bytes: 2 * 96_000, ..StageOptions::default() };
    let stage = Stage::start(options).expect("nothing to load");
    let show = Show::open(&stage, spec(25)).unlimited();
    let _outlet = show.attach();
    let feed = show.performance.live(UtteranceId(Uuid::now_v7())).expect("it is open");
    let half = vec![0; 24_000];
    let end = std::time::Instant::now() + Duration::from_secs(10);
    let mut pushed = 0;
    // Three times as much as there is room for.
    while pushed < 6 {
        match feed.push(&half) {
            Ok(_) => pushed += 1,
            Err(StageError::NoRoom { .. }) => std::thread::sleep(Duration::from_millis(10)),
            Err(error) => panic!("{error}"),
        }
        assert!(std::time::Instant::now() < end, "only {pushed} were taken");
    }
    feed.end();
    show.wait_for_end_of(feed.utterance());
    let another = show.performance.live(UtteranceId(Uuid::now_v7())).expect("it is open");
    another.push(&[0; 48_000]).expect("all of it was given back");
}

#[test]
fn a_recording_holds_active_frames_alone_without_gaps() {
    for fps in [25, 30] {
        let audio: Arc<[i16]> = speech("hello.wav")[..30_000].into();
        let show = Show::open(stage(), spec(fps)).unlimited();
        let _watcher = show.attach();
        let mut recording = show.attach_as(OutletKind::ActiveOnly);
        for pause_ms in [50, 700, 120] {
            let id = show.speak(&audio);
            show.wait_for_end_of(id);
            std::thread::sleep(Duration::from_millis(pause_ms));
        }
        let units = read_for(&mut recording, Duration::from_millis(50));
        assert_eq!(recording.dropped(), 0);
        let frames = audio.len().div_ceil(48_000 / fps as usize) * 3;
        let videos = videos(&units);
        assert_eq!(videos.len(), frames, "{fps} fps");
        assert_eq!(show.gate.used(), frames as u64);
        assert_eq!(videos[0].pts_us, 0);
        let longest_gap = videos.windows(2).map(|pair| pair[1].pts_us - pair[0].pts_us).max();
        let frame_us = u64::from(1_000_000 / fps);
        assert!(longest_gap < Some(frame_us + 20_000), "{longest_gap:?} at {fps} fps");
        let sound: Vec<u64> = units.iter().filter(|unit| matches!(unit, Unit::Audio(_))).map(Unit::pts_us).collect();
        assert!(sound.windows(2).all(|pair| pair[1] - pair[0] == 20_000), "{fps} fps");
        let (picture_ends, sound_ends) = (videos[frames - 1].pts_us + frame_us, sound[sound.len() - 1] + 20_000);
        assert!(sound_ends.abs_diff(picture_ends) <= 20_000, "{picture_ends} and {sound_ends} at {fps} fps");
        assert_decodes(&units);
    }
}

#[test]
fn offline_gives_every_frame_once_and_all_of_the_sound() {
    let audio = speech("hello.wav");
    for fps in [20, 25, 30, 50] {
        let mut units = Vec::new();
        let mut done = (0, 0);
        let performed = stage().perform_offline(
            &spec(fps),
            &audio,
            |frame, total| done = (frame, total),
            |unit| {
                units.push(unit);
                Ok::<(), StageError>(())
            },
        );
        performed.expect("shipped parts work");
        let frames = audio.len().div_ceil(48_000 / fps as usize);
        assert_eq!((videos(&units).len(), done), (frames, (frames as u64, frames as u64)));
        let sound_us: u64 =
            units.iter().map(|unit| if let Unit::Audio(unit) = unit { u64::from(unit.duration_us) } else { 0 }).sum();
        assert!(sound_us.abs_diff(audio.len() as u64 * 1000 / 48) < 20, "{sound_us} us of sound");
        assert_decodes(&units);
    }
}

#[test]
fn weights_of_a_file_move_the_jaw_and_rest_in_silence() {
    let mut speech: Vec<i16> = vec![0; 24_000];
    speech.extend_from_slice(&crate::house::speech("hello.wav"));
    let jaw = footlight_avatar::weights::blendshape("jawOpen").expect("a standard name");
    let mut jaws = Vec::new();
    stage()
        .animate(&speech, 25, |frame| {
            jaws.push((frame.t_ms, frame.weights.0[jaw]));
            Ok::<(), StageError>(())
        })
        .expect("the shipped model runs");
    assert_eq!(jaws.len(), speech.len().div_ceil(1920));
    assert!((jaws[3].0 - 120.0).abs() < 1e-9);
    let widest = jaws.iter().map(|(_, jaw)| *jaw).fold(0.0, f32::max);
    assert!(widest > 0.2, "the jaw opens: {widest}");
    assert!(jaws[2..8].iter().all(|(_, jaw)| *jaw < 0.15), "silence before is still: {:?}", &jaws[..12]);
}
