//! Samples of the overview and of the usage page.
use std::time::Duration;

use askama::Template;

use super::{AT_MS, HOSTILE};
use crate::{
    frame::{Frame, Mode},
    page::usage::{
        self, AppUnits, HourRow, Links, UsagePage, UsageView,
        chart::Chart,
        filter::*,
        overview::OverviewPage,
        pulse::{Pulse, Refusal},
        quota::QuotaBar,
    },
    time::{HOUR_MS, Utc},
};

pub(super) fn pages(frame: &Frame<'_>) -> Vec<(String, String)> {
    vec![
        ("usage".to_owned(), usage_page(frame.clone(), &view(vec![0, 7, 1_204_331, 35]))),
        ("usage-empty".to_owned(), usage_page(frame.clone(), &view(vec![0, 0]))),
        (
            "usage-delivered".to_owned(),
            usage_page(frame.clone(), &UsageView { meter: Meter::Delivered, ..view(vec![0, 0]) }),
        ),
        ("overview".to_owned(), overview(frame.clone())),
    ]
}

fn view(units: Vec<i64>) -> UsageView {
    let from_ms = AT_MS.div_euclid(HOUR_MS) * HOUR_MS - HOUR_MS * (units.len() as i64 - 1);
    let total = units.iter().sum();
    let app = |name: &str, mode| AppUnits {
        id: format!("app_{}", mode as u8),
        name: name.to_owned(),
        mode,
        units: total / 2,
    };
    let row = |at_ms| HourRow {
        at: Utc::from_ms(at_ms),
        at_ms,
        app_id: "app_0".into(),
        app_name: HOSTILE.into(),
        units: 1204,
        complete: false,
    };
    UsageView {
        meter: Meter::default(),
        total,
        test_total: total / 2,
        complete_to: Utc::from_ms(AT_MS),
        connections: 4096,
        pulse: pulse(),
        quotas: quotas(),
        apps: vec![app(HOSTILE, Mode::Live), app("Shop", Mode::Test)],
        rows: if total > 0 { vec![row(from_ms), row(from_ms + HOUR_MS)] } else { Vec::new() },
        chart: Chart { from_ms, step_ms: HOUR_MS, complete: units.len() - 1, before: vec![40; units.len()], units },
    }
}

/// Every state of the health line, and refusals.
fn pulse() -> Pulse {
    let refusal = |code, count| Refusal { code, app: HOSTILE.into(), count, lately: 1, last: Utc::from_ms(AT_MS) };
    Pulse {
        draining: true,
        api: Some(Duration::from_millis(3)),
        delivery: None,
        messages: 42,
        pace_seconds: 10,
        refusals: vec![refusal("token_expired", 1_204), refusal("rate_limited", 1)],
    }
}

/// Every state of a bar.
fn quotas() -> Vec<QuotaBar> {
    let bar = |app: Option<&str>, limit, is_hard, used| QuotaBar {
        app: app.map(str::to_owned),
        limit,
        is_hard,
        used,
        resets_at: app.is_none().then(|| Utc::from_ms(AT_MS)),
    };
    let hard = [0, 80, 100].map(|used| bar(None, Some(100), true, used));
    let soft = [0, 80, 100].map(|used| bar(Some(HOSTILE), Some(100), false, used));
    hard.into_iter().chain(soft).chain([bar(None, None, false, 7)]).collect()
}

fn filter() -> Filter {
    Filter {
        app: String::new(),
        apps: vec![AppOption { id: "app_0".into(), name: HOSTILE.into(), mode: Mode::Live, chosen: true }],
        presets: Span::ALL
            .map(|span| Preset { span, href: "/console/usage?range=24h".into(), chosen: span == Span::Day })
            .to_vec(),
        custom: false,
        meters: Meter::ALL
            .map(|meter| MeterOption {
                meter,
                href: "/console/usage?meter=msg_delivered".into(),
                chosen: meter == Meter::Sent,
            })
            .to_vec(),
        range_fields: vec![("range", "24h".into())],
        meter_field: Some(("meter", Meter::Delivered.name())),
    }
}

fn usage_page(frame: Frame<'_>, view: &UsageView) -> String {
    let links = Links {
        here: "/console/usage".into(),
        csv: "/console/usage.csv".into(),
        older: "/console/usage?after=1".into(),
        ..Links::default()
    };
    let text = frame.text;
    let page = UsagePage {
        text: &text,
        heading: usage::heading(text, Some(HOSTILE)),
        view,
        filter: filter(),
        links: &links,
        stream: "/console/stream?topics=figures".into(),
        sampled_at: Utc::from_ms(AT_MS),
        chart_json: "{\"units\":[1]}".into(),
        snippet: "curl".into(),
        moving_states: usage::moving_states(text),
        frame,
    };
    page.render().expect("renders")
}

fn overview(frame: Frame<'_>) -> String {
    let (text, view) = (frame.text, view(vec![0, 7]));
    let page = OverviewPage {
        text: &text,
        view: &view,
        links: &Links::default(),
        starts: vec![("/console/apps/app_0/quickstart".into(), HOSTILE.into())],
        stream: "/console/stream?topics=figures".into(),
        sampled_at: Utc::from_ms(AT_MS),
        chart_json: "{\"units\":[1]}".into(),
        moving_states: usage::moving_states(text),
        frame,
    };
    page.render().expect("renders")
}
