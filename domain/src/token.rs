//! User tokens: the rules every face applies to a JWT an app's backend signed.

pub mod caps;
mod key;
pub mod session;

pub use key::{Material, SigningAlgorithm, SigningKey, SigningSecret, is_private_pem, is_public_pem};

use crate::error::{Error, Result};
use crate::id::KeyId;
use crate::log::{AppRef, Credential};
use crate::name::{Device, User};
use crate::secret::Secret;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use caps::{Cap, Caps};
use jsonwebtoken::{Algorithm, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokenim_protocol::Code;
use tokenim_protocol::grammar;
use tokenim_protocol::limits::{JSON_KEYS_MAX, TOKEN_BYTES_MAX, TOKEN_LEEWAY_SECONDS, TOKEN_SECONDS_MAX};

/// Who a verified token speaks for.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The app.
    pub app: AppRef,
    /// The user.
    pub user: User,
    /// The device the token is bound to, if any.
    pub device: Option<Device>,
    /// The signing key, which usage is counted under.
    pub key: KeyId,
    /// When the signing key ends, as far as was known when the token was verified; `None` = never.
    pub key_ends_ms: Option<i64>,
    /// The server key that asked for the token, where one did: with its revocation the token ends.
    pub minted_by: Option<KeyId>,
    /// What the token may do; `None` = everything the user may.
    pub caps: Option<Arc<Caps>>,
    /// A name of our customer's customer, which usage is split by.
    pub label: Option<Arc<str>>,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: i64,
}

impl Identity {
    /// What usage is counted under.
    #[must_use]
    pub fn credential(&self) -> Credential {
        Credential { key: self.key, label: self.label.clone() }
    }

    /// Whether the token's capabilities allow this. Tokens without `caps`, nearly all, cost one comparison.
    #[must_use]
    pub fn allows(&self, conversation: &str, cap: Cap) -> bool {
        self.caps.as_ref().is_none_or(|caps| caps.allow(conversation, cap))
    }

    /// Asks [`Identity::allows`] before the store is asked, so that a refusal tells nothing of what exists.
    ///
    /// Errors: `forbidden`.
    pub fn allow(&self, conversation: &str, cap: Cap) -> Result<()> {
        let refusal = || Error::new(Code::Forbidden).says("the token's `caps` do not allow this");
        self.allows(conversation, cap).then_some(()).ok_or_else(refusal)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: i64,
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caps: Option<Caps>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// The server key that `POST /v1/tokens` was called with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tim_key: Option<String>,
}

/// The `kid` of a token, to find its signing key; nothing about the token is verified yet.
///
/// Errors: `token_invalid`.
pub fn key_of(token: &str) -> Result<KeyId> {
    header(token)?.kid.and_then(|kid| kid.parse().ok()).ok_or_else(|| invalid("the header names no known `kid`"))
}

/// Verifies a user token against the signing key its `kid` names.
///
/// Units: `now_ms` is milliseconds since 1970; claims are seconds (RFC 7519 §2).
/// Errors: `token_invalid` (one code for signature, shape and claims), `token_expired`, `token_revoked`, `app_suspended`.
/// Whether the server key that asked for the token still stands is the caller's question. The library skips a wrong-typed time, an unknown `crit` and claims of ours: so exp, nbf, iat and crit are checked here.
pub fn verify(token: &str, key: &SigningKey, now_ms: i64) -> Result<Identity> {
    let header = header(token)?;
    let (algorithm, verifying) = key.material.verifier();
    if header.alg != algorithm || header.crit.is_some() {
        return Err(invalid("the header's `alg` is not the key's, or it has `crit`"));
    }
    let mut rules = Validation::new(algorithm);
    rules.validate_exp = false;
    rules.validate_nbf = false;
    rules.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    rules.set_audience(&[key.app.app.to_string()]);
    rules.set_issuer(&[key.id.to_string()]);
    refuse_repeated_claims(token)?;
    let claims =
        jsonwebtoken::decode::<Claims>(token, &verifying, &rules).map_err(|error| invalid("").because(error))?.claims;
    check_times(&claims, now_ms / 1000)?;
    key.standing.check_signing(now_ms)?;
    identity(claims, key)
}

/// Signs a user token for `POST /v1/tokens`.
///
/// Errors: `invalid_field` for a label that is no name; `internal` where the key has no secret or the provider refuses.
pub fn mint(key: &SigningKey, grant: &Grant, now_ms: i64) -> Result<(Secret, i64)> {
    if !(1..=TOKEN_SECONDS_MAX).contains(&grant.ttl_s) {
        return Err(Error::invalid("ttl_s", "`ttl_s` must be 1 to 86400 seconds"));
    }
    if grant.label.as_deref().is_some_and(|label| !grammar::is_name(label)) {
        return Err(Error::invalid("label", "`label` must be 1 to 64 characters"));
    }
    let iat = now_ms / 1000;
    let claims = Claims {
        iss: key.id.to_string(),
        aud: key.app.app.to_string(),
        sub: grant.user.to_string(),
        iat,
        exp: iat + grant.ttl_s,
        nbf: None,
        jti: None,
        device: None,
        caps: grant.caps.clone(),
        label: grant.label.clone(),
        tim_key: grant.minted_by.map(|key| key.to_string()),
    };
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(key.id.to_string());
    let secret = key.material.secret().ok_or_else(|| Error::internal("only a secret makes tokens"))?;
    let secret = EncodingKey::from_secret(secret.expose().as_bytes());
    let token = jsonwebtoken::encode(&header, &claims, &secret).map_err(Error::internal)?;
    Ok((Secret::new(token), claims.exp * 1000))
}

/// What a minted token shall say.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The user it speaks for.
    pub user: User,
    /// Seconds it lives.
    pub ttl_s: i64,
    /// What it may do; `None` = everything.
    pub caps: Option<Caps>,
    /// Splits usage.
    pub label: Option<String>,
    /// The server key that asks for it.
    pub minted_by: Option<KeyId>,
}

