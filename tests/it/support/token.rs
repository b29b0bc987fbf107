//! User tokens, signed as an app's backend would sign them.

use super::template::Founded;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds a token of the tests lives.
const TTL_S: u64 = 3_600;

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "tokens must be valid on the server's clock, which is the machine's")]
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as i64
}

/// Seconds since 1970.
pub fn now_s() -> u64 {
    now_ms() as u64 / 1_000
}

/// A token for a user of the founded's app.
pub fn user_token(founded: &Founded, user: &str) -> String {
    with_claims(founded, user, json!({}))
}

/// The same with more or other claims.
pub fn with_claims(founded: &Founded, user: &str, more: Value) -> String {
    let kid = &founded.signing.kid;
    let mut claims = json!({"iss": kid, "aud": founded.app, "sub": user, "iat": now_s(), "exp": now_s() + TTL_S});
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    sign(kid, &claims, &founded.signing.secret)
}

/// A credential with another letter in its middle: it always differs, and in bits that count.
pub fn altered(credential: &str) -> String {
    let middle = credential.len() / 2;
    let other = if credential.as_bytes()[middle] == b'a' { "b" } else { "a" };
    let mut altered = credential.to_owned();
    altered.replace_range(middle..=middle, other);
    altered
}

/// Any claims under any key.
pub fn sign(kid: &str, claims: &Value, secret: &str) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(kid.to_owned());
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}
