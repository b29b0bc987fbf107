//! Which pages may connect to an app.
use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::origins;
use tokenim_domain::actor::Action;
use tokenim_store::{App, ORIGINS_MAX};
use tokenim_templates::{flash::Flash, page::origins::OriginsPage, problem::Problems};

use crate::{
    answer,
    apps::may_change,
    form::Form,
    problems::{Refusal, refusal},
    routes::{Answer, RouteSpec, Who, get, post},
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/console/apps/{app}/origins", Who::May(Action::ReadApps), |visit| Box::pin(list(visit))),
    post("/console/apps/{app}/origins", Who::May(Action::ChangeApps), |visit, form| Box::pin(add(visit, form))).once(),
    post("/console/apps/{app}/origins/remove", Who::May(Action::ChangeApps), |visit, form| {
        Box::pin(remove(visit, form))
    })
    .once(),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    origin: String,
}

async fn list(visit: &mut Visit<'_>) -> Answer {
    let app = visit.app().await?;
    page(visit, &app, StatusCode::OK, "", Problems::none()).await
}

async fn add(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Named { origin } = form.parse()?;
    let app = visit.app().await?;
    match origins::add(&visit.console.store, &visit.acting()?, app.id, &origin).await {
        Ok(_) => Ok(answer::done(visit, Flash::Saved, &address(&app))),
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            page(visit, &app, status, &origin, problems).await
        }
    }
}

async fn remove(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Named { origin } = form.parse()?;
    let app = visit.app().await?;
    origins::remove(&visit.console.store, &visit.acting()?, app.id, &origin).await?;
    Ok(answer::done(visit, Flash::Saved, &address(&app)))
}

async fn page(visit: &Visit<'_>, app: &App, status: StatusCode, origin: &str, problems: Problems) -> Answer {
    let id = app.id.to_string();
    let snippet = format!(
        "export TIM_MANAGEMENT_KEY=…  # Settings, management keys\ncurl {}/v1/manage/apps/{id}/origins \\\n  -H \"Authorization: Bearer $TIM_MANAGEMENT_KEY\" \\\n  \
         -H \"Content-Type: application/json\" \\\n  -d '{{\"origin\": \"https://shop.example\"}}'",
        visit.origin()
    );
    let page = OriginsPage {
        frame: visit.app_frame(app),
        app: &id,
        origins: visit.org()?.list_origins(app.id).await?,
        may_change: may_change(visit)?,
        most: ORIGINS_MAX,
        origin,
        own: &visit.origin(),
        problems,
        snippet: &snippet,
    };
    answer::page(status, &page, visit)
}

fn address(app: &App) -> String {
    format!("/console/apps/{}/origins", app.id)
}