fn header(token: &str) -> Result<Header> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(invalid("the token is longer than 4 KiB"));
    }
    if token.starts_with("tim_") {
        return Err(invalid("this is a server key; a device needs a user token (POST /v1/tokens)"));
    }
    jsonwebtoken::decode_header(token).map_err(|error| invalid("the token is not a JWT").because(error))
}

/// The parser keeps the last of two equal claims and others keep the first; a token that relies on either is refused.
fn refuse_repeated_claims(token: &str) -> Result<()> {
    let payload = token.split('.').nth(1).unwrap_or_default();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload).map_err(|error| invalid("").because(error))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| invalid("").because(error))?;
    tokenim_protocol::strict::check(text, JSON_KEYS_MAX).map_err(|error| invalid("").because(error))
}

fn check_times(claims: &Claims, now_s: i64) -> Result<()> {
    if claims.exp.saturating_sub(claims.iat) > TOKEN_SECONDS_MAX || claims.exp <= claims.iat {
        return Err(invalid("`exp` must be after `iat` by at most 24 hours"));
    }
    let earliest = claims.nbf.map_or(claims.iat, |nbf| nbf.max(claims.iat));
    if earliest > now_s + TOKEN_LEEWAY_SECONDS {
        return Err(invalid("the token is not valid yet"));
    }
    if claims.exp + TOKEN_LEEWAY_SECONDS <= now_s {
        return Err(Code::TokenExpired.into());
    }
    Ok(())
}

fn identity(claims: Claims, key: &SigningKey) -> Result<Identity> {
    let user = User::parse(&claims.sub).map_err(|_| invalid("`sub` is not a user id"))?;
    let device = claims.device.map(|device| Device::parse(&device)).transpose();
    let device = device.map_err(|_| invalid("`device` is not a device id"))?;
    if claims.label.as_deref().is_some_and(|label| !grammar::is_name(label)) {
        return Err(invalid("`label` must be 1 to 64 characters"));
    }
    let minted_by = claims.tim_key.map(|key| key.parse()).transpose();
    let minted_by = minted_by.map_err(|()| invalid("`tim_key` is ours to set"))?;
    Ok(Identity {
        app: key.app,
        user,
        device,
        key: key.id,
        key_ends_ms: key.standing.expires_ms,
        minted_by,
        caps: claims.caps.map(Arc::new),
        label: claims.label.map(Arc::from),
        expires_ms: (claims.exp + TOKEN_LEEWAY_SECONDS) * 1000,
    })
}

fn invalid(message: &'static str) -> Error {
    let error = Error::new(Code::TokenInvalid);
    if message.is_empty() { error } else { error.says(message) }
}

#[cfg(test)]
mod tests;
