//! Management keys: making one in a role, and revoking it.

use crate::check;
use crate::keys::generate;
use tokenim_domain::actor::{Acting, Action};
use tokenim_domain::id::KeyId;
use tokenim_domain::key::Kind;
use tokenim_domain::role::OrgRole;
use tokenim_domain::secret::Secret;
use tokenim_domain::{Code, Error, Result};
use tokenim_store::{ManagementKeyView, NewManagementKey, Store};

/// A management key that somebody asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// As whom it shall act.
    pub role: OrgRole,
    /// When it shall end, milliseconds since 1970.
    pub expires_ms: Option<i64>,
}

/// Makes a management key; its secret is shown once.
///
/// Errors: `forbidden` for who may not, or for a role above their own; `invalid_field`; `limit_reached`; the store's.
pub async fn create(store: &Store, acting: &Acting, wanted: Wanted) -> Result<(ManagementKeyView, Secret)> {
    acting.allow(Action::ChangeSettings)?;
    if acting.role().is_some_and(|own| !own.may_grant(wanted.role)) {
        return Err(Error::new(Code::Forbidden).says("nobody gives a role above their own").at("role"));
    }
    check::name(&wanted.name)?;
    check::end(wanted.expires_ms, store.clock().now_ms())?;
    let (print, secret) = generate(store, Kind::Management)?;
    let Wanted { name, role, expires_ms } = wanted;
    let new = NewManagementKey { name, role, print, expires_ms };
    Ok((store.org(acting.org).create_management_key(&acting.actor, new).await?, secret))
}

/// Revokes a management key: it is refused within 2 s everywhere. One that is revoked stays as it is.
///
/// Errors: `forbidden`, `not_found`; the store's.
pub async fn revoke(store: &Store, acting: &Acting, id: KeyId) -> Result<ManagementKeyView> {
    acting.allow(Action::ChangeSettings)?;
    store.org(acting.org).revoke_management_key(&acting.actor, id, None).await
}
