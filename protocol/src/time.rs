//! Times on the wire: RFC 3339, UTC, milliseconds.

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;

/// The last millisecond of the year 9999, where RFC 3339 ends.
const LAST_MS: i64 = 253_402_300_799_999;

const DAY_MS: i64 = 86_400_000;

/// `2026-11-26T12:00:00.000Z` for milliseconds since 1970. Shapes: what lies outside 1970 to 9999 is written as their edge.
///
/// Source: RFC 3339 section 5.6.
#[must_use]
pub fn rfc3339(at_ms: i64) -> String {
    let at_ms = at_ms.clamp(0, LAST_MS);
    let at =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second, ms) = at.to_hms_milli();
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z", u8::from(month))
}

/// Milliseconds since 1970 of an RFC 3339 time (any offset, fraction optional) or of a bare date (midnight UTC).
///
/// Errors: `None` where the text is neither, or names a day or time that does not exist.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let at = if text.len() == "2026-11-26".len() {
        OffsetDateTime::parse(&format!("{text}T00:00:00Z"), &Rfc3339)
    } else {
        OffsetDateTime::parse(text, &Rfc3339)
    };
    i64::try_from(at.ok()?.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

/// The calendar month in UTC that holds a time: its first millisecond, and the next month's.
///
/// Units: milliseconds since 1970. Shapes: as [`rfc3339`], outside 1970 to 9999 the month of the edge.
#[must_use]
pub fn month(at_ms: i64) -> (i64, i64) {
    let at_ms = at_ms.clamp(0, LAST_MS);
    let at =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let start = at_ms - at_ms.rem_euclid(DAY_MS) - (i64::from(at.day()) - 1) * DAY_MS;
    (start, start + i64::from(at.month().length(at.year())) * DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(parse("2000-02-29"), Some(951_782_400_000));
        assert_eq!(parse("2026-11-26T12:00:00+02:00"), parse("2026-11-26T10:00:00.000Z"));
        for bad in [
            "",
            "2026-02-30",
            "2026-13-01",
            "2026-11-26T24:00:00Z",
            "2026-11-26T12:00:00",
            "now",
            "2026-11-26T12:00:00.Z",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_rfc_3339_cannot_write_is_written_as_its_edge() {
        assert_eq!(rfc3339(-1), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_month_begins_at_its_first_midnight() {
        for (at, from, to) in [
            ("2026-11-26T12:00:00.001Z", "2026-11-01", "2026-12-01"),
            ("2026-12-31T23:59:59.999Z", "2026-12-01", "2027-01-01"),
            ("2027-01-01", "2027-01-01", "2027-02-01"),
            ("2028-02-29T23:59:59.999Z", "2028-02-01", "2028-03-01"),
        ] {
            assert_eq!(Some(month(parse(at).unwrap())), parse(from).zip(parse(to)), "{at}");
        }
    }

    proptest! {
        #[test]
        fn months_tile_time(at_ms in 0i64..253_000_000_000_000) {
            let (from, to) = month(at_ms);
            prop_assert!(from <= at_ms && at_ms < to);
            prop_assert_eq!((month(from).0, month(to - 1).0, month(to).0), (from, from, to));
        }

        #[test]
        fn what_is_written_is_read_back(at_ms in 0i64..253_402_300_799_999) {
            prop_assert_eq!(parse(&rfc3339(at_ms)), Some(at_ms));
        }
    }
}
