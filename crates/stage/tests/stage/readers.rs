//! Outlets: many, slow, joining late, gone.

use std::time::Duration;

use footlight_stage::{OutletOptions, StageEvent, Unit};

use crate::house::{Show, assert_decodes, changes, null_stage, read_for, read_until, spec, speech, stage, videos};

#[test]
fn a_slow_reader_loses_whole_units_and_goes_on_at_an_idr() {
    let show = Show::open(stage(), spec(50)).unlimited();
    let mut fast = show.attach();
    let options = OutletOptions { max_queued: Some(12), ..OutletOptions::default() };
    let mut slow = show.performance.attach(options).expect("it is open");
    show.speak(&speech("story.wav"));
    let (mut everything, mut some) = (Vec::new(), Vec::new());
    for round in 0..24 {
        everything.extend(read_for(&mut fast, Duration::from_millis(125)));
        if round % 4 == 3 {
            some.extend(read_for(&mut slow, Duration::from_millis(20)));
        }
    }
    assert!(slow.dropped() > 50, "{} were dropped", slow.dropped());
    assert_eq!(fast.dropped(), 0, "the fast reader does not suffer");
    let resumed: Vec<_> = videos(&some).into_iter().filter(|unit| unit.discontinuity).collect();
    assert!(!resumed.is_empty() && resumed.iter().all(|unit| unit.idr));
    assert_decodes(&everything);
    assert_decodes(&some);
}

#[test]
fn whoever_joins_begins_with_an_idr_in_idle_in_speech_and_after() {
    let show = Show::open(stage(), spec(25)).unlimited();
    let mut first = show.attach();
    let mut seen = read_until(&mut first, |units| videos(units).len() > 3);
    assert!(videos(&seen)[0].idr, "the first watcher of an idle session waits for nothing");
    let mut idle_joiner = show.attach();
    let joined = read_until(&mut idle_joiner, |units| videos(units).len() > 5);
    assert_decodes(&joined);
    let id = show.speak(&speech("hello.wav"));
    seen.extend(read_until(&mut first, |units| videos(units).iter().any(|unit| unit.active)));
    let mut speech_joiner = show.attach();
    let joined = read_until(&mut speech_joiner, |units| videos(units).len() > 20);
    assert!(videos(&joined)[0].active);
    assert_decodes(&joined);
    seen.extend(read_for(&mut first, Duration::from_millis(100)));
    show.wait_for_end_of(id);
    // Through settling and back into the loop, for more than one of its groups.
    seen.extend(read_for(&mut first, Duration::from_millis(1_500)));
    assert_decodes(&seen);
}

#[test]
fn the_picture_never_jumps_between_idle_and_speech() {
    let show = Show::open(stage(), spec(25)).unlimited();
    let mut outlet = show.attach();
    let mut units = Vec::new();
    for _ in 0..3 {
        units.extend(read_for(&mut outlet, Duration::from_millis(370)));
        let id = show.speak(&speech("hello.wav")[..40_000].into());
        units.extend(read_for(&mut outlet, Duration::from_millis(400)));
        show.performance.pause().expect("it is open");
        units.extend(read_for(&mut outlet, Duration::from_millis(200)));
        show.performance.resume().expect("it is open");
        units.extend(read_for(&mut outlet, Duration::from_millis(1_400)));
        show.wait_for_end_of(id);
    }
    let changes = changes(&assert_decodes(&units));
    // Every IDR is a little sharper than the picture before it. What the loop does by itself is the measure.
    let pairs =
        videos(&units).windows(2).map(|pair| (pair[0].active || pair[1].active, pair[1].idr)).collect::<Vec<_>>();
    let of_loop = pairs.iter().zip(&changes).filter(|((active, idr), _)| !active && *idr);
    let usual = of_loop.map(|(_, change)| *change).fold(0.0, f64::max);
    let most = changes.iter().copied().fold(0.0, f64::max);
    assert!(most <= usual * 1.5, "a change of {most} where the loop's own IDRs make {usual}");
}

#[test]
fn a_thousand_readers_come_and_go() {
    let show = Show::open(null_stage(), spec(50)).unlimited();
    show.speak(&speech("story.wav"));
    let _steady = show.attach();
    for _ in 0..10 {
        let crowd: Vec<_> = (0..100).map(|_| show.attach_patiently()).collect();
        assert!(crowd.iter().all(|outlet| outlet.dropped() == 0));
    }
    let end = std::time::Instant::now() + Duration::from_secs(5);
    while show.performance.snapshot().watchers != 1 {
        assert!(std::time::Instant::now() < end, "{:?}", show.performance.snapshot());
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(show.told().iter().filter(|event| matches!(event, StageEvent::Watched(_))).count(), 1);
}

#[test]
fn the_queue_of_an_outlet_never_grows_beyond_its_bound() {
    let show = Show::open(null_stage(), spec(50)).unlimited();
    let options = OutletOptions { max_queued: Some(10), ..OutletOptions::default() };
    let mut outlet = show.performance.attach(options).expect("it is open");
    show.speak(&speech("hello.wav"));
    std::thread::sleep(Duration::from_secs(1));
    let mut queued = 0;
    while outlet.try_next().is_some() {
        queued += 1;
    }
    assert_eq!(queued, 10);
    assert!(outlet.dropped() > 50);
}

#[test]
fn an_outlet_ends_with_its_performance() {
    let show = Show::open(null_stage(), spec(25)).unlimited();
    let mut outlet = show.attach();
    read_until(&mut outlet, |units| units.iter().any(|unit| matches!(unit, Unit::Audio(_))));
    drop(show.performance);
    while let Some(unit) = outlet.blocking_next() {
        assert!(!unit.is_active());
    }
}

impl Show {
    /// Attaches as one of many: when too many commands wait, a little later.
    fn attach_patiently(&self) -> footlight_stage::Outlet {
        loop {
            match self.performance.attach(OutletOptions::default()) {
                Ok(outlet) => return outlet,
                Err(footlight_stage::StageError::Busy { .. }) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => panic!("{error}"),
            }
        }
    }
}
