use std::num::NonZeroU32;

use super::{Counting, Pricing, Product, RateCard, Rounding, Tariff};
use crate::Microcredits;

fn essence(fps: u32) -> Pricing {
    RateCard::default().0[&Product::EssenceCloud].pricing(NonZeroU32::new(fps).expect("not zero"))
}

#[test]
fn a_tenth_of_a_credit_buys_three_seconds_to_the_frame() {
    for (fps, frames) in [(20, 60), (25, 75), (50, 150)] {
        assert_eq!(essence(fps).affordable(Microcredits(100_000)), Some(frames));
        assert_eq!(essence(fps).cost(frames), Microcredits(100_000));
        assert!(essence(fps).cost(frames + 1) > Microcredits(100_000));
    }
}

#[test]
fn what_is_affordable_is_the_most_whose_price_fits() {
    let rates = [1, 7, 999_999, 2_000_000, 30_000_000];
    for (rate, per_minute) in rates.into_iter().flat_map(|rate| [(rate, 1_499), (rate, 60_000)]) {
        for rounding in [Rounding::Exact, Rounding::WholeMinute] {
            let pricing = Pricing { rate: Microcredits(rate), units_per_minute: per_minute, rounding };
            for amount in (0..5_000_000).step_by(333_331).map(Microcredits) {
                let units = pricing.affordable(amount).expect("not free");
                assert!(pricing.cost(units) <= amount, "{pricing:?} {amount}");
                assert!(pricing.cost(units + 1) > amount, "{pricing:?} {amount}");
            }
        }
    }
}

#[test]
fn charges_by_difference_never_drift() {
    let pricing = essence(25);
    let in_steps: Microcredits = (0..10_000).map(|frame| pricing.cost(frame + 1) - pricing.cost(frame)).sum();
    assert_eq!(in_steps, pricing.cost(10_000));
}

#[test]
fn a_begun_minute_is_paid_whole_where_the_operator_wants_it() {
    let pricing = Pricing { rounding: Rounding::WholeMinute, ..essence(25) };
    let costs = [0, 1, 1_500, 1_501].map(|units| pricing.cost(units).0);
    assert_eq!(costs, [0, 2_000_000, 2_000_000, 4_000_000]);
}

#[test]
fn connected_products_count_milliseconds_whatever_the_frame_rate() {
    let tariff =
        Tariff { rate: Microcredits::from_credits(30), counting: Counting::Connected, rounding: Rounding::Exact };
    let pricing = tariff.pricing(NonZeroU32::new(50).expect("not zero"));
    assert_eq!(pricing.cost(1_000), Microcredits(500_000));
    assert_eq!(pricing.units_in(1_000), 1_000);
    assert_eq!(essence(25).units_in(1_030), 25);
}

#[test]
fn free_is_free_however_long() {
    let free = Pricing { rate: Microcredits::ZERO, ..essence(25) };
    assert_eq!((free.cost(u64::MAX), free.affordable(Microcredits::ZERO)), (Microcredits::ZERO, None));
}

#[test]
fn product_names_are_those_of_the_price_list() {
    for product in Product::ALL {
        assert_eq!(product.as_str().parse(), Ok(product));
    }
    assert!("essence".parse::<Product>().is_err());
    assert_eq!(RateCard::default().0.len(), Product::ALL.len());
}
