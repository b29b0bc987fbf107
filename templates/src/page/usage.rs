//! The usage page: what it shows, and the parts of it that move by themselves.
use askama::Template;

use crate::{
    frame::{Frame, Mode, Theme},
    language::Language,
    number::grouped,
    text::Text,
    time::Utc,
};

pub mod chart;
pub mod filter;
pub mod overview;
pub mod pulse;
pub mod quota;

use chart::{Bucket, Chart};
use filter::{Filter, Meter};
use pulse::Pulse;
use quota::QuotaBar;

/// The figures of one org, filter and instant; page, stream, chart and tables all print this one value.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageView {
    /// What is counted.
    pub meter: Meter,
    /// Message units in the range.
    pub total: i64,
    /// Those of test apps among them.
    pub test_total: i64,
    /// Instant up to which every commit is counted.
    pub complete_to: Utc,
    /// Connections open on this server now.
    pub connections: u64,
    /// What happens now.
    pub pulse: Pulse,
    /// Quotas of the month, whatever the range.
    pub quotas: Vec<QuotaBar>,
    /// Units per hour or day.
    pub chart: Chart,
    /// Units per app, in the order the apps are listed.
    pub apps: Vec<AppUnits>,
    /// Units per hour and app, newest first, one page of them.
    pub rows: Vec<HourRow>,
}

impl UsageView {
    fn total_shown(&self) -> String {
        grouped(self.total)
    }

    fn before_shown(&self) -> String {
        grouped(self.chart.before.iter().sum())
    }

    fn chart_label(&self, text: &Text) -> String {
        self.chart.label(self.meter, text)
    }

    fn meter_help(&self, text: &Text) -> String {
        let (from, to) = (self.chart.from().date_minute(), self.chart.to().date_minute());
        text.fill("usage-meter-help", [("meter", self.meter.name().to_owned()), ("from", from), ("to", to)])
    }

    fn test_total_shown(&self) -> String {
        grouped(self.test_total)
    }

    fn connections_shown(&self) -> String {
        grouped(i64::try_from(self.connections).unwrap_or(i64::MAX))
    }

    /// The time of day alone while it is within the range's last day, else with its date.
    fn complete_to_shown(&self) -> String {
        if self.complete_to.date() == self.chart.last_day() {
            self.complete_to.second()
        } else {
            format!("{} {}", self.complete_to.date(), self.complete_to.second())
        }
    }
}

/// One app and its units in the range.
#[derive(Clone, Debug, PartialEq)]
pub struct AppUnits {
    /// The app's id.
    pub id: String,
    /// The app's name.
    pub name: String,
    /// Live or test.
    pub mode: Mode,
    /// Message units in the range.
    pub units: i64,
}

impl AppUnits {
    /// The row's id in the document.
    #[must_use]
    pub fn element_id(&self) -> String {
        format!("row-{}", self.id)
    }

    fn units_shown(&self) -> String {
        grouped(self.units)
    }

    /// Percent of the total with one decimal, for the width of a bar only.
    fn share_percent(&self, total: &i64) -> String {
        let tenths = if *total > 0 { self.units.saturating_mul(1000) / total } else { 0 };
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

/// One hour of one app.
#[derive(Clone, Debug, PartialEq)]
pub struct HourRow {
    /// Start of the hour.
    pub at: Utc,
    /// Start of the hour in milliseconds.
    pub at_ms: i64,
    /// The app's id.
    pub app_id: String,
    /// The app's name.
    pub app_name: String,
    /// Message units of that hour.
    pub units: i64,
    /// Whether the hour is over and fully counted.
    pub complete: bool,
}

impl HourRow {
    /// The row's id in the document.
    #[must_use]
    pub fn element_id(&self) -> String {
        format!("hour-{}-{}", self.at_ms, self.app_id)
    }

    fn units_shown(&self) -> String {
        grouped(self.units)
    }
}

/// Addresses the page links to, all below the origin; an empty one is left out.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// This page with its filters.
    pub here: String,
    /// The same figures as CSV.
    pub csv: String,
    /// The first page of hours, when another one is shown.
    pub newest: String,
    /// The next page of hours, when there is one.
    pub older: String,
    /// Sign-in that returns here.
    pub sign_in: String,
    /// This page without a range, to which a zoom appends one.
    pub zoom: String,
}

/// The whole page.
#[derive(Template)]
#[template(path = "usage.html")]
pub struct UsagePage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The frame's texts again, under the name the live parts use.
    pub text: &'a Text,
    /// The heading: all apps or one.
    pub heading: String,
    /// The figures.
    pub view: &'a UsageView,
    /// The choices of app and range.
    pub filter: Filter,
    /// Addresses.
    pub links: &'a Links,
    /// Address of the live stream.
    pub stream: String,
    /// When the figures were read.
    pub sampled_at: Utc,
    /// The chart's numbers for `console.js`, as JSON.
    pub chart_json: String,
    /// Commands that send a first message.
    pub snippet: String,
    /// Sentences of the live state, by state, with the time as `{time}`.
    pub moving_states: Vec<(&'static str, String)>,
}

/// Sentences that `console.js` completes with the time of the last sample.
#[must_use]
pub fn moving_states(text: Text) -> Vec<(&'static str, String)> {
    vec![
        ("reconnecting", text.with("usage-state-reconnecting", "time", "{time}")),
        ("paused", text.with("usage-state-paused", "time", "{time}")),
        ("elsewhere", text.with("usage-state-elsewhere", "time", "{time}")),
        ("gone", text.with("usage-state-gone", "time", "{time}")),
        ("stale", text.with("usage-state-as-of", "time", "{time}")),
    ]
}

/// The page's heading for all apps or for one.
#[must_use]
pub fn heading(text: Text, app_name: Option<&str>) -> String {
    match app_name {
        None => text.get("usage-title"),
        Some(app) => text.with("usage-title-app", "app", app),
    }
}

/// Commands that create a conversation and send a message, for a shell.
#[derive(Template)]
#[template(path = "parts/first-message.txt", escape = "none")]
pub struct FirstMessage<'a> {
    /// Scheme, host and port of this server.
    pub origin: &'a str,
}

