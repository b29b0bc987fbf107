//! Reads the figures once; page, stream, chart and CSV are made from this one reading and nothing else.
use std::{cmp::Reverse, collections::BTreeMap};

use tokenim_domain::{
    Error,
    id::{AppId, OrgId},
    meter::Meter,
    plan::LimitMode,
};
use tokenim_store::{App, QuotaState, UsageHour};
use tokenim_templates::{
    frame::Mode,
    page::usage::{AppUnits, HourRow, UsageView, chart::Chart, filter::Meter as Shown, pulse::Pulse, quota::QuotaBar},
    time::{HOUR_MS, Utc},
};

use super::{
    pulse,
    query::{Cursor, Query},
    range::Window,
};
use crate::{console::Console, fault::Fault, visit::mode_of};

/// Rows of hours per page.
const ROWS_MAX: usize = 50;

/// The figures of one org and filter at one instant.
pub(crate) struct Reading {
    pub(crate) at_ms: i64,
    /// All apps of the org.
    pub(crate) apps: Vec<App>,
    /// The app the filter chose.
    pub(crate) app: Option<App>,
    /// Hours of the chosen meter and apps in the window, in the order of [`place`].
    pub(crate) hours: Vec<UsageHour>,
    /// The same of as long a time before, where the range is compared with it.
    before: Option<Vec<UsageHour>>,
    pub(crate) complete_to_ms: i64,
    pub(crate) window: Window,
    pulse: Pulse,
    /// Connections of the chosen apps.
    pub(crate) connections: u64,
    /// Of the live apps together, and of the chosen test apps.
    pub(crate) quotas: Vec<QuotaState>,
}

/// Reads the figures a query asks for.
///
/// Errors: `NotFound` for an app that is not the org's; the store's.
pub(crate) async fn read(console: &Console, org: OrgId, query: &Query) -> Result<Reading, Fault> {
    let scope = console.store.org(org);
    let apps = scope.list_apps().await?;
    let app = match query.app {
        None => None,
        Some(id) => Some(apps.iter().find(|app| app.id == id).cloned().ok_or(Fault::NotFound)?),
    };
    let at_ms = console.now_ms();
    let window = query.range.window(at_ms);
    let earlier_ms = if query.range.is_compared() { window.to_ms - window.from_ms } else { 0 };
    let usage = scope.usage_hours(window.from_ms - earlier_ms, window.to_ms).await?;
    let meter = metered(query.meter);
    let is_chosen = |id: AppId| query.app.is_none_or(|chosen| chosen == id);
    let shown = || apps.iter().filter(|app| is_chosen(app.id));
    let connections = shown().map(|app| console.live.connections(app.id)).sum();
    let pulse = pulse::read(console, shown());
    let chosen = usage.items.into_iter().filter(|hour| hour.meter == meter && is_chosen(hour.app));
    let (mut hours, before): (Vec<_>, Vec<_>) = chosen.partition(|hour| hour.at_ms >= window.from_ms);
    hours.sort_by_key(|hour| place(hour.at_ms, hour.app));
    let mut quotas = scope.quotas().await?;
    quotas.retain(|quota| quota.app.as_ref().is_none_or(|app| is_chosen(app.id)));
    let complete_to_ms = usage.complete_to_ms;
    Ok(Reading {
        at_ms,
        apps,
        app,
        hours,
        before: query.range.is_compared().then_some(before),
        complete_to_ms,
        window,
        pulse,
        connections,
        quotas,
    })
}

/// The meter as it is counted.
fn metered(meter: Shown) -> Meter {
    match meter {
        Shown::Sent => Meter::MsgSent,
        Shown::Delivered => Meter::MsgDelivered,
    }
}

/// Hours are listed newest first, then by app.
fn place(at_ms: i64, app: AppId) -> (Reverse<i64>, AppId) {
    (Reverse(at_ms), app)
}

impl Reading {
    /// The mode of the chosen app; none while all apps are shown.
    pub(crate) fn mode(&self) -> Option<Mode> {
        self.app.as_ref().map(|app| mode_of(app.mode))
    }

