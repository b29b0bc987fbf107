//! Times as the console prints and reads them: UTC, ISO order, from milliseconds since 1970.

use ::time::format_description::well_known::Rfc3339;
use ::time::{OffsetDateTime, Time};

/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 3_600_000;
/// Milliseconds in a day.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// The calendar and clock reading of an instant, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc(OffsetDateTime);

impl Utc {
    /// Reads an instant in milliseconds since 1970. Shapes: what lies outside the years -9999 to 9999 reads as 1970.
    #[must_use]
    pub fn from_ms(at_ms: i64) -> Self {
        let at = OffsetDateTime::from_unix_timestamp(at_ms.div_euclid(1000));
        Self(at.unwrap_or(OffsetDateTime::UNIX_EPOCH))
    }

    /// `2026-11-25`.
    #[must_use]
    pub fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }

    /// `14:05`.
    #[must_use]
    pub fn minute(&self) -> String {
        format!("{:02}:{:02}", self.0.hour(), self.0.minute())
    }

    /// `14:05:03`.
    #[must_use]
    pub fn second(&self) -> String {
        format!("{}:{:02}", self.minute(), self.0.second())
    }

    /// `2026-11-25 14:05`, for reading.
    #[must_use]
    pub fn date_minute(&self) -> String {
        format!("{} {}", self.date(), self.minute())
    }

    /// `2026-11-25T14:05:03Z`, for machines (RFC 3339).
    #[must_use]
    pub fn stamp(&self) -> String {
        format!("{}T{}Z", self.date(), self.second())
    }

    /// `2026-11-25T14:05`, the value of a `datetime-local` input.
    #[must_use]
    pub fn input(&self) -> String {
        format!("{}T{}", self.date(), self.minute())
    }

    /// A short axis label: the date at midnight, else the minute.
    #[must_use]
    pub fn axis(&self) -> String {
        if self.0.time() == Time::MIDNIGHT {
            format!("{:02}-{:02}", u8::from(self.0.month()), self.0.day())
        } else {
            self.minute()
        }
    }
}

/// Reads `2026-11-25T14:05` or `2026-11-25T14:05:00` as UTC into milliseconds; years 1970 to 9999.
#[must_use]
pub fn parse_input(value: &str) -> Option<i64> {
    let seconds = if value.len() == "2026-11-25T14:05".len() { ":00Z" } else { "Z" };
    let at = OffsetDateTime::parse(&format!("{value}{seconds}"), &Rfc3339).ok()?;
    // RFC 3339 has fractions, and the parser a blank for the T; an input's value has neither.
    let is_input = value.len() <= "2026-11-25T14:05:00".len() && value.as_bytes()[10] == b'T';
    (is_input && at.year() >= 1970).then(|| at.unix_timestamp() * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_as_utc() {
        for (at_ms, stamp) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_999, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_795_615_503_000, "2026-11-25T14:05:03Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(Utc::from_ms(at_ms).stamp(), stamp);
        }
    }

    #[test]
    fn inputs_read_back() {
        for day in 0..40_000 {
            let at_ms = day * DAY_MS + 51_900_000;
            assert_eq!(parse_input(&Utc::from_ms(at_ms).input()), Some(at_ms));
        }
    }

    #[test]
    fn bad_inputs_are_refused() {
        for value in [
            "",
            "2026-02-30T00:00",
            "2026-13-01T00:00",
            "2026-00-01T00:00",
            "2026-11-25T24:00",
            "2026-11-25 14:00",
            "２026-11-25T14:0",
            "1969-12-31T00:00",
        ] {
            assert_eq!(parse_input(value), None, "{value}");
        }
    }
}
