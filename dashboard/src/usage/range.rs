//! The range of the usage page: presets or a custom one, cut to whole hours or days.
use tokenim_templates::{
    page::usage::filter::Span,
    time::{DAY_MS, HOUR_MS, Utc, parse_input},
};

/// Days a range may span.
pub(crate) const RANGE_DAYS_MAX: i64 = 92;
/// Days up to which a range is shown by the hour.
const HOURLY_DAYS_MAX: i64 = 7;

/// What the address asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Range {
    /// Ends now.
    Last(Span),
    /// From one instant to another, milliseconds since 1970.
    Custom { from_ms: i64, to_ms: i64 },
}

/// Whole buckets that cover a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) step_ms: i64,
}

impl Range {
    /// Reads `range`, `from` and `to`; none where they are not what this page writes, or span too much.
    pub(crate) fn parse(range: Option<&str>, from: Option<&str>, to: Option<&str>) -> Option<Self> {
        match (range, from, to) {
            (None, None, None) => Some(Self::Last(Span::Day)),
            (Some("custom"), Some(from), Some(to)) => {
                let (from_ms, to_ms) = (parse_input(from)?, parse_input(to)?);
                let fits = from_ms < to_ms && to_ms - from_ms <= RANGE_DAYS_MAX * DAY_MS;
                fits.then_some(Self::Custom { from_ms, to_ms })
            }
            (Some(name), None, None) => Span::from_name(name).map(Self::Last),
            _ => None,
        }
    }

    /// The fields that [`Self::parse`] reads back.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Last(span) => vec![("range", span.name().to_owned())],
            Self::Custom { from_ms, to_ms } => {
                let input = |at_ms| Utc::from_ms(at_ms).input();
                vec![("range", "custom".to_owned()), ("from", input(*from_ms)), ("to", input(*to_ms))]
            }
        }
    }

    /// Whether its buckets are compared with as many before: the last day is, hour by hour.
    pub(crate) fn is_compared(&self) -> bool {
        matches!(self, Self::Last(Span::Day))
    }

    /// The buckets: a preset holds the running hour or day and as many before it as its name says.
    pub(crate) fn window(&self, now_ms: i64) -> Window {
        let last = |step_ms: i64, count: i64| {
            let to_ms = floor(now_ms, step_ms) + step_ms;
            Window { from_ms: to_ms - count * step_ms, to_ms, step_ms }
        };
        match self {
            Self::Last(Span::Day) => last(HOUR_MS, 24),
            Self::Last(Span::Week) => last(HOUR_MS, 7 * 24),
            Self::Last(Span::Month) => last(DAY_MS, 30),
            Self::Custom { from_ms, to_ms } => {
                let step_ms = if to_ms - from_ms <= HOURLY_DAYS_MAX * DAY_MS { HOUR_MS } else { DAY_MS };
                Window { from_ms: floor(*from_ms, step_ms), to_ms: floor(*to_ms - 1, step_ms) + step_ms, step_ms }
            }
        }
    }
}

fn floor(at_ms: i64, step_ms: i64) -> i64 {
    at_ms.div_euclid(step_ms) * step_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_615_503_000;

    #[test]
    fn ranges_read_back() {
        let custom = Range::Custom { from_ms: 1_795_600_800_000, to_ms: 1_795_615_200_000 };
        for range in Span::ALL.map(Range::Last).into_iter().chain([custom]) {
            let fields = range.fields();
            let value = |name| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
            assert_eq!(Range::parse(value("range"), value("from"), value("to")), Some(range));
        }
    }

    #[test]
    fn bad_ranges_are_refused() {
        let (early, late) = (Some("2026-11-25T00:00"), Some("2026-11-26T00:00"));
        for (range, from, to) in [
            (Some("1y"), None, None),
            (Some("custom"), None, None),
            (Some("custom"), late, early),
            (Some("custom"), early, early),
            (Some("custom"), Some("2026-01-01T00:00"), late),
            (Some("24h"), early, late),
            (None, early, late),
        ] {
            assert_eq!(Range::parse(range, from, to), None, "{range:?} {from:?} {to:?}");
        }
    }

    #[test]
    fn windows_are_whole_buckets_around_the_range() {
        for range in [
            Range::Last(Span::Day),
            Range::Last(Span::Week),
            Range::Last(Span::Month),
            Range::Custom { from_ms: NOW_MS - 1, to_ms: NOW_MS },
            Range::Custom { from_ms: 0, to_ms: RANGE_DAYS_MAX * DAY_MS },
        ] {
            let window = range.window(NOW_MS);
            assert_eq!(window.from_ms % window.step_ms, 0);
            assert_eq!((window.to_ms - window.from_ms) % window.step_ms, 0);
            assert!(window.from_ms < window.to_ms);
        }
        let day = Range::Last(Span::Day).window(NOW_MS);
        assert_eq!((day.to_ms - day.from_ms) / day.step_ms, 24);
        assert!(day.from_ms <= NOW_MS && NOW_MS < day.to_ms);
    }
}