    /// What page and stream show, with one page of hours.
    pub(crate) fn view(&self, query: &Query) -> Result<UsageView, Error> {
        let units = self.units_by_app();
        let shown = self.apps.iter().filter(|app| self.app.as_ref().is_none_or(|chosen| chosen.id == app.id));
        let apps: Vec<AppUnits> = shown.map(|app| app_units(app, units.get(&app.id).copied().unwrap_or(0))).collect();
        let test_total = apps.iter().filter(|app| app.mode == Mode::Test).map(|app| app.units).sum();
        Ok(UsageView {
            meter: query.meter,
            total: units.values().sum(),
            test_total,
            complete_to: Utc::from_ms(self.complete_to_ms),
            connections: self.connections,
            pulse: self.pulse.clone(),
            quotas: self.quotas.iter().map(bar).collect(),
            chart: self.chart()?,
            apps,
            rows: self.page(query.after).iter().map(|hour| self.row(hour)).collect(),
        })
    }

    /// The cursor of the page after this one, if there is one.
    pub(crate) fn next_page(&self, query: &Query) -> Option<Cursor> {
        let last = self.page(query.after).last()?;
        let cursor = Cursor { at_ms: last.at_ms, app: last.app };
        (!self.page(Some(cursor)).is_empty()).then_some(cursor)
    }

    /// The name of an app of this org.
    pub(crate) fn app_of(&self, id: AppId) -> Option<&App> {
        self.apps.iter().find(|app| app.id == id)
    }

    /// Whether an hour is over and everything of it is counted.
    pub(crate) fn is_complete(&self, hour: &UsageHour) -> bool {
        hour.at_ms + HOUR_MS <= self.complete_to_ms
    }

    fn units_by_app(&self) -> BTreeMap<AppId, i64> {
        let mut units = BTreeMap::new();
        for hour in &self.hours {
            *units.entry(hour.app).or_insert(0) += hour.quantity;
        }
        units
    }

    /// The hours after a cursor, as many as a page has.
    fn page(&self, after: Option<Cursor>) -> &[UsageHour] {
        let is_shown = |hour: &UsageHour| {
            after.is_some_and(|cursor| place(hour.at_ms, hour.app) <= place(cursor.at_ms, cursor.app))
        };
        let rest = &self.hours[self.hours.partition_point(is_shown)..];
        &rest[..rest.len().min(ROWS_MAX)]
    }

    fn row(&self, hour: &UsageHour) -> HourRow {
        HourRow {
            at: Utc::from_ms(hour.at_ms),
            at_ms: hour.at_ms,
            app_id: hour.app.to_string(),
            app_name: self.app_of(hour.app).map_or_else(|| hour.app.to_string(), |app| app.name.clone()),
            units: hour.quantity,
            complete: self.is_complete(hour),
        }
    }

    fn chart(&self) -> Result<Chart, Error> {
        let Window { from_ms, to_ms, step_ms } = self.window;
        let bucket_of = |at_ms: i64| usize::try_from((at_ms - from_ms).div_euclid(step_ms)).ok();
        let sum = |hours: &[UsageHour], later_ms: i64| {
            let mut units = vec![0; bucket_of(to_ms).unwrap_or(0).max(1)];
            for hour in hours {
                let bucket = bucket_of(hour.at_ms + later_ms).and_then(|bucket| units.get_mut(bucket));
                *bucket.ok_or_else(|| Error::internal("the store returned an hour outside the range"))? +=
                    hour.quantity;
            }
            Ok::<_, Error>(units)
        };
        let units = sum(&self.hours, 0)?;
        let before = self.before.as_ref().map(|before| sum(before, to_ms - from_ms)).transpose()?.unwrap_or_default();
        let complete = bucket_of(self.complete_to_ms).unwrap_or(0).min(units.len());
        Ok(Chart { from_ms, step_ms, units, before, complete })
    }
}

fn bar(quota: &QuotaState) -> QuotaBar {
    QuotaBar {
        app: quota.app.as_ref().map(|app| app.name.clone()),
        limit: quota.entitlement.value,
        is_hard: quota.entitlement.mode == LimitMode::Hard,
        used: quota.used,
        resets_at: quota.resets_at_ms.map(Utc::from_ms),
    }
}

fn app_units(app: &App, units: i64) -> AppUnits {
    AppUnits { id: app.id.to_string(), name: app.name.clone(), mode: mode_of(app.mode), units }
}

#[cfg(test)]
mod tests {
    use tokenim_domain::id::AppId;
    use tokenim_templates::{page::usage::filter::Span, time::DAY_MS};

    use super::*;
    use crate::usage::range::Range;

    const NOW_MS: i64 = 1_795_615_503_000;

    fn app(number: u8) -> AppId {
        format!("app_0000000000000000000000000{number}").parse().unwrap()
    }

