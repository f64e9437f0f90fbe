//! Gestures, seen from outside.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use footlight_avatar::bundle::Catalogue;
use footlight_stage::{PerformanceSpec, RendererKind, Stage, StageError, StageEvent, StageOptions};
use zip::ZipArchive;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::house::{Show, assert_decodes, changes, read_for, read_until, spec, speech, videos};

const GESTURES: &str = r#""gestures": [
    {"name": "nod", "duration_ms": 1000, "channels": {
        "head.pitch": [[0, 0], [350, -0.2], [700, 0.03], [1000, 0]], "browInnerUp": [[0, 0], [300, 0.5], [1000, 0]]}},
    {"name": "wink", "duration_ms": 600, "channels": {
        "eyeBlinkLeft": [[0, 0], [150, 1], [300, 1], [600, 0]], "mouthSmileLeft": [[0, 0], [200, 0.6], [600, 0]]}},
    {"name": "listen", "duration_ms": 800, "hold": {"at_ms": 400}, "channels": {
        "head.roll": [[0, 0], [400, 0.05], [800, 0]], "head.y": [[0, 0], [400, 4], [800, 0]]}}
],"#;

/// Ada, with gestures, under another name.
fn add_bundle(folder: &Path) {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../avatar/assets/ada.zip");
    let mut from = ZipArchive::new(std::fs::File::open(assets).expect("ada ships")).expect("it is an archive");
    let mut to = ZipWriter::new(std::fs::File::create(folder.join("gestura.zip")).expect("a folder of the test's own"));
    for index in 0..from.len() {
        let mut entry = from.by_index(index).expect("it is whole");
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("it is whole");
        if name == "manifest.json" {
            let text = String::from_utf8(content).expect("a text");
            let text = text.replacen("\"ada\"", "\"gestura\"", 1).replacen('{', &format!("{{{GESTURES}"), 1);
            content = text.into_bytes();
        }
        to.start_file(name, SimpleFileOptions::default()).expect("room");
        to.write_all(&content).expect("room");
    }
    to.finish().expect("room");
}

fn stage_of(renderer: RendererKind) -> Stage {
    let folder = tempfile::tempdir().expect("a place for a file");
    add_bundle(folder.path());
    let mut catalogue = Catalogue::default();
    let bad = catalogue.add_directory(folder.path()).expect("it can be listed");
    assert!(bad.is_empty(), "{bad:?}");
    let stage = Stage::start_with(StageOptions { renderer, ..StageOptions::default() }, catalogue);
    let stage = stage.expect("the shipped parts are whole");
    // While the file is there.
    stage.prepare(&gestura(25)).expect("the bundle is good");
    stage
}

fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| stage_of(RendererKind::Essence))
}

fn gestura(fps: u32) -> PerformanceSpec {
    PerformanceSpec { avatar: "gestura".into(), ..spec(fps) }
}

fn wait_for_start(show: &Show, name: &str) {
    let began = |event: &StageEvent| matches!(event, StageEvent::GestureStarted { gesture } if gesture == name);
    show.wait_for("start of the gesture", began);
}

#[test]
fn whatever_gestures_speech_and_interrupts_do_the_stream_decodes_and_nothing_jumps() {
    let audio: Arc<[i16]> = speech("hello.wav")[..48_000].into();
    let show = Show::open(stage(), gestura(25)).unlimited();
    let mut outlet = show.attach();
    let mut units = read_for(&mut outlet, Duration::from_millis(500));
    let play = |name: &str| drop(show.performance.gesture(name).expect("it has that one"));
    let say = || {
        show.speak(&audio);
    };
    let steps: [(&dyn Fn(), u64); 9] = [
        (&|| play("nod"), 1_800),
        (&|| play("nod"), 300),
        // One takes the place of another.
        (&|| play("listen"), 900),
        // Speech begins in the middle of a pose, and a gesture in the middle of speech.
        (&|| say(), 400),
        (&|| play("wink"), 300),
        (&|| drop(show.performance.interrupt().expect("it is open")), 700),
        // Speech ends in the middle of a gesture.
        (&|| say(), 700),
        (&|| play("nod"), 1_800),
        (&|| play("wink"), 2_000),
    ];
    for (step, pause_ms) in steps {
        step();
        units.extend(read_for(&mut outlet, Duration::from_millis(pause_ms)));
    }
    // The interrupt takes back what waits to be read: on a busy machine a few units. A gap is no jump.
    let is_whole = outlet.dropped() == 0;
    let pictures = assert_decodes(&units);
    if pictures.is_empty() {
        return;
    }
    let changes = changes(&pictures);
    let most = changes.iter().copied().fold(0.0, f64::max);
    // 1.5 at the fastest moment of the nod; 3.8 when a gesture begins at once where another one is.
    assert!(!is_whole || most < 2.5, "the picture jumps: {most} in {changes:?}");
    let told: Vec<StageEvent> = show.told();
    let begun = told.iter().filter(|event| matches!(event, StageEvent::GestureStarted { .. })).count();
    // One that another takes the place of before its first frame is not told of: a machine may be that slow.
    assert!((4..=6).contains(&begun), "{told:?}");
}

#[test]
fn a_nod_at_rest_moves_the_picture_more_than_the_loop_does() {
    let show = Show::open(stage(), gestura(25));
    let mut outlet = show.attach();
    let mut units = read_for(&mut outlet, Duration::from_millis(1_000));
    let before = videos(&units).len();
    let begun = show.performance.gesture("nod").expect("it has that one");
    assert_eq!((begun.duration_ms, begun.hold_at_ms), (1_000, None));
    wait_for_start(&show, "nod");
    units.extend(read_until(&mut outlet, |units| videos(units).len() > 60));
    let pictures = assert_decodes(&units);
    if pictures.is_empty() {
        return;
    }
    let moved = |pictures: &[Vec<u8>]| changes(pictures).iter().sum::<f64>() / pictures.len() as f64;
    let (rest, nod) = (moved(&pictures[..before]), moved(&pictures[before..before + 25]));
    assert!(nod > 2.0 * rest, "{nod} and {rest}");
    assert_eq!((show.gate.used(), show.performance.snapshot().frames), (0, 0), "it is free");
    assert!(videos(&units).iter().all(|unit| !unit.active));
}

#[test]
fn a_gesture_that_the_avatar_does_not_have_is_refused_with_those_it_has() {
    let show = Show::open(stage(), gestura(25));
    let refused = show.performance.gesture("bow").expect_err("it has no such one").to_string();
    assert_eq!(refused, "the avatar has no gesture `bow`; it has: nod, wink, listen");
    let plain = Show::open(crate::house::null_stage(), spec(25));
    let refused = plain.performance.gesture(&"x".repeat(10_000)).expect_err("ada has none");
    assert!(matches!(&refused, StageError::UnknownGesture { name, known } if name.len() == 64 && known.is_empty()));
    assert!(refused.to_string().ends_with("it has none"), "{refused}");
}

#[test]
fn without_pictures_a_gesture_is_taken_and_told_all_the_same() {
    let stage = stage_of(RendererKind::Null);
    let show = Show::open(&stage, gestura(25)).unlimited();
    assert_eq!(show.performance.gestures().collect::<Vec<_>>(), ["nod", "wink", "listen"]);
    let mut outlet = show.attach();
    show.performance.gesture("nod").expect("it has that one");
    wait_for_start(&show, "nod");
    let units = read_for(&mut outlet, Duration::from_millis(300));
    assert!(!videos(&units).is_empty() && show.gate.used() == 0);
}
