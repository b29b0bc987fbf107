//! `/v1/manage/apps`: the org's apps, and the origins of pages that may connect to them.

use super::page::{Ask, Page, Paging};
use super::parse;
use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Manager};
use crate::fault::Fault;
use crate::once::Job;
use crate::post::Post;
use crate::query::Query;
use crate::routes::{RouteSpec, Who, delete, get, patch, post};
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use tokenim_control::{apps, origins};
use tokenim_domain::actor::Action;
use tokenim_domain::group::Strangers;
use tokenim_domain::id::AppId;
use tokenim_domain::login::{Logins, UnknownUsers};
use tokenim_domain::role::Mode;
use tokenim_domain::{Code, Error};
use tokenim_protocol::time::rfc3339;
use tokenim_store::{App, AppChange};
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/manage/apps", "listApps", Who::ManagementKey(Action::ReadApps), || web::to(list)),
    post("/v1/manage/apps", "createApp", Who::ManagementKey(Action::ChangeApps), || web::to(create))
        .refuses(&[Code::EmailUnverified, Code::PlanLimit]),
    get("/v1/manage/apps/{app}", "getApp", Who::ManagementKey(Action::ReadApps), || web::to(show)),
    patch("/v1/manage/apps/{app}", "updateApp", Who::ManagementKey(Action::ChangeApps), || web::to(update)),
    delete("/v1/manage/apps/{app}", "deleteApp", Who::ManagementKey(Action::ChangeApps), || web::to(remove)),
    get("/v1/manage/apps/{app}/origins", "listOrigins", Who::ManagementKey(Action::ReadApps), || web::to(list_origins)),
    post("/v1/manage/apps/{app}/origins", "addOrigin", Who::ManagementKey(Action::ChangeApps), || web::to(add_origin))
        .refuses(&[Code::LimitReached]),
    delete("/v1/manage/apps/{app}/origins", "removeOrigin", Who::ManagementKey(Action::ChangeApps), || {
        web::to(remove_origin)
    }),
];

/// An app to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApp {
    /// Its name.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// `live` (billed; an owner's address must be verified) or `test`.
    #[schema(example = "test")]
    mode: String,
}

/// What an app becomes; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppChange)]
pub(crate) struct ChangedApp {
    /// Its name.
    #[schema(min_length = 1, max_length = 64)]
    name: Option<String>,
    /// Whether its keys and tokens are refused.
    suspended: Option<bool>,
    /// Which of its users may bring others into a conversation: `anyone`, `shared` (whom they share one with) or `server` (none).
    strangers: Option<String>,
    /// Which connections of a user a newer one ends: none (`devices`), those of its platform (`platforms`) or all (`one`).
    logins: Option<String>,
    /// What becomes of somebody with a valid token whom the app does not know: a user (`create`), or nothing (`refuse`).
    unknown_users: Option<String>,
}

/// An app.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = App)]
pub(crate) struct AppReply {
    id: String,
    name: String,
    /// `live` or `test`.
    mode: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
    /// null = it is not suspended.
    #[schema(format = DateTime)]
    suspended_at: Option<String>,
    /// `anyone`, `shared` or `server`.
    strangers: &'static str,
    /// `devices`, `platforms` or `one`.
    logins: &'static str,
    /// `create` or `refuse`.
    unknown_users: &'static str,
}

/// An app that is gone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedApp {
    id: String,
    deleted: bool,
}

/// An origin to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrigin {
    /// Scheme, host and port; no path, no wildcard.
    #[schema(example = "https://shop.example")]
    origin: String,
}

/// The origins of an app.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Origins {
    /// By their text, at most 100; empty = pages of every origin may connect.
    items: Vec<String>,
}

type AppPage = Page<AppReply>;

/// The org's apps.
#[utoipa::path(get, path = "/v1/manage/apps",
    params(Paging),
    responses((status = 200, body = AppPage, description = "The page.")))]
pub(crate) async fn list(api: web::Data<Api>, manager: Auth<Manager>, request: HttpRequest) -> Answer {
    let (ask, _) = Ask::<AppId>::read(&request, &[])?;
    let rows = manager.0.org(&api).page_apps(ask.after, ask.rows()).await?;
    answer::view(&ask.page(rows, |app| app.id).map(reply))
}

/// Makes an app with a first signing secret; its server keys are made apart.
#[utoipa::path(post, path = "/v1/manage/apps", request_body = NewApp, responses((status = 200, body = AppReply, description = "The app.")))]
pub(crate) async fn create(api: web::Data<Api>, post: Post<Manager, NewApp>) -> Answer {
    post.once(&api, make).await
}

async fn make(api: web::Data<Api>, job: Job<Manager, NewApp>) -> Result<String, Fault> {
    let wrong = || Error::invalid("mode", "`mode` must be `live` or `test`");
    let mode = Mode::find(&job.body.mode).ok_or_else(wrong)?;
    answer::json(&reply(apps::create(&api.store, &job.caller.acting, &job.body.name, mode).await?))
}

