//! The unit of price.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount of credits as a whole number of millionths. Never a float.
///
/// Amounts add and subtract and nothing else; what leaves the range of an `i64` is a bug and panics.
/// Prices are made by [`crate::Pricing::cost`] only, which says how it rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Microcredits(pub i64);

impl Microcredits {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// How many make one credit.
    pub const PER_CREDIT: i64 = 1_000_000;

    /// `credits` whole credits.
    ///
    /// # Panics
    /// Beyond 9 223 372 036 854 credits.
    #[must_use]
    pub const fn from_credits(credits: i64) -> Self {
        Self(credits * Self::PER_CREDIT)
    }

    /// Whether this is no credit at all.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// What is left of `self` above `other`; zero when there is nothing above.
    #[must_use]
    pub fn above(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }
}

impl Add for Microcredits {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.checked_add(other.0).expect("amounts are kept far below the end of the range"))
    }
}

impl Sub for Microcredits {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.checked_sub(other.0).expect("amounts are kept far below the end of the range"))
    }
}

impl AddAssign for Microcredits {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Microcredits {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Microcredits {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// Credits with at most six decimals, trailing zeros left out: `99`, `0.1`, `-2.5`.
impl fmt::Display for Microcredits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let millionths = self.0.unsigned_abs();
        let (whole, rest) = (millionths / 1_000_000, millionths % 1_000_000);
        if rest == 0 {
            return f.pad(&format!("{sign}{whole}"));
        }
        let text = format!("{sign}{whole}.{rest:06}");
        f.pad(text.trim_end_matches('0'))
    }
}

/// The text was not an amount of credits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an amount of credits; write it like 99 or 0.1, with at most six decimals")]
pub struct InvalidCredits {
    text: String,
}

/// Exact: `0.1` is 100 000 millionths. A sign, digits, and at most six decimals; no exponent.
impl FromStr for Microcredits {
    type Err = InvalidCredits;

    fn from_str(text: &str) -> Result<Self, InvalidCredits> {
        let invalid = || InvalidCredits { text: text.chars().take(64).collect() };
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !plain(decimals) || decimals.len() > 6 {
            return Err(invalid());
        }
        let whole: i64 = whole.parse().map_err(|_| invalid())?;
        let millionths: i64 = format!("{decimals:0<6}").parse().map_err(|_| invalid())?;
        whole
            .checked_mul(Self::PER_CREDIT)
            .and_then(|amount| amount.checked_add(millionths))
            .map(|amount| Self(sign * amount))
            .ok_or_else(invalid)
    }
}

#[cfg(test)]
mod tests;
