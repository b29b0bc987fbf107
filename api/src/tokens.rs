//! `POST /v1/tokens`: a user token, made for the app's server.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::ServerKey;
use crate::fault::Fault;
use crate::once::Job;
use crate::post::Post;
use crate::routes::{RouteSpec, Who, post};
use actix_web::web;
use serde::{Deserialize, Serialize};
use tokenim_domain::limits::TOKEN_SECONDS_DEFAULT;
use tokenim_domain::log::MessageLog;
use tokenim_domain::name::User;
use tokenim_domain::scope::Scope;
use tokenim_domain::token::caps::Caps;
use tokenim_domain::token::{self, Grant};
use tokenim_domain::{Code, Error};
use tokenim_protocol::time::rfc3339;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] =
    &[post("/v1/tokens", "createToken", Who::ServerKey(Scope::TokensCreate), || web::to(create))
        .refuses(&[Code::NotFound])];

/// A token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// The user it speaks for; an unknown user is created.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.:@-]+$", example = "alice")]
    user: String,
    /// Seconds it lives.
    #[schema(minimum = 1, maximum = 86400, default = 3600)]
    ttl_s: Option<i64>,
    /// Conversation pattern (an id, or a prefix and `*`) → what is allowed there; absent = everything the user may.
    #[schema(value_type = Option<std::collections::BTreeMap<String, Vec<CapSchema>>>)]
    caps: Option<Caps>,
    /// Splits usage by your own customers.
    #[schema(min_length = 1, max_length = 64)]
    label: Option<String>,
}

/// One thing a token may be allowed to do in a conversation.
#[derive(Debug, ToSchema)]
#[schema(as = Cap, rename_all = "snake_case")]
#[expect(dead_code, reason = "describes the domain's own type in the OpenAPI document")]
pub(crate) enum CapSchema {
    Send,
    Read,
    Join,
    Create,
    Moderate,
    Presence,
}

/// A new token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewTokenReply {
    /// The JWT, to be handed to the user's client.
    token: String,
    /// When it ends.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Makes a user token with the app's newest signing key.
#[utoipa::path(post, path = "/v1/tokens", request_body = NewToken, responses((status = 200, body = NewTokenReply, description = "The token; shown once.")))]
pub(crate) async fn create(api: web::Data<Api>, post: Post<ServerKey, NewToken>) -> Answer {
    post.once(&api, mint).await
}

async fn mint(api: web::Data<Api>, job: Job<ServerKey, NewToken>) -> Result<String, Fault> {
    let (app, new) = (job.caller.app(), job.body);
    let user = User::parse(&new.user)?;
    let grant = Grant {
        user: user.clone(),
        ttl_s: new.ttl_s.unwrap_or(TOKEN_SECONDS_DEFAULT),
        caps: new.caps,
        label: new.label,
        minted_by: Some(job.caller.id()),
    };
    let missing = || Error::new(Code::NotFound).says("the app has no signing key that is not revoked");
    let key = api.keys.current_signing_key(app).await?.ok_or_else(missing)?;
    let (token, expires_ms) = token::mint(&key, &grant, api.now_ms())?;
    api.store.ensure_users(app, vec![user]).await?;
    answer::json(&NewTokenReply { token: token.expose().to_owned(), expires_at: rfc3339(expires_ms) })
}