/// An app.
#[utoipa::path(get, path = "/v1/manage/apps/{app}", params(("app" = String, Path, description = "Id of the app.")), responses((status = 200, body = AppReply, description = "The app.")))]
pub(crate) async fn show(
    api: web::Data<Api>,
    manager: Auth<Manager>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &["org"])?;
    let app = manager.0.org(&api).show_app(parse::id(&path)?).await?.ok_or(Code::NotFound)?;
    answer::view(&reply(app))
}

/// Renames, suspends or resumes an app, or sets its rules for strangers, logins and unknown users. A suspended one refuses its keys and tokens within 2 s.
#[utoipa::path(patch, path = "/v1/manage/apps/{app}", params(("app" = String, Path, description = "Id of the app.")), request_body = ChangedApp, responses((status = 200, body = AppReply, description = "The app as it is now.")))]
pub(crate) async fn update(api: web::Data<Api>, path: web::Path<String>, post: Post<Manager, ChangedApp>) -> Answer {
    post.once_at(&api, path, |api, app, job| async move {
        let strangers = job.body.strangers.as_deref().map(Strangers::parse).transpose()?;
        let logins = job.body.logins.as_deref().map(Logins::parse).transpose()?;
        let unknown_users = job.body.unknown_users.as_deref().map(UnknownUsers::parse).transpose()?;
        let change =
            AppChange { name: job.body.name, is_suspended: job.body.suspended, strangers, logins, unknown_users };
        answer::json(&reply(apps::update(&api.store, &job.caller.acting, app, change).await?))
    })
    .await
}

/// Deletes an app for good: its keys and tokens are refused within 2 s.
#[utoipa::path(delete, path = "/v1/manage/apps/{app}",
    params(
        ("app" = String, Path, description = "Id of the app."),
        ("name" = String, Query, description = "The app's name, to say that it is meant."),
    ),
    responses((status = 200, body = DeletedApp, description = "The app is gone.")))]
pub(crate) async fn remove(
    api: web::Data<Api>,
    manager: Auth<Manager>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    let query = Query::read(&request, &["org", "name"])?;
    let app: AppId = parse::id(&path)?;
    apps::delete(&api.store, &manager.0.acting, app, query.text("name").unwrap_or_default()).await?;
    answer::view(&DeletedApp { id: app.to_string(), deleted: true })
}

/// The origins of pages that may connect with the app's user tokens.
#[utoipa::path(get, path = "/v1/manage/apps/{app}/origins", params(("app" = String, Path, description = "Id of the app.")), responses((status = 200, body = Origins, description = "The origins.")))]
pub(crate) async fn list_origins(
    api: web::Data<Api>,
    manager: Auth<Manager>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    Query::read(&request, &["org"])?;
    let items = manager.0.org(&api).list_origins(parse::id(&path)?).await?;
    answer::view(&Origins { items })
}

/// Lets pages of an origin connect. The first origin shuts out pages of all others.
#[utoipa::path(post, path = "/v1/manage/apps/{app}/origins", params(("app" = String, Path, description = "Id of the app.")), request_body = NewOrigin, responses((status = 200, body = Origins, description = "The origins now.")))]
pub(crate) async fn add_origin(api: web::Data<Api>, path: web::Path<String>, post: Post<Manager, NewOrigin>) -> Answer {
    post.once_at(&api, path, |api, app, job| async move {
        let items = origins::add(&api.store, &job.caller.acting, app, &job.body.origin).await?;
        answer::json(&Origins { items })
    })
    .await
}

/// Removes an origin. Without the last one, pages of every origin may connect again.
#[utoipa::path(delete, path = "/v1/manage/apps/{app}/origins",
    params(
        ("app" = String, Path, description = "Id of the app."),
        ("origin" = String, Query, description = "The origin to remove."),
    ),
    responses((status = 200, body = Origins, description = "The origins now.")))]
pub(crate) async fn remove_origin(
    api: web::Data<Api>,
    manager: Auth<Manager>,
    path: web::Path<String>,
    request: HttpRequest,
) -> Answer {
    let query = Query::read(&request, &["org", "origin"])?;
    let origin = query.text("origin").unwrap_or_default();
    let items = origins::remove(&api.store, &manager.0.acting, parse::id(&path)?, origin).await?;
    answer::view(&Origins { items })
}

fn reply(app: App) -> AppReply {
    AppReply {
        id: app.id.to_string(),
        name: app.name,
        mode: app.mode.as_str(),
        created_at: rfc3339(app.created_ms),
        suspended_at: app.suspended_ms.map(rfc3339),
        strangers: app.strangers.as_str(),
        logins: app.logins.as_str(),
        unknown_users: app.unknown_users.as_str(),
    }
}
