//! The rate card: what a session of each product costs, and how its units are counted.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

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

impl Product {
    /// All of them, in the order of the price list.
    pub const ALL: [Self; 8] = [
        Self::EssenceCloud,
        Self::EssenceSelfHosted,
        Self::ExpressionCloud,
        Self::ExpressionSelfHosted,
        Self::ExpressionOnDevice,
        Self::VoiceChat,
        Self::CameraChat,
        Self::AudioOnly,
    ];

    /// Its name in the configuration, the API and the metrics: `essence_cloud`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EssenceCloud => "essence_cloud",
            Self::EssenceSelfHosted => "essence_self_hosted",
            Self::ExpressionCloud => "expression_cloud",
            Self::ExpressionSelfHosted => "expression_self_hosted",
            Self::ExpressionOnDevice => "expression_on_device",
            Self::VoiceChat => "voice_chat",
            Self::CameraChat => "camera_chat",
            Self::AudioOnly => "audio_only",
        }
    }

    /// Where its frames are made.
    #[must_use]
    pub const fn surface(self) -> Surface {
        match self {
            Self::EssenceCloud | Self::ExpressionCloud => Surface::Cloud,
            Self::EssenceSelfHosted | Self::ExpressionSelfHosted => Surface::SelfHosted,
            Self::ExpressionOnDevice => Surface::OnDevice,
            Self::VoiceChat | Self::CameraChat | Self::AudioOnly => Surface::Managed,
        }
    }

    /// Whether its engine is not one of our nodes and only reports to us.
    #[must_use]
    pub const fn is_remote(self) -> bool {
        !matches!(self.surface(), Surface::Cloud)
    }
}

/// Where a product's engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surface {
    /// On our nodes.
    Cloud,
    /// On its user's servers.
    SelfHosted,
    /// On its user's device.
    OnDevice,
    /// In a service around us, such as a managed agent, that reports what it used.
    Managed,
}

impl Surface {
    /// Its name in the API: `self_hosted`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::SelfHosted => "self_hosted",
            Self::OnDevice => "on_device",
            Self::Managed => "managed",
        }
    }
}

impl fmt::Display for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text was not the name of a product.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a product; products are essence_cloud, essence_self_hosted, expression_cloud, expression_self_hosted, expression_on_device, voice_chat, camera_chat and audio_only"
)]
pub struct UnknownProduct {
    text: String,
}

impl FromStr for Product {
    type Err = UnknownProduct;

    fn from_str(text: &str) -> Result<Self, UnknownProduct> {
        Self::ALL
            .into_iter()
            .find(|product| product.as_str() == text)
            .ok_or_else(|| UnknownProduct { text: text.chars().take(64).collect() })
    }
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

impl RateCard {
    /// Whether nothing on it costs anything.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.0.values().all(|tariff| tariff.rate.is_zero())
    }

    /// The same products, counted alike, for nothing.
    #[must_use]
    pub fn for_free(mut self) -> Self {
        for tariff in self.0.values_mut() {
            tariff.rate = Microcredits::ZERO;
        }
        self
    }
}

/// The prices that ship: credits per active minute.
impl Default for RateCard {
    fn default() -> Self {
        Self(
            Product::ALL
                .into_iter()
                .map(|product| {
                    let (credits, counting) = match product {
                        Product::EssenceSelfHosted => (1, Counting::Frames),
                        Product::EssenceCloud | Product::ExpressionSelfHosted => (2, Counting::Frames),
                        Product::ExpressionCloud => (4, Counting::Frames),
                        Product::ExpressionOnDevice => (2, Counting::Connected),
                        Product::VoiceChat => (10, Counting::Connected),
                        Product::CameraChat => (30, Counting::Connected),
                        Product::AudioOnly => (0, Counting::Frames),
                    };
                    let rate = Microcredits::from_credits(credits);
                    (product, Tariff { rate, counting, rounding: Rounding::Exact })
                })
                .collect(),
        )
    }
}

impl Tariff {
    /// The price of a session that makes `fps` frames a second (ignored by what counts connected time).
    #[must_use]
    pub fn pricing(&self, fps: NonZeroU32) -> Pricing {
        let units_per_minute = match self.counting {
            Counting::Frames => 60 * u64::from(fps.get()),
            Counting::Connected => 60_000,
        };
        Pricing { rate: self.rate, units_per_minute, rounding: self.rounding }
    }
}

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
    /// Charges are differences of this total, so they never drift, even where a frame costs a fraction of a millionth.
    /// Where a minute is never paid in part, `units` are first raised to whole minutes. A price beyond the
    /// range is held at its end.
    ///
    /// # Panics
    /// When the rate is negative or a minute has no units, which no open session has.
    #[must_use]
    pub fn cost(&self, units: Units) -> Microcredits {
        let units = match self.rounding {
            Rounding::Exact => u128::from(units),
            Rounding::WholeMinute => {
                u128::from(units).div_ceil(u128::from(self.units_per_minute)) * u128::from(self.units_per_minute)
            }
        };
        let rate = u128::try_from(self.rate.0).expect("a rate is never negative");
        let cost = divide(units * rate, u128::from(self.units_per_minute));
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
            Rounding::Exact => divide((amount + 1) * per_minute - 1, rate),
            Rounding::WholeMinute => (amount / rate) * per_minute,
        };
        Some(u64::try_from(units).unwrap_or(u64::MAX))
    }

    /// Units that pass in `ms` milliseconds, a begun one left out.
    #[must_use]
    pub fn units_in(&self, ms: i64) -> Units {
        let ms = u128::try_from(ms).unwrap_or(0);
        u64::try_from(ms * u128::from(self.units_per_minute) / 60_000).unwrap_or(u64::MAX)
    }

    /// Whether it costs nothing.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.rate.0 == 0
    }
}

/// Divides, in 64 bits where that is enough, as it nearly always is: 128 bits take many times as long, and a heartbeat
/// prices a dozen times.
fn divide(dividend: u128, divisor: u128) -> u128 {
    match (u64::try_from(dividend), u64::try_from(divisor)) {
        (Ok(dividend), Ok(divisor)) => u128::from(dividend / divisor),
        _ => dividend / divisor,
    }
}

#[cfg(test)]
mod tests;
