//! `/v1/manage/management-keys`: the keys of this very API.

use super::page::{Ask, Page, Paging};
use super::parse;
use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Manager};
use crate::fault::Fault;
use crate::once::Job;
use crate::post::{Empty, Post};
use crate::routes::{RouteSpec, Who, get, post};
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};
use tokenim_control::management_keys::{self, Wanted};
use tokenim_domain::Code;
use tokenim_domain::actor::Action;
use tokenim_domain::id::KeyId;
use tokenim_protocol::time::rfc3339;
use tokenim_store::ManagementKeyView;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/manage/management-keys", "listManagementKeys", Who::ManagementKey(Action::ChangeSettings), || {
        web::to(list)
    }),
    post("/v1/manage/management-keys", "createManagementKey", Who::ManagementKey(Action::ChangeSettings), || {
        web::to(create)
    })
    .refuses(&[Code::LimitReached]),
    post(
        "/v1/manage/management-keys/{id}/revoke",
        "revokeManagementKey",
        Who::ManagementKey(Action::ChangeSettings),
        || web::to(revoke),
    ),
];

/// A management key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewManagementKey {
    /// What it is for.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// `owner`, `admin`, `developer`, `billing` or `viewer`; not above the caller's own.
    #[schema(example = "developer")]
    role: String,
    /// When it ends; absent = never.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// A management key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ManagementKey)]
pub(crate) struct ManagementKeyReply {
    id: String,
    name: String,
    /// As whom it acts.
    role: &'static str,
    /// Prefix and last characters of the secret.
    hint: String,
    /// Id of the account or key that made it, or `machine`.
    created_by: String,
    /// The member's address, or the management key's name; in lists, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    created_by_name: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    /// null = never.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// null = it stands.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
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

type ManagementKeyPage = Page<ManagementKeyReply>;

/// The org's management keys, revoked ones too.
#[utoipa::path(get, path = "/v1/manage/management-keys",
    params(Paging),
    responses((status = 200, body = ManagementKeyPage, description = "The page.")))]
pub(crate) async fn list(api: web::Data<Api>, manager: Auth<Manager>, request: HttpRequest) -> Answer {
    let (ask, _) = Ask::<KeyId>::read(&request, &[])?;
    let org = manager.0.org(&api);
    let rows = org.list_management_keys(ask.after, ask.rows()).await?;
    let page = ask.page(rows, |key| key.id);
    let named = |key, created_by_name| ManagementKeyReply { created_by_name, ..reply(key, None) };
    answer::view(&page.named(org, |key| Some(&key.created_by), named).await?)
}

/// Makes a management key; the answer holds its secret, once.
#[utoipa::path(post, path = "/v1/manage/management-keys", request_body = NewManagementKey, responses((status = 200, body = ManagementKeyReply, description = "The key with its secret.")))]
pub(crate) async fn create(api: web::Data<Api>, post: Post<Manager, NewManagementKey>) -> Answer {
    post.once(&api, make).await
}

async fn make(api: web::Data<Api>, job: Job<Manager, NewManagementKey>) -> Result<String, Fault> {
    let NewManagementKey { name, role, expires_at } = job.body;
    let wanted = Wanted {
        name,
        role: parse::role(&role, "role")?,
        expires_ms: parse::time(expires_at.as_deref(), "expires_at")?,
    };
    let (key, secret) = management_keys::create(&api.store, &job.caller.acting, wanted).await?;
    answer::json(&reply(key, Some(secret.expose().to_owned())))
}

/// Revokes a management key: it is refused within 2 s. One that is revoked stays as it is.
#[utoipa::path(post, path = "/v1/manage/management-keys/{id}/revoke", params(("id" = String, Path, description = "Id of the key.")), request_body = Empty, responses((status = 200, body = ManagementKeyReply, description = "The revoked key.")))]
pub(crate) async fn revoke(api: web::Data<Api>, path: web::Path<String>, post: Post<Manager, Empty>) -> Answer {
    post.once_at(&api, path, |api, id, job| async move {
        let key = management_keys::revoke(&api.store, &job.caller.acting, id).await?;
        answer::json(&reply(key, None))
    })
    .await
}

fn reply(key: ManagementKeyView, secret: Option<String>) -> ManagementKeyReply {
    ManagementKeyReply {
        id: key.id.to_string(),
        name: key.name,
        role: key.role.as_str(),
        hint: key.hint,
        created_by: key.created_by,
        created_by_name: None,
        created_at: rfc3339(key.created_ms),
        expires_at: key.expires_ms.map(rfc3339),
        revoked_at: key.revoked_ms.map(rfc3339),
        last_used_at: key.last_used_ms.map(rfc3339),
        last_used_from: key.last_used_from,
        secret,
    }
}
