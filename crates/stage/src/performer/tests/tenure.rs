//! A node whose tenure is over hands out nothing, and loses nothing.

use std::sync::atomic::Ordering;

use super::*;
use crate::performance::Remainder;

#[test]
fn past_its_tenure_nothing_leaves_and_nothing_is_counted_and_then_it_goes_on() {
    for paused in [false, true] {
        let mut rehearsal = Rehearsal::new(25);
        rehearsal.gate.set_limit(MOST_ROOM);
        let mut outlet = rehearsal.attach(OutletKind::Live, 1_000);
        rehearsal.speak_ms(2_000);
        rehearsal.run(ms(400));
        if paused {
            rehearsal.obey(Command::Pause);
        }
        let (spoken, read) = (rehearsal.gate.used(), std::iter::from_fn(|| outlet.try_next()).count());
        assert!(spoken >= 8 && read > 8);

        rehearsal.shared.tenure.end();
        rehearsal.run(ms(3_000));
        assert_eq!((rehearsal.gate.used(), outlet.dropped()), (spoken, 0));
        rehearsal.shared.tenure.extend_for_ever();
        assert!(outlet.try_next().is_none(), "not even a picture of rest");

        rehearsal.obey(Command::Resume);
        rehearsal.run(ms(3_000));
        assert_eq!(rehearsal.gate.used(), 50, "every frame of the two seconds was spoken once");
        let Some(Unit::Video(first)) = outlet.try_next() else { panic!("it goes on with a picture") };
        assert!(first.idr && first.discontinuity);
    }
}

#[test]
fn what_waits_in_an_outlet_is_not_read_past_the_tenure() {
    let mut rehearsal = Rehearsal::new(25);
    rehearsal.gate.set_limit(MOST_ROOM);
    let mut outlet = rehearsal.attach(OutletKind::Live, 1_000);
    rehearsal.speak_ms(2_000);
    rehearsal.run(ms(400));
    // As a process that was stopped, and goes on between two frames.
    rehearsal.shared.tenure.end();
    assert!(outlet.try_next().is_none());
    assert!(outlet.dropped() > 8);
    rehearsal.shared.tenure.extend_for_ever();
    rehearsal.run(ms(100));
    let first = std::iter::from_fn(|| outlet.try_next()).find_map(|unit| match unit {
        Unit::Video(unit) => Some(unit),
        Unit::Audio(_) => None,
    });
    assert!(first.is_some_and(|unit| unit.idr), "what was left out is missing, so it goes on at an IDR");
}

#[test]
fn a_node_without_tenure_asks_for_no_credit_and_unseen_speech_waits() {
    let mut rehearsal = Rehearsal::new(25);
    let outlet = rehearsal.attach(OutletKind::Live, 1_000);
    rehearsal.shared.tenure.end();
    rehearsal.take_told();
    rehearsal.speak_ms(200);
    rehearsal.run(ms(1_000));
    assert_eq!(rehearsal.take_told(), []);
    rehearsal.shared.tenure.extend_for_ever();
    rehearsal.run(ms(100));
    assert_eq!(rehearsal.take_told(), [StageEvent::WantsToSpeak]);
    drop(outlet);
}

#[test]
fn an_utterance_that_was_begun_elsewhere_goes_on_from_its_position() {
    let mut rehearsal = Rehearsal::new(25);
    rehearsal.gate.set_limit(MOST_ROOM);
    let mut outlet = rehearsal.attach(OutletKind::Live, 1_000);
    rehearsal.take_told();
    let ids = [1, 2, 3].map(|id| UtteranceId(Uuid::from_u128(id)));
    let audio: Arc<[i16]> = vec![1_000; 400 * 48].into();
    let remainders = ids.into_iter().zip([300 * 48, 0, 400 * 48]);
    let remainders: Vec<Remainder> = remainders
        .map(|(id, from)| Remainder { utterance: Utterance { id, audio: Arc::clone(&audio) }, from })
        .collect();
    // As its handle does: the last one is over.
    rehearsal.shared.queued.fetch_add(500 * 48, Ordering::AcqRel);
    (0..2).for_each(|_| rehearsal.shared.enter().expect("there is room"));
    let claimed = remainders.into_iter().take(2).map(|remainder| (remainder, rehearsal.shared.bounds.claim()));
    let claimed = claimed.collect();
    rehearsal.obey(Command::GoOn(claimed));
    rehearsal.run(ms(1_000));
    // A hundred milliseconds are two frames and a half.
    assert_eq!(active_frames(&mut outlet), 3 + 10);
    let told = rehearsal.take_told();
    let ends: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            StageEvent::UtteranceEnded { utterance, position_ms, .. } => Some((*utterance, *position_ms)),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [(ids[0], 400), (ids[1], 400)]);
    let begins: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            StageEvent::UtteranceStarted { utterance, units, .. } => Some((*utterance, *units)),
            _ => None,
        })
        .collect();
    assert_eq!(begins, [(ids[0], 0), (ids[1], 3)]);
    assert_eq!(rehearsal.shared.queued.load(Ordering::Acquire), 0);
}
