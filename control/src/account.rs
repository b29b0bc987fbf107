//! What people change about their own account.

use crate::{password, reset};
use tokenim_domain::actor::Actor;
use tokenim_domain::id::{AccountId, SessionId};
use tokenim_domain::secret::Secret;
use tokenim_domain::{Code, Error, Result};
use tokenim_store::Store;

/// Changes a password by the old one; all other sessions end and are returned, and its owner is told by mail.
///
/// Errors: `invalid_field` at `password` where the old one is wrong, at `new_password` where the new one is too short or
/// too easy.
pub async fn change_password(
    store: &Store,
    account: AccountId,
    session: SessionId,
    [old, new]: [&Secret; 2],
    actor: &Actor,
) -> Result<Vec<SessionId>> {
    let account = store.find_account(account).await?.ok_or(Code::NotFound)?;
    password::check_new(new, &account.email).map_err(|error| error.at("new_password"))?;
    if !password::verify(old, &account.password_hash).await? {
        return Err(Error::invalid("password", "the password is not right"));
    }
    let password_hash = password::hash(new, &**store.rng()).await?;
    let mail = reset::changed(&account.email, account.language.as_deref().unwrap_or_default(), store.clock().now_ms());
    store.change_password(account.id, password_hash, session, &mail, actor).await
}
