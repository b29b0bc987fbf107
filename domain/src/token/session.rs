//! Session tokens: what `connect` returns and later connects present; signed by us, opaque to clients.

use super::{Identity, caps::Caps};
use crate::error::{Error, Result};
use crate::id::{AppId, KeyId, OrgId};
use crate::log::AppRef;
use crate::name::{Device, User};
use crate::secret::{MasterKey, Secret, mac, mac_matches};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokenim_protocol::Code;
use tokenim_protocol::limits::TOKEN_BYTES_MAX;

const PREFIX: &str = "tims_";

#[derive(Serialize, Deserialize)]
struct Payload {
    org: String,
    app: String,
    user: String,
    device: String,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    minted_by: Option<String>,
    exp_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    caps: Option<Caps>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
}

/// Whether text has the form of a session token, so that a face knows which verifier to ask.
#[must_use]
pub fn is_session(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Signs a session for an identity; it grants nothing and lives no longer than the user token did.
///
/// Errors: `internal` if the payload cannot be written.
pub fn sign(identity: &Identity, device: &Device, master: &MasterKey) -> Result<Secret> {
    let payload = Payload {
        org: identity.app.org.to_string(),
        app: identity.app.app.to_string(),
        user: identity.user.to_string(),
        device: device.to_string(),
        key: identity.key.to_string(),
        minted_by: identity.minted_by.map(|key| key.to_string()),
        exp_ms: identity.expires_ms,
        caps: identity.caps.as_deref().cloned(),
        label: identity.label.as_deref().map(str::to_owned),
    };
    let body = serde_json::to_vec(&payload).map_err(Error::internal)?;
    let tag = mac(master.session_key(), &body);
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    Ok(Secret::new(format!("{PREFIX}{}.{}", encode(&body), encode(&tag))))
}

/// Verifies a session token. Whether its signing key still stands, and when it ends, is the caller's question.
///
/// Errors: `session_invalid` for any other text, `token_expired` past its end.
pub fn verify(text: &str, master: &MasterKey, now_ms: i64) -> Result<Identity> {
    let payload = open(text, master).ok_or(Code::SessionInvalid)?;
    if payload.exp_ms <= now_ms {
        return Err(Code::TokenExpired.into());
    }
    identity(payload).ok_or_else(|| Code::SessionInvalid.into())
}

fn open(text: &str, master: &MasterKey) -> Option<Payload> {
    if text.len() > 2 * TOKEN_BYTES_MAX {
        return None;
    }
    let (body, tag) = text.strip_prefix(PREFIX)?.split_once('.')?;
    let body = BASE64_URL_SAFE_NO_PAD.decode(body).ok()?;
    let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?;
    mac_matches(master.session_key(), &body, &tag).then(|| serde_json::from_slice(&body).ok())?
}

fn identity(payload: Payload) -> Option<Identity> {
    let minted_by = payload.minted_by.map(|key| key.parse::<KeyId>()).transpose().ok()?;
    let app = AppRef { org: payload.org.parse::<OrgId>().ok()?, app: payload.app.parse::<AppId>().ok()? };
    Some(Identity {
        app,
        user: User::parse(&payload.user).ok()?,
        device: Some(Device::parse(&payload.device).ok()?),
        key: payload.key.parse::<KeyId>().ok()?,
        key_ends_ms: None,
        minted_by,
        caps: payload.caps.map(Arc::new),
        label: payload.label.map(Arc::from),
        expires_ms: payload.exp_ms,
    })
}
