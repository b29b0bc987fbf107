//! `GET /v1/usage`: what the app has used, by hour or day.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, ServerKey};
use crate::fault::Fault;
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get};
use actix_web::{HttpRequest, web};
use serde::Serialize;
use std::collections::BTreeMap;
use tokenim_domain::Error;
use tokenim_domain::id::AppId;
use tokenim_domain::meter::{HOUR_MS, Meter};
use tokenim_domain::scope::Scope;
use tokenim_protocol::time::{self, rfc3339};
use tokenim_store::UsageHour;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] =
    &[get("/v1/usage", "listUsage", Who::ServerKey(Scope::UsageRead), || web::to(list))];

const DAY_MS: i64 = 24 * HOUR_MS;
/// How far back an answer reaches when the call names no `from`.
const RANGE_DEFAULT_MS: i64 = DAY_MS;

/// Usage of an app.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageReply {
    /// Ascending by time; a time without an item had no usage.
    items: Vec<UsageItem>,
    /// Everything committed before this time is counted.
    #[schema(format = DateTime)]
    complete_to: String,
}

/// Usage of one meter in one hour or day.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct UsageItem {
    /// Start of the hour, or of the day (UTC).
    #[schema(format = DateTime)]
    at: String,
    app: String,
    /// What was counted: `msg_sent` message units of 5,120 bytes; `msg_delivered` those that devices received;
    /// `api_call` calls; `conn_min` connections open at second 0 of each minute; `stored` bytes of large bodies at each full hour.
    #[schema(example = "msg_sent")]
    meter: &'static str,
    /// How much, in the meter's unit.
    quantity: i64,
}

/// What items are summed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Hour,
    Day,
}

impl Group {
    const fn ms(self) -> i64 {
        match self {
            Group::Hour => HOUR_MS,
            Group::Day => DAY_MS,
        }
    }
}

/// Which usage is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// Start of the first hour or day, milliseconds since 1970.
    pub(crate) from_ms: i64,
    /// End of the last one.
    pub(crate) to_ms: i64,
    group: Group,
}

impl Asked {
    /// Reads `from`, `to` and `group`. Errors: `invalid_field`.
    pub(crate) fn read(query: &Query, now_ms: i64) -> Result<Self, Fault> {
        let group = match query.text("group") {
            None | Some("hour") => Group::Hour,
            Some("day") => Group::Day,
            Some(_) => return Err(Error::invalid("group", "`group` must be `hour` or `day`").into()),
        };
        let (from_ms, to_ms) = range(query, group, now_ms)?;
        Ok(Asked { from_ms, to_ms, group })
    }

    /// Sums hours by hour or day, app and meter.
    pub(crate) fn sum<'a>(&self, hours: impl Iterator<Item = &'a UsageHour>) -> Vec<UsageItem> {
        let group_ms = self.group.ms();
        let mut sums: BTreeMap<(i64, AppId, Meter), i64> = BTreeMap::new();
        for hour in hours {
            let at_ms = hour.at_ms.div_euclid(group_ms) * group_ms;
            *sums.entry((at_ms, hour.app, hour.meter)).or_default() += hour.quantity;
        }
        let item = |((at_ms, app, meter), quantity): ((i64, AppId, Meter), i64)| UsageItem {
            at: rfc3339(at_ms),
            app: app.to_string(),
            meter: meter.as_str(),
            quantity,
        };
        sums.into_iter().map(item).collect()
    }
}

/// What the app of this key has used: the same rows as the invoice reads.
#[utoipa::path(get, path = "/v1/usage",
    params(
        ("from" = Option<String>, Query, description = "RFC 3339 time or date; 24 hours before `to` when absent. Cut down to a whole hour or day."),
        ("to" = Option<String>, Query, description = "RFC 3339 time or date, exclusive; now when absent. Cut up to a whole hour or day. At most 366 days after `from`."),
        ("group" = Option<String>, Query, description = "`hour` (when absent) or `day`, in UTC."),
    ),
    responses((status = 200, body = UsageReply, description = "Usage.")))]
pub(crate) async fn list(api: web::Data<Api>, key: Auth<ServerKey>, request: HttpRequest) -> Answer {
    let query = Query::read(&request, &["from", "to", "group"])?;
    let asked = Asked::read(&query, api.now_ms())?;
    let app = key.0.app();
    let usage = api.store.org(app.org).usage_hours(asked.from_ms, asked.to_ms).await?;
    let items = asked.sum(usage.items.iter().filter(|hour| hour.app == app.app));
    answer::view(&UsageReply { items, complete_to: rfc3339(usage.complete_to_ms) })
}

/// The range in whole groups.
fn range(query: &Query, group: Group, now_ms: i64) -> Result<(i64, i64), Fault> {
    let at = |name: &'static str| {
        let wrong = || Fault::from(Error::invalid(name, format!("`{name}` must be an RFC 3339 time or a date")));
        query.text(name).map(|text| time::parse(text).ok_or_else(wrong)).transpose()
    };
    // The range is half-open: what is committed in this very millisecond belongs to "until now".
    let to = at("to")?.unwrap_or(now_ms + 1);
    let from = at("from")?.unwrap_or(to - RANGE_DEFAULT_MS);
    let down = |at: i64| at.div_euclid(group.ms()) * group.ms();
    Ok((down(from), down(to + group.ms() - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenim_domain::clock::SystemClock;
    use tokenim_domain::rng::SystemRng;

    #[test]
    fn only_the_own_app_is_summed() {
        let app = || AppId::new(&SystemClock::new(), &SystemRng);
        let (own, other) = (app(), app());
        let hour = |app, at_ms, quantity| UsageHour { app, meter: Meter::MsgSent, at_ms, quantity };
        let hours = [hour(own, 0, 1), hour(other, 0, 10), hour(own, HOUR_MS, 2), hour(own, DAY_MS, 4)];
        let sum = |group| Asked { from_ms: 0, to_ms: 0, group }.sum(hours.iter().filter(|hour| hour.app == own));
        let quantities = |group| sum(group).iter().map(|item| item.quantity).collect::<Vec<_>>();
        assert_eq!(quantities(Group::Hour), [1, 2, 4]);
        assert_eq!(quantities(Group::Day), [3, 4]);
        assert_eq!(sum(Group::Day)[1].at, "1970-01-02T00:00:00.000Z");
    }

    #[test]
    fn a_day_is_cut_to_whole_days_and_the_default_is_the_last_24_hours() {
        let query = |text| {
            Query::read(&actix_web::test::TestRequest::with_uri(text).to_http_request(), &["from", "to"]).unwrap()
        };
        assert_eq!(
            range(&query("/?from=1970-01-02T05:00:00Z&to=1970-01-02T06:00:00Z"), Group::Day, 0).unwrap(),
            (DAY_MS, 2 * DAY_MS)
        );
        assert_eq!(range(&query("/"), Group::Hour, 5 * DAY_MS + 1).unwrap(), (4 * DAY_MS, 5 * DAY_MS + HOUR_MS));
        assert!(range(&query("/?from=yesterday"), Group::Hour, 0).is_err());
    }
}
