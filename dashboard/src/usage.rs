//! The usage page: filters from the address, figures from one reading, the live stream's address.
use actix_web::http::StatusCode;
use serde_json::json;
use tokenim_domain::actor::Action;
use tokenim_templates::{
    Template,
    page::usage::{
        self as page, FirstMessage, Links, UsagePage, UsageView,
        filter::{AppOption, Filter, Meter, MeterOption, Preset, Span},
    },
    text::Text,
    time::Utc,
};

use crate::{
    answer,
    fault::{Fault, sign_in_address},
    form::push_field,
    routes::{Answer, RouteSpec, Who, get},
    stream,
    visit::{Visit, mode_of},
};

pub(crate) mod csv;
mod pulse;
pub(crate) mod query;
pub(crate) mod range;
pub(crate) mod reading;

use query::Query;
use range::Range;
use reading::Reading;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get(PATH, Who::May(Action::ReadUsage), |visit| Box::pin(show(visit))),
    get(CSV_PATH, Who::May(Action::ReadUsage), |visit| Box::pin(csv::show(visit))),
];

/// The page's path.
const PATH: &str = "/console/usage";
/// The same figures as a file.
const CSV_PATH: &str = "/console/usage.csv";

/// Answers the page.
async fn show(visit: &Visit<'_>) -> Answer {
    let (query, _) = Query::parse(visit.request.query_string())?;
    let reading = reading::read(visit.console, visit.member()?.org, &query).await?;
    let view = reading.view(&query)?;
    let text = visit.text();
    let links = links(&reading, &query);
    let page = UsagePage {
        frame: visit.frame(reading.mode()),
        text: &text,
        heading: page::heading(text, reading.app.as_ref().map(|app| app.name.as_str())),
        filter: filter(&reading, &query),
        links: &links,
        stream: stream_address(&query),
        sampled_at: Utc::from_ms(reading.at_ms),
        chart_json: chart_json(&view, text),
        snippet: snippet(&visit.origin())?,
        moving_states: page::moving_states(text),
        view: &view,
    };
    answer::page(StatusCode::OK, &page, visit)
}

/// Addresses of the page and of its live parts.
pub(crate) fn links(reading: &Reading, query: &Query) -> Links {
    let here = query.address(PATH);
    let mut zoom = query.address_without_range(PATH);
    zoom.push(if zoom.contains('?') { '&' } else { '?' });
    Links {
        csv: query.at(None).address(CSV_PATH),
        newest: query.after.map(|_| query.at(None).address(PATH)).unwrap_or_default(),
        older: reading.next_page(query).map(|next| query.at(Some(next)).address(PATH)).unwrap_or_default(),
        sign_in: sign_in_address(&here),
        zoom,
        here,
    }
}

/// The numbers that `console.js` draws: the server-drawn chart's own.
pub(crate) fn chart_json(view: &UsageView, text: Text) -> String {
    let chart = &view.chart;
    json!({
        "from": chart.from_ms, "step": chart.step_ms, "units": chart.units, "before": chart.before, "complete": chart.complete,
        "x": chart.x_values(), "y": chart.y_values(), "label": chart.label(view.meter, &text),
    })
    .to_string()
}

/// Commands that send a first message to this server.
pub(crate) fn snippet(origin: &str) -> Result<String, Fault> {
    Ok(FirstMessage { origin }.render().map_err(tokenim_domain::Error::internal)?)
}

fn filter(reading: &Reading, query: &Query) -> Filter {
    let option = |app: &tokenim_store::App| AppOption {
        id: app.id.to_string(),
        name: app.name.clone(),
        mode: mode_of(app.mode),
        chosen: query.app == Some(app.id),
    };
    let preset =
        |span| Preset { span, href: query.with_span(span).address(PATH), chosen: query.range == Range::Last(span) };
    let meter =
        |meter| MeterOption { meter, href: query.with_meter(meter).address(PATH), chosen: query.meter == meter };
    Filter {
        app: query.app.map(|app| app.to_string()).unwrap_or_default(),
        apps: reading.apps.iter().map(option).collect(),
        meters: Meter::ALL.map(meter).to_vec(),
        presets: Span::ALL.map(preset).to_vec(),
        custom: matches!(query.range, Range::Custom { .. }),
        range_fields: query.range.fields(),
        meter_field: query.meter_field(),
    }
}

/// The stream of this page's filter; later pages of hours do not move.
fn stream_address(query: &Query) -> String {
    let mut address = query.at(None).address(stream::PATH);
    push_field(
        &mut address,
        "topics",
        if query.after.is_some() { stream::topics::WITHOUT_ROWS } else { stream::topics::ALL },
    );
    address
}
