//! `/v1/manage/signing-keys`: the keys that sign user tokens of the org's apps.

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
use tokenim_control::keys::GRACE_S_DEFAULT;
use tokenim_control::signing_keys::{self, Wanted};
use tokenim_domain::actor::Action;
use tokenim_domain::id::{AppId, KeyId};
use tokenim_domain::secret::Secret;
use tokenim_domain::token::SigningAlgorithm;
use tokenim_domain::{Code, Error};
use tokenim_protocol::time::rfc3339;
use tokenim_store::SigningKeyView;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/manage/signing-keys", "listSigningKeys", Who::ManagementKey(Action::ReadKeys), || web::to(list)),
    post("/v1/manage/signing-keys", "createSigningKey", Who::ManagementKey(Action::ChangeKeys), || web::to(create))
        .refuses(&[Code::LimitReached]),
    post("/v1/manage/signing-keys/{id}/rotate", "rotateSigningKey", Who::ManagementKey(Action::ChangeKeys), || {
        web::to(rotate)
    })
    .refuses(&[Code::Conflict, Code::LimitReached]),
    post("/v1/manage/signing-keys/{id}/revoke", "revokeSigningKey", Who::ManagementKey(Action::ChangeKeys), || {
        web::to(revoke)
    }),
];

/// A signing key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSigningKey {
    /// Id of the app whose tokens it signs.
    app: String,
    /// What it is for.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// `HS256` (a secret is made here), `EdDSA` or `ES256` (bring the public key).
    #[schema(example = "HS256")]
    algorithm: String,
    /// The public key in PEM, `-----BEGIN PUBLIC KEY-----`; for EdDSA and ES256, and only for them.
    public_key: Option<String>,
    /// When it ends; absent = never.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// How a signing key is replaced, by one of the same algorithm.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateSigningKey {
    /// The new public key in PEM; for EdDSA and ES256, and only for them.
    public_key: Option<String>,
    /// Seconds that the old key's tokens go on working.
    #[schema(minimum = 0, maximum = 2592000, default = 86400)]
    grace_s: Option<i64>,
}

/// A signing key; its id is the `kid` of the tokens.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SigningKey)]
pub(crate) struct SigningKeyReply {
    id: String,
    app: String,
    name: String,
    /// `HS256`, `EdDSA` or `ES256`.
    algorithm: &'static str,
    /// In PEM; null for HS256.
    public_key: Option<String>,
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
    /// The HS256 secret: in the answer that made the key, and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    secret: Option<String>,
}

type SigningKeyPage = Page<SigningKeyReply>;

/// The signing keys of the org's apps, revoked ones too.
#[utoipa::path(get, path = "/v1/manage/signing-keys",
    params(
        ("app" = Option<String>, Query, description = "Only the keys of this app."),
        Paging,
    ),
    responses((status = 200, body = SigningKeyPage, description = "The page.")))]
pub(crate) async fn list(api: web::Data<Api>, manager: Auth<Manager>, request: HttpRequest) -> Answer {
    let (ask, query) = Ask::<KeyId>::read(&request, &["app"])?;
    let app = parse::app(query.text("app"))?;
    let org = manager.0.org(&api);
    let rows = org.list_signing_keys(app, ask.after, ask.rows()).await?;
    let page = ask.page(rows, |key| key.id);
    let named = |key, created_by_name| SigningKeyReply { created_by_name, ..reply(key, None) };
    answer::view(&page.named(org, |key| key.created_by.as_deref(), named).await?)
}

/// Makes a signing key; the answer holds the secret of an HS256 key, once.
#[utoipa::path(post, path = "/v1/manage/signing-keys", request_body = NewSigningKey, responses((status = 200, body = SigningKeyReply, description = "The key, with its secret where it has one.")))]
pub(crate) async fn create(api: web::Data<Api>, post: Post<Manager, NewSigningKey>) -> Answer {
    post.once(&api, make).await
}

async fn make(api: web::Data<Api>, job: Job<Manager, NewSigningKey>) -> Result<String, Fault> {
    let NewSigningKey { app, name, algorithm, public_key, expires_at } = job.body;
    let wrong = || Error::invalid("algorithm", "`algorithm` must be `HS256`, `EdDSA` or `ES256`");
    let wanted = Wanted {
        app: parse::id::<AppId>(&app)?,
        name,
        algorithm: SigningAlgorithm::find(&algorithm).ok_or_else(wrong)?,
        public_key,
        expires_ms: parse::time(expires_at.as_deref(), "expires_at")?,
    };
    let (key, secret) = signing_keys::create(&api.store, &job.caller.acting, wanted).await?;
    answer::json(&reply(key, secret))
}

/// Makes a signing key in the place of another; the answer holds the secret of an HS256 key, once.
#[utoipa::path(post, path = "/v1/manage/signing-keys/{id}/rotate", params(("id" = String, Path, description = "Id of the old key.")), request_body = RotateSigningKey, responses((status = 200, body = SigningKeyReply, description = "The new key, with its secret where it has one.")))]
pub(crate) async fn rotate(
    api: web::Data<Api>,
    path: web::Path<String>,
    post: Post<Manager, RotateSigningKey>,
) -> Answer {
    post.once_at(&api, path, |api, id, job| async move {
        let RotateSigningKey { public_key, grace_s } = job.body;
        let grace_s = grace_s.unwrap_or(GRACE_S_DEFAULT);
        let (key, secret) = signing_keys::rotate(&api.store, &job.caller.acting, id, public_key, grace_s).await?;
        answer::json(&reply(key, secret))
    })
    .await
}

/// Revokes a signing key: its tokens are refused within 2 s, and their connections close within 5 s.
#[utoipa::path(post, path = "/v1/manage/signing-keys/{id}/revoke", params(("id" = String, Path, description = "Id of the key.")), request_body = Empty, responses((status = 200, body = SigningKeyReply, description = "The revoked key.")))]
pub(crate) async fn revoke(api: web::Data<Api>, path: web::Path<String>, post: Post<Manager, Empty>) -> Answer {
    post.once_at(&api, path, |api, id, job| async move {
        let key = signing_keys::revoke(&api.store, &job.caller.acting, id).await?;
        answer::json(&reply(key, None))
    })
    .await
}

fn reply(key: SigningKeyView, secret: Option<Secret>) -> SigningKeyReply {
    SigningKeyReply {
        id: key.id.to_string(),
        app: key.app.to_string(),
        name: key.name,
        algorithm: key.algorithm.as_str(),
        public_key: key.public_key,
        created_by: key.created_by,
        created_by_name: None,
        created_at: rfc3339(key.created_ms),
        expires_at: key.expires_ms.map(rfc3339),
        revoked_at: key.revoked_ms.map(rfc3339),
        successor: key.successor.map(|id| id.to_string()),
        secret: secret.map(|secret| secret.expose().to_owned()),
    }
}
