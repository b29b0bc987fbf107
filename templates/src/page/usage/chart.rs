//! The bar chart of the usage page: buckets, axis marks and the geometry of the server-drawn picture.
use super::filter::Meter;
use crate::{
    number::grouped,
    text::Text,
    time::{DAY_MS, Utc},
};

/// Height in pixels that bars may take.
const PLOT_HEIGHT: i64 = 200;
/// Pixels above the highest mark, so that its label is not cut.
const PLOT_TOP: i64 = 10;
/// Part of a bucket's width that its bar takes, in percent; `console.js` uses the same.
const BAR_PERCENT: i64 = 80;
/// The whole width in hundredths of a percent.
const WHOLE: i64 = 10_000;
/// Marks on the vertical axis at most, besides zero.
const Y_MARKS_MAX: i64 = 4;
/// Characters of a mark's value that fit beside the vertical axis as it commonly is; `console.css` knows both widths.
const MARK_LENGTH_COMMON: usize = 7;
/// Marks on the horizontal axis at most; more would touch at a width of 360 pixels.
const X_MARKS_MAX: i64 = 5;

/// Units per bucket over a range without gaps.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Start of the first bucket, milliseconds since 1970.
    pub from_ms: i64,
    /// Length of a bucket: an hour or a day, in milliseconds.
    pub step_ms: i64,
    /// Units of each bucket, in order of time; never empty.
    pub units: Vec<i64>,
    /// Units of as many buckets before those, to compare with; empty where nothing is compared.
    pub before: Vec<i64>,
    /// Buckets from the first that are over and fully counted.
    pub complete: usize,
}

/// One hour or day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Its start.
    pub at_ms: i64,
    /// Whether it is a day.
    pub daily: bool,
    /// Its units.
    pub units: i64,
    /// Those of the bucket it is compared with.
    pub before: Option<i64>,
    /// Whether it is over and fully counted.
    pub complete: bool,
}

impl Bucket {
    /// Its start.
    #[must_use]
    pub fn at(&self) -> Utc {
        Utc::from_ms(self.at_ms)
    }

    pub(super) fn shown(&self) -> String {
        if self.daily { self.at().date() } else { self.at().date_minute() }
    }

    pub(super) fn units_shown(&self) -> String {
        grouped(self.units)
    }

    pub(super) fn before_shown(&self) -> Option<String> {
        self.before.map(grouped)
    }
}

/// A bar's place: percent across, pixels down.
pub(super) struct Bar {
    pub(super) x_percent: String,
    pub(super) width_percent: String,
    pub(super) y: i64,
    pub(super) height: i64,
    pub(super) complete: bool,
}

/// A mark on the vertical axis.
pub(super) struct YMark {
    pub(super) value: i64,
    pub(super) y: i64,
    pub(super) shown: String,
}

/// A mark on the horizontal axis.
pub(super) struct XMark {
    pub(super) x_percent: String,
    pub(super) shown: String,
}

impl Chart {
    /// Start of the first bucket.
    #[must_use]
    pub fn from(&self) -> Utc {
        Utc::from_ms(self.from_ms)
    }

    /// End of the last bucket.
    #[must_use]
    pub fn to(&self) -> Utc {
        Utc::from_ms(self.start_of(self.units.len()))
    }

    /// Whether a bucket is a day.
    #[must_use]
    pub fn is_daily(&self) -> bool {
        self.step_ms == DAY_MS
    }

    /// The date on which the last bucket starts.
    #[must_use]
    pub fn last_day(&self) -> String {
        Utc::from_ms(self.start_of(self.units.len().saturating_sub(1))).date()
    }

