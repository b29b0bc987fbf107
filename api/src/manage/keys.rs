//! `/v1/manage/keys`: the server keys of the org's apps; and reports of keys that leaked.

use super::page::{Ask, Page, Paging};
use super::parse;
use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{self, Auth, Manager};
use crate::fault::Fault;
use crate::once::Job;
use crate::post::{Empty, Open, Post};
use crate::routes::{RouteSpec, Who, get, post};
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use tokenim_control::keys::{self, GRACE_S_DEFAULT, Wanted};
use tokenim_domain::actor::Action;
use tokenim_domain::id::{AppId, KeyId};
use tokenim_domain::scope::Scopes;
use tokenim_domain::{Code, Error};
use tokenim_protocol::time::rfc3339;
use tokenim_store::ApiKeyView;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/manage/keys", "listKeys", Who::ManagementKey(Action::ReadKeys), || web::to(list)),
    post("/v1/manage/keys", "createKey", Who::ManagementKey(Action::ChangeKeys), || web::to(create))
        .refuses(&[Code::LimitReached]),
    post("/v1/manage/keys/{id}/rotate", "rotateKey", Who::ManagementKey(Action::ChangeKeys), || web::to(rotate))
        .refuses(&[Code::Conflict, Code::LimitReached]),
    post("/v1/manage/keys/{id}/revoke", "revokeKey", Who::ManagementKey(Action::ChangeKeys), || web::to(revoke)),
    post("/v1/keys/report-leak", "reportLeakedKey", Who::Public, || web::to(report_leak)).refuses(&[
        Code::RateLimited,
        Code::Unavailable,
        Code::Overloaded,
        Code::OutcomeUnknown,
        Code::Silent,
    ]),
];

/// A server key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// Id of the app it opens.
    app: String,
    /// What it is for.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// What it may do: `*` alone, or `tokens:create`, `conversations:read`, `conversations:write`, `messages:read`,
    /// `messages:write`, `members:read`, `members:write`, `usage:read`, `stats:read`.
    #[schema(example = json!(["tokens:create", "messages:write"]))]
    scopes: Vec<String>,
    /// When it ends; absent = never.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// How a key is replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateKey {
    /// Seconds that the old key goes on working; 0 is for a leak: it is revoked, and the tokens it asked for with it.
    #[schema(minimum = 0, maximum = 2592000, default = 86400)]
    grace_s: Option<i64>,
}

/// A server key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyReply {
    id: String,
    app: String,
    name: String,
    scopes: Vec<&'static str>,
    /// Prefix and last characters of the secret.
    hint: String,
    /// Id of the account or key that made it, or `machine`; null for the oldest keys.
    created_by: Option<String>,
    /// The member's address, or the management key's name; in lists, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    created_by_name: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    /// null = never.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// null = it was not revoked.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
    /// Id of the key that took its place.
    successor: Option<String>,
    /// To the minute; null = never.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// The address of that use.
    last_used_from: Option<String>,
    /// The secret: in the answer that made the key, and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    secret: Option<String>,
}

/// A key that somebody found.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeakedKey {
    /// The whole key.
    key: String,
}

/// A report that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportReply {
    /// Always true, whatever the key was.
    received: bool,
}

type KeyPage = Page<KeyReply>;

/// The server keys of the org's apps, revoked ones too.
#[utoipa::path(get, path = "/v1/manage/keys",
    params(
        ("app" = Option<String>, Query, description = "Only the keys of this app."),
        Paging,
    ),
    responses((status = 200, body = KeyPage, description = "The page.")))]
pub(crate) async fn list(api: web::Data<Api>, manager: Auth<Manager>, request: HttpRequest) -> Answer {
    let (ask, query) = Ask::<KeyId>::read(&request, &["app"])?;
    let app = parse::app(query.text("app"))?;
    let org = manager.0.org(&api);
    let rows = org.list_api_keys(app, ask.after, ask.rows()).await?;
    let page = ask.page(rows, |key| key.id);
    let named = |key, created_by_name| KeyReply { created_by_name, ..reply(key, None) };
    answer::view(&page.named(org, |key| key.created_by.as_deref(), named).await?)
}

