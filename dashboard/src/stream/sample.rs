//! One second's figures of a feed, rendered once for all its viewers.
use tokenim_templates::{
    Template,
    page::usage::{
        AppPart, AppUnits, AppsPart, BucketPart, BucketsPart, CompletePart, ConnectionsPart, QuotasPart, RowPart,
        RowsPart, SumPart, TotalPart,
        pulse::{HealthPart, PacePart, RefusalsPart},
    },
    text::Text,
};

use super::board::FeedKey;
use crate::{
    console::Console,
    fault::Fault,
    usage::{self, reading},
};

/// A part of the page: the id of its element and its markup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) id: String,
    pub(crate) html: String,
}

/// A table: the whole element, and each row by itself for the usual case that few rows changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) whole: Part,
    pub(crate) rows: Vec<Part>,
}

/// All parts at one instant.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) at_ms: i64,
    /// Total, connections, completeness, quotas.
    pub(crate) figures: Vec<Part>,
    /// Health, messages a second, refusals.
    pub(crate) pulse: Vec<Part>,
    pub(crate) apps: Table,
    pub(crate) buckets: Table,
    pub(crate) sum: Part,
    pub(crate) chart_json: String,
    pub(crate) hours: Table,
}

/// Reads and renders a feed's figures.
pub(crate) async fn take(console: &Console, key: &FeedKey) -> Result<Sample, Fault> {
    let reading = reading::read(console, key.org, &key.query).await?;
    let view = &reading.view(&key.query)?;
    let text = &Text::new(key.language);
    let links = &usage::links(&reading, &key.query);
    let snippet = &usage::snippet(&key.origin)?;
    let buckets: Result<Vec<Part>, Fault> = view
        .chart
        .buckets()
        .map(|bucket| part(format!("bucket-{}", bucket.at_ms), &BucketPart { text, bucket }))
        .collect();
    let app_row = |app| part(AppUnits::element_id(app), &AppPart { text, app, total: view.total });
    let apps: Result<Vec<Part>, Fault> = view.apps.iter().map(app_row).collect();
    let hours: Result<Vec<Part>, Fault> =
        view.rows.iter().map(|row| part(row.element_id(), &RowPart { text, row })).collect();
    Ok(Sample {
        at_ms: reading.at_ms,
        figures: vec![
            part("usage-total", &TotalPart { text, view })?,
            part("usage-complete", &CompletePart { text, view })?,
            part("usage-connections", &ConnectionsPart { view })?,
            part("usage-quotas", &QuotasPart { text, view })?,
        ],
        pulse: vec![
            part("overview-health", &HealthPart { text, view })?,
            part("overview-pace", &PacePart { view })?,
            part("recent-refusals", &RefusalsPart { text, view })?,
        ],
        apps: Table { whole: part("usage-apps", &AppsPart { text, view })?, rows: apps? },
        buckets: Table { whole: part("usage-buckets", &BucketsPart { text, view })?, rows: buckets? },
        sum: part("usage-sum", &SumPart { text, view })?,
        chart_json: usage::chart_json(view, *text),
        hours: Table { whole: part("usage-rows", &RowsPart { text, view, links, snippet })?, rows: hours? },
    })
}

fn part(id: impl Into<String>, template: &impl Template) -> Result<Part, Fault> {
    Ok(Part { id: id.into(), html: template.render().map_err(tokenim_domain::Error::internal)? })
}
