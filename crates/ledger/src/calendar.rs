//! Civil dates of the proleptic Gregorian calendar, in UTC: enough to add months.
//!
//! Days are counted as in Howard Hinnant's `days_from_civil`: years begin in March, so that the leap day comes
//! last and the day of the year is a linear function of the month.

use crate::Timestamp;

const MS_PER_DAY: i64 = 86_400_000;
const DAYS_PER_ERA: i64 = 146_097;

/// A date; `month` and `day` count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    /// The date that `days` after 1970-01-01 is.
    fn from_days(days: i64) -> Self {
        let days = days + 719_468;
        let era = days.div_euclid(DAYS_PER_ERA);
        let day_of_era = days.rem_euclid(DAYS_PER_ERA);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Self { year, month, day }
    }

    /// Days from 1970-01-01 to this date.
    fn to_days(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month_from_march = (self.month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * DAYS_PER_ERA + day_of_era - 719_468
    }

    const fn days_in_month(year: i64, month: i64) -> i64 {
        match month {
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// Months since year 0.
    const fn months(self) -> i64 {
        self.year * 12 + self.month - 1
    }
}

/// The instant `months` calendar months after `anchor`, at the same time of day. Where that month is too short
/// for the anchor's day it is the month's last day.
#[must_use]
pub(crate) fn plus_months(anchor: Timestamp, months: i64) -> Timestamp {
    let date = Date::from_days(anchor.0.div_euclid(MS_PER_DAY));
    let time_of_day = anchor.0.rem_euclid(MS_PER_DAY);
    let target = date.months() + months;
    let (year, month) = (target.div_euclid(12), target.rem_euclid(12) + 1);
    let day = date.day.min(Date::days_in_month(year, month));
    let days = Date { year, month, day }.to_days();
    Timestamp(days.saturating_mul(MS_PER_DAY).saturating_add(time_of_day))
}

/// Calendar months from the month of `anchor` to the month of `now`, whatever their days.
#[must_use]
pub(crate) fn months_between(anchor: Timestamp, now: Timestamp) -> i64 {
    month_of(now) - month_of(anchor)
}

/// The calendar month that an instant lies in, counted from January of the year 0.
#[must_use]
pub(crate) fn month_of(at: Timestamp) -> i64 {
    Date::from_days(at.0.div_euclid(MS_PER_DAY)).months()
}

#[cfg(test)]
mod tests;
