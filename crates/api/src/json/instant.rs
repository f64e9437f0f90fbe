//! Instants in JSON: RFC 3339 in UTC, to the millisecond.

use std::fmt;
use std::str::FromStr;

use footlight_ledger::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

/// An instant, written as RFC 3339 in UTC with milliseconds: `2026-11-22T11:35:00.000Z`. Any offset is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-22T11:35:00.000Z")]
pub struct Instant(pub Timestamp);

/// The text is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an instant; write it as 2026-11-22T11:35:00Z")]
pub struct InvalidInstant {
    text: String,
}

impl From<Timestamp> for Instant {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.0.div_euclid(1_000);
        let milliseconds = self.0.0.rem_euclid(1_000);
        match OffsetDateTime::from_unix_timestamp(seconds) {
            Ok(at) => write!(
                f,
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{milliseconds:03}Z",
                at.year(),
                u8::from(at.month()),
                at.day(),
                at.hour(),
                at.minute(),
                at.second()
            ),
            // Beyond the calendar's range there is nothing better to say than the number.
            Err(_) => write!(f, "{}", self.0.0),
        }
    }
}

impl FromStr for Instant {
    type Err = InvalidInstant;

    fn from_str(text: &str) -> Result<Self, InvalidInstant> {
        let invalid = || InvalidInstant { text: text.chars().take(64).collect() };
        let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| invalid())?;
        let milliseconds = i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).map_err(|_| invalid())?;
        Ok(Self(Timestamp(milliseconds)))
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_in_utc_with_milliseconds() {
        assert_eq!(Instant(Timestamp(0)).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Instant(Timestamp(1_795_347_300_007)).to_string(), "2026-11-22T11:35:00.007Z");
        assert_eq!(Instant(Timestamp(-1)).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn any_offset_is_read_as_the_same_instant() {
        let utc: Instant = "2026-11-22T11:35:00Z".parse().unwrap();
        assert_eq!("2026-11-22T13:35:00.000+02:00".parse::<Instant>().unwrap(), utc);
        assert!("yesterday".parse::<Instant>().unwrap_err().to_string().contains("write it as"));
    }
}
