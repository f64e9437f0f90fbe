use super::{Asker, Place, Pool, Share, share, shortest_slice};
use crate::{Microcredits, Pricing, Rounding, Terms};

const PRICING: Pricing = Pricing { rate: Microcredits(2_000_000), units_per_minute: 1_500, rounding: Rounding::Exact };

/// One second of it, rounded up.
const SECOND: Microcredits = Microcredits(33_334);

fn asks(place: Place, spendable: Microcredits, waiting: u32) -> Share {
    let asker = Asker { pricing: PRICING, settled: 0, slice_end: 0, place, allowance: None };
    let waiting_need = Microcredits(SECOND.0 * i64::from(waiting));
    share(&Terms::default(), &asker, &Pool { spendable, sharers: waiting + 1, waiting, waiting_need })
}

#[test]
fn less_than_a_second_starts_nobody_and_lets_who_speaks_finish() {
    let little = Microcredits(SECOND.0 - 2);
    let nothing = Share::Nothing { need: Microcredits(33_333), behind_others: false };
    assert_eq!(asks(Place::New, little, 0), nothing);
    assert_eq!(asks(Place::InLine, little, 0), nothing);
    assert_eq!(asks(Place::Speaking, little, 0), Share::Last { end: 24 });
    assert_eq!(asks(Place::Speaking, little, 3), Share::Last { end: 24 });
}

#[test]
fn what_those_in_line_need_is_not_for_others() {
    let two = Microcredits(2 * SECOND.0);
    let behind = Share::Nothing { need: Microcredits(33_333), behind_others: true };
    assert_eq!(asks(Place::New, two, 2), behind);
    assert_eq!(asks(Place::Speaking, two, 2), behind);
    assert_eq!(asks(Place::InLine, two, 2), Share::More { end: 25 });
    assert_eq!(asks(Place::New, two, 1), Share::Last { end: 25 });
}

#[test]
fn a_slice_never_ends_earlier_than_it_was_said_to() {
    let asker = Asker { pricing: PRICING, settled: 100, slice_end: 1_500, place: Place::Speaking, allowance: None };
    let pool = Pool { spendable: SECOND, sharers: 40, waiting: 1, waiting_need: SECOND };
    assert_eq!(share(&Terms::default(), &asker, &pool), Share::Last { end: 1_500 });
}

#[test]
fn a_slice_ends_where_its_secrets_limit_does_and_who_is_over_it_does_not_wait_in_line() {
    let plenty =
        Pool { spendable: Microcredits(1_000_000_000), sharers: 1, waiting: 0, waiting_need: Microcredits::ZERO };
    let asks = |place, slice_end, allowance| {
        let asker = Asker { pricing: PRICING, settled: 0, slice_end, place, allowance: Some(Microcredits(allowance)) };
        share(&Terms::default(), &asker, &plenty)
    };
    assert_eq!(asks(Place::New, 0, 100_000), Share::Last { end: 75 });
    assert_eq!(asks(Place::New, 0, 33_332), Share::OverLimit);
    assert_eq!(asks(Place::InLine, 0, 33_332), Share::OverLimit);
    // Who speaks goes on to the last frame, and keeps what it holds.
    assert_eq!(asks(Place::Speaking, 0, 33_332), Share::Last { end: 24 });
    assert_eq!(asks(Place::Speaking, 0, 1_332), Share::OverLimit);
    assert_eq!(asks(Place::Speaking, 30, 0), Share::Last { end: 30 });
    assert_eq!(asks(Place::New, 0, 2_001_334), Share::More { end: 1_500 });
}

#[test]
fn the_shortest_slice_is_a_begun_unit_at_least() {
    let shortest = |units_per_minute, min_slice_ms| {
        let pricing = Pricing { units_per_minute, ..PRICING };
        shortest_slice(&Terms { min_slice_ms, ..Terms::default() }, &pricing)
    };
    assert_eq!(shortest(1_500, 1_000), 25);
    assert_eq!(shortest(1_500, 1_001), 26);
    assert_eq!(shortest(1, 1_000), 1);
    assert_eq!(shortest(1_500, 0), 1);
}
