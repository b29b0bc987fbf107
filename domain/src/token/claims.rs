//! The claims of a user token: read one by one, so that a refusal names the one at fault.

use super::caps::Caps;
use super::invalid;
use crate::error::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokenim_protocol::limits::{TOKEN_LEEWAY_SECONDS, TOKEN_SECONDS_MAX};

/// Characters that a refusal repeats of what the parser says of a claim.
const SAID_CHARS_MAX: usize = 160;
/// A time from here on, year 5138 in seconds, was given in milliseconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

#[derive(Debug, Serialize)]
pub(super) struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: String,
    pub iat: i64,
    pub exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caps: Option<Caps>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The server key that `POST /v1/tokens` was called with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tim_key: Option<String>,
}

impl Claims {
    /// Reads what a verified payload holds; other claims are ignored.
    ///
    /// Errors: `token_invalid`.
    pub fn read(mut payload: Map<String, Value>) -> Result<Self> {
        let held = &mut payload;
        Ok(Claims {
            iss: required(held, "iss")?,
            aud: required(held, "aud")?,
            sub: required(held, "sub")?,
            iat: required(held, "iat")?,
            exp: required(held, "exp")?,
            nbf: optional(held, "nbf")?,
            jti: optional(held, "jti")?,
            device: optional(held, "device")?,
            caps: optional(held, "caps")?,
            label: optional(held, "label")?,
            tim_key: optional(held, "tim_key")?,
        })
    }

    /// Whether the token is in force at a time in seconds since 1970.
    ///
    /// Errors: `token_invalid`, `token_expired`.
    pub fn check_times(&self, now_s: i64) -> Result<()> {
        let starts = [("iat", Some(self.iat)), ("nbf", self.nbf)];
        let mut all = starts.into_iter().chain([("exp", Some(self.exp))]);
        if let Some((name, _)) = all.find(|(_, at)| at.is_some_and(|at| at >= MILLISECONDS_FROM)) {
            return Err(invalid(format!("`{name}` counts seconds since 1970, not milliseconds")));
        }
        if self.exp <= self.iat {
            return Err(invalid("`exp` must be after `iat`"));
        }
        if self.exp.saturating_sub(self.iat) > TOKEN_SECONDS_MAX {
            return Err(invalid("`exp` may be 24 hours after `iat` at most"));
        }
        let latest_s = now_s + TOKEN_LEEWAY_SECONDS;
        if let Some((name, _)) = starts.into_iter().find(|(_, at)| at.is_some_and(|at| at > latest_s)) {
            return Err(invalid(format!(
                "the token is not valid yet: `{name}` is in the future; is your server's clock right?"
            )));
        }
        if self.exp + TOKEN_LEEWAY_SECONDS <= now_s {
            return Err(tokenim_protocol::Code::TokenExpired.into());
        }
        Ok(())
    }
}

fn required<T: DeserializeOwned>(held: &mut Map<String, Value>, name: &'static str) -> Result<T> {
    optional(held, name)?.ok_or_else(|| invalid(format!("the claim `{name}` is missing")))
}

fn optional<T: DeserializeOwned>(held: &mut Map<String, Value>, name: &'static str) -> Result<Option<T>> {
    let value = held.remove(name).unwrap_or(Value::Null);
    serde_json::from_value(value).map_err(|error| {
        let said: String = error.to_string().chars().take(SAID_CHARS_MAX).collect();
        invalid(format!("the claim `{name}` is wrong: {said}"))
    })
}
