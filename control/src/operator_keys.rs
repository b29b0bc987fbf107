//! Operator keys: made at the machine the data is on.

use crate::check;
use crate::keys::generate;
use tokenim_domain::Result;
use tokenim_domain::actor::Actor;
use tokenim_domain::id::KeyId;
use tokenim_domain::key::Kind;
use tokenim_domain::secret::Secret;
use tokenim_store::{OperatorKey, Store};

/// Makes an operator key; its secret is shown once.
///
/// Errors: `invalid_field`; the store's.
pub async fn create(store: &Store, name: &str) -> Result<(OperatorKey, Secret)> {
    check::name(name)?;
    let (print, secret) = generate(store, Kind::Operator)?;
    Ok((store.create_operator_key(&Actor::machine(), name, print).await?, secret))
}

/// Revokes an operator key; one that is revoked stays as it is.
///
/// Errors: `not_found`; the store's.
pub async fn revoke(store: &Store, id: KeyId) -> Result<OperatorKey> {
    store.revoke_operator_key(&Actor::machine(), id).await
}
