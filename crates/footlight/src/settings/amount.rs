//! Credits as people write them in settings.

use std::fmt;

use footlight_ledger::Microcredits;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount of credits: a whole number, or one with at most six decimals. Never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount(pub(crate) Microcredits);

impl std::str::FromStr for Amount {
    type Err = String;

    /// Reads decimal digits directly, so that no amount passes through a float.
    fn from_str(text: &str) -> Result<Self, String> {
        let invalid =
            || format!("`{text}` is not an amount of credits: write digits with at most six decimals, like 0.1");
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || decimals.len() > 6 || !all_digits(whole) || !all_digits(decimals) {
            return Err(invalid());
        }
        let whole: i64 = whole.parse().map_err(|_| invalid())?;
        let millionths: i64 = format!("{decimals:0<6}").parse().map_err(|_| invalid())?;
        let micro = whole.checked_mul(Microcredits::PER_CREDIT).and_then(|micro| micro.checked_add(millionths));
        micro.map(|micro| Self(Microcredits(micro))).ok_or_else(invalid)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.0 % Microcredits::PER_CREDIT == 0 {
            serializer.serialize_i64(self.0.0 / Microcredits::PER_CREDIT)
        } else {
            serializer.collect_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AmountVisitor;

        impl Visitor<'_> for AmountVisitor {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount of credits such as 2 or 0.1")
            }

            fn visit_u64<E: de::Error>(self, credits: u64) -> Result<Amount, E> {
                credits.to_string().parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, credits: i64) -> Result<Amount, E> {
                credits.to_string().parse().map_err(E::custom)
            }

            // The shortest text that reads back as the same float is what the person wrote.
            fn visit_f64<E: de::Error>(self, credits: f64) -> Result<Amount, E> {
                credits.to_string().parse().map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(AmountVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_to_the_millionth() {
        let micro = |text: &str| text.parse::<Amount>().map(|amount| amount.0.0);
        assert_eq!(micro("2"), Ok(2_000_000));
        assert_eq!(micro("0.1"), Ok(100_000));
        assert_eq!(micro("0.000001"), Ok(1));
        assert_eq!(micro("9223372036854.775807"), Ok(i64::MAX));
        for wrong in ["", ".", ".5", "-1", "1e3", "0.0000001", "NaN", "1,5", "9223372036854.775808"] {
            assert!(micro(wrong).is_err(), "{wrong} was taken");
        }
    }
}