/// The billed total.
#[derive(Template)]
#[template(path = "usage.html", block = "total")]
pub struct TotalPart<'a> {
    /// Texts.
    pub text: &'a Text,
    /// Figures.
    pub view: &'a UsageView,
}

/// Up to when the figures are complete.
#[derive(Template)]
#[template(path = "usage.html", block = "complete")]
pub struct CompletePart<'a> {
    /// Texts.
    pub text: &'a Text,
    /// Figures.
    pub view: &'a UsageView,
}

/// Connections now.
#[derive(Template)]
#[template(path = "usage.html", block = "connections")]
pub struct ConnectionsPart<'a> {
    /// Figures.
    pub view: &'a UsageView,
}

/// How much of the quotas is used.
#[derive(Template)]
#[template(path = "parts/quotas.html")]
pub struct QuotasPart<'a> {
    /// Texts.
    pub text: &'a Text,
    /// Figures.
    pub view: &'a UsageView,
}

/// The table of apps.
#[derive(Template)]
#[template(path = "usage.html", block = "apps")]
pub struct AppsPart<'a> {
    /// Texts.
    pub text: &'a Text,
    /// Figures.
    pub view: &'a UsageView,
}

/// One row of the table of apps.
#[derive(Template)]
#[template(path = "parts/usage-app.html")]
pub struct AppPart<'a> {
    /// Texts.
    pub text: &'a Text,
    /// The app.
    pub app: &'a AppUnits,
    /// Units of all apps shown.
    pub total: i64,
}

/// The table of hours, or the empty state.
#[derive(Template)]
#[template(path = "usage.html", block = "rows")]
pub struct RowsPart<'a> {
    /// Texts.
    pub text: &'a Text,
    /// Figures.
    pub view: &'a UsageView,
    /// Addresses.
    pub links: &'a Links,
    /// Commands of the empty state.
    pub snippet: &'a str,
}

/// One row of the table of hours.
#[derive(Template)]
#[template(path = "parts/usage-row.html")]
pub struct RowPart<'a> {
    /// Texts.
    pub text: &'a Text,
    /// The row.
    pub row: &'a HourRow,
}

/// The rows of the chart's table.
#[derive(Template)]
#[template(path = "parts/usage-chart.html", block = "buckets")]
pub struct BucketsPart<'a> {
    /// Texts.
    pub text: &'a Text,
    /// Figures.
    pub view: &'a UsageView,
}

/// One row of the chart's table.
#[derive(Template)]
#[template(path = "parts/usage-bucket.html")]
pub struct BucketPart<'a> {
    /// Texts.
    pub text: &'a Text,
    /// The hour or day.
    pub bucket: Bucket,
}

/// The sum below the chart's table.
#[derive(Template)]
#[template(path = "parts/usage-chart.html", block = "sum")]
pub struct SumPart<'a> {
    /// Texts.
    pub text: &'a Text,
    /// Figures.
    pub view: &'a UsageView,
}
