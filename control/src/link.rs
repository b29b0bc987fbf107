//! Links sent by mail: their tokens, how long they work, and how often one is sent.

use std::net::IpAddr;
use tokenim_domain::actor::Actor;
use tokenim_domain::id::AccountId;
use tokenim_domain::key::random_base62;
use tokenim_domain::mail::{Mail, Matter};
use tokenim_domain::rng::Rng;
use tokenim_domain::secret::sha256;
use tokenim_domain::{Code, Error, Result};
use tokenim_store::{Account, LinkPurpose, NewLink, Store};

/// Characters of a token: 43 of base62 are 256 bits.
pub(crate) const TOKEN_CHARS: usize = 43;
/// How long a link that verifies an address works, in milliseconds: 24 h.
const VERIFY_MS: i64 = 24 * 3_600_000;
/// How long a link that resets a password works, in milliseconds: 30 min.
const RESET_MS: i64 = 30 * 60_000;
/// Links of a purpose that an account is sent within [`WINDOW_MS`].
pub const LINKS_MAX: u64 = 5;
/// In milliseconds: 1 h.
const WINDOW_MS: i64 = 3_600_000;
/// The page that verifies an address.
pub const VERIFY_PATH: &str = "/verify";
/// The page that takes a new password.
pub const RESET_PATH: &str = "/reset";

/// The hash under which the store knows a link, an invitation's too; none for what cannot be a token of ours.
#[must_use]
pub fn hash_of(token: &str) -> Option<[u8; 32]> {
    let is_token = token.len() == TOKEN_CHARS && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_token.then(|| sha256(token.as_bytes()))
}

/// A link that verifies an address, in its mail.
pub(crate) fn to_verify(email: &str, language: &str, now_ms: i64, rng: &dyn Rng) -> NewLink {
    let (token, expires_ms) = (random_base62(TOKEN_CHARS, rng), now_ms + VERIFY_MS);
    let matter = Matter::VerifyAddress { path: format!("{VERIFY_PATH}?token={token}"), expires_ms };
    link(&token, LinkPurpose::Verify, expires_ms, email, language, matter)
}

/// A link that resets a password, in its mail.
pub(crate) fn to_reset(email: &str, language: &str, now_ms: i64, rng: &dyn Rng) -> NewLink {
    let (token, expires_ms) = (random_base62(TOKEN_CHARS, rng), now_ms + RESET_MS);
    let matter = Matter::ResetPassword { path: format!("{RESET_PATH}?token={token}"), expires_ms };
    link(&token, LinkPurpose::Reset, expires_ms, email, language, matter)
}

fn link(token: &str, purpose: LinkPurpose, expires_ms: i64, email: &str, language: &str, matter: Matter) -> NewLink {
    let mail = Mail { to: email.to_owned(), language: language.to_owned(), matter };
    NewLink { hash: sha256(token.as_bytes()), purpose, expires_ms, mail }
}

/// Whether a link works, without using it.
///
/// Errors: `overloaded`, `unavailable`.
pub async fn works(store: &Store, token: &str, purpose: LinkPurpose) -> Result<bool> {
    let Some(hash) = hash_of(token) else { return Ok(false) };
    Ok(store.find_link(hash, purpose).await?.is_some())
}

/// Uses a link to note that an address is its account's.
///
/// Errors: `not_found` for a link that does not work (any more).
pub async fn verify(store: &Store, token: &str, address: Option<IpAddr>) -> Result<AccountId> {
    let hash = hash_of(token).ok_or(Code::NotFound)?;
    store.verify_address(hash, |account| Actor::person(account, address)).await
}

/// Sends an account another link that verifies its address; nothing where it is verified.
///
/// Errors: `rate_limited` after [`LINKS_MAX`] within an hour.
pub async fn send_verification(store: &Store, account: &Account, language: &str) -> Result<()> {
    if account.is_verified {
        return Ok(());
    }
    let now = store.clock().now_ms();
    check_limit(store, account, LinkPurpose::Verify).await?;
    store.create_link(account.id, &to_verify(&account.email, language, now, &**store.rng())).await
}

/// Errors: `rate_limited` where the account was sent its share.
pub(crate) async fn check_limit(store: &Store, account: &Account, purpose: LinkPurpose) -> Result<()> {
    let since_ms = store.clock().now_ms() - WINDOW_MS;
    if store.count_links(account.id, purpose, since_ms).await? < LINKS_MAX {
        return Ok(());
    }
    Err(Error::new(Code::RateLimited).retry_after(u64::try_from(WINDOW_MS).unwrap_or_default()))
}
