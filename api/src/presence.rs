//! Presence of users, as the socket tells it.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Caller};
use crate::fault::Fault;
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get};
use actix_web::{HttpRequest, web};
use tokenim_domain::limits::PRESENCE_USERS_MAX;
use tokenim_domain::name::User;
use tokenim_domain::scope::Scope;
use tokenim_domain::{Code, Error};
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] =
    &[get("/v1/presence", "getPresence", Who::KeyOrUser(Scope::PresenceRead), || web::to(show))
        .refuses(&[Code::LimitReached])];

/// Presence of the users asked for.
#[derive(Debug, ToSchema)]
#[schema(as = PresenceList)]
#[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
pub(crate) struct PresenceListSchema {
    /// In the order asked.
    items: Vec<PresenceSchema>,
}

/// A user, as others see it.
#[derive(Debug, ToSchema)]
#[schema(as = Presence)]
#[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
pub(crate) struct PresenceSchema {
    user: String,
    /// `online`, `away` or `offline`: that of its best device.
    state: String,
    /// Goes up with every change; what has a lower one is older.
    version: i64,
    /// Devices that are there, the best first, at most 16.
    devices: Vec<PresentDeviceSchema>,
    /// What the user says of itself.
    text: Option<String>,
    /// When it was there last; absent while it is there and where it never was.
    #[schema(format = DateTime)]
    last_seen: Option<String>,
    /// True in a long answer where devices, text and last seen are left out.
    cut: Option<bool>,
}

/// A device that is there.
#[derive(Debug, ToSchema)]
#[schema(as = PresentDevice)]
#[expect(dead_code, reason = "describes in the OpenAPI document what the gateway writes")]
pub(crate) struct PresentDeviceSchema {
    device: String,
    /// `online` or `away`.
    state: String,
}

/// The presence of users.
#[utoipa::path(get, path = "/v1/presence",
    params(("users" = String, Query, description = "Ids of at most 500 users, with commas between.", example = "alice,bob")),
    responses((status = 200, body = PresenceListSchema, description = "What they are now.")))]
pub(crate) async fn show(api: web::Data<Api>, caller: Auth<Caller>, request: HttpRequest) -> Answer {
    let query = Query::read(&request, &["users"])?;
    let caller = caller.0;
    caller.allow_presence()?;
    let names = query.text("users").ok_or_else(|| Fault::malformed("name the `users`", Some("users".to_owned())))?;
    let users = names.split(',').map(User::parse).collect::<Result<Vec<_>, _>>().map_err(|error| error.at("users"))?;
    if users.len() > PRESENCE_USERS_MAX {
        return Err(Error::new(Code::LimitReached)
            .says(format!("at most {PRESENCE_USERS_MAX} users"))
            .at("users")
            .into());
    }
    let list = api.gateway.presence_of(caller.app(), caller.viewer().as_ref(), &users).await?;
    Ok(answer::ok(format!("{{\"items\":{list}}}")))
}
