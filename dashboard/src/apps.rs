//! Apps of the org: the list, a new one, and one with its state.
use std::collections::HashMap;

use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::apps;
use tokenim_domain::{Code, actor::Action, group, id::AppId, login, meter::Meter, role};
use tokenim_store::{App, AppChange};
use tokenim_templates::{
    flash::Flash,
    frame::Mode,
    page::apps::{AppPage, AppView, AppsPage, Logins, NewAppPage, Strangers, UnknownUsers},
    problem::Problems,
    time::{DAY_MS, Utc},
};

use crate::{
    answer,
    fault::Fault,
    form::Form,
    problems::{Refusal, refusal},
    routes::{Answer, RouteSpec, Who, get, post},
    visit::{Visit, mode_of},
};

const LIST: &str = "/console/apps";

pub(crate) const ROUTES: &[RouteSpec] = &[
    get(LIST, Who::May(Action::ReadApps), |visit| Box::pin(list(visit))),
    post(LIST, Who::May(Action::ChangeApps), |visit, form| Box::pin(create(visit, form))).once(),
    get("/console/apps/new", Who::May(Action::ChangeApps), |visit| Box::pin(offer(visit))),
    get("/console/apps/{app}", Who::May(Action::ReadApps), |visit| Box::pin(show(visit))),
    post("/console/apps/{app}/rename", Who::May(Action::ChangeApps), |visit, form| Box::pin(rename(visit, form)))
        .once(),
    post("/console/apps/{app}/strangers", Who::May(Action::ChangeApps), |visit, form| {
        Box::pin(set_strangers(visit, form))
    })
    .once(),
    post("/console/apps/{app}/logins", Who::May(Action::ChangeApps), |visit, form| Box::pin(set_logins(visit, form)))
        .once(),
    post("/console/apps/{app}/unknown-users", Who::May(Action::ChangeApps), |visit, form| {
        Box::pin(set_unknown_users(visit, form))
    })
    .once(),
    post("/console/apps/{app}/suspend", Who::May(Action::ChangeApps), |visit, _| Box::pin(suspend(visit, true))).once(),
    post("/console/apps/{app}/resume", Who::May(Action::ChangeApps), |visit, _| Box::pin(suspend(visit, false))).once(),
    post("/console/apps/{app}/delete", Who::May(Action::ChangeApps), |visit, form| Box::pin(delete(visit, form)))
        .fresh()
        .once(),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewApp {
    name: String,
    mode: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewName {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRule {
    strangers: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLogins {
    logins: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUnknownUsers {
    unknown_users: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedName {
    typed_name: String,
}

async fn list(visit: &mut Visit<'_>) -> Answer {
    let org = visit.org()?;
    let (apps, units) = (org.list_apps().await?, units_today(visit).await?);
    let apps = apps.iter().map(|app| view(app, &units)).collect();
    let snippet = format!(
        "export TIM_MANAGEMENT_KEY=…  # Settings, management keys\ncurl {}/v1/manage/apps \\\n  -H \"Authorization: Bearer $TIM_MANAGEMENT_KEY\" \\\n  \
         -H \"Content-Type: application/json\" \\\n  -d '{{\"name\": \"My app\", \"mode\": \"test\"}}'",
        visit.origin()
    );
    let page = AppsPage { frame: visit.frame(None), apps, may_change: may_change(visit)?, snippet: &snippet };
    answer::page(StatusCode::OK, &page, visit)
}

async fn offer(visit: &mut Visit<'_>) -> Answer {
    new_page(visit, StatusCode::OK, "", Mode::Test, Problems::none())
}

async fn create(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let NewApp { name, mode } = form.parse()?;
    let mode = role::Mode::find(&mode).ok_or(Fault::Form)?;
    match apps::create(&visit.console.store, &visit.acting()?, &name, mode).await {
        Ok(app) => Ok(answer::done(visit, Flash::Saved, &format!("{LIST}/{}/quickstart", app.id))),
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            new_page(visit, status, &name, mode_of(mode), problems)
        }
    }
}

fn new_page(visit: &Visit<'_>, status: StatusCode, name: &str, mode: Mode, problems: Problems) -> Answer {
    answer::page(status, &NewAppPage { frame: visit.frame(None), name, mode, problems }, visit)
}

async fn show(visit: &mut Visit<'_>) -> Answer {
    let app = visit.app().await?;
    page(visit, &app, StatusCode::OK, &app.name, Problems::none()).await
}

async fn rename(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let NewName { name } = form.parse()?;
    let app = visit.app().await?;
    let change = AppChange { name: Some(name.clone()), ..AppChange::default() };
    match apps::update(&visit.console.store, &visit.acting()?, app.id, change).await {
        Ok(app) => Ok(answer::done(visit, Flash::Saved, &format!("{LIST}/{}", app.id))),
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            page(visit, &app, status, &name, problems).await
        }
    }
}

async fn set_strangers(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let NewRule { strangers } = form.parse()?;
    let strangers = Some(group::Strangers::find(&strangers).ok_or(Fault::Form)?);
    let change = AppChange { strangers, ..AppChange::default() };
    let app = apps::update(&visit.console.store, &visit.acting()?, visit.path("app")?, change).await?;
    Ok(answer::done(visit, Flash::Saved, &format!("{LIST}/{}", app.id)))
}

async fn set_logins(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let NewLogins { logins } = form.parse()?;
    let logins = Some(login::Logins::find(&logins).ok_or(Fault::Form)?);
    let change = AppChange { logins, ..AppChange::default() };
    let app = apps::update(&visit.console.store, &visit.acting()?, visit.path("app")?, change).await?;
    Ok(answer::done(visit, Flash::Saved, &format!("{LIST}/{}", app.id)))
}

async fn set_unknown_users(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let NewUnknownUsers { unknown_users } = form.parse()?;
    let unknown_users = Some(login::UnknownUsers::find(&unknown_users).ok_or(Fault::Form)?);
    let change = AppChange { unknown_users, ..AppChange::default() };
    let app = apps::update(&visit.console.store, &visit.acting()?, visit.path("app")?, change).await?;
    Ok(answer::done(visit, Flash::Saved, &format!("{LIST}/{}", app.id)))
}

async fn suspend(visit: &mut Visit<'_>, is_suspended: bool) -> Answer {
    let change = AppChange { is_suspended: Some(is_suspended), ..AppChange::default() };
    let app = apps::update(&visit.console.store, &visit.acting()?, visit.path("app")?, change).await?;
    Ok(answer::done(visit, Flash::Saved, &format!("{LIST}/{}", app.id)))
}

async fn delete(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let TypedName { typed_name } = form.parse()?;
    let app = visit.app().await?;
    match apps::delete(&visit.console.store, &visit.acting()?, app.id, &typed_name).await {
        Ok(()) => Ok(answer::done(visit, Flash::Deleted, LIST)),
        Err(error) if error.code == Code::InvalidField => {
            let Refusal { status, problems } = refusal(visit, error.at("typed_name"))?;
            page(visit, &app, status, &app.name, problems).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn page(visit: &Visit<'_>, app: &App, status: StatusCode, name: &str, problems: Problems) -> Answer {
    let units = units_today(visit).await?;
    let page =
        AppPage { frame: visit.app_frame(app), app: view(app, &units), may_change: may_change(visit)?, name, problems };
    answer::page(status, &page, visit)
}

pub(crate) fn may_change(visit: &Visit<'_>) -> Result<bool, Fault> {
    Ok(visit.member()?.role.may(Action::ChangeApps))
}

/// Message units of each app since midnight, UTC.
async fn units_today(visit: &Visit<'_>) -> Result<HashMap<AppId, i64>, Fault> {
    let midnight = visit.now_ms.div_euclid(DAY_MS) * DAY_MS;
    let usage = visit.org()?.usage_hours(midnight, midnight + DAY_MS).await?;
    let mut units = HashMap::new();
    for hour in usage.items.iter().filter(|hour| hour.meter == Meter::MsgSent) {
        *units.entry(hour.app).or_default() += hour.quantity;
    }
    Ok(units)
}

fn view(app: &App, units: &HashMap<AppId, i64>) -> AppView {
    AppView {
        id: app.id.to_string(),
        name: app.name.clone(),
        mode: mode_of(app.mode),
        created: Utc::from_ms(app.created_ms),
        suspended: app.suspended_ms.map(Utc::from_ms),
        strangers: match app.strangers {
            group::Strangers::Anyone => Strangers::Anyone,
            group::Strangers::Shared => Strangers::Shared,
            group::Strangers::Server => Strangers::Server,
        },
        logins: match app.logins {
            login::Logins::Devices => Logins::Devices,
            login::Logins::Platforms => Logins::Platforms,
            login::Logins::One => Logins::One,
        },
        unknown_users: match app.unknown_users {
            login::UnknownUsers::Create => UnknownUsers::Create,
            login::UnknownUsers::Refuse => UnknownUsers::Refuse,
        },
        units: units.get(&app.id).copied().unwrap_or(0),
    }
}
