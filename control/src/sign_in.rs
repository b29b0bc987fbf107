//! Signing in to the console.

use crate::password;
use tokenim_domain::Result;
use tokenim_domain::id::{AccountId, OrgId};
use tokenim_domain::secret::Secret;
use tokenim_store::{Account, Store};

/// A hash of nothing in particular: an unknown address costs the same time as a wrong password.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$dG9rZW5pbS1kdW1teS1z$8Vh2wPcXbH8yX6gk4f5s9V5QXn3mJm3m1k6m6y5Yw2A";

/// Whose password was right, and the org they look at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedIn {
    /// The account.
    pub account: AccountId,
    /// The org it joined first, if it is in one.
    pub org: Option<OrgId>,
}

/// Checks an address and a password; `None` where they do not match an account.
///
/// Errors: `overloaded`, `unavailable`.
pub async fn check_password(store: &Store, email: &str, secret: &Secret) -> Result<Option<SignedIn>> {
    match find_by_password(store, email, secret).await? {
        Some(account) => Ok(Some(SignedIn { account: account.id, org: store.find_first_org(account.id).await? })),
        None => Ok(None),
    }
}

/// Whether a password is the one of an address.
///
/// Errors: `overloaded`, `unavailable`.
pub async fn is_password_of(store: &Store, email: &str, secret: &Secret) -> Result<bool> {
    Ok(find_by_password(store, email, secret).await?.is_some())
}

async fn find_by_password(store: &Store, email: &str, secret: &Secret) -> Result<Option<Account>> {
    let found = store.find_account_by_email(&normal(email)).await?;
    let hash = found.as_ref().map_or(DUMMY_HASH, |account| account.password_hash.as_str());
    // A text of any length costs one hash, and none that is too long can be right.
    let is_readable = secret.expose().chars().count() <= password::CHARS_MAX;
    let secret = if is_readable { secret.clone() } else { Secret::new(String::new()) };
    let is_right = password::verify(&secret, hash).await?;
    Ok(found.filter(|_| is_right))
}

/// Addresses are compared without case and surrounding space.
#[must_use]
pub fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_dummy_hash_is_a_hash_that_nothing_matches() {
        assert!(!password::verify(&Secret::new("whatever it may be".into()), DUMMY_HASH).await.unwrap());
    }
}
