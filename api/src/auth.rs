//! Who asks: a credential becomes an extractor type, so a handler's signature says what it may do.

mod cache;
pub(crate) mod keys;

use crate::api::Api;
use crate::fault::Fault;
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use tokenim_domain::log::{AppRef, Credential};
use tokenim_domain::name::User;
use tokenim_domain::token::Identity;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error, Result, key};
use tokenim_store::ApiKey;

/// What every API key begins with; no other credential does.
const KEY_PREFIX: &str = "tim_";

/// A verified credential of either kind.
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

/// What a route may ask of a credential.
pub(crate) trait Authority: Sized + 'static {
    /// This authority, if the caller has it. Errors: `forbidden`.
    fn admit(caller: Caller) -> Result<Self>;
    /// The app it is for.
    fn app(&self) -> AppRef;
    /// Whose requests share one space of idempotency keys: the app's servers', or one user's.
    fn space(&self) -> String;
}

impl Caller {
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
}

impl Authority for Caller {
    fn admit(caller: Caller) -> Result<Self> {
        Ok(caller)
    }

    fn app(&self) -> AppRef {
        match self {
            Caller::Server(key) => key.app,
            Caller::User(identity) => identity.app,
        }
    }

    fn space(&self) -> String {
        match self {
            Caller::Server(_) => "server|".to_owned(),
            // No user id holds `|`, so no two users and no user and a server share a space.
            Caller::User(identity) => format!("user|{}|", identity.user),
        }
    }
}

impl Authority for ServerKey {
    fn admit(caller: Caller) -> Result<Self> {
        match caller {
            Caller::Server(key) => Ok(ServerKey(key)),
            Caller::User(_) => Err(Error::new(Code::Forbidden).says("this call needs a server key")),
        }
    }

    fn app(&self) -> AppRef {
        self.0.app
    }

    fn space(&self) -> String {
        Caller::Server(self.0.clone()).space()
    }
}

/// The extractor of a request without a body that matters.
#[derive(Debug)]
pub(crate) struct Auth<A>(pub(crate) A);

impl<A: Authority> FromRequest for Auth<A> {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { authorize(api(&request)?, request.headers()).await.map(Auth).map_err(Fault::from) })
    }
}

/// The face that serves a request.
pub(crate) fn api(request: &HttpRequest) -> Result<&web::Data<Api>> {
    request.app_data().ok_or_else(|| Error::internal("a route outside the scope of the JSON face"))
}

/// Verifies the request's credential and admits it as `A`.
///
/// Errors: `unauthenticated`, `key_malformed`, `key_unknown`, `key_revoked`, `secret_key_in_browser`, `token_invalid`,
/// `token_expired`, `token_revoked`, `session_invalid`, `forbidden`; `unavailable`, `overloaded`.
/// Source: docs/PROTOCOL.md §8, §9.
pub(crate) async fn authorize<A: Authority>(api: &Api, headers: &HeaderMap) -> Result<A> {
    let text = bearer(headers)?;
    let caller = if text.starts_with(KEY_PREFIX) {
        Caller::Server(server_key(api, text, headers.contains_key(header::ORIGIN)).await?)
    } else {
        Caller::User(api.gateway.verifier().verify(text).await?)
    };
    A::admit(caller)
}

/// The one credential of a request. The scheme's name has no case (RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Result<&str> {
    let refuse = |message| Error::new(Code::Unauthenticated).says(message);
    let mut values = headers.get_all(header::AUTHORIZATION);
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(refuse("the request needs one header `Authorization: Bearer …`"));
    };
    let text = value.to_str().ok().and_then(|text| text.split_once(' '));
    match text {
        Some((scheme, credential)) if scheme.eq_ignore_ascii_case("bearer") && !credential.trim().is_empty() => {
            Ok(credential.trim())
        }
        _ => Err(refuse("the header must read `Authorization: Bearer …`")),
    }
}

/// Typos cost no query; then the browser rule, which needs none either.
async fn server_key(api: &Api, text: &str, has_origin: bool) -> Result<ApiKey> {
    let hash = key::hash(text)?;
    if has_origin {
        return Err(Code::SecretKeyInBrowser.into());
    }
    let key = api.keys.api_key(hash).await?.ok_or(Code::KeyUnknown)?;
    if key.revoked { Err(Code::KeyRevoked.into()) } else { Ok(key) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn of(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn exactly_one_bearer_credential_is_taken() {
        assert_eq!(bearer(&of(&["Bearer abc"])).unwrap(), "abc");
        assert_eq!(bearer(&of(&["bearer  abc "])).unwrap(), "abc");
        for bad in [&[][..], &["abc"], &["Basic abc"], &["Bearer"], &["Bearer "], &["Bearer a", "Bearer b"]] {
            assert_eq!(bearer(&of(bad)).unwrap_err().code, Code::Unauthenticated, "{bad:?}");
        }
    }
}
