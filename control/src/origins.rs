//! Origins of pages that may connect to an app.

use tokenim_domain::Result;
use tokenim_domain::actor::{Acting, Action};
use tokenim_domain::id::AppId;
use tokenim_domain::origin::Origin;
use tokenim_store::Store;

/// Lets pages of an origin connect; the first one shuts out all others. One that is there stays.
///
/// Errors: `forbidden`, `invalid_field`, `not_found`, `limit_reached`; the store's.
pub async fn add(store: &Store, acting: &Acting, app: AppId, origin: &str) -> Result<Vec<String>> {
    acting.allow(Action::ChangeApps)?;
    let (origin, scope) = (Origin::parse(origin)?, store.org(acting.org));
    scope.add_origin(&acting.actor, app, &origin).await?;
    scope.list_origins(app).await
}

/// Removes an origin; without the last one every page may connect again.
///
/// Errors: `forbidden`, `invalid_field`, `not_found`; the store's.
pub async fn remove(store: &Store, acting: &Acting, app: AppId, origin: &str) -> Result<Vec<String>> {
    acting.allow(Action::ChangeApps)?;
    let (origin, scope) = (Origin::parse(origin)?, store.org(acting.org));
    scope.remove_origin(&acting.actor, app, &origin).await?;
    scope.list_origins(app).await
}