    /// The buckets in order of time.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> {
        self.units.iter().enumerate().map(|(index, units)| Bucket {
            at_ms: self.start_of(index),
            daily: self.is_daily(),
            units: *units,
            before: self.before.get(index).copied(),
            complete: index < self.complete,
        })
    }

    /// What a reader who cannot see the chart is told: range, latest, lowest, highest.
    #[must_use]
    pub fn label(&self, meter: Meter, text: &Text) -> String {
        let range =
            text.with_two("usage-chart-range", "from", self.from().date_minute(), "to", self.to().date_minute());
        let shown = |units: Option<&i64>| grouped(units.copied().unwrap_or(0));
        text.fill(
            "usage-chart-label",
            [
                ("meter", meter.label(text)),
                ("range", range),
                ("latest", shown(self.units.last())),
                ("lowest", shown(self.units.iter().min())),
                ("highest", shown(self.units.iter().max())),
            ],
        )
    }

    /// Values marked on the vertical axis: zero first, the last at or above the highest bar.
    #[must_use]
    pub fn y_values(&self) -> Vec<i64> {
        let highest = self.units.iter().chain(&self.before).copied().max().unwrap_or(0).max(Y_MARKS_MAX);
        let step = round_step(ceil_div(highest, Y_MARKS_MAX));
        (0..=ceil_div(highest, step)).map(|mark| mark * step).collect()
    }

    /// Whether the values on the vertical axis need more room than it commonly has.
    pub(super) fn has_long_marks(&self) -> bool {
        grouped(self.top_value()).len() > MARK_LENGTH_COMMON
    }

    /// Instants marked on the horizontal axis, milliseconds since 1970.
    #[must_use]
    pub fn x_values(&self) -> Vec<i64> {
        const HOURS: [i64; 6] = [1, 2, 3, 6, 12, 24];
        let span = self.step_ms * self.units.len() as i64;
        let hour_steps = HOURS.into_iter().map(|hours| hours * DAY_MS / 24);
        let mut steps = hour_steps.chain((2..).map(|days| days * DAY_MS)).filter(|step| step % self.step_ms == 0);
        let step = steps.find(|step| span / step <= X_MARKS_MAX).unwrap_or(span);
        let first = self.from_ms.div_euclid(step) * step;
        (0..)
            .map(|mark| first + mark * step)
            .skip_while(|at| *at < self.from_ms)
            .take_while(|at| *at < self.from_ms + span)
            .collect()
    }

    /// Whether it is compared with the time before.
    pub(super) fn is_compared(&self) -> bool {
        !self.before.is_empty()
    }

    pub(super) fn bars(&self) -> Vec<Bar> {
        self.places(&self.units, BAR_PERCENT)
    }

    /// The bars of the time before, as wide as a bucket, to stand behind the others.
    pub(super) fn ghosts(&self) -> Vec<Bar> {
        self.places(&self.before, 100)
    }

    fn places(&self, units: &[i64], width_percent: i64) -> Vec<Bar> {
        let count = self.units.len() as i64;
        let top = self.top_value();
        let bar = |(index, units): (usize, &i64)| {
            let height = pixels(*units, top);
            Bar {
                x_percent: percent(index as i64 * WHOLE + (WHOLE - width_percent * 100) / 2, count),
                width_percent: percent(width_percent * 100, count),
                y: PLOT_TOP + PLOT_HEIGHT - height,
                height,
                complete: index < self.complete,
            }
        };
        units.iter().enumerate().filter(|(_, units)| **units > 0).map(bar).collect()
    }

    pub(super) fn y_marks(&self) -> Vec<YMark> {
        let top = self.top_value();
        let mark = |value: i64| YMark { value, y: PLOT_TOP + PLOT_HEIGHT - pixels(value, top), shown: grouped(value) };
        self.y_values().into_iter().map(mark).collect()
    }

    pub(super) fn x_marks(&self) -> Vec<XMark> {
        let span = self.step_ms * self.units.len() as i64;
        let mark = |at_ms: i64| XMark {
            x_percent: percent((at_ms - self.from_ms) * WHOLE / span, 1),
            shown: Utc::from_ms(at_ms).axis(),
        };
        self.x_values().into_iter().map(mark).collect()
    }

    fn top_value(&self) -> i64 {
        self.y_values().last().copied().unwrap_or(1).max(1)
    }

    fn start_of(&self, index: usize) -> i64 {
        self.from_ms + self.step_ms * index as i64
    }
}

