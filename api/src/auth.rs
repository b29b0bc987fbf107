//! Who asks: a credential becomes an extractor type, so a handler's signature says what it may do.

mod cache;
mod caller;
mod enter;
pub(crate) mod keys;
mod management;
mod used;

pub(crate) use caller::{Caller, EndUser, ServerKey};
pub(crate) use enter::origin;
pub(crate) use management::{Manager, Operator};

use crate::api::Api;
use crate::fault::Fault;
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use std::net::IpAddr;
use tokenim_domain::key::{self, Kind};
use tokenim_domain::standing::Standing;
use tokenim_domain::token::Identity;
use tokenim_domain::{Code, Error, Result};
use tokenim_store::{ApiKey, ManagementKey, OperatorKey, Space, UsedKey};

/// What every API key begins with; no other credential does.
const KEY_PREFIX: &str = "tim_";

/// A verified credential of any kind.
#[derive(Debug, Clone)]
pub(crate) enum Presented {
    /// An app's server.
    Server(ApiKey),
    /// A user of an app.
    User(Identity),
    /// The provisioning of an org.
    Management(ManagementKey),
    /// The provisioning of the service.
    Operator(OperatorKey),
}

impl Presented {
    /// Whose requests are counted together.
    fn owner(&self) -> String {
        match self {
            Presented::Server(key) => key.id.to_string(),
            Presented::User(identity) => format!("{}|{}", identity.app.app, identity.user),
            Presented::Management(key) => key.id.to_string(),
            Presented::Operator(key) => key.id.to_string(),
        }
    }
}

/// What a route may ask of a credential.
pub(crate) trait Authority: Sized + 'static {
    /// This authority, if the credential has it for this request. Errors: `forbidden`, and what else it checks.
    async fn admit(api: &Api, presented: Presented, request: &HttpRequest) -> Result<Self>;
    /// Whose idempotency keys the request's is among.
    fn space(&self) -> Space;
    /// Whose they are inside of that: no two of these may begin alike and go on differently.
    fn corner(&self) -> String;
}

/// The extractor of a request without a body that matters.
#[derive(Debug)]
pub(crate) struct Auth<A>(pub(crate) A);

impl<A: Authority> FromRequest for Auth<A> {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { authorize(api(&request)?, &request).await.map(Auth).map_err(Fault::from) })
    }
}

/// The face that serves a request.
pub(crate) fn api(request: &HttpRequest) -> Result<&web::Data<Api>> {
    request.app_data().ok_or_else(|| Error::internal("a route outside the scope of the JSON face"))
}

/// The address a request came from: the client's, where a trusted proxy speaks for it.
pub(crate) fn address(request: &HttpRequest) -> Option<IpAddr> {
    request.peer_addr().map(|peer| peer.ip())
}

/// Verifies the request's credential and admits it as `A`.
///
/// Errors: `unauthenticated`, `key_malformed`, `key_unknown`, `key_revoked`, `key_expired`, `key_rotated`,
/// `secret_key_in_browser`, `token_invalid`, `token_expired`, `token_revoked`, `session_invalid`, `app_suspended`,
/// `scope_missing`, `forbidden`; what the authority checks; `unavailable`, `overloaded`.
/// Source: docs/PROTOCOL.md §8, §9; docs/MANAGE.md §2.
pub(crate) async fn authorize<A: Authority>(api: &Api, request: &HttpRequest) -> Result<A> {
    let text = bearer(request.headers())?;
    let presented = if text.starts_with(KEY_PREFIX) {
        secret_key(api, text, request).await?
    } else {
        Presented::User(api.gateway.verifier().verify(text).await?)
    };
    api.rates.take_of_owner(api, request, presented.owner())?;
    A::admit(api, presented, request).await
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

/// Typos cost no query; then the browser rule, which needs none either; then the key itself: what was looked up may be 2 s
/// old, but its end is compared with the clock each time.
async fn secret_key(api: &Api, text: &str, request: &HttpRequest) -> Result<Presented> {
    let (kind, hash) = key::parse(text)?;
    if request.headers().contains_key(header::ORIGIN) {
        return Err(Code::SecretKeyInBrowser.into());
    }
    let (presented, used) = match kind {
        Kind::Server(_) => {
            let key = api.keys.api_key(hash).await?.ok_or(Code::KeyUnknown)?;
            key.standing.check_key(api.now_ms())?;
            let used = UsedKey::Server(key.app, key.id);
            (Presented::Server(key), used)
        }
        Kind::Management => {
            let key = api.keys.management_key(hash).await?.ok_or(Code::KeyUnknown)?;
            let standing = Standing { is_revoked: key.revoked, expires_ms: key.expires_ms, ..Standing::default() };
            standing.check_key(api.now_ms())?;
            let used = UsedKey::Management(key.org, key.id);
            (Presented::Management(key), used)
        }
        Kind::Operator => {
            let key = api.keys.operator_key(hash).await?.ok_or(Code::KeyUnknown)?;
            let standing = Standing { is_revoked: key.revoked_ms.is_some(), ..Standing::default() };
            standing.check_key(api.now_ms())?;
            let used = UsedKey::Operator(key.id);
            (Presented::Operator(key), used)
        }
    };
    used::note(api, used, address(request));
    Ok(presented)
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
