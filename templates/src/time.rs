//! Times as the console prints and reads them: UTC, ISO order, from milliseconds since 1970.

/// Milliseconds in an hour.
pub const HOUR_MS: i64 = 3_600_000;
/// Milliseconds in a day.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// The calendar and clock reading of an instant, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    year: i64,
    month: u32,
    day: u32,
    second_of_day: i64,
}

impl Utc {
    /// Reads an instant in milliseconds since 1970; correct for every Gregorian date.
    #[must_use]
    pub fn from_ms(at_ms: i64) -> Self {
        let (year, month, day) = civil(at_ms.div_euclid(DAY_MS));
        Self { year, month, day, second_of_day: at_ms.rem_euclid(DAY_MS) / 1000 }
    }

    /// `2026-11-25`.
    #[must_use]
    pub fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// `14:05`.
    #[must_use]
    pub fn minute(&self) -> String {
        format!("{:02}:{:02}", self.second_of_day / 3600, self.second_of_day / 60 % 60)
    }

    /// `14:05:03`.
    #[must_use]
    pub fn second(&self) -> String {
        format!("{}:{:02}", self.minute(), self.second_of_day % 60)
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
        if self.second_of_day == 0 { format!("{:02}-{:02}", self.month, self.day) } else { self.minute() }
    }
}

/// Reads `2026-11-25T14:05` or `2026-11-25T14:05:00` as UTC into milliseconds; years 1970 to 9999.
#[must_use]
pub fn parse_input(value: &str) -> Option<i64> {
    let bytes = value.as_bytes();
    let shape_fits = matches!(bytes.len(), 16 | 19)
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            4 | 7 => *byte == b'-',
            10 => *byte == b'T',
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        });
    if !shape_fits {
        return None;
    }
    let part = |from: usize, to: usize| value[from..to].parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let (hour, minute) = (part(11, 13)?, part(14, 16)?);
    let second = if bytes.len() == 19 { part(17, 19)? } else { 0 };
    let days = days_from_civil(year, month, day);
    let exists = civil(days) == (year, u32::try_from(month).ok()?, u32::try_from(day).ok()?);
    let in_range = year >= 1970 && (1..=12).contains(&month) && hour < 24 && minute < 60 && second < 60;
    (exists && in_range).then_some(days * DAY_MS + hour * HOUR_MS + minute * 60_000 + second * 1000)
}

/// Days since 1970 to year, month, day. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u32, day as u32)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
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