/// Makes a server key; the answer holds its secret, once.
#[utoipa::path(post, path = "/v1/manage/keys", request_body = NewKey, responses((status = 200, body = KeyReply, description = "The key with its secret.")))]
pub(crate) async fn create(api: web::Data<Api>, post: Post<Manager, NewKey>) -> Answer {
    post.once(&api, make).await
}

async fn make(api: web::Data<Api>, job: Job<Manager, NewKey>) -> Result<String, Fault> {
    let NewKey { app, name, scopes, expires_at } = job.body;
    let wanted = Wanted {
        app: parse::id::<AppId>(&app)?,
        name,
        scopes: Scopes::parse(scopes.iter().map(String::as_str))?,
        expires_ms: parse::time(expires_at.as_deref(), "expires_at")?,
    };
    let (key, secret) = keys::create(&api.store, &job.caller.acting, wanted).await?;
    answer::json(&reply(key, Some(secret.expose().to_owned())))
}

/// Makes a key in the place of another; the answer holds its secret, once.
#[utoipa::path(post, path = "/v1/manage/keys/{id}/rotate", params(("id" = String, Path, description = "Id of the old key.")), request_body = RotateKey, responses((status = 200, body = KeyReply, description = "The new key with its secret.")))]
pub(crate) async fn rotate(api: web::Data<Api>, path: web::Path<String>, post: Post<Manager, RotateKey>) -> Answer {
    post.once_at(&api, path, |api, id, job| async move {
        let grace_s = job.body.grace_s.unwrap_or(GRACE_S_DEFAULT);
        let (key, secret) = keys::rotate(&api.store, &job.caller.acting, id, grace_s).await?;
        answer::json(&reply(key, Some(secret.expose().to_owned())))
    })
    .await
}

/// Revokes a server key: it is refused within 2 s, and connections whose tokens it asked for close within 5 s.
#[utoipa::path(post, path = "/v1/manage/keys/{id}/revoke", params(("id" = String, Path, description = "Id of the key.")), request_body = Empty, responses((status = 200, body = KeyReply, description = "The revoked key.")))]
pub(crate) async fn revoke(api: web::Data<Api>, path: web::Path<String>, post: Post<Manager, Empty>) -> Answer {
    post.once_at(&api, path, |api, id, job| async move {
        let key = keys::revoke(&api.store, &job.caller.acting, id).await?;
        answer::json(&reply(key, None))
    })
    .await
}

/// Revokes a key that leaked. Anybody may report one: who holds it could use it as well. The answer is always the same.
#[utoipa::path(post, path = "/v1/keys/report-leak", request_body = LeakedKey, responses((status = 200, body = ReportReply, description = "The report was taken.")))]
pub(crate) async fn report_leak(api: web::Data<Api>, request: HttpRequest, open: Open<LeakedKey>) -> Answer {
    let from = auth::address(&request);
    if let Some(wait_ms) = api.reports.refuse(from, api.now_ms()) {
        return Err(Error::new(Code::RateLimited).retry_after(wait_ms).into());
    }
    keys::revoke_leaked(&api.store, &open.0.key, from).await?;
    answer::view(&ReportReply { received: true })
}

fn reply(key: ApiKeyView, secret: Option<String>) -> KeyReply {
    KeyReply {
        id: key.id.to_string(),
        app: key.app.to_string(),
        name: key.name,
        scopes: key.scopes.words(),
        hint: key.hint,
        created_by: key.created_by,
        created_by_name: None,
        created_at: rfc3339(key.created_ms),
        expires_at: key.expires_ms.map(rfc3339),
        revoked_at: key.revoked_ms.map(rfc3339),
        successor: key.successor.map(|id| id.to_string()),
        last_used_at: key.last_used_ms.map(rfc3339),
        last_used_from: key.last_used_from,
        secret,
    }
}
