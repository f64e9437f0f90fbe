//! What breaks stays where it broke.

use std::sync::Arc;
use std::time::Duration;

use footlight_session::slice::{MOST_ROOM, SliceGate};
use footlight_stage::{PerformanceSpec, SpeakMode, Stage, StageError, StageEvent, StageOptions, Utterance};
use uuid::Uuid;

use crate::house::{Show, null_stage, spec, speech};

#[test]
fn a_panic_ends_its_own_performance_alone_and_another_goes_on_after_it() {
    let stage = Stage::start(StageOptions {
        workers: 1,
        renderer: footlight_stage::RendererKind::Null,
        ..StageOptions::default()
    })
    .expect("nothing to load");
    let neighbour = Show::open(&stage, spec(25)).unlimited();
    let _watching = neighbour.attach();
    let gate = Arc::new(SliceGate::new(0));
    gate.set_limit(MOST_ROOM);
    let (sender, told) = std::sync::mpsc::channel();
    let sink = move |event: StageEvent| {
        assert!(!matches!(event, StageEvent::UtteranceStarted { .. }), "a bug that the test brought along");
        let _ = sender.send(event);
    };
    let broken = stage.open(spec(25), gate, Arc::new(sink)).expect("the spec is possible");
    let mut outlet = broken.attach(Default::default()).expect("it is open");
    let utterance = Utterance { id: footlight_stage::UtteranceId(Uuid::now_v7()), audio: speech("hello.wav") };
    broken.speak(utterance, SpeakMode::Append).expect("there is room");
    let id = neighbour.speak(&speech("hello.wav"));

    let mut last = None;
    while let Some(unit) = outlet.blocking_next() {
        last = last.max(Some(unit.pts_us()));
    }
    let told: Vec<_> = told.iter().collect();
    assert!(
        matches!(told.last(), Some(StageEvent::Failed { detail }) if detail.contains("a bug that the test brought along")),
        "{told:?}"
    );
    assert!(matches!(broken.pause(), Err(StageError::Closed)));
    let (gate, sink) = (Arc::new(SliceGate::new(0)), Arc::new(|_| {}));
    let next = stage.open_after(&broken, spec(25), gate, sink).expect("the spec is possible");
    let unit = next.attach(Default::default()).expect("it is open").blocking_next().expect("it idles");
    assert!(unit.generation() > 0, "what the broken one was saying is over");
    assert!(Some(unit.pts_us()) > last, "the clock goes on: {:?} after {last:?}", unit.pts_us());
    neighbour.wait_for_end_of(id);
    assert_eq!(stage.stats().failures, 1);
    stage.shutdown();
}

#[test]
fn a_spec_that_is_not_possible_is_refused_by_name() {
    let open = |spec: PerformanceSpec| {
        null_stage()
            .open(spec, Arc::new(SliceGate::new(0)), Arc::new(|_| {}))
            .expect_err("it is not possible")
            .to_string()
    };
    assert_eq!(open(spec(24)), "frame rate 24 is not possible; choose 20, 25, 30 or 50");
    assert!(open(PerformanceSpec { width: 97, ..spec(25) }).contains("97x96"));
    let unknown = open(PerformanceSpec { avatar: "nobody".into(), ..spec(25) });
    assert!(unknown.contains("`nobody`") && unknown.contains("ada"), "{unknown}");
}

#[test]
fn a_stage_that_shuts_down_ends_its_performances() {
    let stage = Stage::start(StageOptions { renderer: footlight_stage::RendererKind::Null, ..StageOptions::default() })
        .expect("nothing to load");
    let show = Show::open(&stage, spec(25)).unlimited();
    let mut outlet = show.attach();
    stage.shutdown();
    while outlet.blocking_next().is_some() {}
    assert!(matches!(show.performance.pause(), Err(StageError::Closed)));
}

#[tokio::test]
async fn a_flood_of_commands_is_refused_and_forgotten() {
    let show = Show::open(null_stage(), spec(25)).unlimited();
    let refused = (0..100_000).filter(|_| matches!(show.performance.resume(), Err(StageError::Busy { .. }))).count();
    assert!(refused > 0, "a sender that never waits is told so");
    let mut answer = show.performance.interrupt();
    while matches!(answer, Err(StageError::Busy { .. })) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        answer = show.performance.interrupt();
    }
    assert_eq!(answer.expect("it is open").await.expect("it answers").generation, 1);
}
