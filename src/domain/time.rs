//! Points in time, in milliseconds since 1970; to people and to JSON in seconds.

use super::{Error, Result};
use ::time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Milliseconds since 1970 by some agent's clock. Between agents no rule compares two of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// The years 1970 to 9999: what RFC 3339 can write.
const MAX_MS: i64 = 253_402_300_799_000;

pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Timestamp {
    /// Reads RFC 3339 in UTC with whole seconds, `2026-01-15T10:30:00Z`, and nothing else.
    pub fn parse(text: &str) -> Result<Timestamp> {
        let bad = || Error::Invalid(format!("'{text}' is not a time like 2026-01-15T10:30:00Z"));
        if text.len() != 20 || !text.ends_with('Z') {
            return Err(Error::Invalid(
                "not a time like 2026-01-15T10:30:00Z".into(),
            ));
        }
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| bad())?;
        let time = Timestamp(parsed.unix_timestamp() * 1000);
        if time.0 < 0 || time.to_string() != text {
            return Err(bad());
        }
        Ok(time)
    }

    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    pub fn plus_days(self, days: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(days.saturating_mul(DAY_MS)))
    }

    /// The form for people: `2026-01-15 10:30:00 UTC`.
    pub fn for_people(self) -> String {
        let text = self.to_string();
        format!("{} {} UTC", &text[..10], &text[11..19])
    }

    fn date_time(self) -> OffsetDateTime {
        // Clamped to the years that can be written, so this cannot fail.
        OffsetDateTime::from_unix_timestamp(self.0.clamp(0, MAX_MS).div_euclid(1000))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        f.write_str(&self.date_time().format(form).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Timestamp::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let time = Timestamp::parse("2026-01-15T10:30:00Z").unwrap();
        assert_eq!(time.to_string(), "2026-01-15T10:30:00Z");
        assert_eq!(time.for_people(), "2026-01-15 10:30:00 UTC");
        for bad in [
            "2026-01-15T10:30:00+00:00",
            "2026-01-15t10:30:00Z",
            "2026-02-30T10:30:00Z",
            "2026-01-15T10:30:60Z",
            "1969-12-31T23:59:59Z",
            "2026-01-15 10:30:00Z",
            "",
            "aaaaaaaaaaaaaaaaaaaZ",
        ] {
            assert!(Timestamp::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Timestamp(i64::MAX).to_string(), "9999-12-31T23:59:59Z");
    }
}
