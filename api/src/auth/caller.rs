//! Credentials of one app: its server's key, and its users' tokens.

use super::enter::enter;
use super::{Authority, Presented, bearer};
use crate::api::Api;
use crate::routes::{self, Who};
use actix_web::HttpRequest;
use tokenim_domain::id::KeyId;
use tokenim_domain::log::{AppRef, Credential};
use tokenim_domain::name::User;
use tokenim_domain::token::Identity;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error, Result};
use tokenim_store::{ApiKey, Space};

/// The space of idempotency keys that an app's servers share.
const SERVERS: &str = "server|";

/// A verified credential of an app.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// An app's server: sees and does everything in its app.
    Server(ApiKey),
    /// A user of an app, within its token's `caps`.
    User(Identity),
}

/// The credential of an app's server; a user's is refused.
#[derive(Debug, Clone)]
pub(crate) struct ServerKey(ApiKey);

impl Caller {
    /// The app it is of.
    pub(crate) fn app(&self) -> AppRef {
        match self {
            Caller::Server(key) => key.app,
            Caller::User(identity) => identity.app,
        }
    }

    /// The user whose view it is; `None` sees all.
    pub(crate) fn viewer(&self) -> Option<User> {
        match self {
            Caller::Server(_) => None,
            Caller::User(identity) => Some(identity.user.clone()),
        }
    }

    /// What usage is counted under.
    pub(crate) fn credential(&self) -> Credential {
        match self {
            Caller::Server(key) => Credential { key: key.id, label: None },
            Caller::User(identity) => identity.credential(),
        }
    }

    /// Whether the credential's capabilities allow this; a server key's allow all.
    ///
    /// Errors: `forbidden`.
    pub(crate) fn allow(&self, conversation: &str, cap: Cap) -> Result<()> {
        match self {
            Caller::User(identity) => identity.allow(conversation, cap),
            Caller::Server(_) => Ok(()),
        }
    }

    /// Whether it may do something in a conversation. A server's key may do all.
    pub(crate) fn allows(&self, conversation: &str, cap: Cap) -> bool {
        match self {
            Caller::User(identity) => identity.allows(conversation, cap),
            Caller::Server(_) => true,
        }
    }

    /// Asks that it may do something that belongs to no conversation yet.
    ///
    /// Errors: `forbidden`.
    pub(crate) fn allow_anywhere(&self, cap: Cap) -> Result<()> {
        match self {
            Caller::User(identity) => identity.allow_anywhere(cap),
            Caller::Server(_) => Ok(()),
        }
    }

    /// Whether it sees all that its user sees.
    pub(crate) fn sees_all(&self) -> bool {
        match self {
            Caller::User(identity) => identity.caps.is_none(),
            Caller::Server(_) => true,
        }
    }

    /// Whether it may see presence.
    ///
    /// Errors: `forbidden`.
    pub(crate) fn allow_presence(&self) -> Result<()> {
        match self {
            Caller::User(identity) => identity.allow_presence(),
            Caller::Server(_) => Ok(()),
        }
    }
}

/// A user of an app; a server's key is refused.
#[derive(Debug, Clone)]
pub(crate) struct EndUser {
    /// Whom the credential speaks for.
    pub(crate) identity: Identity,
    /// The credential itself, to open a session with.
    pub(crate) credential: String,
}

impl ServerKey {
    /// Its id.
    pub(crate) fn id(&self) -> KeyId {
        self.0.id
    }

    /// The app it is of.
    pub(crate) fn app(&self) -> AppRef {
        self.0.app
    }
}

/// What a key of the provisioning API hears from a route of an app.
fn wrong_kind() -> Error {
    Error::new(Code::Forbidden).says("this call needs a credential of an app; this key is for /v1/manage")
}

/// The key, if it has the scope that the route's row names.
fn in_scope(key: ApiKey, request: &HttpRequest) -> Result<ApiKey> {
    match routes::spec(request).map(|spec| spec.who) {
        Some(Who::ServerKey(scope) | Who::KeyOrUser(scope)) => key.scopes.allow(scope).map(|()| key),
        Some(Who::Public | Who::User | Who::ManagementKey(_) | Who::OperatorKey) | None => {
            Err(Error::internal("a route that takes a server key and names no scope"))
        }
    }
}

impl Authority for Caller {
    async fn admit(api: &Api, presented: Presented, request: &HttpRequest) -> Result<Self> {
        let caller = match presented {
            Presented::Server(key) => Caller::Server(in_scope(key, request)?),
            Presented::User(identity) => Caller::User(identity),
            Presented::Management(_) | Presented::Operator(_) => return Err(wrong_kind()),
        };
        enter(api, &caller, request).await?;
        Ok(caller)
    }

    fn space(&self) -> Space {
        self.app().into()
    }

    fn corner(&self) -> String {
        match self {
            Caller::Server(_) => SERVERS.to_owned(),
            // No user id holds `|`, so no two users and no user and a server share a space.
            Caller::User(identity) => format!("user|{}|", identity.user),
        }
    }
}

impl Authority for ServerKey {
    async fn admit(api: &Api, presented: Presented, request: &HttpRequest) -> Result<Self> {
        match Caller::admit(api, presented, request).await? {
            Caller::Server(key) => Ok(ServerKey(key)),
            Caller::User(_) => Err(Error::new(Code::Forbidden).says("this call needs a server key")),
        }
    }

    fn space(&self) -> Space {
        self.app().into()
    }

    fn corner(&self) -> String {
        SERVERS.to_owned()
    }
}

impl Authority for EndUser {
    async fn admit(api: &Api, presented: Presented, request: &HttpRequest) -> Result<Self> {
        let Presented::User(identity) = presented else {
            return Err(Error::new(Code::Forbidden).says("this call needs a user's token"));
        };
        enter(api, &Caller::User(identity.clone()), request).await?;
        Ok(EndUser { identity, credential: bearer(request.headers())?.to_owned() })
    }

    fn space(&self) -> Space {
        self.identity.app.into()
    }

    fn corner(&self) -> String {
        Caller::User(self.identity.clone()).corner()
    }
}
