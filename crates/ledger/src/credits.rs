//! The unit of price.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount of credits as a whole number of millionths. Never a float; overflow is an error, not a wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Microcredits(pub i64);

impl Microcredits {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// How many make one credit.
    pub const PER_CREDIT: i64 = 1_000_000;

    /// `credits` whole credits.
    #[must_use]
    pub const fn from_credits(credits: i64) -> Self {
        Self(credits * Self::PER_CREDIT)
    }

    /// Whether this is no credit at all.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// Credits with at most six decimals, trailing zeros left out: `99`, `0.1`, `-2.5`.
impl fmt::Display for Microcredits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (self.0.unsigned_abs() / 1_000_000, self.0.unsigned_abs() % 1_000_000);
        if rest == 0 {
            return f.pad(&format!("{sign}{whole}"));
        }
        let text = format!("{sign}{whole}.{rest:06}");
        f.pad(text.trim_end_matches('0'))
    }
}
