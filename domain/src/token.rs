//! User tokens: the rules every face applies to a JWT an app's backend signed.

pub mod caps;
mod claims;
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
use claims::Claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, EncodingKey, Header, Validation};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;
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

    /// Whether presence may be seen and set: it belongs to no conversation, so any pattern with `presence` allows it.
    ///
    /// Errors: `forbidden`.
    pub fn allow_presence(&self) -> Result<()> {
        self.allow_anywhere(Cap::Presence)
    }

    /// Whether something may be done that belongs to no conversation yet: any pattern that allows it does.
    ///
    /// Errors: `forbidden`.
    pub fn allow_anywhere(&self, cap: Cap) -> Result<()> {
        let allows = self.caps.as_ref().is_none_or(|caps| caps.allow_anywhere(cap));
        allows.then_some(()).ok_or_else(|| beyond_caps(cap))
    }

    /// Asks [`Identity::allows`] before the store is asked, so that a refusal tells nothing of what exists.
    ///
    /// Errors: `forbidden`.
    pub fn allow(&self, conversation: &str, cap: Cap) -> Result<()> {
        self.allows(conversation, cap).then_some(()).ok_or_else(|| beyond_caps(cap))
    }
}

/// What a token that may not do this is told.
#[must_use]
pub fn beyond_caps(cap: Cap) -> Error {
    Error::new(Code::Forbidden).says(format!("the token's `caps` do not allow this: it takes `{}`", cap.as_str()))
}

/// What only an app's own people are told of a token that does not verify: others must not learn that its key exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unverified {
    /// The header names another algorithm than the key's.
    Algorithm,
    /// Another secret or private key signed it.
    Signature,
}

impl fmt::Display for Unverified {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Unverified::Algorithm => "the header's `alg` is not that of the signing key",
            Unverified::Signature => {
                "the signature was not made with the secret, or the private key, of the signing key"
            }
        })
    }
}

impl std::error::Error for Unverified {}

impl Unverified {
    /// Why a token was refused, for the people of the app whose key its `kid` names.
    #[must_use]
    pub fn tell(error: &Error) -> Cow<'static, str> {
        let inner = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Unverified>());
        inner.map_or_else(|| error.message.clone(), |unverified| unverified.to_string().into())
    }
}

/// A token that no key verifies, whether there is such a key or not.
///
/// Source: docs/TOKENS.md, "Refusals".
#[must_use]
pub fn unverified() -> Error {
    invalid("no signing key has the header's `kid` and `alg`, or another secret or private key made the signature")
}

/// The `kid` of a token, to find its signing key; nothing about the token is verified yet.
///
/// Errors: `token_invalid`.
pub fn key_of(token: &str) -> Result<KeyId> {
    let kid = header(token)?.kid.ok_or_else(|| invalid("the header has no `kid`, the id of a signing key"))?;
    kid.parse().map_err(|()| invalid("the header's `kid` is not the id of a signing key"))
}

/// Whether a token has the form of one. It is asked before its key is looked for, so that the answer tells nothing of keys.
///
/// Errors: `token_invalid`.
pub fn check_form(token: &str) -> Result<()> {
    if header(token)?.crit.is_some() {
        return Err(invalid("the header must not have `crit`"));
    }
    refuse_repeated_claims(token)
}

/// Verifies a user token against the signing key its `kid` names. The signature comes first: what is wrong with the claims
/// is told to those who can sign.
///
/// Units: `now_ms` is milliseconds since 1970; claims are seconds (RFC 7519 §2).
/// Errors: `token_invalid` (one code for signature, shape and claims, with a sentence for each mistake), `token_expired`,
/// `token_revoked`, `app_suspended`. Whether the server key that asked for the token still stands is the caller's question.
pub fn verify(token: &str, key: &SigningKey, now_ms: i64) -> Result<Identity> {
    check_form(token)?;
    let claims = Claims::read(payload(token, &key.material)?)?;
    if claims.iss != key.id.to_string() {
        return Err(invalid("`iss` must be the id of the signing key, the same as `kid`"));
    }
    if claims.aud != key.app.app.to_string() {
        return Err(invalid(format!("`aud` must be the id of the signing key's app, {}", key.app.app)));
    }
    claims.check_times(now_ms / 1000)?;
    key.standing.check_signing(now_ms)?;
    identity(claims, key)
}

/// The payload of a token whose signature verifies. All that the library can check of the claims is left to us: it skips
/// a time of the wrong type, an unknown `crit` and claims of ours.
fn payload(token: &str, material: &Material) -> Result<Map<String, Value>> {
    let (algorithm, verifying) = material.verifier();
    if header(token)?.alg != algorithm {
        return Err(unverified().because(Unverified::Algorithm));
    }
    let mut rules = Validation::new(algorithm);
    (rules.validate_exp, rules.validate_nbf, rules.validate_aud) = (false, false, false);
    rules.set_required_spec_claims::<&str>(&[]);
    let decoded = jsonwebtoken::decode(token, &verifying, &rules);
    decoded.map(|data| data.claims).map_err(|_| unverified().because(Unverified::Signature))
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

/// What is said of a header that no signing key can have.
const ALGORITHMS: &str = "the token's header must be JSON with `alg` HS256, EdDSA or ES256, and `kid`";

fn header(token: &str) -> Result<Header> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(invalid("the token is longer than 4 KiB"));
    }
    if token.starts_with("tim_") {
        return Err(invalid("this is a server key; a device needs a user token (POST /v1/tokens)"));
    }
    let header = jsonwebtoken::decode_header(token).map_err(|error| {
        let message = match error.kind() {
            ErrorKind::Json(_) => ALGORITHMS,
            _ => "the token is not a JWT: header, claims and signature in base64url, with dots between",
        };
        invalid(message).because(error)
    })?;
    let known = matches!(header.alg, Algorithm::HS256 | Algorithm::EdDSA | Algorithm::ES256);
    known.then_some(header).ok_or_else(|| invalid(ALGORITHMS))
}

/// The parser keeps the last of two equal claims and others keep the first; a token that relies on either is refused.
fn refuse_repeated_claims(token: &str) -> Result<()> {
    let wrong = || invalid("the claims are not a JSON object that holds each once");
    let payload = token.split('.').nth(1).unwrap_or_default();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload).map_err(|error| wrong().because(error))?;
    let text = std::str::from_utf8(&bytes).map_err(|error| wrong().because(error))?;
    if !text.trim_start().starts_with('{') {
        return Err(wrong());
    }
    tokenim_protocol::strict::check(text, JSON_KEYS_MAX).map_err(|error| wrong().because(error))
}

fn identity(claims: Claims, key: &SigningKey) -> Result<Identity> {
    let user =
        User::parse(&claims.sub).map_err(|_| invalid("`sub` must be a user id: 1 to 64 of A–Z a–z 0–9 _ - . : @"))?;
    let device = claims.device.map(|device| Device::parse(&device)).transpose();
    let device = device.map_err(|_| invalid("`device` must be a device id: 1 to 64 of A–Z a–z 0–9 _ - . : @"))?;
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

fn invalid(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Code::TokenInvalid).says(message)
}

#[cfg(test)]
mod tests;
