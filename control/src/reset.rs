//! A forgotten password: a link by mail, and the new password behind it. It does not skip the second factor.

use crate::link::{check_limit, hash_of, to_reset};
use crate::password;
use crate::sign_in::normal;
use std::net::IpAddr;
use tokenim_domain::actor::Actor;
use tokenim_domain::id::SessionId;
use tokenim_domain::mail::{Mail, Matter};
use tokenim_domain::secret::Secret;
use tokenim_domain::{Code, Result};
use tokenim_store::{LinkPurpose, Store};

/// The page that asks for the address.
pub const FORGOT_PATH: &str = "/forgot";

/// Sends a link to an address that has an account, and nothing to others; the caller answers all the same, and as late.
///
/// An account that was sent its share is sent nothing more. Errors: `overloaded`, `unavailable`.
pub async fn request(store: &Store, email: &str, language: &str) -> Result<()> {
    let Some(account) = store.find_account_by_email(&normal(email)).await? else { return Ok(()) };
    match check_limit(store, &account, LinkPurpose::Reset).await {
        Ok(()) => {}
        Err(error) if error.code == Code::RateLimited => return Ok(()),
        Err(error) => return Err(error),
    }
    let language = account.language.as_deref().unwrap_or(language);
    store.create_link(account.id, &to_reset(&account.email, language, store.clock().now_ms(), &**store.rng())).await
}

/// Sets the new password; all sessions of the account end and are returned, and its owner is told by mail.
///
/// Errors: `not_found` for a link that does not work; `invalid_field` for a password that is too short or too easy.
pub async fn reset(store: &Store, token: &str, secret: &Secret, address: Option<IpAddr>) -> Result<Vec<SessionId>> {
    let hash = hash_of(token).ok_or(Code::NotFound)?;
    let link = store.find_link(hash, LinkPurpose::Reset).await?.ok_or(Code::NotFound)?;
    password::check_new(secret, &link.email)?;
    let password_hash = password::hash(secret, &**store.rng()).await?;
    let account = store.find_account(link.account).await?.ok_or(Code::NotFound)?;
    let mail = changed(&account.email, account.language.as_deref().unwrap_or_default(), store.clock().now_ms());
    let actor = Actor::person(account.id, address);
    store.reset_password(hash, password_hash, &mail, &actor).await
}

/// The mail that tells of a new password.
pub(crate) fn changed(email: &str, language: &str, at_ms: i64) -> Mail {
    let matter = Matter::PasswordChanged { at_ms, path: FORGOT_PATH.to_owned() };
    Mail { to: email.to_owned(), language: language.to_owned(), matter }
}
