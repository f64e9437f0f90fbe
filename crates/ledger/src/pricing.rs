//! The rate card: what a session of each product costs, and how its units are counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Microcredits;

/// Cumulative count of what a product charges for: active frames, or milliseconds between start and stop.
pub type Units = u64;

/// What a session is sold as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are the product names of the price list")]
pub enum Product {
    EssenceCloud,
    EssenceSelfHosted,
    ExpressionCloud,
    ExpressionSelfHosted,
    ExpressionOnDevice,
    VoiceChat,
    CameraChat,
    AudioOnly,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counting {
    /// Active frames at the session's fixed rate.
    Frames,
    /// Milliseconds between start and stop.
    Connected,
}

/// How a session's total is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// To the frame: a session stopped after 5 seconds pays 5 seconds.
    #[default]
    Exact,
    /// Every begun minute is paid whole.
    WholeMinute,
}

/// One line of the rate card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tariff {
    /// Price of one active minute.
    pub rate: Microcredits,
    /// What is counted.
    pub counting: Counting,
    /// How the total is rounded.
    #[serde(default)]
    pub rounding: Rounding,
}

/// The price list: one tariff per product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RateCard(pub BTreeMap<Product, Tariff>);

/// The price a session was opened at, kept for its whole life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pricing {
    /// Price of one minute.
    pub rate: Microcredits,
    /// Units that make one minute: 60 x fps for frames, 60 000 for milliseconds. Never 0.
    pub units_per_minute: u64,
    /// How the total is rounded.
    pub rounding: Rounding,
}

impl Pricing {
    /// The price of `units` in all: floor(units x rate / units per minute), exact at any frame rate.
    ///
    /// Charges are differences of this total, so they never drift (design rule 3).
    #[must_use]
    pub fn cost(&self, units: Units) -> Microcredits {
        let units = match self.rounding {
            Rounding::Exact => u128::from(units),
            Rounding::WholeMinute => {
                u128::from(units).div_ceil(u128::from(self.units_per_minute)) * u128::from(self.units_per_minute)
            }
        };
        let rate = u128::try_from(self.rate.0).expect("a rate is never negative");
        let cost = units * rate / u128::from(self.units_per_minute);
        Microcredits(i64::try_from(cost).unwrap_or(i64::MAX))
    }

    /// The most units whose total price is at most `amount`; `None` when they cost nothing.
    #[must_use]
    pub fn affordable(&self, amount: Microcredits) -> Option<Units> {
        if self.rate.0 <= 0 {
            return None;
        }
        let amount = u128::try_from(amount.0).unwrap_or(0);
        let rate = u128::try_from(self.rate.0).expect("checked above");
        let per_minute = u128::from(self.units_per_minute);
        let units = match self.rounding {
            // floor(u * rate / m) <= a  <=>  u * rate < (a + 1) * m
            Rounding::Exact => ((amount + 1) * per_minute - 1) / rate,
            Rounding::WholeMinute => (amount / rate) * per_minute,
        };
        Some(u64::try_from(units).unwrap_or(u64::MAX))
    }
}