/// Height of a value in pixels, rounded up so that one unit is never invisible.
fn pixels(value: i64, top: i64) -> i64 {
    let exact = i128::from(value) * i128::from(PLOT_HEIGHT);
    i64::try_from((exact + i128::from(top) - 1) / i128::from(top)).unwrap_or(PLOT_HEIGHT)
}

fn ceil_div(value: i64, by: i64) -> i64 {
    value / by + i64::from(value % by != 0)
}

/// Hundredths of a percent divided by a count, printed with three decimals.
fn percent(hundredths: i64, count: i64) -> String {
    let thousandths = hundredths * 10 / count;
    format!("{}.{:03}", thousandths / 1000, thousandths % 1000)
}

/// The next of 1, 2, 5, 10, 20, 50 … at or above a value.
fn round_step(value: i64) -> i64 {
    let mut decade = 1_i64;
    loop {
        for factor in [1, 2, 5] {
            let step = decade.saturating_mul(factor);
            if step >= value {
                return step;
            }
        }
        decade = decade.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::HOUR_MS;

    fn chart(units: Vec<i64>, step_ms: i64) -> Chart {
        Chart { from_ms: 1_795_615_200_000, step_ms, complete: units.len() - 1, before: Vec::new(), units }
    }

    #[test]
    fn the_vertical_axis_is_round_and_holds_the_highest_bar() {
        for highest in [0, 1, 3, 4, 5, 9, 10, 11, 99, 101, 1_204_331, i64::MAX / 400] {
            let values = chart(vec![0, highest], HOUR_MS).y_values();
            assert_eq!(values[0], 0);
            assert!(*values.last().expect("marks") >= highest, "{highest}: {values:?}");
            assert!(values.len() <= 6, "{highest}: {values:?}");
        }
    }

    #[test]
    fn long_values_have_more_room_beside_the_axis() {
        assert!(!chart(vec![0, 390_000], HOUR_MS).has_long_marks(), "400,000 fits");
        assert!(chart(vec![0, 990_000], HOUR_MS).has_long_marks(), "1,000,000 does not");
    }

    #[test]
    fn the_horizontal_axis_has_few_marks_on_bucket_starts() {
        for (count, step_ms) in [(1, HOUR_MS), (24, HOUR_MS), (168, HOUR_MS), (30, DAY_MS), (92, DAY_MS), (7, DAY_MS)] {
            let chart = chart(vec![1; count], step_ms);
            let marks = chart.x_values();
            assert!(!marks.is_empty() || count == 1, "{count}");
            assert!(marks.len() as i64 <= X_MARKS_MAX + 1, "{count}: {}", marks.len());
            assert!(marks.iter().all(|at| (at - chart.from_ms) % step_ms == 0 || step_ms == DAY_MS), "{count}");
        }
    }

    #[test]
    fn the_time_before_fits_into_the_same_axis() {
        let compared = Chart { before: vec![0, 9_000], ..chart(vec![10, 20], HOUR_MS) };
        assert!(*compared.y_values().last().expect("marks") >= 9_000);
        assert_eq!(compared.ghosts().len(), 1);
        assert_eq!(compared.buckets().map(|bucket| bucket.before).collect::<Vec<_>>(), [Some(0), Some(9_000)]);
        let alone = chart(vec![10, 20], HOUR_MS);
        assert!(alone.ghosts().is_empty() && alone.buckets().all(|bucket| bucket.before.is_none()));
    }

    #[test]
    fn bars_stand_on_the_base_line_and_inside_the_plot() {
        for bar in chart(vec![1, 500, 1_000_000, 0], HOUR_MS).bars() {
            assert!(bar.height >= 1 && bar.y >= PLOT_TOP);
            assert_eq!(bar.y + bar.height, PLOT_TOP + PLOT_HEIGHT);
        }
    }
}
