//! The overview: the figures of the last 24 hours over all apps, and the quickstarts of apps that wait for a first message.
use actix_web::http::StatusCode;
use tokenim_domain::actor::Action;
use tokenim_templates::{
    frame::Mode,
    page::usage::{self as page, overview::OverviewPage},
    time::Utc,
};

use crate::{
    answer,
    form::push_field,
    routes::{Answer, RouteSpec, Who, get},
    stream,
    usage::{self, query::Query, reading},
    visit::Visit,
};

/// The page's path.
pub(crate) const PATH: &str = "/console/overview";
pub(crate) const ROUTES: &[RouteSpec] = &[get(PATH, Who::May(Action::ReadOverview), |visit| Box::pin(show(visit)))];

async fn show(visit: &mut Visit<'_>) -> Answer {
    let (latest, _) = Query::parse("")?;
    let query = Query { language: visit.asked_language(), ..latest };
    let reading = reading::read(visit.console, visit.member()?.org, &query).await?;
    let view = reading.view(&query)?;
    let text = visit.text();
    let waits = view.apps.iter().filter(|app| app.mode == Mode::Test && app.units == 0);
    let may_start = visit.member()?.role.may(Action::ReadKeys);
    let starts = waits.filter(|_| may_start).map(|app| (quickstart(&app.id), app.name.clone())).collect();
    let mut stream = query.address(stream::PATH);
    push_field(&mut stream, "topics", stream::topics::OVERVIEW);
    let page = OverviewPage {
        frame: visit.frame(None),
        text: &text,
        links: &usage::links(&reading, &query),
        starts,
        stream,
        sampled_at: Utc::from_ms(reading.at_ms),
        chart_json: usage::chart_json(&view, text),
        moving_states: page::moving_states(text),
        view: &view,
    };
    answer::page(StatusCode::OK, &page, visit)
}

fn quickstart(app: &str) -> String {
    format!("/console/apps/{app}/quickstart")
}
