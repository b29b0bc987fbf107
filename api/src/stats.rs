//! Live figures of an app: now, and as a series. They are not billed.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, ServerKey};
use crate::fault::Fault;
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get};
use actix_web::{HttpRequest, web};
use serde::Serialize;
use std::collections::BTreeMap;
use tokenim_domain::log::AppRef;
use tokenim_domain::meter::{HOUR_MS, Meter, hour_of};
use tokenim_domain::scope::Scope;
use tokenim_domain::{Code, Error};
use tokenim_protocol::time::rfc3339;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/stats", "getStats", Who::ServerKey(Scope::StatsRead), || web::to(now)),
    get("/v1/stats/series", "getStatsSeries", Who::ServerKey(Scope::StatsRead), || web::to(series))
        .refuses(&[Code::NotSupported]),
];

/// Hours of a series of messages, the current one included.
const SERIES_HOURS: i64 = 24;

/// Figures of this moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StatsReply {
    /// Connections open now; live, not billed.
    connections: u64,
    /// Users who have one.
    users: u64,
    /// Message units sent since `hour`.
    msg_sent: i64,
    /// Start of the current hour.
    #[schema(format = DateTime)]
    hour: String,
    /// When this was true.
    #[schema(format = DateTime)]
    as_of: String,
}

/// A series of one metric.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeriesReply {
    metric: &'static str,
    step: &'static str,
    /// Ascending by time.
    points: Vec<Point>,
    /// When this was true.
    #[schema(format = DateTime)]
    as_of: String,
}

/// The value of one minute or hour.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Point {
    /// Start of the minute or hour.
    #[schema(format = DateTime)]
    at: String,
    value: i64,
}

/// What a series shows.
#[derive(Debug, Clone, Copy)]
enum Series {
    ConnectionsByMinute,
    ConnectionsByHour,
    MessagesByHour,
}

/// Connections and users online, and messages of the current hour.
#[utoipa::path(get, path = "/v1/stats", responses((status = 200, body = StatsReply, description = "Figures of this moment.")))]
pub(crate) async fn now(api: web::Data<Api>, key: Auth<ServerKey>, request: HttpRequest) -> Answer {
    Query::read(&request, &[])?;
    let (app, now_ms) = (key.0.app(), api.now_ms());
    let hour = hour_of(now_ms);
    let sent = messages(&api, app, hour, hour + HOUR_MS).await?;
    let live = api.gateway.stats(app.app);
    let view = StatsReply {
        connections: live.connections,
        users: live.users,
        msg_sent: sent.values().sum(),
        hour: rfc3339(hour),
        as_of: rfc3339(now_ms),
    };
    answer::view(&view)
}

/// A series: connections open at second 0 of each of the last minutes (or their peak per hour), or message units sent per hour.
#[utoipa::path(get, path = "/v1/stats/series",
    params(
        ("metric" = String, Query, description = "`connections` (the last 180 minutes) or `msg_sent` (message units of the last 24 hours)."),
        ("step" = Option<String>, Query, description = "`minute` or `hour` (when absent); `msg_sent` has no minutes."),
    ),
    responses((status = 200, body = SeriesReply, description = "The series.")))]
pub(crate) async fn series(api: web::Data<Api>, key: Auth<ServerKey>, request: HttpRequest) -> Answer {
    let query = Query::read(&request, &["metric", "step"])?;
    let (app, now_ms) = (key.0.app(), api.now_ms());
    let which = which(query.text("metric"), query.text("step"))?;
    let (metric, step, points) = match which {
        Series::ConnectionsByMinute => ("connections", "minute", by_minute(&api.gateway.connection_series(app.app))),
        Series::ConnectionsByHour => ("connections", "hour", peak_by_hour(&api.gateway.connection_series(app.app))),
        Series::MessagesByHour => ("msg_sent", "hour", messages_by_hour(&api, app, now_ms).await?),
    };
    answer::view(&SeriesReply { metric, step, points, as_of: rfc3339(now_ms) })
}

const METRICS: &str = "`metric` must be `connections` or `msg_sent`";

fn which(metric: Option<&str>, step: Option<&str>) -> Result<Series, Fault> {
    match (metric, step.unwrap_or("hour")) {
        (Some("connections"), "minute") => Ok(Series::ConnectionsByMinute),
        (Some("connections"), "hour") => Ok(Series::ConnectionsByHour),
        (Some("msg_sent"), "hour") => Ok(Series::MessagesByHour),
        (Some("msg_sent"), "minute") => {
            Err(Fault::from(Error::new(Code::NotSupported).says("`msg_sent` is kept by hour")).at("step"))
        }
        (Some("connections" | "msg_sent"), _) => {
            Err(Error::invalid("step", "`step` must be `minute` or `hour`").into())
        }
        (Some(_), _) => Err(Error::invalid("metric", METRICS).into()),
        (None, _) => Err(Fault::malformed(METRICS, Some("metric".to_owned()))),
    }
}

fn by_minute(minutes: &[(i64, u64)]) -> Vec<Point> {
    minutes.iter().map(|(at_ms, open)| point(*at_ms, i64::try_from(*open).unwrap_or(i64::MAX))).collect()
}

fn peak_by_hour(minutes: &[(i64, u64)]) -> Vec<Point> {
    let mut peaks: BTreeMap<i64, u64> = BTreeMap::new();
    for (at_ms, open) in minutes {
        let peak = peaks.entry(hour_of(*at_ms)).or_default();
        *peak = (*peak).max(*open);
    }
    by_minute(&peaks.into_iter().collect::<Vec<_>>())
}

async fn messages_by_hour(api: &Api, app: AppRef, now_ms: i64) -> Result<Vec<Point>, Fault> {
    let end = hour_of(now_ms) + HOUR_MS;
    let first = end - SERIES_HOURS * HOUR_MS;
    let sent = messages(api, app, first, end).await?;
    let hours = (0..SERIES_HOURS).map(|hour| first + hour * HOUR_MS);
    Ok(hours.map(|at_ms| point(at_ms, sent.get(&at_ms).copied().unwrap_or(0))).collect())
}

/// Message units of an app by hour.
async fn messages(api: &Api, app: AppRef, from_ms: i64, to_ms: i64) -> Result<BTreeMap<i64, i64>, Fault> {
    let usage = api.store.org(app.org).usage_hours(from_ms, to_ms).await?;
    let sent = usage.items.iter().filter(|item| item.app == app.app && item.meter == Meter::MsgSent);
    Ok(sent.map(|item| (item.at_ms, item.quantity)).collect())
}

fn point(at_ms: i64, value: i64) -> Point {
    Point { at: rfc3339(at_ms), value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_shows_the_peak_of_its_minutes() {
        let points = peak_by_hour(&[(0, 1), (60_000, 5), (120_000, 3), (HOUR_MS, 2)]);
        assert_eq!(points, [point(0, 5), point(HOUR_MS, 2)]);
    }

    #[test]
    fn unknown_series_are_told_apart() {
        let code = |metric, step| which(metric, step).unwrap_err().code();
        assert_eq!(code(None, None), Code::InvalidRequest);
        assert_eq!(code(Some("mau"), Some("hour")), Code::InvalidField);
        assert_eq!(code(Some("connections"), Some("day")), Code::InvalidField);
        assert_eq!(code(Some("msg_sent"), Some("minute")), Code::NotSupported);
    }
}
