//! Credits in JSON: exact decimal numbers, never a float on the way.

use std::str::FromStr;

use footlight_ledger::Microcredits;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Credits, as a JSON number with at most six decimals; whole ones are written as integers.
///
/// The digits are written and read as text. A float would turn 0.1 into something that is not a tenth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, ToSchema)]
#[schema(value_type = f64, example = 98.5)]
pub struct Credits(pub Microcredits);

/// The number is not an amount of credits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an amount of credits: {reason}")]
pub struct InvalidCredits {
    text: String,
    reason: &'static str,
}

impl From<Microcredits> for Credits {
    fn from(amount: Microcredits) -> Self {
        Self(amount)
    }
}

impl Serialize for Credits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = RawValue::from_string(self.0.to_string()).map_err(ser::Error::custom)?;
        number.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Credits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Box::<RawValue>::deserialize(deserializer)?;
        number.get().parse().map_err(de::Error::custom)
    }
}

impl FromStr for Credits {
    type Err = InvalidCredits;

    /// Reads any JSON number that is a whole count of millionths: `100`, `0.1`, `100.0`, `1e-6`.
    fn from_str(text: &str) -> Result<Self, InvalidCredits> {
        let invalid = |reason| InvalidCredits { text: text.chars().take(64).collect(), reason };
        let not_a_number = || invalid("write a number, such as 100 or 0.1");
        let too_fine = || invalid("at most six decimals are kept");
        let too_large = || invalid("it is too large");

        let (sign, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().map_err(|_| not_a_number())?),
            None => (unsigned, 0),
        };
        let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = || whole.bytes().chain(decimals.bytes());
        if whole.is_empty() || !digits().all(|digit| digit.is_ascii_digit()) {
            return Err(not_a_number());
        }
        let mut amount: i64 = 0;
        for digit in digits() {
            let digit = i64::from(digit - b'0');
            amount = amount.checked_mul(10).and_then(|amount| amount.checked_add(digit)).ok_or_else(too_large)?;
        }
        // The mantissa without its point counts units of 10^(exponent - decimals); an amount counts units of 10^-6.
        let decimals = i32::try_from(decimals.len()).map_err(|_| too_fine())?;
        let mut scale = i32::from(exponent) - decimals + 6;
        while scale > 0 && amount != 0 {
            amount = amount.checked_mul(10).ok_or_else(too_large)?;
            scale -= 1;
        }
        while scale < 0 && amount != 0 {
            if amount % 10 != 0 {
                return Err(too_fine());
            }
            amount /= 10;
            scale += 1;
        }
        Ok(Self(Microcredits(sign * amount)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_credits_print_as_integers_and_others_without_trailing_zeros() {
        let printed = |microcredits| serde_json::to_string(&Credits(Microcredits(microcredits))).unwrap();
        assert_eq!(printed(99_000_000), "99");
        assert_eq!(printed(100_000), "0.1");
        assert_eq!(printed(1), "0.000001");
        assert_eq!(printed(0), "0");
        assert_eq!(printed(-2_500_000), "-2.5");
    }

    #[test]
    fn every_spelling_of_a_number_is_read_exactly() {
        for (text, microcredits) in [
            ("100", 100_000_000),
            ("0.1", 100_000),
            ("100.0", 100_000_000),
            ("1e-6", 1),
            ("1.5E2", 150_000_000),
            ("-0.25", -250_000),
            ("0e999", 0),
            ("0.10000000000000", 100_000),
        ] {
            let credits: Credits = serde_json::from_str(text).unwrap();
            assert_eq!(credits.0.0, microcredits, "{text}");
        }
    }

    #[test]
    fn what_is_not_an_exact_amount_is_refused_with_a_reason() {
        for (text, reason) in [
            ("0.0000001", "six decimals"),
            ("1e-7", "six decimals"),
            ("99999999999999999999", "too large"),
            ("1e30", "too large"),
            ("\"1\"", "write a number"),
            ("true", "write a number"),
            ("[1]", "write a number"),
        ] {
            let refused = serde_json::from_str::<Credits>(text).unwrap_err().to_string();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn reading_undoes_writing(microcredits in any::<i64>().prop_filter("no positive twin", |n| *n != i64::MIN)) {
            let credits = Credits(Microcredits(microcredits));
            let written = serde_json::to_string(&credits).unwrap();
            prop_assert_eq!(serde_json::from_str::<Credits>(&written).unwrap(), credits);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = text.parse::<Credits>();
        }
    }
}
