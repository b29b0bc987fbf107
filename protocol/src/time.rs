//! Times on the wire: RFC 3339, UTC, milliseconds.

const DAY_MS: i64 = 86_400_000;

/// `2026-11-26T12:00:00.000Z` for milliseconds since 1970.
///
/// Source: the civil-from-days algorithm over the proleptic Gregorian calendar of ISO 8601.
#[must_use]
pub fn rfc3339(at_ms: i64) -> String {
    let (year, month, day) = civil(at_ms.div_euclid(DAY_MS));
    let ms = at_ms.rem_euclid(DAY_MS);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
}

/// Milliseconds since 1970 of an RFC 3339 time (any offset, fraction optional) or of a bare date (midnight UTC).
///
/// Errors: `None` where the text is neither, or names a day or time that does not exist.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || day < 1 {
        return None;
    }
    let days = days(year, month, day);
    if civil(days) != (year, month, day) {
        return None;
    }
    Some(days * DAY_MS + time.map_or(Some(0), parse_time)?)
}

fn parse_time(text: &str) -> Option<i64> {
    let (clock, offset_ms) = split_offset(text)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let (hour, minute, second) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let scaled = format!("{fraction:0<3}");
    digits(fraction, fraction.len())?;
    Some(hour * 3_600_000 + minute * 60_000 + second * 1000 + digits(&scaled[..3], 3)? - offset_ms)
}

fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    let at = text.rfind(['+', '-'])?;
    let (clock, offset) = text.split_at(at);
    let (hour, minute) = offset[1..].split_once(':')?;
    let ms = digits(hour, 2)? * 3_600_000 + digits(minute, 2)? * 60_000;
    Some((clock, if offset.starts_with('-') { -ms } else { ms }))
}

fn digits(text: &str, len: usize) -> Option<i64> {
    (text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
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

    proptest! {
        #[test]
        fn what_is_written_is_read_back(at_ms in 0i64..253_402_300_799_999) {
            prop_assert_eq!(parse(&rfc3339(at_ms)), Some(at_ms));
        }
    }
}
