//! User tokens, signed here as an app's own backend would (docs/PROTOCOL.md §8).

use crate::report::Failure;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};
use tokenim_bench::Keys;

/// Seconds a token lives; longer than any run.
const TOKEN_SECONDS: u64 = 6 * 3600;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: u64,
    exp: u64,
}

/// A token of a user.
pub fn sign(keys: &Keys, user: &str) -> Result<String, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let iat = since.as_secs();
    let claims = Claims { iss: &keys.kid, aud: &keys.app, sub: user, iat, exp: iat + TOKEN_SECONDS };
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(keys.kid.clone());
    let secret = EncodingKey::from_secret(keys.secret.as_bytes());
    jsonwebtoken::encode(&header, &claims, &secret).map_err(|error| Failure::new(format!("signing a token: {error}")))
}
