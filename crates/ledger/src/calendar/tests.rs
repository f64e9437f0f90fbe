use super::{Date, MS_PER_DAY, months_between, plus_months};
use crate::Timestamp;

fn at(year: i64, month: i64, day: i64) -> Timestamp {
    Timestamp(Date { year, month, day }.to_days() * MS_PER_DAY + 12_345)
}

#[test]
fn every_day_of_eight_centuries_has_its_date_and_back() {
    let first = Date { year: 1600, month: 1, day: 1 };
    let mut expected = first;
    for days in first.to_days()..first.to_days() + 2 * 146_097 {
        assert_eq!((Date::from_days(days), expected.to_days()), (expected, days));
        expected.day += 1;
        if expected.day > Date::days_in_month(expected.year, expected.month) {
            (expected.month, expected.day) = (expected.month + 1, 1);
        }
        if expected.month > 12 {
            (expected.year, expected.month) = (expected.year + 1, 1);
        }
    }
    assert_eq!(expected, Date { year: 2400, month: 1, day: 1 });
}

#[test]
fn the_epoch_and_a_leap_day_are_where_they_should_be() {
    assert_eq!(Date::from_days(0), Date { year: 1970, month: 1, day: 1 });
    assert_eq!(Date { year: 2024, month: 2, day: 29 }.to_days(), 19_782);
}

#[test]
fn a_month_too_short_for_the_anchor_ends_on_its_last_day_and_the_next_remembers() {
    let anchor = at(2024, 1, 31);
    let days: Vec<_> = (0..5).map(|months| plus_months(anchor, months)).collect();
    let expected = [at(2024, 1, 31), at(2024, 2, 29), at(2024, 3, 31), at(2024, 4, 30), at(2024, 5, 31)];
    assert_eq!(days, expected);
    assert_eq!(plus_months(at(2024, 2, 29), 12), at(2025, 2, 28));
    assert_eq!(plus_months(at(2024, 2, 29), 48), at(2028, 2, 29));
    assert_eq!(plus_months(at(2024, 1, 30), 13), at(2025, 2, 28));
    assert_eq!(plus_months(at(2023, 12, 31), -1), at(2023, 11, 30));
}

#[test]
fn months_between_ignores_the_day() {
    assert_eq!(months_between(at(2024, 1, 31), at(2024, 2, 1)), 1);
    assert_eq!(months_between(at(2023, 12, 1), at(2025, 1, 31)), 13);
    assert_eq!(months_between(at(2024, 3, 1), at(2024, 2, 28)), -1);
}