    fn reading(span: Span, hours: Vec<(u8, i64, i64)>) -> Reading {
        let apps = [1, 2].map(|number| App {
            id: app(number),
            name: format!("App {number}"),
            mode: tokenim_domain::role::Mode::Test,
            suspended_ms: None,
            strangers: tokenim_domain::group::Strangers::Anyone,
            logins: tokenim_domain::login::Logins::Devices,
            unknown_users: tokenim_domain::login::UnknownUsers::Create,
            created_ms: 0,
        });
        let hour = |(number, at_ms, quantity)| UsageHour { app: app(number), meter: Meter::MsgSent, at_ms, quantity };
        let mut hours: Vec<UsageHour> = hours.into_iter().map(hour).collect();
        hours.sort_by_key(|hour| place(hour.at_ms, hour.app));
        Reading {
            at_ms: NOW_MS,
            apps: apps.to_vec(),
            app: None,
            hours,
            before: None,
            complete_to_ms: NOW_MS,
            window: Range::Last(span).window(NOW_MS),
            pulse: Pulse::default(),
            connections: 3,
            quotas: Vec::new(),
        }
    }

    fn query(span: Span) -> Query {
        Query { app: None, meter: Shown::default(), range: Range::Last(span), after: None, language: None }
    }

    #[test]
    fn chart_apps_and_total_are_one_number_for_any_hours() {
        for span in Span::ALL {
            let window = Range::Last(span).window(NOW_MS);
            let hours = (0..500)
                .map(|step| {
                    (
                        1 + step as u8 % 2,
                        window.from_ms + (step * 7919 * HOUR_MS) % (window.to_ms - window.from_ms),
                        step,
                    )
                })
                .collect();
            let view = reading(span, hours).view(&query(span)).unwrap();
            assert_eq!(view.total, (0..500).sum::<i64>());
            assert_eq!(view.chart.units.iter().sum::<i64>(), view.total);
            assert_eq!(view.apps.iter().map(|app| app.units).sum::<i64>(), view.total);
            assert_eq!(view.test_total, view.total);
        }
    }

    #[test]
    fn the_day_before_stands_behind_the_same_hours_and_counts_nowhere_else() {
        let from_ms = Range::Last(Span::Day).window(NOW_MS).from_ms;
        let hour = |hour: i64, quantity| UsageHour {
            app: app(1),
            meter: Meter::MsgSent,
            at_ms: from_ms + hour * HOUR_MS,
            quantity,
        };
        let mut reading = reading(Span::Day, vec![(1, from_ms + 2 * HOUR_MS, 5)]);
        reading.before = Some(vec![hour(-24, 7), hour(-22, 9), hour(-1, 1)]);
        let view = reading.view(&query(Span::Day)).unwrap();
        assert_eq!((view.total, view.chart.units[2]), (5, 5));
        assert_eq!(view.chart.before.len(), 24);
        assert_eq!([0, 2, 23].map(|hour| view.chart.before[hour]), [7, 9, 1]);
        assert_eq!(view.chart.before.iter().sum::<i64>(), 17);
    }

    #[test]
    fn the_running_hour_and_day_are_incomplete() {
        let day = reading(Span::Day, vec![(1, Range::Last(Span::Day).window(NOW_MS).to_ms - HOUR_MS, 5)])
            .view(&query(Span::Day))
            .unwrap();
        assert_eq!(day.chart.complete, 23);
        assert!(!day.rows[0].complete);
        let month = reading(Span::Month, vec![]).view(&query(Span::Month)).unwrap();
        assert_eq!((month.chart.units.len(), month.chart.complete, month.chart.step_ms), (30, 29, DAY_MS));
    }

    #[test]
    fn pages_of_hours_show_each_once() {
        let from_ms = Range::Last(Span::Week).window(NOW_MS).from_ms;
        let hours: Vec<_> = (0..130).map(|hour| (1 + (hour % 2) as u8, from_ms + hour / 2 * HOUR_MS, 1)).collect();
        let reading = reading(Span::Week, hours);
        let (mut query, mut seen, mut pages) = (query(Span::Week), Vec::new(), 0);
        loop {
            seen.extend(reading.view(&query).unwrap().rows.into_iter().map(|row| (row.at_ms, row.app_id)));
            pages += 1;
            let Some(next) = reading.next_page(&query) else { break };
            query = query.at(Some(next));
        }
        assert_eq!((pages, seen.len()), (3, 130));
        let order: Vec<_> = seen.iter().map(|(at_ms, app)| (Reverse(*at_ms), app.clone())).collect();
        assert!(order.is_sorted());
    }
}
