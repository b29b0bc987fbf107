//! Members of an org: their roles, and taking them out.

use tokenim_domain::Result;
use tokenim_domain::actor::{Acting, Action};
use tokenim_domain::id::AccountId;
use tokenim_domain::role::OrgRole;
use tokenim_store::Store;

/// Gives a member another role; `from` is the one the caller saw, so that two who change it at once are told.
///
/// Errors: `forbidden`, also for roles above the actor's own; `not_found`; `conflict` where the role is another by now;
/// `last_owner`; the store's.
pub async fn change_role(store: &Store, acting: &Acting, account: AccountId, from: OrgRole, to: OrgRole) -> Result<()> {
    acting.allow(Action::ChangeMembers)?;
    store.org(acting.org).change_role(acting, account, from, to).await
}

/// Takes a member out of the org. Their console sessions see nothing of it from then on.
///
/// Errors: `forbidden`, also for roles above the actor's own; `not_found`; `last_owner`; the store's.
pub async fn remove(store: &Store, acting: &Acting, account: AccountId) -> Result<()> {
    acting.allow(Action::ChangeMembers)?;
    store.org(acting.org).remove_member(acting, account).await
}
